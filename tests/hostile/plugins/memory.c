/* memory.c -- the rows M01 to M11 of docs/HOSTILE.md: calls that take more memory than there is.
 * Each stops by itself at a bound, so that a missing wall costs memory and no machine.
 * Threads: one.            Owns: nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "forge.h"
#include "hostile.h"

#define MIB(n) ((size_t)(n) << 20)

static void touch(volatile char *block, size_t size)
{
        for (size_t i = 0; i < size; i += 4096)
                block[i] = 1;
}

static void *take(size_t size)
{
        void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (block == MAP_FAILED)
                return NULL;
        touch(block, size);
        return block;
}

/* MiB by MiB; how many there were. */
static int64_t take_mib(int64_t wanted)
{
        int64_t had = 0;

        while (had < wanted && take(MIB(1)))
                had++;
        return had;
}

HOSTILE_TOOL(touch)
{
        int64_t had = take_mib(forge_call_int(call, "mb", 2048));

        if (had < forge_call_int(call, "mb", 2048))
                return forge_call_fail(call, "OutOfMemory", "after %lld MB", (long long)had);
        return forge_call_result_int(call, "mb", had);
}

HOSTILE_TOOL(child)
{
        pid_t pid = fork();

        if (pid < 0)
                return forge_call_fail(call, "NoChild", "fork is refused");
        if (pid == 0)
                take_mib(2048);
        for (;;)
                pause();
        return 0; /* never */
}

HOSTILE_TOOL(memfd)
{
        int fd = memfd_create("fills", MFD_CLOEXEC);
        static char block[1 << 20];

        if (fd < 0)
                return forge_call_fail(call, "NoMemfd", "errno %d", errno);
        for (int i = 0; i < 2048; i++)
                if (write(fd, block, sizeof(block)) != sizeof(block))
                        return forge_call_fail(call, "NoSpace", "errno %d after %d MB", errno, i);
        return 0;
}

HOSTILE_TOOL(shm)
{
        int fd = open("/dev/shm/fills", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        static char block[1 << 20];

        if (fd < 0)
                return forge_call_fail(call, "NoSpace", "errno %d", errno);
        for (int i = 0; i < 2048; i++)
                if (write(fd, block, sizeof(block)) != sizeof(block))
                        return forge_call_fail(call, "NoSpace", "errno %d after %d MB", errno, i);
        return 0;
}

HOSTILE_TOOL(shared)
{
        volatile char *block = mmap(NULL, MIB(2048), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (block == MAP_FAILED)
                return forge_call_fail(call, "OutOfMemory", "errno %d", errno);
        touch(block, MIB(2048));
        return 0;
}

/* A byte every 2 MiB: a page, and a page of page table, each. 64 TiB, where they can be had. */
HOSTILE_TOOL(tables)
{
        size_t chunk = (size_t)1 << 40;

        for (int i = 0; i < 64; i++) {
                volatile char *block;

                while ((block = mmap(NULL, chunk, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) ==
                           MAP_FAILED &&
                       chunk > MIB(64))
                        chunk /= 2;
                if (block == MAP_FAILED)
                        return forge_call_fail(call, "NoSpace", "errno %d", errno);
                madvise((void *)block, chunk, MADV_NOHUGEPAGE);
                for (size_t at = 0; at < chunk; at += MIB(2))
                        block[at] = 1;
        }
        return 0;
}

/* Everything that a pipe or a socket holds, until there is no descriptor more. */
HOSTILE_TOOL(buffers)
{
        static char block[65536];
        int made = 0, pair[2], size = 1 << 20;

        while ((made % 2 ? pipe(pair) : socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) == 0) {
                setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
                fcntl(pair[1], F_SETPIPE_SZ, size);
                fcntl(pair[1], F_SETFL, O_NONBLOCK);
                while (write(pair[1], block, sizeof(block)) > 0)
                        ;
                made++;
        }
        return forge_call_fail(call, "NoDescriptor", "errno %d after %d pairs", errno, made);
}

HOSTILE_TOOL(refused)
{
        volatile size_t wanted = (size_t)1 << 46;
        void *block = malloc(wanted);

        if (!block)
                return forge_call_fail(call, "OutOfMemory", "no %zu bytes", wanted);
        free(block);
        return 0;
}

/* Keeps to just under the limit and has the kernel take file pages away and read them anew. */
HOSTILE_TOOL(thrash)
{
        static char block[1 << 20];

        take_mib(forge_call_int(call, "mb", 100));
        for (;;) {
                DIR *dir = opendir("/usr/lib/x86_64-linux-gnu");
                const struct dirent *d;

                while (dir && (d = readdir(dir))) {
                        int fd = openat(dirfd(dir), d->d_name, O_RDONLY | O_CLOEXEC);

                        while (fd >= 0 && read(fd, block, sizeof(block)) > 0)
                                ;
                        if (fd >= 0)
                                posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
                        if (fd >= 0)
                                close(fd);
                }
                if (dir)
                        closedir(dir);
        }
        return 0; /* never */
}

/* An answer that does not fit any more once it is put together. */
HOSTILE_TOOL(answer)
{
        size_t size = MIB(24);
        char *text = malloc(size + 1);
        int r;

        if (!text)
                return -1;
        memset(text, 'x', size);
        text[size] = '\0';
        take_mib(forge_call_int(call, "mb", 90));
        r = forge_call_result_string(call, "text", text);
        if (r != 0)
                return forge_call_fail(call, "OutOfMemory", "no memory for the answer");
        return 0;
}

/* Takes it, holds it for a while, and gives it back. */
HOSTILE_TOOL(hold)
{
        size_t size = MIB((size_t)forge_call_int(call, "mb", 100));
        struct timespec ts = {.tv_sec = forge_call_int(call, "seconds", 1)};
        void *block = take(size);

        if (!block)
                return forge_call_fail(call, "OutOfMemory", "no memory");
        nanosleep(&ts, NULL);
        munmap(block, size);
        return forge_call_result_bool(call, "held", true);
}

static const struct forge_tool tools[] = {
    HOSTILE_GOOD,
    FORGE_TOOL("touch", run_touch),
    FORGE_TOOL("child", run_child),
    FORGE_TOOL("memfd", run_memfd),
    FORGE_TOOL("shm", run_shm),
    FORGE_TOOL("shared", run_shared),
    FORGE_TOOL("tables", run_tables),
    FORGE_TOOL("buffers", run_buffers),
    FORGE_TOOL("refused", run_refused),
    FORGE_TOOL("thrash", run_thrash),
    FORGE_TOOL("answer", run_answer),
    FORGE_TOOL("hold", run_hold),
};

FORGE_PLUGIN(.tools = tools, .n_tools = sizeof(tools) / sizeof(tools[0]));
