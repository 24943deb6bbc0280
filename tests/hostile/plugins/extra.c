/* extra.c -- the native rows X.. of docs/HOSTILE.md: what is in no other family.
 * Threads: one, and those that a row makes.            Owns: nothing. */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"

#define WIRE     3
#define CHUNK_MB 8

/* --- what takes the ground from under its own feet --- */

HOSTILE_TOOL(unmap)
{
        munmap((void *)4096, ((size_t)1 << 47) - 8192);
        return 0;
}

HOSTILE_TOOL(no_code)
{
        mprotect((void *)((uintptr_t)run_no_code & ~(uintptr_t)4095), 4096, PROT_NONE);
        return 0;
}

HOSTILE_TOOL(no_stack)
{
        volatile char here = 0;

        mprotect((void *)(((uintptr_t)&here & ~(uintptr_t)4095) - 65536), 131072, PROT_NONE);
        return here;
}

HOSTILE_TOOL(no_thread)
{
        syscall(SYS_arch_prctl, ARCH_SET_FS, 16);
        return forge_call_result_bool(call, "good", errno == 0);
}

HOSTILE_TOOL(trap)
{
        __asm__ volatile("int3");
        return 0;
}

HOSTILE_TOOL(vsyscall)
{
        return ((int (*)(long *))0xffffffffff600400)(NULL) == 0;
}

/* --- what is set to go off --- */

HOSTILE_TOOL(timer)
{
        struct itimerval soon = {.it_value.tv_usec = 100000};

        setitimer((int)forge_call_int(call, "which", ITIMER_REAL), &soon, NULL);
        if (forge_call_int(call, "wait", 0))
                for (;;)
                        ;
        return forge_call_result_bool(call, "good", true);
}

HOSTILE_TOOL(cpu_limit)
{
        struct rlimit one = {1, 1};

        setrlimit(RLIMIT_CPU, &one);
        for (;;)
                ;
        return 0;
}

HOSTILE_TOOL(own_limit)
{
        struct rlimit none = {0, 0};
        int r = setrlimit((int)forge_call_int(call, "which", RLIMIT_NOFILE), &none);

        return forge_call_result_int(call, "set", r);
}

static void *later(void *what)
{
        usleep(200000);
        switch (*(const char *)what) {
        case 'c':
                *(volatile int *)0 = 1;
                break;
        case 'e':
                _exit(0);
        case 'm':
                for (;;) {
                        void *more = malloc((size_t)CHUNK_MB << 20);

                        if (more)
                                memset(more, 1, (size_t)CHUNK_MB << 20);
                }
        case 'p':
                for (;;)
                        if (write(STDOUT_FILENO, "\xe2\x82\x1b[31m flood\r\n", 14) < 0)
                                break;
                break;
        case 'w':
                for (;;)
                        if (write(WIRE, "flood", 5) < 0)
                                break;
        }
        return NULL;
}

/* It answers well, and a thread goes on: to crash, to exit, to hog memory, to print, to write to
 * the wire. */
HOSTILE_TOOL(later)
{
        static char what[8];
        pthread_t thread;

        snprintf(what, sizeof(what), "%s", forge_call_string(call, "what", "c"));
        if (pthread_create(&thread, NULL, later, what) != 0)
                return -1;
        return forge_call_result_bool(call, "good", true);
}

/* --- its end of the wire --- */

HOSTILE_TOOL(wire)
{
        int big = 1 << 30, one = 1, null = open("/dev/null", O_RDWR);

        switch (forge_call_int(call, "how", 0)) {
        case 0:
                shutdown(WIRE, SHUT_WR);
                break;
        case 1:
                shutdown(WIRE, SHUT_RD);
                break;
        case 2:
                dup2(null, WIRE);
                break;
        case 3:
                fcntl(WIRE, F_SETFL, O_NONBLOCK | O_ASYNC);
                setsockopt(WIRE, SOL_SOCKET, SO_SNDBUF, &one, sizeof(one));
                setsockopt(WIRE, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
                break;
        case 4:
                fork(); /* and both of them answer */
                break;
        case 5:
                dup2(WIRE, STDOUT_FILENO); /* and what it prints is no frame */
                printf("hello\n");
                fflush(stdout);
                break;
        }
        return forge_call_result_bool(call, "good", true);
}

/* --- names, maps, descriptors --- */

/* A name that is meant for who reads /proc/PID/stat: "1234 (NAME) S 1 ...". */
HOSTILE_TOOL(named)
{
        static const char *const names[] = {") R 0 0 0 0", "a\nb\033[31m\x9b", "x) Z 1 1 (", ""};
        int64_t which = forge_call_int(call, "which", 0);

        prctl(PR_SET_NAME, names[which % 4], 0, 0, 0);
        for (int64_t mb = forge_call_int(call, "mb", 0); mb > 0; mb -= CHUNK_MB) {
                void *more = mmap(NULL, (size_t)CHUNK_MB << 20, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

                if (more == MAP_FAILED)
                        return forge_call_fail(call, "NoMemory", "mmap: %s", strerror(errno));
                memset(more, 1, (size_t)CHUNK_MB << 20);
                usleep(20000);
        }
        if (forge_call_int(call, "crash", 0))
                abort();
        return forge_call_result_bool(call, "good", true);
}

HOSTILE_TOOL(maps)
{
        int64_t n = 0;

        for (; n < 200000; n++) {
                void *at = mmap(NULL, 4096, n % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

                if (at == MAP_FAILED)
                        break;
                if (n % 2 == 0)
                        *(volatile char *)at = 1;
        }
        return forge_call_result_int(call, "maps", n);
}

static int one_more(int64_t kind)
{
        int pair[2];

        switch (kind) {
        case 0:
                return eventfd(0, 0);
        case 1:
                return timerfd_create(CLOCK_MONOTONIC, 0);
        case 2:
                return epoll_create1(0);
        case 3:
                return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
        case 4:
                return open("/proc/self/fd", O_RDONLY);
        default:
                return open("/proc/self/maps", O_RDONLY);
        }
}

/* Descriptors until there are no more. */
HOSTILE_TOOL(leak)
{
        int64_t kind = forge_call_int(call, "kind", 0), n = 0;

        while (n < 100000 && one_more(kind) >= 0)
                n++;
        return forge_call_result_int(call, "opened", n);
}

HOSTILE_TOOL(timers)
{
        struct sigevent silent = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG};
        struct itimerspec often = {{0, 1000}, {0, 1000}};
        int64_t n = 0;
        timer_t timer;

        signal(SIGURG, SIG_IGN);
        while (n < 100000 && timer_create(CLOCK_MONOTONIC, &silent, &timer) == 0) {
                timer_settime(timer, 0, &often, NULL);
                n++;
        }
        return forge_call_result_int(call, "timers", n);
}

/* --- what costs whoever reads it --- */

/* Lines of nothing, or bytes that must be escaped, as fast as they are read, for ever. */
HOSTILE_TOOL(noise)
{
        static char bytes[1 << 16];

        memset(bytes, (int)forge_call_int(call, "byte", '\n'), sizeof bytes);
        fcntl(1, F_SETPIPE_SZ, 1 << 20);
        fcntl(2, F_SETPIPE_SZ, 1 << 20);
        while (write(1, bytes, sizeof bytes) > 0 && write(2, bytes, sizeof bytes) > 0)
                ;
        return -1;
}

/* --- a scratch that is hard to remove --- */

HOSTILE_TOOL(tangle)
{
        int64_t depth = 0;
        int made = 0;

        if (chdir("/tmp") != 0)
                return forge_call_fail(call, "NoScratch", "/tmp: %s", strerror(errno));
        made += symlink(forge_call_string(call, "to", "/"), "link") == 0;
        made += mkfifo("fifo\n\033[31m", 0600) == 0;
        made += mkdir("closed", 0700) == 0 && mkdir("closed/in", 0) == 0 && chmod("closed", 0) == 0;
        for (; depth < 5000; depth++)
                if (mkdir("ddddddddddddddddddddddddddddddddddddddddddd", 0700) != 0 ||
                    chdir("ddddddddddddddddddddddddddddddddddddddddddd") != 0)
                        break;
        if (chdir("/") != 0)
                return -1;
        return forge_call_result_int(call, "made", made + depth);
}

static const struct forge_tool tools[] = {
    HOSTILE_GOOD,
    FORGE_TOOL("unmap", run_unmap),
    FORGE_TOOL("no_code", run_no_code),
    FORGE_TOOL("no_stack", run_no_stack),
    FORGE_TOOL("no_thread", run_no_thread),
    FORGE_TOOL("trap", run_trap),
    FORGE_TOOL("vsyscall", run_vsyscall),
    FORGE_TOOL("timer", run_timer),
    FORGE_TOOL("cpu_limit", run_cpu_limit),
    FORGE_TOOL("own_limit", run_own_limit),
    FORGE_TOOL("later", run_later),
    FORGE_TOOL("wire", run_wire),
    FORGE_TOOL("named", run_named),
    FORGE_TOOL("maps", run_maps),
    FORGE_TOOL("leak", run_leak),
    FORGE_TOOL("timers", run_timers),
    FORGE_TOOL("noise", run_noise),
    FORGE_TOOL("tangle", run_tangle),
};

FORGE_PLUGIN(.tools = tools, .n_tools = sizeof(tools) / sizeof(tools[0]));
