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

#define WIRE_VERSION            1
#define WIRE_MAGIC              UINT32_C(0x45475246)
#define WIRE_HEADER_SIZE        32
#define WIRE_MAX_CALL           MIB(128)
#define WIRE_MAX_CONTROL        KIB(64)
#define WIRE_MAX_OUTPUT_DEFAULT MIB(32)
#define WIRE_MAX_DESCRIPTORS    3
/* What a RESULT may need beside the answer itself: names, content types, lengths. */
#define WIRE_OUTPUT_SLACK KIB(64)

/* X(id, number, cap, descriptors): what the host sends, and how many descriptors come with it, at
 * most WIRE_MAX_DESCRIPTORS. */
#define WIRE_TYPES_TO_WORKER(X)                                                                    \
        X(HELLO, 1, WIRE_MAX_CONTROL, 0)                                                           \
        X(LOAD, 2, WIRE_MAX_CONTROL, 0)                                                            \
        X(INIT, 3, 0, 0)                                                                           \
        X(VALIDATE, 4, 0, 0)                                                                       \
        X(CALL, 5, WIRE_MAX_CALL, 0)                                                               \
        X(CANCEL, 6, 0, 0)                                                                         \
        X(PING, 7, 0, 0)                                                                           \
        X(SHUTDOWN, 8, 0, 0)                                                                       \
        X(CHECK, 9, WIRE_MAX_CONTROL, 0)                                                           \
        X(CALL_SHM, 10, WIRE_MAX_CALL, 1)                                                          \
        X(FORK, 11, 0, 3)

/* X(id, number, cap, during, times): what a worker may send, in answer to which requests, and how
 * often. ENDS: once, and the request is over. */
#define WIRE_TYPES_TO_HOST(X)                                                                      \
        X(HELLO_OK, 64, 64, IN(HELLO), ENDS)                                                       \
        X(META, 65, MIB(1), IN(LOAD) | IN(INIT), ONCE)                                             \
        X(READY, 66, 0, IN(LOAD) | IN(INIT) | IN(VALIDATE), ENDS)                                  \
        X(RESULT, 67, WIRE_MAX_OUTPUT_DEFAULT + WIRE_OUTPUT_SLACK, IN(CALL), ENDS)                 \
        X(ERROR, 68, WIRE_MAX_CONTROL,                                                             \
          IN(LOAD) | IN(INIT) | IN(VALIDATE) | IN(CHECK) | IN(CALL) | IN(FORK), ENDS)              \
        X(PROGRESS, 69, 16, IN(CALL), MANY)                                                        \
        X(LOG, 70, KIB(16), ANYTIME, MANY)                                                         \
        X(PONG, 71, 0, NEVER, ONCE)                                                                \
        X(REPORT, 72, KIB(256), IN(CHECK), ENDS)                                                   \
        X(FORKED, 73, 4, IN(FORK), ENDS)                                                           \
        X(ENDED, 74, 14, IDLE | IN(FORK) | IN(INIT) | IN(SHUTDOWN), MANY)

enum wire_type {
#define X(id, number, ...) WIRE_##id = number,
        WIRE_TYPES_TO_WORKER(X) WIRE_TYPES_TO_HOST(X)
#undef X
};

/* "RESULT", or "type 99". */
const char *wire_type_name(unsigned type);
/* The largest payload of a type that the host sends; 0 for one that it does not. */
uint32_t wire_request_cap(unsigned type);
/* How many descriptors come with it; 0 as well for a type that the host does not send. */
unsigned wire_request_descriptors(unsigned type);

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
        uint32_t result_cap; /* largest RESULT payload */
        uint8_t request;     /* type of the request under way, 0: idle */
        uint64_t call_id;    /* of the request under way, or the last one */
        uint64_t
            previous_id; /* of the request before that: a LOG or ENDED may cross a new request */
        uint32_t seen;   /* bit (type - WIRE_HELLO_OK): came during this request */
        bool meta_seen;  /* META came, in this request or one before */
        bool forks;      /* FORK was sent, and nothing since that ends a template: ENDED may come */
        uint32_t next_seq;
        bool failed; /* after a violation nothing more is taken */
        uint8_t header_buf[WIRE_HEADER_SIZE];
        size_t have; /* bytes of header_buf, then of the payload */
        bool in_payload;
        struct wire_header header;
        uint8_t *payload; /* grows by what arrived; NUL-terminated behind */
        size_t payload_cap;
};

/* max_output: the largest answer in bytes; a RESULT may be WIRE_OUTPUT_SLACK larger. */
void wire_parser_init(struct wire_parser *p, uint32_t generation, uint32_t max_output);
/* For a copy of a worker: FORK with that id was its last request. */
void wire_parser_init_forked(struct wire_parser *p, uint32_t generation, uint32_t max_output,
                             uint64_t fork_id);
void wire_parser_done(struct wire_parser *p);
/* A request is being sent: from now on its answers are permitted. -EBUSY unless idle; -EINVAL when
 * the type is none that is answered (CANCEL, PING), or call_id is 0 or the last one's. SHUTDOWN has
 * no answer: what may still come is LOG. */
int wire_parser_expect(struct wire_parser *p, enum wire_type request, uint64_t call_id) must_check;
/* Is a frame half-way in? (The 1 s rule for idle workers.) */
bool wire_parser_midframe(const struct wire_parser *p);

struct wire_frame {
        struct wire_header header;
        uint8_t *payload; /* owned by whoever got the frame; NULL when len is 0; NUL behind */
        bool ends_request;
};
void wire_frame_done(struct wire_frame *f);

static inline void wire_frame_scoped(struct wire_frame *f)
{
        wire_frame_done(f);
}

/* Takes up to n bytes, *ret_used of them. 0: all taken, no frame yet; 1: *ret_frame is complete
 * (the caller feeds the rest again); -EBADMSG: a violation, with words; -EMSGSIZE: a RESULT above
 * the cap (OutputTooLarge); -ENOMEM. After any of these the parser takes nothing more. */
int wire_parser_feed(struct wire_parser *p, const uint8_t *bytes, size_t n, size_t *ret_used,
                     struct wire_frame *ret_frame, struct err *e) must_check;

#endif
