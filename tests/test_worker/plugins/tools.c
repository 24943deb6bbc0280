/* tools.c -- one tool for each thing that a well-meaning plugin may do. */
#include <forgesyte/plugin.h>

#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int greet(void *state, struct forge_call *call)
{
        forge_call_result_string(call, "greeting", forge_call_string(call, "name", "world"));
        forge_call_result_bool(call, "init_ran", state && *(int *)state == 42);
        return 0;
}

static int nothing(void *state, struct forge_call *call)
{
        (void)state;
        (void)call;
        return 0;
}

static int echo_scalars(void *state, struct forge_call *call)
{
        size_t n;

        (void)state;
        forge_call_result_string(call, "tool", forge_call_tool(call));
        forge_call_result_string(call, "json", forge_call_json(call, &n));
        forge_call_result_int(call, "json_size", (int64_t)n);
        forge_call_result_string(call, "s", forge_call_string(call, "s", "none"));
        forge_call_result_int(call, "i", forge_call_int(call, "i", -1));
        forge_call_result_number(call, "d", forge_call_number(call, "d", -1));
        forge_call_result_bool(call, "b", forge_call_bool(call, "b", false));
        forge_call_result_int(call, "s_as_int", forge_call_int(call, "s", -7));
        forge_call_result_number(call, "i_as_number", forge_call_number(call, "i", -7));
        forge_call_result_int(call, "d_as_int", forge_call_int(call, "d", -7));
        forge_call_result_string(call, "absent", forge_call_string(call, "absent", NULL));
        return 0;
}

static int echo_bytes(void *state, struct forge_call *call)
{
        size_t n, none = 99;
        const void *image = forge_call_bytes(call, "image", &n);
        const void *empty = forge_call_bytes(call, "empty", &none);

        (void)state;
        forge_call_result_bool(call, "empty_given", empty != NULL && none == 0);
        forge_call_result_bool(call, "absent_given", forge_call_bytes(call, "absent", NULL));
        forge_call_result_int(call, "size", (int64_t)n);
        return forge_call_result_bytes(call, "image", "image/png", image, n) ||
               forge_call_result_bytes(call, "empty", NULL, "", 0);
}

/* How many descriptors it finds, and whether it may change the bytes it was given. */
static int looks_around(void *state, struct forge_call *call)
{
        size_t n;
        const char *image = forge_call_bytes(call, "image", &n);
        uintptr_t page = (uintptr_t)image & ~(uintptr_t)4095;
        int64_t found = 0;

        (void)state;
        for (int fd = 0; fd < 1024; fd++)
                found += fcntl(fd, F_GETFD) >= 0;
        forge_call_result_int(call, "descriptors", found);
        forge_call_result_bool(call, "writable",
                               n > 0 && mprotect((void *)page, 4096, PROT_READ | PROT_WRITE) == 0);
        return forge_call_progress(call, 1, 1), 0;
}

/* A whole object as text, and members behind it; `text` says which text. */
static int json_and_members(void *state, struct forge_call *call)
{
        const char *text = forge_call_string(call, "text", "{}");

        (void)state;
        forge_call_result_json(call, text, strlen(text));
        forge_call_result_int(call, "more", 1);
        return 0;
}

static int json_only(void *state, struct forge_call *call)
{
        const char *text = forge_call_string(call, "text", "{}");

        (void)state;
        forge_call_result_int(call, "replaced", 1);
        return forge_call_result_json(call, text, strlen(text));
}

static int awkward_text(void *state, struct forge_call *call)
{
        (void)state;
        forge_call_result_string(call, "quote\"d", "a\"b\\c\n\t\x01\xc3\xa9");
        return 0;
}

/* A locale with a decimal comma, as far as the machine has one, must not leak into JSON. */
static int numbers(void *state, struct forge_call *call)
{
        (void)state;
        setlocale(LC_ALL, "de_DE.UTF-8");
        forge_call_result_number(call, "tenth", 0.1);
        forge_call_result_number(call, "big", 1e300);
        forge_call_result_number(call, "third", 1.0 / 3);
        forge_call_result_number(call, "minus", -2.5);
        forge_call_result_int(call, "least", INT64_MIN);
        setlocale(LC_ALL, "C");
        return 0;
}

static int not_a_number(void *state, struct forge_call *call)
{
        (void)state;
        forge_call_result_number(call, "x", NAN);
        return 0;
}

static int bad_utf8(void *state, struct forge_call *call)
{
        (void)state;
        forge_call_result_string(call, "x", "\xff\xfe");
        return 0;
}

static int too_large(void *state, struct forge_call *call)
{
        size_t n = (size_t)forge_call_int(call, "size", 0);
        void *data = calloc(1, n);
        int r = data ? forge_call_result_bytes(call, "x", "application/octet-stream", data, n) : 1;

        (void)state;
        free(data);
        forge_call_result_int(call, "returned", r);
        return forge_call_bool(call, "mind", false) ? r : 0;
}

static int fail(void *state, struct forge_call *call)
{
        (void)state;
        return forge_call_fail(call, forge_call_string(call, "type", "BadImage"), "%s",
                               forge_call_string(call, "text", "no image"));
}

static int return_three(void *state, struct forge_call *call)
{
        (void)state;
        (void)call;
        return 3;
}

static int error_words(void *state, struct forge_call *call)
{
        (void)state;
        (void)call;
        return forge_error("the model %s", "is gone");
}

static int until_cancelled(void *state, struct forge_call *call)
{
        (void)state;
        forge_call_progress(call, 0, 0);
        for (int i = 0; i < 10000 && !forge_call_cancelled(call); i++)
                usleep(1000);
        return forge_call_fail(call, "Stopped", "%s",
                               forge_call_cancelled(call) ? "cancelled" : "never asked to");
}

static int progress_flood(void *state, struct forge_call *call)
{
        (void)state;
        forge_call_progress(call, NAN, 1);
        for (int i = 0; i < 200000; i++)
                forge_call_progress(call, i, 200000);
        return 0;
}

static int exit_seven(void *state, struct forge_call *call)
{
        (void)state;
        (void)call;
        exit(7);
}

static int forks_and_returns(void *state, struct forge_call *call)
{
        (void)state;
        forge_call_result_bool(call, "parent", fork() != 0);
        return 0;
}

static int noise(void *state, struct forge_call *call)
{
        (void)state;
        (void)call;
        printf("FRGE to stdout");
        fprintf(stderr, "words to stderr\n");
        return 0;
}

static int log_lines(void *state, struct forge_call *call)
{
        (void)state;
        (void)call;
        forge_log(FORGE_LOG_WARNING, "careful: %d \xff\x1b[31m", 7);
        forge_log((enum forge_log_level)77, "loud");
        return 0;
}

static void *log_much(void *unused)
{
        for (int i = 0; i < 300; i++)
                forge_log(FORGE_LOG_INFO, "line %d", i);
        return unused;
}

/* Lines go on from another thread when the call is long over. */
static int log_from_thread(void *state, struct forge_call *call)
{
        pthread_t thread;

        (void)state;
        (void)call;
        return pthread_create(&thread, NULL, log_much, NULL) || pthread_detach(thread);
}

static int paths(void *state, struct forge_call *call)
{
        (void)state;
        forge_call_result_string(call, "dir", forge_plugin_dir());
        forge_call_result_string(call, "eng", forge_model_path("eng"));
        forge_call_result_string(call, "none", forge_model_path("none"));
        return 0;
}

static int init(void **state)
{
        static int answer = 42;

        printf("init prints\n");
        *state = &answer;
        return 0;
}

static int validate(void *state)
{
        return *(int *)state == 42 ? 0 : -1;
}

static void fini(void *state)
{
        fprintf(stderr, "fini ran with %d\n", *(int *)state);
}

#define TOOL(name) FORGE_TOOL(#name, name)
static const struct forge_tool tools[] = {
    TOOL(greet),
    TOOL(nothing),
    TOOL(echo_scalars),
    TOOL(echo_bytes),
    TOOL(looks_around),
    TOOL(json_only),
    TOOL(numbers),
    TOOL(json_and_members),
    TOOL(awkward_text),
    TOOL(not_a_number),
    TOOL(bad_utf8),
    TOOL(too_large),
    TOOL(fail),
    TOOL(return_three),
    TOOL(error_words),
    TOOL(until_cancelled),
    TOOL(progress_flood),
    TOOL(exit_seven),
    TOOL(noise),
    TOOL(log_lines),
    TOOL(log_from_thread),
    TOOL(paths),
    TOOL(forks_and_returns),
};

FORGE_PLUGIN(.init = init, .validate = validate, .fini = fini, .tools = tools,
             .n_tools = sizeof tools / sizeof tools[0]);
