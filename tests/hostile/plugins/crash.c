/* crash.c -- the rows C01 to C17 of docs/HOSTILE.md: ways to die in the middle of a call.
 * Threads: one.            Owns: nothing. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "forge.h"
#include "hostile.h"

HOSTILE_TOOL(null)
{
        volatile int *volatile nowhere = NULL;

        *nowhere = 1;
        return 0;
}

static int deeper(volatile int *depth)
{
        volatile char frame[4096];

        frame[0] = (char)*depth;
        (*depth)++;
        return *depth < 0 ? 0 : deeper(depth) + frame[0];
}

HOSTILE_TOOL(recursion)
{
        volatile int depth = 0;

        return forge_call_result_int(call, "depth", deeper(&depth));
}

HOSTILE_TOOL(abort)
{
        abort();
}

HOSTILE_TOOL(double_free)
{
        char *volatile block = malloc(100);

        free(block);
        free(block); /* glibc's message goes to stderr, then abort() */
        return 0;
}

/* From one block over the head of the next, wherever malloc() has put the two. */
HOSTILE_TOOL(smash)
{
        char *one = malloc(60000), *other = malloc(60000);
        char *low = one < other ? one : other, *high = one < other ? other : one;

        for (volatile char *at = low; at < high + 64; at++)
                *at = 'x';
        free(high);
        return 0;
}

HOSTILE_TOOL(divide)
{
        volatile int zero = 0;

        return 7 / zero;
}

HOSTILE_TOOL(illegal)
{
#if defined(__x86_64__)
        __asm__ volatile("ud2");
#else
        raise(SIGILL);
#endif
        return 0;
}

HOSTILE_TOOL(bus)
{
        int fd = memfd_create("shrinks", MFD_CLOEXEC);
        volatile char *map;

        if (fd < 0) { /* refused where no cgroup counts them: behind the end of another file */
                map = mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE, open("/bin/sh", O_RDONLY), 0);
                return map[(64 << 20) - 1];
        }
        if (fd < 0 || ftruncate(fd, 8192) != 0)
                return -1;
        map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED || ftruncate(fd, 0) != 0)
                return -1;
        return map[4096];
}

HOSTILE_TOOL(exit)
{
        exit((int)forge_call_int(call, "code", 0));
}

HOSTILE_TOOL(exit_thread)
{
        pthread_exit(NULL);
}

HOSTILE_TOOL(raise)
{
        int signal_number = (int)forge_call_int(call, "signal", 9);

        signal(signal_number, SIG_DFL);
        kill(getpid(), signal_number);
        for (;;)
                pause();
        return 0; /* never */
}

/* The first half of a right answer, then the end. Nothing of it may be believed. */
HOSTILE_TOOL(half_reply)
{
        unsigned char payload[200];
        uint32_t n = forge_result("{\"good\":false,\"stolen\":\"half of it\"}", payload);
        unsigned char header[FORGE_HEADER];
        struct forge_frame f;

        if (forge_learn(&f, FRAME_RESULT) != 0)
                return -1;
        f.len = n + 100;
        forge_encode(&f, header);
        if (forge_write(header, sizeof(header)) != 0 || forge_write(payload, n) != 0)
                return -1;
        abort();
}

/* throw 7, as a C++ compiler writes it; there is nobody to catch it. */
HOSTILE_TOOL(throw_it)
{
        void *lib = dlopen("libstdc++.so.6", RTLD_NOW);
        void *(*allocate)(size_t);
        void (*throw_it)(void *, void *, void (*)(void *));
        void *type_of_int;
        int *seven;

        if (!lib)
                return forge_call_fail(call, "NoLibrary", "%s", dlerror());
        *(void **)&allocate = dlsym(lib, "__cxa_allocate_exception");
        *(void **)&throw_it = dlsym(lib, "__cxa_throw");
        type_of_int = dlsym(lib, "_ZTIi");
        if (!allocate || !throw_it || !type_of_int)
                return forge_call_fail(call, "NoLibrary", "an odd libstdc++");
        seven = allocate(sizeof(int));
        *seven = 7;
        throw_it(seven, type_of_int, NULL);
        return 0; /* never */
}

HOSTILE_TOOL(sometimes)
{
        int64_t n = forge_call_int(call, "n", 0);

        if (n % 100 == 37)
                abort();
        return forge_call_result_int(call, "n", n);
}

HOSTILE_TOOL(poison)
{
        const char *input = forge_call_string(call, "input", "");

        if (strcmp(input, "poison") == 0)
                abort();
        return forge_call_result_string(call, "input", input);
}

static const struct forge_tool tools[] = {
    HOSTILE_GOOD,
    FORGE_TOOL("null", run_null),
    FORGE_TOOL("recursion", run_recursion),
    FORGE_TOOL("abort", run_abort),
    FORGE_TOOL("double_free", run_double_free),
    FORGE_TOOL("smash", run_smash),
    FORGE_TOOL("divide", run_divide),
    FORGE_TOOL("illegal", run_illegal),
    FORGE_TOOL("bus", run_bus),
    FORGE_TOOL("exit", run_exit),
    FORGE_TOOL("exit_thread", run_exit_thread),
    FORGE_TOOL("raise", run_raise),
    FORGE_TOOL("half_reply", run_half_reply),
    FORGE_TOOL("throw", run_throw_it),
    FORGE_TOOL("sometimes", run_sometimes),
    FORGE_TOOL("poison", run_poison),
};

FORGE_PLUGIN(.tools = tools, .n_tools = sizeof(tools) / sizeof(tools[0]));
