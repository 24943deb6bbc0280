/* crashtest.c -- one tool per way in which a plugin can go wrong, and a good one beside them.
 * For the demo and for tests of the host: each tool does to its worker what its name says. All are
 * bounded by themselves, so that a missing wall costs memory, time or processes but no machine.
 * Threads: one.            Owns: nothing. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "forgesyte/plugin.h"

enum {
        ALLOCATE_MAX_MB = 16384,
        BOMB_DEPTH_MAX = 9,   /* 2 children each: 2 + 4 + ... + 512 = 1022 processes */
        BOMB_LIFETIME_S = 10, /* of each process, if nobody kills it before */
        FLOOD_DEFAULT = 64 << 20,
        GARBAGE_DESCRIPTORS = 1024, /* more than the box permits to have open */
        SLICE_MS = 50,
};

static int run_segfault(void *state, struct forge_call *call)
{
        volatile int *nowhere = state; /* NULL: there is no init */

        (void)call;
        *nowhere = 1;
        return 0;
}

static int run_abort(void *state, struct forge_call *call)
{
        (void)state, (void)call;
        abort();
}

static int run_exit(void *state, struct forge_call *call)
{
        (void)state;
        exit((int)forge_call_int(call, "code", 0));
}

static int run_hang(void *state, struct forge_call *call)
{
        (void)state, (void)call;
        for (;;)
                pause();
        return 0; /* never */
}

static int run_spin(void *state, struct forge_call *call)
{
        volatile unsigned long turns = 0;

        (void)state, (void)call;
        for (;;)
                turns++;
        return 0; /* never */
}

/* Megabyte by megabyte, each touched, so that the limit is met on the way and not at the end. */
static int run_allocate(void *state, struct forge_call *call)
{
        int64_t mb = forge_call_int(call, "mb", 1024), held = 0;
        char **blocks;

        (void)state;
        if (mb < 0 || mb > ALLOCATE_MAX_MB)
                return forge_call_fail(call, "BadSize", "mb is 0 to %d", ALLOCATE_MAX_MB);
        blocks = calloc((size_t)mb + 1, sizeof(*blocks));
        while (blocks && held < mb && (blocks[held] = malloc(1 << 20)) != NULL)
                memset(blocks[held++], 0xa5, 1 << 20);
        for (int64_t i = 0; i < held; i++)
                free(blocks[i]);
        free(blocks);
        if (held < mb) {
                forge_log(FORGE_LOG_ERROR, "no memory after %lld MB", (long long)held);
                return -1;
        }
        return forge_call_result_int(call, "mb", held);
}

/* Forks two children, which do the same one level down and linger; stops where the kernel refuses.
 * Returns how many this process has. */
static int fork_two(int64_t depth)
{
        for (int i = 0; i < 2; i++) {
                pid_t pid = fork();

                if (pid < 0)
                        return i;
                if (pid > 0)
                        continue;
                signal(SIGALRM, SIG_DFL);
                alarm(BOMB_LIFETIME_S);
                if (depth > 1)
                        fork_two(depth - 1);
                run_hang(NULL, NULL);
        }
        return 2;
}

static int run_fork_bomb(void *state, struct forge_call *call)
{
        int64_t depth = forge_call_int(call, "depth", BOMB_DEPTH_MAX);

        if (depth < 1 || depth > BOMB_DEPTH_MAX)
                return forge_call_fail(call, "BadDepth", "depth is 1 to %d", BOMB_DEPTH_MAX);
        if (fork_two(depth) > 0)
                return run_hang(state, call);
        forge_log(FORGE_LOG_ERROR, "no process may be forked here");
        return -1;
}

static int run_flood_stdout(void *state, struct forge_call *call)
{
        int64_t bytes = forge_call_int(call, "bytes", FLOOD_DEFAULT), left = bytes;
        char block[65536];

        (void)state;
        memset(block, 'x', sizeof(block));
        for (size_t i = 99; i < sizeof(block); i += 100)
                block[i] = '\n';
        while (left > 0) {
                size_t some = left < (int64_t)sizeof(block) ? (size_t)left : sizeof(block);
                ssize_t n = write(STDOUT_FILENO, block, some);

                if (n < 0)
                        return -1;
                left -= n;
        }
        return forge_call_result_int(call, "bytes", bytes);
}

/* The volatile bytes keep the frames apart, the volatile depth keeps the recursion. */
static int deeper(volatile int *depth)
{
        volatile char frame[4096];

        frame[0] = (char)*depth;
        (*depth)++;
        return *depth < 0 ? 0 : deeper(depth) + frame[0];
}

static int run_stack_overflow(void *state, struct forge_call *call)
{
        volatile int depth = 0;

        (void)state;
        return forge_call_result_int(call, "depth", deeper(&depth));
}

static int run_garbage(void *state, struct forge_call *call)
{
        unsigned char noise[256];
        int64_t written = 0;

        (void)state;
        for (size_t i = 0; i < sizeof(noise); i++)
                noise[i] = (unsigned char)(i * 167 + 13);
        for (int fd = 0; fd < GARBAGE_DESCRIPTORS; fd++)
                written += write(fd, noise, sizeof(noise)) > 0;
        return forge_call_result_int(call, "descriptors", written);
}

static int run_error(void *state, struct forge_call *call)
{
        (void)state;
        return forge_call_fail(call, forge_call_string(call, "type", "DeclaredError"), "%s",
                               forge_call_string(call, "message", "this call was asked to fail"));
}

static int run_fail(void *state, struct forge_call *call)
{
        (void)state;
        forge_log(FORGE_LOG_ERROR, "%s", forge_call_string(call, "message", "failed on request"));
        return -1;
}

/* The well-behaved long call: says how far it is and stops when it is cancelled. */
static int run_sleep(void *state, struct forge_call *call)
{
        int64_t ms = forge_call_int(call, "ms", 100), done = 0;

        (void)state;
        while (done < ms) {
                int64_t slice = ms - done < SLICE_MS ? ms - done : SLICE_MS;
                struct timespec ts = {.tv_sec = 0, .tv_nsec = (long)slice * 1000000};

                if (forge_call_cancelled(call))
                        return forge_call_fail(call, "Cancelled", "cancelled after %lld ms",
                                               (long long)done);
                nanosleep(&ts, NULL);
                done += slice;
                forge_call_progress(call, (double)done, (double)ms);
        }
        return forge_call_result_int(call, "slept_ms", done);
}

/* Its arguments are its result; `data`, a bytes argument, comes back as bytes. */
static int run_echo(void *state, struct forge_call *call)
{
        size_t size, data_size;
        const char *json = forge_call_json(call, &size);
        const void *data = forge_call_bytes(call, "data", &data_size);

        (void)state;
        if (forge_call_result_json(call, json, size) != 0)
                return -1;
        if (!data)
                return 0;
        return forge_call_result_bytes(call, "data", "application/octet-stream", data, data_size);
}

static const struct forge_tool tools[] = {
    FORGE_TOOL("segfault", run_segfault),
    FORGE_TOOL("abort", run_abort),
    FORGE_TOOL("exit", run_exit),
    FORGE_TOOL("hang", run_hang),
    FORGE_TOOL("spin", run_spin),
    FORGE_TOOL("allocate", run_allocate),
    FORGE_TOOL("fork_bomb", run_fork_bomb),
    FORGE_TOOL("flood_stdout", run_flood_stdout),
    FORGE_TOOL("stack_overflow", run_stack_overflow),
    FORGE_TOOL("garbage", run_garbage),
    FORGE_TOOL("error", run_error),
    FORGE_TOOL("fail", run_fail),
    FORGE_TOOL("sleep", run_sleep),
    FORGE_TOOL("echo", run_echo),
};

FORGE_PLUGIN(.tools = tools, .n_tools = sizeof(tools) / sizeof(tools[0]));
