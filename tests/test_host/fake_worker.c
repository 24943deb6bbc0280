/* fake_worker.c -- a worker that says what a test tells it: it enters its box as forgesyte-worker
 * does, then follows the script in $FAKE_SCRIPT, steps parted by ';'.
 * Knows: box_enter, frames.    May not know: plugins. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "sandbox/box.h"
#include "wire/wire_frame.h"
#include "wire/wire_message.h"

#define WIRE 3

/* The request under way, and what the next frame says of itself. */
static struct {
        struct wire_header request;
        uint32_t seq;
        uint8_t half[WIRE_HEADER_SIZE + 4096]; /* of the frame that `half` began */
        size_t half_at, half_n;
        pid_t copy;
} me;

static void leave(int code, const char *why)
{
        fprintf(stderr, "fake worker: %s\n", why);
        fflush(stderr);
        _exit(code);
}

static void read_all(void *buf, size_t n)
{
        for (size_t at = 0; at < n;) {
                ssize_t r = read(WIRE, (char *)buf + at, n - at);

                if (r <= 0)
                        leave(219, "the host has closed the wire");
                at += (size_t)r;
        }
}

static void write_all(const void *buf, size_t n)
{
        if (n && write(WIRE, buf, n) != (ssize_t)n)
                leave(219, "cannot write");
}

static void read_header(void)
{
        uint8_t header[WIRE_HEADER_SIZE];
        struct err e;

        read_all(header, sizeof header);
        if (wire_header_decode(header, &me.request, &e) < 0)
                leave(71, e.msg);
}

static void skip_payload(void)
{
        static char sink[1 << 16];

        for (size_t left = me.request.len; left > 0;) {
                size_t some = MIN_OF(left, sizeof sink);

                read_all(sink, some);
                left -= some;
        }
}

static void read_request(void)
{
        read_header();
        skip_payload();
}

static struct wire_header header_of(enum wire_type type, const struct str *payload)
{
        return (struct wire_header){.type = (uint8_t)type,
                                    .len = payload ? (uint32_t)payload->len : 0,
                                    .generation = me.request.generation,
                                    .call_id = me.request.call_id,
                                    .seq = me.seq++};
}

static void send_frame(const struct wire_header *h, const struct str *payload)
{
        uint8_t buf[WIRE_HEADER_SIZE];

        wire_header_encode(h, buf);
        write_all(buf, sizeof buf);
        if (payload)
                write_all(payload->data, payload->len);
}

static void answer(enum wire_type type, const struct str *payload)
{
        struct wire_header h = header_of(type, payload);

        send_frame(&h, payload);
}

/* Reads a request of which only the header's first byte has come; how many descriptors had it? */
static unsigned read_given(void)
{
        union {
                char bytes[CMSG_SPACE(WIRE_MAX_DESCRIPTORS * sizeof(int))];
                struct cmsghdr aligned;
        } control;
        uint8_t header[WIRE_HEADER_SIZE];
        struct iovec v = {header, 1};
        struct msghdr m = {.msg_iov = &v,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control};
        struct cmsghdr *given;
        struct err e;

        if (recvmsg(WIRE, &m, MSG_CMSG_CLOEXEC) != 1)
                leave(219, "the host has closed the wire");
        given = CMSG_FIRSTHDR(&m);
        read_all(header + 1, sizeof header - 1);
        if (wire_header_decode(header, &me.request, &e) < 0)
                leave(71, e.msg);
        skip_payload();
        return given ? (unsigned)((given->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
}

/* --- steps --- */

static void do_hello(unused_param const char *arg)
{
        struct str s = {0};

        read_request();
        wire_encode_hello_ok(&s, &(struct wire_hello_ok){WIRE_VERSION, 1});
        answer(WIRE_HELLO_OK, &s);
}

static void do_load(unused_param const char *arg)
{
        struct str s = {0};

        read_request();
        wire_encode_meta(&s, wire_str_of("{\"tools\":[{\"name\":\"t\"}]}"));
        answer(WIRE_META, &s);
        answer(WIRE_READY, NULL);
}

static void do_ready(unused_param const char *arg)
{
        read_request();
        answer(WIRE_READY, NULL);
}

static void do_boot(const char *arg)
{
        do_hello(arg);
        do_load(arg);
        do_ready(arg);
        do_ready(arg);
}

static void do_read(unused_param const char *arg)
{
        read_request();
}

static void do_peek(unused_param const char *arg)
{
        read_header();
}

static void do_result(const char *arg)
{
        struct str s = {0};

        wire_encode_result(&s, &(struct wire_result){.json = wire_str_of(arg)});
        answer(WIRE_RESULT, &s);
}

static void do_error(const char *arg)
{
        struct wire_error m = {.kind = (uint8_t)atoi(arg),
                               .type = wire_str_of("Oops"),
                               .text = wire_str_of("it said so")};
        struct str s = {0};

        wire_encode_error(&s, &m);
        answer(WIRE_ERROR, &s);
}

static void do_log(const char *arg)
{
        struct str s = {0};

        wire_encode_log(&s, &(struct wire_log){2, wire_str_of(arg)});
        answer(WIRE_LOG, &s);
}

static void do_progress(const char *arg)
{
        struct str s = {0};

        wire_encode_progress(&s, &(struct wire_progress){atof(arg), 1});
        answer(WIRE_PROGRESS, &s);
}

static void do_flood(const char *arg)
{
        for (int n = atoi(arg); n > 0; n--)
                do_progress("0.5");
}

/* Reads a request, and logs how many descriptors came with it. */
static void do_given(unused_param const char *arg)
{
        char words[32];

        snprintf(words, sizeof words, "given %u", read_given());
        do_log(words);
}

/* Answers FORK with a copy that waits for its end. */
static void do_fork(unused_param const char *arg)
{
        struct str s = {0};

        (void)read_given();
        me.copy = fork();
        if (me.copy == 0)
                for (;;)
                        pause();
        wire_encode_forked(&s, &(struct wire_forked){(uint32_t)me.copy});
        answer(WIRE_FORKED, &s);
}

/* Waits for the copy's end by a signal, and tells of it. */
static void do_ended(unused_param const char *arg)
{
        struct wire_ended m = {.pid = (uint32_t)me.copy, .how = WIRE_END_KILLED};
        struct str s = {0};
        int status = 0;

        if (waitpid(me.copy, &status, 0) < 0 || !WIFSIGNALED(status))
                leave(75, "the copy did not die of a signal");
        m.status = (uint8_t)WTERMSIG(status);
        wire_encode_ended(&s, &m);
        answer(WIRE_ENDED, &s);
}

/* Dies of no signal that can be kept away. */
static void do_deaf(unused_param const char *arg)
{
        sigset_t all;

        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
}

/* The first bytes of a LOG; `rest` sends the others. */
static void do_half(const char *arg)
{
        struct str s = {0};
        struct wire_header h;

        wire_encode_log(&s, &(struct wire_log){2, wire_str_of("in two halves")});
        h = header_of(WIRE_LOG, &s);
        wire_header_encode(&h, me.half);
        memcpy(me.half + WIRE_HEADER_SIZE, s.data, s.len);
        me.half_n = WIRE_HEADER_SIZE + s.len;
        me.half_at = (size_t)atoi(arg);
        write_all(me.half, me.half_at);
}

static void do_rest(unused_param const char *arg)
{
        write_all(me.half + me.half_at, me.half_n - me.half_at);
}

static void do_generation(unused_param const char *arg)
{
        struct wire_header h = header_of(WIRE_LOG, NULL);

        h.generation++;
        send_frame(&h, NULL);
}

static void do_sequence(unused_param const char *arg)
{
        me.seq++;
        do_log("out of sequence");
}

static void do_stranger(unused_param const char *arg)
{
        me.request.call_id++;
        do_result("{}");
}

static void do_garbage(const char *arg)
{
        char noise[4096];

        memset(noise, 'A', sizeof noise);
        write_all(noise, MIN_OF(sizeof noise, (size_t)atoi(arg)));
}

/* A RESULT that lies about its payload. */
static void do_nonsense(unused_param const char *arg)
{
        struct str s = {0};

        str_adds(&s, "\xff\xff\xff\xff");
        answer(WIRE_RESULT, &s);
}

static void do_close(unused_param const char *arg)
{
        close(WIRE);
}

static void do_say(const char *arg)
{
        fprintf(stderr, "%s\n", arg);
        fflush(stderr);
}

/* "line 1", "line 2", ...: so many, to stderr, and as much of them as fits at once. */
static void do_lines(const char *arg)
{
        char text[KIB(16)];

        setvbuf(stderr, text, _IOFBF, sizeof text);
        for (int n = 1; n <= atoi(arg); n++)
                fprintf(stderr, "line %d\n", n);
        fflush(stderr);
}

static void do_exit(const char *arg)
{
        _exit(atoi(arg));
}

static void do_raise(const char *arg)
{
        signal(atoi(arg), SIG_DFL);
        raise(atoi(arg));
}

/* Longer than some patience of the host's, which is what such a test is about. */
static void do_sleep(const char *arg)
{
        poll(NULL, 0, atoi(arg));
}

static void do_hang(unused_param const char *arg)
{
        for (;;)
                pause();
}

static const struct step {
        const char *name;
        void (*fn)(const char *arg);
} steps[] = {
    {"hello", do_hello},       {"load", do_load},         {"ready", do_ready},
    {"boot", do_boot},         {"read", do_read},         {"peek", do_peek},
    {"result", do_result},     {"error", do_error},       {"log", do_log},
    {"progress", do_progress}, {"flood", do_flood},       {"half", do_half},
    {"rest", do_rest},         {"sequence", do_sequence}, {"generation", do_generation},
    {"stranger", do_stranger}, {"garbage", do_garbage},   {"nonsense", do_nonsense},
    {"close", do_close},       {"say", do_say},           {"exit", do_exit},
    {"raise", do_raise},       {"sleep", do_sleep},       {"hang", do_hang},
    {"given", do_given},       {"fork", do_fork},         {"ended", do_ended},
    {"deaf", do_deaf},         {"lines", do_lines},
};

static void follow(char *line)
{
        char *arg = strchr(line, ' ');

        if (arg)
                *arg++ = '\0';
        for (size_t i = 0; i < ARRAY_LEN(steps); i++)
                if (!strcmp(steps[i].name, line)) {
                        steps[i].fn(arg ? arg : "");
                        return;
                }
        leave(75, line);
}

int main(int argc, char **argv)
{
        char *script, *step;
        struct err e;

        if (box_enter(argc, argv, &e) < 0) {
                fprintf(stderr, "%s\n", e.msg);
                return 70;
        }
        script = getenv("FAKE_SCRIPT") ? strdup(getenv("FAKE_SCRIPT")) : NULL;
        while ((step = strsep(&script, ";")))
                follow(step);
        read_request(); /* until the host says SHUTDOWN, or closes */
        return 0;
}
