/* wire_frame.h -- bytes to frames and back, and what may come when (docs/PROTOCOL.md).
 * Knows: the frame and its tables. May not know: descriptors, clocks, what a payload means.
 * Threads: one parser per stream.  Owns: the payload being collected. */
#ifndef FORGESYTE_WIRE_WIRE_FRAME_H
#define FORGESYTE_WIRE_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

#define WIRE_VERSION 1
#define WIRE_MAGIC UINT32_C(0x45475246)
#define WIRE_HEADER_SIZE 32
#define WIRE_MAX_CALL MIB(128)
#define WIRE_MAX_CONTROL KIB(64)
#define WIRE_MAX_OUTPUT_DEFAULT MIB(32)

/* X(id, number, cap) */
#define WIRE_TYPES_TO_WORKER(X)                                                                    \
        X(HELLO, 1, WIRE_MAX_CONTROL)                                                              \
        X(LOAD, 2, WIRE_MAX_CONTROL)                                                               \
        X(INIT, 3, 0)                                                                              \
        X(VALIDATE, 4, 0)                                                                          \
        X(CALL, 5, WIRE_MAX_CALL)                                                                  \
        X(CANCEL, 6, 0)                                                                            \
        X(PING, 7, 0)                                                                              \
        X(SHUTDOWN, 8, 0)                                                                          \
        X(CHECK, 9, WIRE_MAX_CONTROL)
#define WIRE_TYPES_TO_HOST(X)                                                                      \
        X(HELLO_OK, 64, 64)                                                                        \
        X(META, 65, MIB(1))                                                                        \
        X(READY, 66, 0)                                                                            \
        X(RESULT, 67, WIRE_MAX_OUTPUT_DEFAULT + KIB(64))                                           \
        X(ERROR, 68, WIRE_MAX_CONTROL)                                                             \
        X(PROGRESS, 69, 16)                                                                        \
        X(LOG, 70, KIB(16))                                                                        \
        X(PONG, 71, 0)                                                                             \
        X(REPORT, 72, KIB(256))

enum wire_type {
#define X(id, number, cap) WIRE_##id = number,
        WIRE_TYPES_TO_WORKER(X) WIRE_TYPES_TO_HOST(X)
#undef X
};

/* "RESULT", or "type 99". */
const char *wire_type_name(unsigned type);

struct wire_header {
        uint8_t type;
        uint32_t len;
        uint32_t generation;
        uint64_t call_id;
        uint32_t seq;
};

/* Writes WIRE_HEADER_SIZE bytes. */
void wire_header_encode(const struct wire_header *h, uint8_t *buf);
/* -EBADMSG with words when magic, version, flags or crc are wrong. Tables are not consulted. */
int wire_header_decode(const uint8_t *buf, struct wire_header *ret, struct err *e) must_check;

/* The host's view of one worker's stream: checks each header against the request under way, then
 * collects the payload. Pure: bytes in, frames out. */
struct wire_parser {
        uint32_t generation;
        uint32_t max_output;   /* cap of RESULT, set by wire_parser_init */
        uint8_t request;       /* type of the request under way, 0: idle */
        uint64_t call_id;      /* of the request under way, or the last one */
        bool meta_seen;
        uint32_t next_seq;
        bool failed;           /* after a violation nothing more is taken */
        uint8_t header_buf[WIRE_HEADER_SIZE];
        size_t have;           /* bytes of header_buf, then of the payload */
        bool in_payload;
        struct wire_header header;
        uint8_t *payload;      /* grows by what arrived; NUL-terminated behind */
        size_t payload_cap;
};

void wire_parser_init(struct wire_parser *p, uint32_t generation, uint32_t max_output);
void wire_parser_done(struct wire_parser *p);
/* A request was sent: from now on its answers are permitted. Only when idle (asserted by -EBUSY). */
int wire_parser_expect(struct wire_parser *p, enum wire_type request, uint64_t call_id) must_check;
/* Is a frame half-way in? (The 1 s rule for idle workers.) */
bool wire_parser_midframe(const struct wire_parser *p);

struct wire_frame {
        struct wire_header header;
        uint8_t *payload; /* owned by whoever got the frame; NULL when len is 0; NUL behind */
        bool ends_request;
};
void wire_frame_done(struct wire_frame *f);

/* Takes up to n bytes, *ret_used of them. 0: all taken, no frame yet; 1: *ret_frame is complete (the
 * caller feeds the rest again); -EBADMSG: a violation, with words; -EMSGSIZE: a RESULT above the
 * cap (OutputTooLarge); -ENOMEM. */
int wire_parser_feed(struct wire_parser *p, const uint8_t *bytes, size_t n, size_t *ret_used,
                     struct wire_frame *ret_frame, struct err *e) must_check;

#endif
