/* http_head.h -- a request's head, from its first byte to the empty line, read strictly. Pure.
 * What two parsers could read differently is refused: bare line feeds, folded lines, two lengths, a
 * length and chunks, white space where none belongs.
 * Knows: RFC 9112's grammar.   May not know: sockets, routes, who may ask.
 * Threads: any.            Owns: nothing; offsets into the caller's bytes. */
#ifndef FORGESYTE_HTTP_HTTP_HEAD_H
#define FORGESYTE_HTTP_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

#define HTTP_LINE_MAX    KIB(8)  /* the request line; a longer one is 414 */
#define HTTP_HEAD_MAX    KIB(32) /* all of it; a longer one is 431 */
#define HTTP_HEADERS_MAX 100
#define HTTP_METHOD_MAX  32

/* The body's length where chunks are to come: nobody knows. */
#define HTTP_LENGTH_UNKNOWN UINT64_MAX

struct http_field {
        uint16_t name, name_len, value, value_len; /* offsets; the value without white space */
};

/* Zero-initialise, or http_head_reset. Everything but `size` and `is_head` means something only
 * once the head is complete. */
struct http_head {
        uint32_t size; /* bytes looked at; of a complete head: its own */
        uint32_t line; /* where the line under way begins */
        uint16_t method, method_len, target, target_len;
        uint16_t n;
        bool started; /* the request line was read */
        bool is_head; /* HEAD: no body goes back; known from the request line on */
        bool version_11;
        bool keep_alive; /* the client wants the connection to go on */
        bool has_body, expects_continue;
        uint64_t length; /* of the body, or HTTP_LENGTH_UNKNOWN */
        struct http_field fields[HTTP_HEADERS_MAX];
};

enum { HTTP_HEAD_MORE = 0, HTTP_HEAD_COMPLETE = 1 };

/* bytes[0..n) is all that has come of the head so far, and maybe what follows it; each byte is
 * looked at once, however it is dripped. HTTP_HEAD_MORE; HTTP_HEAD_COMPLETE: the head is
 * bytes[0..h->size); else the status to refuse with, at the first byte that shows it, and static
 * words. */
int http_head_read(struct http_head *h, const char *bytes, size_t n,
                   const char **ret_words) must_check;
void http_head_reset(struct http_head *h);

/* RFC 9110's token characters: names of fields, methods. */
bool http_head_is_token(const char *s, size_t n);

#endif
