/* stages.c -- a plugin that goes wrong while it is loaded, at the stage and in the way that its
 * manifest's "env" names: STAGE=constructor|init|validate|none, HOW=fail|crash|hang|exit|slow|fat.
 * FIRST=FILE: the first process that reaches the stage makes the file, and goes well.
 * Threads: one.            Owns: nothing. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "forgesyte/plugin.h"

static bool is(const char *variable, const char *value)
{
        const char *set = getenv(variable);

        return set && strcmp(set, value) == 0;
}

/* SLOW_MS of them, for HOW=slow. */
static void take_time(void)
{
        const char *ms = getenv("SLOW_MS");
        long n = ms ? strtol(ms, NULL, 10) : 500;
        struct timespec ts = {.tv_sec = n / 1000, .tv_nsec = n % 1000 * 1000000};

        nanosleep(&ts, NULL);
}

/* Half a gigabyte, touched page by page (volatile: or the compiler leaves it out). */
static void take_memory(void)
{
        size_t size = (size_t)512 << 20;
        volatile char *block = malloc(size);

        for (size_t i = 0; block && i < size; i += 4096)
                block[i] = 1;
}

static bool is_first(void)
{
        const char *file = getenv("FIRST");
        int fd = file ? open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;

        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

/* 0 when this stage is to go well. */
static int misbehave(const char *stage)
{
        if (!is("STAGE", stage) || is_first())
                return 0;
        fprintf(stderr, "going wrong in %s\n", stage);
        if (is("HOW", "crash"))
                *(volatile int *)NULL = 1;
        while (is("HOW", "hang"))
                pause();
        if (is("HOW", "exit"))
                _exit(0);
        if (is("HOW", "slow")) {
                take_time();
                return 0;
        }
        if (is("HOW", "fat"))
                take_memory();
        return forge_error("%s went wrong: the flux is off by 7", stage);
}

__attribute__((constructor)) static void on_import(void)
{
        if (is("STAGE", "constructor"))
                misbehave("constructor");
}

static int init(void **state)
{
        *state = NULL;
        return misbehave("init");
}

static int validate(void *state)
{
        (void)state;
        return misbehave("validate");
}

static void fini(void *state)
{
        (void)state;
        misbehave("fini");
}

static int run_ping(void *state, struct forge_call *call)
{
        (void)state;
        return forge_call_result_string(call, "pong", "pong");
}

static const struct forge_tool tools[] = {FORGE_TOOL("ping", run_ping)};

FORGE_PLUGIN(.init = init, .validate = validate, .fini = fini, .tools = tools, .n_tools = 1);
