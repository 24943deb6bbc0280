/* http_response.h -- an HTTP/1.1 answer, byte by byte, from a server that could be anything.
 * Pure: bytes in, head and body out. Strict and bounded: the head in all, a chunk's line, the
 * number of interim answers and the body have limits; two ways to say the length are refused.
 * Knows: RFC 9112.         May not know: sockets, JSON.
 * Threads: any, one parser each.   Owns: the line under way. */
#ifndef FORGESYTE_CLI_HTTP_RESPONSE_H
#define FORGESYTE_CLI_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define HTTP_RESPONSE_HEAD_MAX    KIB(64)
#define HTTP_RESPONSE_INTERIM_MAX 16

enum http_response_state {
        HTTP_RESPONSE_STATUS, /* a status line is expected; the machine begins here */
        HTTP_RESPONSE_HEADERS,
        HTTP_RESPONSE_LENGTH, /* a body of `left` bytes */
        HTTP_RESPONSE_CHUNK_SIZE,
        HTTP_RESPONSE_CHUNK,     /* a chunk with `left` bytes to go */
        HTTP_RESPONSE_CHUNK_END, /* its line end */
        HTTP_RESPONSE_TRAILERS,
        HTTP_RESPONSE_UNTIL_CLOSE,
        HTTP_RESPONSE_DONE,
};

/* Gets the body as it comes, after the head is known. A negative result ends the parse with it. */
typedef int (*http_response_body_fn)(void *ctx, const char *data, size_t n, struct err *e);

/* Zero-initialise and set body, ctx and body_max. status is 0 until the final head has come. */
struct http_response {
        http_response_body_fn body;
        void *ctx;
        uint64_t body_max;

        enum http_response_state state;
        unsigned status;
        char content_type[128]; /* as sent; "" when not given */
        uint64_t left, body_size;

        /* the machine's own */
        struct str line;
        size_t head_size;
        unsigned interim, pending_status;
        bool has_length, chunked;
        uint64_t length;
};

void http_response_done(struct http_response *p);

static inline void http_response_scoped(struct http_response *p)
{
        http_response_done(p);
}

/* 0, -EBADMSG with words for what is no HTTP, -EFBIG for what is too large, -ENOMEM, or what `body`
 * returned. Bytes behind the end of the answer are refused. */
int http_response_feed(struct http_response *p, const char *data, size_t n,
                       struct err *e) must_check;
/* The server has closed: 0 when the answer is whole, else -EBADMSG. */
int http_response_end(struct http_response *p, struct err *e) must_check;

#endif
