/* load.c -- the rows L05 to V06 of docs/HOSTILE.md: a plugin that goes wrong while it is loaded, in
 * the way that its manifest's "env" names: AT=constructor|init|validate|fini, HOW=one of the table
 * below. Threads: one.            Owns: nothing. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "forge.h"
#include "hostile.h"

static void how_null(void)
{
        volatile int *volatile nowhere = NULL;

        *nowhere = 1;
}

static void how_loop(void)
{
        volatile unsigned long turns = 0;

        for (;;)
                turns++;
}

static void how_sleep(void)
{
        for (;;)
                pause();
}

static void how_exit(void)
{
        _exit(0);
}

/* Page by page, so that nothing but the limit ends it. */
static void how_fat(void)
{
        for (size_t mb = 0; mb < 5 * 1024; mb++) {
                volatile char *block = malloc(1 << 20);

                for (size_t i = 0; block && i < 1 << 20; i += 4096)
                        block[i] = 1;
        }
}

static void how_talk(void)
{
        char line[1000];

        memset(line, 'x', sizeof(line) - 1);
        line[sizeof(line) - 1] = '\n';
        for (int i = 0; i < 100 * 1024 * 1024 / (int)sizeof(line); i++)
                fwrite(line, 1, sizeof(line), i % 2 ? stdout : stderr);
}

static void how_slow(void)
{
        struct timespec ts = {.tv_sec = 2};

        nanosleep(&ts, NULL);
}

/* META that is no JSON, as if the worker had sent it, and READY behind it. */
static void how_forge(void)
{
        static const unsigned char text[] = {9,   0,   0,   0,   '{', 't', 'o',
                                             'o', 'l', 's', ':', ' ', '\1'};
        struct forge_frame f;

        if (forge_learn(&f, FRAME_META) != 0)
                _exit(3);
        forge_send(&f, text, sizeof(text));
        f.type = FRAME_READY;
        forge_send(&f, "", 0);
        how_sleep();
}

/* META and READY as the worker would send them, with one more than is right. */
static void forge_frames(const uint8_t *types, size_t n)
{
        static const unsigned char meta[] = "\014\0\0\0{\"tools\":[]}";
        struct forge_frame f;

        if (forge_learn(&f, 0) != 0)
                _exit(3);
        for (size_t i = 0; i < n; i++) {
                f.type = types[i];
                forge_send(&f, meta, types[i] == FRAME_META ? sizeof(meta) - 1 : 0);
        }
        how_sleep();
}

static void how_ready_twice(void)
{
        forge_frames((const uint8_t[]){FRAME_META, FRAME_READY, FRAME_READY}, 3);
}

static void how_meta_twice(void)
{
        forge_frames((const uint8_t[]){FRAME_META, FRAME_META}, 2);
}

static void how_result_early(void)
{
        forge_frames((const uint8_t[]){FRAME_RESULT}, 1);
}

static const struct {
        const char *name;
        void (*act)(void);
} ways[] = {
    {"null", how_null},
    {"loop", how_loop},
    {"sleep", how_sleep},
    {"exit", how_exit},
    {"fat", how_fat},
    {"talk", how_talk},
    {"slow", how_slow},
    {"forge", how_forge},
    {"ready_twice", how_ready_twice},
    {"meta_twice", how_meta_twice},
    {"result_early", how_result_early},
};

static int misbehave(const char *at)
{
        const char *where = getenv("AT"), *how = getenv("HOW");

        if (!where || strcmp(where, at) != 0)
                return 0;
        for (size_t i = 0; how && i < sizeof(ways) / sizeof(ways[0]); i++) {
                if (strcmp(how, ways[i].name) == 0) {
                        ways[i].act();
                        return 0;
                }
        }
        return forge_error("the %s is off by 7: %s", at, how ? how : "no reason");
}

/* I04: a file that is there every second time, in a folder that outlives the box. */
static int every_second_time(void)
{
        const char *path = getenv("FLAKY");

        if (!path || unlink(path) == 0)
                return 0;
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
        return forge_error("not this time");
}

static int init(void **state)
{
        *state = NULL;
        return misbehave("init") || every_second_time();
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

HOSTILE_TOOL(abort)
{
        abort();
}

static char long_name[4097];
static struct forge_tool tools[] = {HOSTILE_GOOD, FORGE_TOOL("abort", run_abort)};

FORGE_PLUGIN(.init = init, .validate = validate, .fini = fini, .tools = tools, .n_tools = 2);

/* V01: what the plugin calls its second tool. */
__attribute__((constructor)) static void on_load(void)
{
        const char *name = getenv("TOOL_NAME");

        if (name && strcmp(name, "long") == 0) {
                memset(long_name, 'n', sizeof(long_name) - 1);
                name = long_name;
        }
        if (name)
                tools[1].name = strcmp(name, "control") == 0 ? "a\nb\033[31m" : name;
        misbehave("constructor");
}
