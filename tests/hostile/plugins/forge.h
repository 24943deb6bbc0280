/* forge.h -- frames of a plugin's own making. docs/PROTOCOL.md says how they look; what only the
 * worker knows of the request under way (generation, call id, sequence) is read off a frame that it
 * is made to write into a socket pair in its wire's place. Knows: the header.       May not know:
 * the worker's insides. Threads: one.            Owns: nothing. */
#ifndef FORGESYTE_TESTS_FORGE_H
#define FORGESYTE_TESTS_FORGE_H

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "forgesyte/plugin.h"

#define FORGE_WIRE   3
#define FORGE_HEADER 32

enum forge_frame_type {
        FRAME_HELLO_OK = 64,
        FRAME_META = 65,
        FRAME_READY = 66,
        FRAME_RESULT = 67,
        FRAME_ERROR = 68,
        FRAME_PROGRESS = 69,
        FRAME_LOG = 70,
        FRAME_PONG = 71,
        FRAME_REPORT = 72
};

struct forge_frame {
        uint32_t magic, len, generation, seq;
        uint8_t version, type;
        uint16_t flags;
        uint64_t call_id;
};

static inline uint32_t forge_crc(const unsigned char *p, size_t n)
{
        uint32_t crc = 0xffffffff;

        while (n--) {
                crc ^= *p++;
                for (int bit = 0; bit < 8; bit++)
                        crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
        return ~crc;
}

/* Little endian only, as everything that this runs on. */
static inline void forge_encode(const struct forge_frame *f, unsigned char *to)
{
        uint32_t crc;

        memcpy(to, &f->magic, 4);
        to[4] = f->version;
        to[5] = f->type;
        memcpy(to + 6, &f->flags, 2);
        memcpy(to + 8, &f->len, 4);
        memcpy(to + 12, &f->generation, 4);
        memcpy(to + 16, &f->call_id, 8);
        memcpy(to + 24, &f->seq, 4);
        crc = forge_crc(to, 28);
        memcpy(to + 28, &crc, 4);
}

/* The header that the worker would write now, of an empty frame of this type. -1: it was not to be
 * had. The host never sees the frame that told it, so the next one of ours is in sequence. */
static inline int forge_learn(struct forge_frame *f, uint8_t type)
{
        unsigned char header[FORGE_HEADER];
        int pair[2], wire = dup(FORGE_WIRE), ok;

        if (wire < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
                return -1;
        ok = dup2(pair[0], FORGE_WIRE) == FORGE_WIRE;
        forge_log(FORGE_LOG_DEBUG, "x");
        ok = ok && recv(pair[1], header, sizeof(header), MSG_DONTWAIT) == sizeof(header);
        dup2(wire, FORGE_WIRE);
        close(wire);
        close(pair[0]);
        close(pair[1]);
        if (!ok)
                return -1;
        *f = (struct forge_frame){.version = header[4], .type = type};
        memcpy(&f->magic, header, 4);
        memcpy(&f->generation, header + 12, 4);
        memcpy(&f->call_id, header + 16, 8);
        memcpy(&f->seq, header + 24, 4);
        return 0;
}

static inline int forge_write(const void *bytes, size_t n)
{
        const char *p = bytes;

        while (n > 0) {
                ssize_t w = write(FORGE_WIRE, p, n);

                if (w <= 0)
                        return -1;
                p += w;
                n -= (size_t)w;
        }
        return 0;
}

/* A frame with this payload; the next one of the same struct follows it. */
static inline int forge_send(struct forge_frame *f, const void *payload, uint32_t n)
{
        unsigned char header[FORGE_HEADER];

        f->len = n;
        forge_encode(f, header);
        f->seq++;
        return forge_write(header, sizeof(header)) || forge_write(payload, n) ? -1 : 0;
}

/* The worker's own count catches up with n frames of ours, so that it can go on. */
static inline int forge_skip(int64_t n)
{
        int wire = dup(FORGE_WIRE), nowhere = open("/dev/null", O_WRONLY);

        if (wire < 0 || nowhere < 0 || dup2(nowhere, FORGE_WIRE) < 0)
                return -1;
        while (n-- > 0)
                forge_log(FORGE_LOG_DEBUG, "x");
        dup2(wire, FORGE_WIRE);
        close(wire);
        close(nowhere);
        return 0;
}

/* RESULT's payload: a text, and no blocks. Returns its size, which is 6 more than the text's. */
static inline uint32_t forge_result(const char *json, unsigned char *to)
{
        uint32_t n = (uint32_t)strlen(json);

        memcpy(to, &n, 4);
        memcpy(to + 4, json, n);
        memset(to + 4 + n, 0, 2);
        return n + 6;
}

#endif
