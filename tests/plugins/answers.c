/* answers.c -- one tool per kind of answer, good and bad, and what a call can see of its box.
 * Threads: one.            Owns: nothing. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "forgesyte/plugin.h"

/* The bad kinds by name; what `kind` is not among is answered as it stands. */
static const char *const kinds[][2] = {
    {"truncated", "{\"a\": [1, 2"},
    {"text", "hello"},
    {"nan", "{\"a\": NaN}"},
    {"huge number", "{\"a\": 1e999}"},
    {"invalid utf-8", "{\"a\": \"\xff\xfe\"}"},
    {"surrogate", "{\"a\": \"\\ud800\"}"},
    {"duplicate", "{\"a\": 1, \"a\": 2}"},
    {"wrong type", "{\"a\": \"text where the schema wants a number\"}"},
    {"missing", "{}"},
    {"good", "{\"a\": 1}"},
};

static int run_raw(void *state, struct forge_call *call)
{
        const char *kind = forge_call_string(call, "kind", "good");

        (void)state;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                if (strcmp(kinds[i][0], kind) == 0)
                        return forge_call_result_json(call, kinds[i][1], strlen(kinds[i][1]));
        return forge_call_fail(call, "NoSuchKind", "no kind %s", kind);
}

static int run_deep(void *state, struct forge_call *call)
{
        size_t depth = (size_t)forge_call_int(call, "depth", 100000);
        char *text = malloc(2 * depth + 1);
        int r;

        (void)state;
        if (!text)
                return -1;
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        r = forge_call_result_json(call, text, 2 * depth);
        free(text);
        return r;
}

/* A result of `bytes` bytes of text; -1 from the SDK means that it was refused on the spot. */
static int run_large(void *state, struct forge_call *call)
{
        size_t bytes = (size_t)forge_call_int(call, "bytes", 0);
        char *text = malloc(bytes + 1);
        int r;

        (void)state;
        if (!text)
                return -1;
        memset(text, 'x', bytes);
        text[bytes] = '\0';
        r = forge_call_result_string(call, "text", text);
        free(text);
        return r;
}

static int run_bytes(void *state, struct forge_call *call)
{
        (void)state;
        if (forge_call_result_string(call, "note", "a tiny GIF") != 0)
                return -1;
        return forge_call_result_bytes(call, "image", "image/gif", "GIF89a\x01\0\x01\0", 10);
}

static int run_nothing(void *state, struct forge_call *call)
{
        (void)state, (void)call;
        return 0;
}

static int run_length(void *state, struct forge_call *call)
{
        size_t size = 0;
        const unsigned char *data = forge_call_bytes(call, "data", &size);
        uint32_t sum = 0;

        (void)state;
        for (size_t i = 0; i < size; i++)
                sum = sum * 31 + data[i];
        if (forge_call_result_bool(call, "given", data != NULL) != 0 ||
            forge_call_result_string(call, "note", forge_call_string(call, "note", "")) != 0 ||
            forge_call_result_int(call, "count", forge_call_int(call, "count", -1)) != 0 ||
            forge_call_result_bool(call, "flag", forge_call_bool(call, "flag", false)) != 0 ||
            forge_call_result_int(call, "sum", sum) != 0)
                return -1;
        return forge_call_result_int(call, "size", (int64_t)size);
}

/* Blocks like a library that knows no cancelling. */
static int run_stubborn(void *state, struct forge_call *call)
{
        int64_t ms = forge_call_int(call, "ms", 1000);
        struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        (void)state;
        nanosleep(&ts, NULL);
        return forge_call_result_int(call, "pid", getpid());
}

static int run_say(void *state, struct forge_call *call)
{
        const char *words = forge_call_string(call, "words", "hello");

        (void)state;
        printf("%s\n", words);
        fflush(stdout);
        forge_log(FORGE_LOG_WARNING, "logged: %s", words);
        return 0;
}

/* ---- what a call can see and do ----------------------------------------------------------------
 */

static int run_open(void *state, struct forge_call *call)
{
        const char *path = forge_call_string(call, "path", "/etc/shadow");
        bool write_it = forge_call_bool(call, "write", false);
        int fd = open(path, (write_it ? O_WRONLY | O_CREAT : O_RDONLY) | O_CLOEXEC, 0600);

        (void)state;
        if (fd < 0)
                return forge_call_result_string(call, "error", strerror(errno));
        close(fd);
        return forge_call_result_bool(call, "opened", true);
}

static int run_connect(void *state, struct forge_call *call)
{
        struct sockaddr_in to = {.sin_family = AF_INET};
        int fd, r;

        (void)state;
        to.sin_port = htons((uint16_t)forge_call_int(call, "port", 80));
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        r = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof(to));
        if (r < 0)
                return forge_call_result_string(call, "error", strerror(errno));
        return forge_call_result_bool(call, "connected", true);
}

static int run_descriptors(void *state, struct forge_call *call)
{
        char list[512] = "";
        size_t n = 0;

        (void)state;
        for (int fd = 0; fd < 65536 && n + 8 < sizeof(list); fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        n += (size_t)snprintf(list + n, sizeof(list) - n, n ? " %d" : "%d", fd);
        return forge_call_result_string(call, "open", list);
}

static int run_who(void *state, struct forge_call *call)
{
        char host[65] = "";

        (void)state;
        gethostname(host, sizeof(host) - 1);
        if (forge_call_result_int(call, "uid", getuid()) != 0 ||
            forge_call_result_int(call, "pid", getpid()) != 0 ||
            forge_call_result_string(call, "host", host) != 0 ||
            forge_call_result_string(call, "home", getenv("HOME") ? getenv("HOME") : "") != 0 ||
            forge_call_result_string(call, "secret", getenv("SECRET") ? getenv("SECRET") : "") != 0)
                return -1;
        return forge_call_result_string(call, "dir", forge_plugin_dir());
}

/* The 32-bit door: a filter that only looks at 64-bit numbers leaves it open. */
static int run_int80(void *state, struct forge_call *call)
{
        long r = 20; /* getpid */

        (void)state;
#ifdef __x86_64__
        __asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
#endif
        return forge_call_result_int(call, "answer", r);
}

/* Closes the wire and carries on. */
static int run_unplug(void *state, struct forge_call *call)
{
        (void)state, (void)call;
        close(3);
        for (;;)
                pause();
        return 0; /* never */
}

static int run_kill_self(void *state, struct forge_call *call)
{
        (void)state;
        kill(getpid(), (int)forge_call_int(call, "signal", 9));
        for (;;)
                pause();
        return 0; /* never */
}

static const struct forge_tool tools[] = {
    FORGE_TOOL("raw", run_raw),
    FORGE_TOOL("free", run_raw), /* the same, without an output schema */
    FORGE_TOOL("deep", run_deep),
    FORGE_TOOL("large", run_large),
    FORGE_TOOL("bytes", run_bytes),
    FORGE_TOOL("nothing", run_nothing),
    FORGE_TOOL("length", run_length),
    FORGE_TOOL("stubborn", run_stubborn),
    FORGE_TOOL("say", run_say),
    FORGE_TOOL("open", run_open),
    FORGE_TOOL("connect", run_connect),
    FORGE_TOOL("descriptors", run_descriptors),
    FORGE_TOOL("who", run_who),
    FORGE_TOOL("int80", run_int80),
    FORGE_TOOL("unplug", run_unplug),
    FORGE_TOOL("kill_self", run_kill_self),
};

FORGE_PLUGIN(.tools = tools, .n_tools = sizeof(tools) / sizeof(tools[0]));
