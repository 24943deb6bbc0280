/* wire.c -- the rows P01 to P19 of docs/HOSTILE.md: a worker that speaks out of turn, too much, or
 * nonsense. The frames of its own making are right but for what the row is about.
 * Threads: one beside the calls.       Owns: nothing. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "forge.h"
#include "hostile.h"

static void for_ever(void)
{
        for (;;)
                pause();
}

static void doze(long ms)
{
        struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        nanosleep(&ts, NULL);
}

HOSTILE_TOOL(print)
{
        unsigned char every[256];

        for (int i = 0; i < 256; i++)
                every[i] = (unsigned char)i;
        printf("a line for the log\n");
        fwrite(every, 1, sizeof(every), stdout);
        fwrite(every, 1, sizeof(every), stderr);
        fprintf(stderr, "\n\033[31mred\033[0m \r \b and \x9b 1m\n");
        return forge_call_result_bool(call, "good", true);
}

HOSTILE_TOOL(flood)
{
        static char block[1 << 16];
        int64_t left = forge_call_int(call, "mb", 1024) << 20;
        bool lines = forge_call_bool(call, "lines", true);

        for (size_t i = 0; i < sizeof(block); i++)
                block[i] = lines && i % 80 == 79 ? '\n' : i % 8 == 0 ? '\033' : 'x';
        for (; left > 0; left -= (int64_t)sizeof(block))
                if (write(STDOUT_FILENO, block, sizeof(block)) <= 0)
                        return -1;
        return forge_call_result_bool(call, "good", true);
}

HOSTILE_TOOL(garbage)
{
        unsigned char noise[256];

        for (size_t i = 0; i < sizeof(noise); i++)
                noise[i] = (unsigned char)(i * 167 + 13);
        forge_write(noise, sizeof(noise));
        for_ever();
        return 0;
}

/* A header with one field changed: by "field", to "value"; and some bytes behind it. */
HOSTILE_TOOL(header)
{
        const char *field = forge_call_string(call, "field", "");
        int64_t value = forge_call_int(call, "value", 0);
        static char payload[1 << 16];
        unsigned char header[FORGE_HEADER];
        struct forge_frame f;

        if (forge_learn(&f, (uint8_t)forge_call_int(call, "type", FRAME_RESULT)) != 0)
                return -1;
        f.len = forge_result("{\"forged\":true}", (unsigned char *)payload);
        if (strcmp(field, "len") == 0)
                f.len = (uint32_t)value;
        else if (strcmp(field, "type") == 0)
                f.type = (uint8_t)value;
        else if (strcmp(field, "version") == 0)
                f.version = (uint8_t)value;
        else if (strcmp(field, "flags") == 0)
                f.flags = (uint16_t)value;
        else if (strcmp(field, "magic") == 0)
                f.magic ^= (uint32_t)value;
        else if (strcmp(field, "generation") == 0)
                f.generation += (uint32_t)value;
        else if (strcmp(field, "call_id") == 0)
                f.call_id += (uint64_t)value;
        else if (strcmp(field, "seq") == 0)
                f.seq += (uint32_t)value;
        forge_encode(&f, header);
        if (strcmp(field, "crc") == 0)
                header[31] ^= 1;
        if (forge_write(header, sizeof(header)) != 0)
                return -1;
        for (int i = 0; i < 4096 && f.len > 0; i++)
                if (forge_write(payload, f.len < sizeof(payload) ? f.len : sizeof(payload)) != 0 ||
                    f.len < sizeof(payload))
                        break;
        for_ever();
        return 0;
}

HOSTILE_TOOL(half_header)
{
        struct forge_frame f;
        unsigned char header[FORGE_HEADER];

        if (forge_learn(&f, FRAME_RESULT) != 0)
                return -1;
        f.len = 20;
        forge_encode(&f, header);
        forge_write(header, (size_t)forge_call_int(call, "n", 32));
        for_ever();
        return 0;
}

/* Half of the payload, then the channel is shut; the process lives on. */
HOSTILE_TOOL(half_payload)
{
        struct forge_frame f;
        unsigned char bytes[FORGE_HEADER + 64];

        if (forge_learn(&f, FRAME_RESULT) != 0)
                return -1;
        f.len = forge_result("{\"stolen\":\"half of it\"}", bytes + FORGE_HEADER) + 1000;
        forge_encode(&f, bytes);
        forge_write(bytes, sizeof(bytes));
        close(FORGE_WIRE);
        for_ever();
        return 0;
}

/* An answer of ours; then the worker's own follows. */
HOSTILE_TOOL(twice)
{
        struct forge_frame f;
        unsigned char payload[64];

        if (forge_learn(&f, FRAME_RESULT) != 0)
                return -1;
        forge_send(&f, payload, forge_result("{\"first\":true}", payload));
        return forge_call_result_bool(call, "second", true);
}

/* After forge_learn the host misses one frame: a harmless one in its place. */
static int resync(struct forge_frame *f)
{
        static const unsigned char log[] = {3, 1, 0, 0, 0, 'x'};
        uint8_t type = f->type;
        int r;

        f->type = FRAME_LOG;
        r = forge_send(f, log, sizeof(log));
        f->type = type;
        return r;
}

/* What a thread does once the call has been answered. */
static struct {
        unsigned char bytes[128];
        size_t n;
        bool stop;
} later;

static void *do_later(void *unused)
{
        (void)unused;
        doze(200);
        if (later.stop)
                raise(SIGSTOP);
        forge_write(later.bytes, later.n);
        for_ever();
        return NULL; /* never */
}

static int answer_and_do_later(struct forge_call *call)
{
        pthread_t thread;

        if (pthread_create(&thread, NULL, do_later, NULL) != 0)
                return -1;
        return forge_call_result_bool(call, "good", true);
}

/* A right frame at a wrong time: an answer when nothing is asked; with "n", only so much of it. */
HOSTILE_TOOL(idle)
{
        struct forge_frame f;
        uint32_t n;

        if (forge_learn(&f, FRAME_RESULT) != 0 || resync(&f) != 0)
                return -1;
        f.seq++; /* the worker's own answer comes between */
        n = forge_result("{\"forged\":true}", later.bytes + FORGE_HEADER);
        f.len = n;
        f.type = (uint8_t)forge_call_int(call, "type", FRAME_RESULT);
        forge_encode(&f, later.bytes);
        later.n = (size_t)forge_call_int(call, "n", FORGE_HEADER + n);
        return answer_and_do_later(call);
}

HOSTILE_TOOL(stop_later)
{
        later.stop = true;
        return answer_and_do_later(call);
}

/* The answer of the first call is kept, and given once more in the second. */
HOSTILE_TOOL(replay)
{
        static unsigned char kept[128];
        static size_t n;
        struct forge_frame f;

        if (n > 0) {
                forge_write(kept, n);
                for_ever();
        }
        if (forge_learn(&f, FRAME_RESULT) != 0 || resync(&f) != 0)
                return -1;
        f.len = forge_result("{\"yesterday\":true}", kept + FORGE_HEADER);
        forge_encode(&f, kept);
        n = FORGE_HEADER + f.len;
        return forge_call_result_bool(call, "good", true);
}

HOSTILE_TOOL(close)
{
        int to = (int)forge_call_int(call, "to", 3);

        for (int fd = (int)forge_call_int(call, "from", 3); fd <= to; fd++)
                close(fd);
        if (forge_call_bool(call, "return", false))
                return forge_call_result_bool(call, "good", true);
        for_ever();
        return 0;
}

/* Harmless frames, each with as many descriptors as one message may carry. */
HOSTILE_TOOL(rights)
{
        enum { EACH = 64, TIMES = 300 };
        union {
                char bytes[CMSG_SPACE(EACH * sizeof(int))];
                struct cmsghdr aligned;
        } control;
        unsigned char bytes[FORGE_HEADER + 6] = {0};
        struct forge_frame f;
        int fds[EACH];

        if (forge_learn(&f, FRAME_LOG) != 0)
                return -1;
        for (int i = 0; i < EACH; i++)
                fds[i] = i % 3;
        memcpy(bytes + FORGE_HEADER, "\3\1\0\0\0x", 6);
        f.len = 6;
        for (int i = 0; i < TIMES; i++) {
                struct iovec v = {bytes, sizeof(bytes)};
                struct msghdr m = {.msg_iov = &v,
                                   .msg_iovlen = 1,
                                   .msg_control = control.bytes,
                                   .msg_controllen = sizeof(control)};
                struct cmsghdr *h = CMSG_FIRSTHDR(&m);

                *h = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(fds)),
                                      .cmsg_level = SOL_SOCKET,
                                      .cmsg_type = SCM_RIGHTS};
                memcpy(CMSG_DATA(h), fds, sizeof(fds));
                forge_encode(&f, bytes);
                while (sendmsg(FORGE_WIRE, &m, 0) < 0) {
                        if (errno == EPERM) { /* it may not send any at all */
                                resync(&f);
                                return forge_call_fail(call, "Refused", "it may not");
                        }
                        doze(5); /* too many are on their way */
                }
                f.seq++;
        }
        forge_skip(TIMES - 1);
        return forge_call_result_bool(call, "sent", true);
}

HOSTILE_TOOL(nothing)
{
        for (int i = 0; i < 1000; i++)
                send(FORGE_WIRE, "", 0, 0);
        return forge_call_result_bool(call, "good", true);
}

/* As fast as it goes, by frames of our own: the SDK would slow down. */
HOSTILE_TOOL(chatter)
{
        unsigned char log[] = {3, 9, 0, 0, 0, 'c', 'h', 'a', 't', 't', 'e', 'r', 'e', 'd'};
        unsigned char progress[16] = {0};
        int64_t n = forge_call_int(call, "n", 100000);
        struct forge_frame f;

        if (forge_learn(&f, FRAME_PROGRESS) != 0)
                return -1;
        for (int64_t i = 0; i < n; i++) {
                f.type = i % 2 ? FRAME_LOG : FRAME_PROGRESS;
                if (forge_send(&f, i % 2 ? log : progress, i % 2 ? sizeof(log) : 16) != 0)
                        return -1;
        }
        forge_skip(n - 1);
        return forge_call_result_bool(call, "talked", true);
}

static const struct forge_tool tools[] = {
    HOSTILE_GOOD,
    FORGE_TOOL("print", run_print),
    FORGE_TOOL("flood", run_flood),
    FORGE_TOOL("garbage", run_garbage),
    FORGE_TOOL("header", run_header),
    FORGE_TOOL("half_header", run_half_header),
    FORGE_TOOL("half_payload", run_half_payload),
    FORGE_TOOL("twice", run_twice),
    FORGE_TOOL("idle", run_idle),
    FORGE_TOOL("stop_later", run_stop_later),
    FORGE_TOOL("replay", run_replay),
    FORGE_TOOL("close", run_close),
    FORGE_TOOL("rights", run_rights),
    FORGE_TOOL("nothing", run_nothing),
    FORGE_TOOL("chatter", run_chatter),
};

FORGE_PLUGIN(.tools = tools, .n_tools = sizeof(tools) / sizeof(tools[0]));
