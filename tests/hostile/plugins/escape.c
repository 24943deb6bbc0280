/* escape.c -- the rows E01 to E12 of docs/HOSTILE.md: tries what a box forbids, one act at a time,
 * and tells what the kernel said. What comes of it outside is looked at outside. Threads: one.
 * Owns: nothing. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forge.h"
#include "hostile.h"

/* {"errno": 0}: it was let. */
static int tell(struct forge_call *call, bool done)
{
        return forge_call_result_int(call, "errno", done ? 0 : errno);
}

/* Opens and reads or writes one byte: an opened file that can't be read is no leak. */
HOSTILE_TOOL(read)
{
        int fd = open(forge_call_string(call, "path", ""), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        char byte;
        bool done = fd >= 0 && pread(fd, &byte, 1, forge_call_int(call, "at", 0)) >= 0;

        return tell(call, done);
}

HOSTILE_TOOL(write)
{
        int fd = open(forge_call_string(call, "path", ""), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
        const char *text = forge_call_string(call, "text", "x");
        bool done = fd >= 0 && write(fd, text, strlen(text)) >= 0;

        return tell(call, done);
}

HOSTILE_TOOL(make)
{
        return tell(call, open(forge_call_string(call, "path", ""), O_WRONLY | O_CREAT | O_CLOEXEC,
                               0600) >= 0);
}

HOSTILE_TOOL(list)
{
        const char *path = forge_call_string(call, "path", "/");
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char entries[1024];

        return tell(call, fd >= 0 && syscall(SYS_getdents64, fd, entries, sizeof(entries)) >= 0);
}

/* nr, a0 to a5 as numbers; s0 to s5 are texts, b0 to b5 rooms of 4 KiB, in their places. */
HOSTILE_TOOL(sys)
{
        static char rooms[6][4096];
        long a[6];

        for (int i = 0; i < 6; i++) {
                char name[3] = {'a', (char)('0' + i), '\0'};
                const char *text;

                a[i] = forge_call_int(call, name, 0);
                name[0] = 's';
                text = forge_call_string(call, name, NULL);
                if (text)
                        a[i] = (long)text;
                name[0] = 'b';
                if (forge_call_bool(call, name, false))
                        a[i] = (long)rooms[i];
        }
        errno = 0;
        return tell(
            call, syscall(forge_call_int(call, "nr", -1), a[0], a[1], a[2], a[3], a[4], a[5]) >= 0);
}

HOSTILE_TOOL(inet)
{
        struct sockaddr_in to = {.sin_family = AF_INET};
        int kind = forge_call_bool(call, "udp", false) ? SOCK_DGRAM : SOCK_STREAM;
        int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);

        to.sin_port = htons((uint16_t)forge_call_int(call, "port", 80));
        to.sin_addr.s_addr = htonl((uint32_t)forge_call_int(call, "address", INADDR_LOOPBACK));
        return tell(call, fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
                              send(fd, "x", 1, MSG_NOSIGNAL) == 1);
}

/* path, or name for an abstract one. */
HOSTILE_TOOL(unix)
{
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        const char *name = forge_call_string(call, "name", NULL);
        const char *text = name ? name : forge_call_string(call, "path", "");
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        size_t n = strlen(text);

        if (n > sizeof(to.sun_path) - 2)
                return -1;
        memcpy(to.sun_path + (name != NULL), text, n);
        return tell(call, fd >= 0 && connect(fd, (struct sockaddr *)&to,
                                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                                         (name != NULL) + n)) == 0);
}

HOSTILE_TOOL(int80)
{
        long r = 20; /* getpid, as 32-bit programs number it */

#ifdef __x86_64__
        __asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
#endif
        return forge_call_result_int(call, "answer", r);
}

HOSTILE_TOOL(x32)
{
        return tell(call, syscall(0x40000000 | SYS_getpid) >= 0);
}

HOSTILE_TOOL(descriptors)
{
        char list[512] = "";
        size_t n = 0;

        for (int fd = 0; fd < 65536 && n + 8 < sizeof(list); fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        n += (size_t)snprintf(list + n, sizeof(list) - n, n ? " %d" : "%d", fd);
        return forge_call_result_string(call, "open", list);
}

/* A set-id program, run: with which user? Its exit status, or the errno of not getting so far. */
HOSTILE_TOOL(setuid)
{
        const char *path = forge_call_string(call, "path", "/usr/bin/su");
        int status = 0;
        pid_t pid = fork();

        if (pid < 0)
                return tell(call, false);
        if (pid == 0) {
                execl(path, path, "-c", "exit 0", (char *)NULL);
                _exit(126);
        }
        if (waitpid(pid, &status, 0) != pid)
                return tell(call, false);
        errno = WIFEXITED(status) ? 1000 + WEXITSTATUS(status) : 2000 + WTERMSIG(status);
        return tell(call, errno == 1000);
}

static const struct forge_tool tools[] = {
    HOSTILE_GOOD,
    FORGE_TOOL("read", run_read),
    FORGE_TOOL("write", run_write),
    FORGE_TOOL("make", run_make),
    FORGE_TOOL("list", run_list),
    FORGE_TOOL("sys", run_sys),
    FORGE_TOOL("inet", run_inet),
    FORGE_TOOL("unix", run_unix),
    FORGE_TOOL("int80", run_int80),
    FORGE_TOOL("x32", run_x32),
    FORGE_TOOL("descriptors", run_descriptors),
    FORGE_TOOL("setuid", run_setuid),
};

FORGE_PLUGIN(.tools = tools, .n_tools = sizeof(tools) / sizeof(tools[0]));
