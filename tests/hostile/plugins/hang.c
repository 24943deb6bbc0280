/* hang.c -- the rows H01 to H13 of docs/HOSTILE.md: calls that do not end.
 * Threads: as many as a row wants.     Owns: nothing. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "forge.h"
#include "hostile.h"

static void for_ever(void)
{
        for (;;)
                pause();
}

static void *spin(void *unused)
{
        volatile unsigned long turns = 0;

        (void)unused;
        for (;;)
                turns++;
        return NULL; /* never */
}

HOSTILE_TOOL(sleep)
{
        for_ever();
        return 0;
}

HOSTILE_TOOL(spin)
{
        spin(NULL);
        return 0;
}

HOSTILE_TOOL(deadlock)
{
        pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

        pthread_mutex_lock(&lock);
        pthread_mutex_lock(&lock);
        return 0;
}

static void ignore(int signal_number)
{
        (void)signal_number;
}

/* All that can be blocked or handled, is. */
HOSTILE_TOOL(deaf)
{
        sigset_t all;

        for (int n = 1; n < NSIG; n++)
                signal(n, n % 2 ? SIG_IGN : ignore);
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        for_ever();
        return 0;
}

HOSTILE_TOOL(stop)
{
        raise(SIGSTOP);
        for_ever();
        return 0;
}

HOSTILE_TOOL(child)
{
        pid_t pid = fork();

        if (pid < 0)
                return forge_call_fail(call, "NoChild", "fork is refused");
        if (pid == 0)
                spin(NULL);
        for_ever();
        return 0;
}

/* The child keeps the parent waiting in the kernel, where only a fatal signal gets it out. */
HOSTILE_TOOL(vfork)
{
        pid_t pid = vfork();

        if (pid < 0)
                return forge_call_fail(call, "NoChild", "vfork is refused");
        for_ever();
        return 0;
}

/* A right answer, a byte every 50 ms: on its way for longer than any call may take. */
HOSTILE_TOOL(drip)
{
        unsigned char bytes[FORGE_HEADER + 400];
        struct forge_frame f;
        struct timespec pause_ns = {.tv_nsec = 50000000};
        char text[300];

        memset(text, 'x', sizeof(text) - 1);
        text[0] = text[sizeof(text) - 2] = '"';
        text[sizeof(text) - 1] = '\0';
        if (forge_learn(&f, FRAME_RESULT) != 0)
                return -1;
        f.len = forge_result(text, bytes + FORGE_HEADER);
        forge_encode(&f, bytes);
        for (size_t i = 0; i < FORGE_HEADER + f.len; i++) {
                if (forge_write(bytes + i, 1) != 0)
                        return -1;
                nanosleep(&pause_ns, NULL);
        }
        for_ever();
        return 0;
}

HOSTILE_TOOL(spin_threads)
{
        pthread_attr_t small;
        pthread_t thread;
        int made = 0;

        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 65536);
        while (made < 100 && pthread_create(&thread, &small, spin, NULL) == 0)
                made++;
        if (made < 50)
                return forge_call_fail(call, "NoThreads", "%d threads only", made);
        for_ever();
        return 0;
}

HOSTILE_TOOL(stdin)
{
        char byte;
        ssize_t n = read(STDIN_FILENO, &byte, 1);

        return forge_call_result_int(call, "read", n);
}

static const struct forge_tool tools[] = {
    HOSTILE_GOOD,
    FORGE_TOOL("sleep", run_sleep),
    FORGE_TOOL("spin", run_spin),
    FORGE_TOOL("deadlock", run_deadlock),
    FORGE_TOOL("deaf", run_deaf),
    FORGE_TOOL("stop", run_stop),
    FORGE_TOOL("child", run_child),
    FORGE_TOOL("vfork", run_vfork),
    FORGE_TOOL("drip", run_drip),
    FORGE_TOOL("spin_threads", run_spin_threads),
    FORGE_TOOL("stdin", run_stdin),
};

FORGE_PLUGIN(.tools = tools, .n_tools = sizeof(tools) / sizeof(tools[0]));
