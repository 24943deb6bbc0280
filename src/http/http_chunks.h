/* http_chunks.h -- the chunked transfer coding, taken off as it comes. Pure.
 * Knows: RFC 9112 section 7.   May not know: sockets, limits of a body.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_HTTP_HTTP_CHUNKS_H
#define FORGESYTE_HTTP_HTTP_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

#define HTTP_CHUNK_LINE_MAX 256    /* a size and its extensions */
#define HTTP_TRAILER_MAX    KIB(4) /* all trailers together; they are checked and thrown away */
#define HTTP_TRAILER_NAME   17     /* the longest name that is looked at */

/* Zero-initialise. */
struct http_chunks {
        int state;
        uint64_t left; /* of the chunk under way, its announced rest */
        unsigned digits, line, trailers;
        unsigned name_len;
        bool has_colon;
        char name[HTTP_TRAILER_NAME + 1];
};

/* What one step found. */
struct http_piece {
        size_t used;      /* bytes of the input that are done with */
        const char *data; /* in the input */
        size_t len;       /* 0: none this time */
        bool ended;       /* the body is complete; what follows is the next request */
};

/* One step over in[0..n): up to one piece of data. Call again while something is left and the body
 * has not ended. 0; -EBADMSG with static words. */
int http_chunks_step(struct http_chunks *c, const char *in, size_t n, struct http_piece *ret,
                     const char **ret_words) must_check;

#endif
