/* files.c -- the rows F01 to F13 of docs/HOSTILE.md: descriptors, files, processes and threads
 * without end. Each stops by itself at a bound, so that a missing wall costs a throw-away box and
 * no machine. Threads: as many as a row wants.     Owns: nothing. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge.h"
#include "hostile.h"

#define MIB(n) ((size_t)(n) << 20)

static int fail(struct forge_call *call, const char *what, int64_t after)
{
        return forge_call_fail(call, "Refused", "%s: errno %d after %lld", what, errno,
                               (long long)after);
}

/* What is opened stays open; with "n", so many and no more. */
HOSTILE_TOOL(open)
{
        int64_t n = forge_call_int(call, "n", 1000000);

        for (int64_t i = 0; i < n; i++)
                if (open("/dev/null", O_RDONLY) < 0)
                        return fail(call, "open", i);
        return forge_call_result_int(call, "opened", n);
}

HOSTILE_TOOL(fill_tmp)
{
        static char block[1 << 20];
        int fd = open("/tmp/fills", O_WRONLY | O_CREAT, 0600);

        if (fd < 0)
                return fail(call, "open", 0);
        for (int i = 0; i < 4096; i++)
                if (write(fd, block, sizeof(block)) != sizeof(block))
                        return fail(call, "write", i);
        return 0;
}

HOSTILE_TOOL(inodes)
{
        char path[64];

        for (int i = 0; i < 100000; i++) {
                int fd;

                snprintf(path, sizeof(path), "/tmp/inode-%d", i);
                fd = open(path, O_WRONLY | O_CREAT, 0600);
                if (fd < 0)
                        return fail(call, "open", i);
                close(fd);
        }
        return 0;
}

/* In /tmp, or in a memfd where there is none. */
HOSTILE_TOOL(sparse)
{
        int fd = open("/tmp/sparse", O_WRONLY | O_CREAT, 0600);

        signal(SIGXFSZ, SIG_DFL);
        if (fd < 0)
                fd = memfd_create("sparse", 0);
        if (fd < 0 || ftruncate(fd, (off_t)1 << 50) != 0)
                return fail(call, "ftruncate", 0);
        return 0;
}

static void sit(void)
{
        signal(SIGALRM, SIG_DFL);
        alarm(60); /* if nobody kills it before */
        for (;;)
                pause();
}

/* Each forks as long as it is let; each lives until it is killed. */
static void bomb(void)
{
        for (int i = 0; i < 3000; i++) {
                pid_t pid = fork();

                if (pid < 0)
                        usleep(1000);
                if (pid == 0)
                        i = 0;
        }
        sit();
}

HOSTILE_TOOL(fork_bomb)
{
        pid_t pid = fork();

        if (pid < 0 && errno == EPERM)
                return fail(call, "fork", 0);
        bomb();
        return 0;
}

/* Sessions of their own, parents gone: nothing ties them to the call any more. */
HOSTILE_TOOL(daemons)
{
        int64_t n = forge_call_int(call, "n", 200), made = 0;

        for (; made < n; made++) {
                pid_t pid = fork();

                if (pid < 0)
                        break;
                if (pid == 0) {
                        setsid();
                        signal(SIGTERM, SIG_IGN);
                        signal(SIGHUP, SIG_IGN);
                        if (fork() == 0)
                                sit();
                        _exit(0);
                }
        }
        return forge_call_result_int(call, "daemons", made);
}

static void *rest(void *unused)
{
        (void)unused;
        for (;;)
                pause();
        return NULL; /* never */
}

HOSTILE_TOOL(thread_bomb)
{
        pthread_attr_t small;
        pthread_t thread;
        int made = 0, r;

        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 16384);
        while ((r = pthread_create(&thread, &small, rest, NULL)) == 0 && made < 100000)
                made++;
        return forge_call_fail(call, "Refused", "error %d after %d threads", r, made);
}

HOSTILE_TOOL(zombies)
{
        int64_t made = 0;

        for (; made < 10000; made++) {
                pid_t pid = fork();

                if (pid < 0)
                        return fail(call, "fork", made);
                if (pid == 0)
                        _exit(0);
        }
        return 0;
}

/* Which of these may be written to or made; none is right. */
HOSTILE_TOOL(write)
{
        const char *dir = forge_plugin_dir();
        char mine[4096], there[4096], done[256] = "";
        const char *const paths[] = {mine,   there,      "/usr/bin/env", "/usr/lib/new",
                                     "/new", "/etc/new", "/etc/passwd",  "/dev/new"};

        snprintf(mine, sizeof(mine), "%s/new", dir);
        snprintf(there, sizeof(there), "%s/manifest.json", dir);
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
                int fd = open(paths[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

                if (fd >= 0 || (errno != EROFS && errno != EACCES && errno != EPERM))
                        snprintf(done + strlen(done), sizeof(done) - strlen(done), " %zu:%d", i,
                                 fd >= 0 ? 0 : errno);
                if (fd >= 0)
                        close(fd);
        }
        return forge_call_result_string(call, "written", done);
}

HOSTILE_TOOL(core)
{
        struct rlimit rl = {RLIM_INFINITY, RLIM_INFINITY};
        size_t size = MIB((size_t)forge_call_int(call, "mb", 900));
        volatile char *block = malloc(size);

        setrlimit(RLIMIT_CORE, &rl);
        for (size_t i = 0; block && i < size; i += 4096)
                block[i] = 1;
        if (chdir("/tmp") != 0 || write(STDERR_FILENO, "now\n", 4) != 4)
                errno = 0;
        abort();
}

/* What would stay behind in a namespace that is not the box's own; how many of each kind. */
HOSTILE_TOOL(ipc)
{
        struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};
        int made[5] = {0};

        made[0] = shmget(0x0f06, 4096, IPC_CREAT | 0666) >= 0;
        made[1] = msgget(0x0f06, IPC_CREAT | 0666) >= 0;
        made[2] = semget(0x0f06, 1, IPC_CREAT | 0666) >= 0;
        made[3] = mq_open("/forgesyte-canary", O_RDWR | O_CREAT, 0666, &attr) >= 0;
        made[4] = sem_open("/forgesyte-canary", O_CREAT, 0666, 1) != SEM_FAILED;
        return forge_call_result_int(call, "made", made[0] + made[1] + made[2] + made[3] + made[4]);
}

static const struct forge_tool tools[] = {
    HOSTILE_GOOD,
    FORGE_TOOL("open", run_open),
    FORGE_TOOL("fill_tmp", run_fill_tmp),
    FORGE_TOOL("inodes", run_inodes),
    FORGE_TOOL("sparse", run_sparse),
    FORGE_TOOL("fork_bomb", run_fork_bomb),
    FORGE_TOOL("daemons", run_daemons),
    FORGE_TOOL("thread_bomb", run_thread_bomb),
    FORGE_TOOL("zombies", run_zombies),
    FORGE_TOOL("write", run_write),
    FORGE_TOOL("core", run_core),
    FORGE_TOOL("ipc", run_ipc),
};

FORGE_PLUGIN(.tools = tools, .n_tools = sizeof(tools) / sizeof(tools[0]));
