/* http_body.h -- a request's body as named parts. Pure, bounded; parts point into the body.
 * Knows: multipart/form-data, base64, data: URLs.    May not know: plugins, schemas, sockets.
 * Threads: any.            Owns: the array of parts. */
#ifndef FORGESYTE_HTTP_HTTP_BODY_H
#define FORGESYTE_HTTP_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HTTP_BODY_PARTS_MAX 64

struct http_part {
        char name[65];
        char filename[256];     /* "" when none was given, or an empty one */
        bool is_file;           /* it has a file name, be it an empty one */
        char content_type[128]; /* "" when not given */
        const char *data;       /* into the body */
        size_t size;
};
struct http_parts {
        struct http_part *parts;
        size_t n;
};

/* -EBADMSG with words: no boundary, a part without a name, a missing end, too many parts, a name
 * twice. 0 fills *ret; http_parts_done frees the array. */
int http_multipart_parse(const char *content_type, const char *body, size_t n,
                         struct http_parts *ret, struct err *e) must_check;
void http_parts_done(struct http_parts *p);

/* "image/png; charset=x" -> "image/png" in lower case. -EBADMSG when it is no media type. */
int http_media_type(const char *content_type, char *buf, size_t size) must_check;

/* Decodes base64 (RFC 4648, both alphabets, padding optional but right, ASCII white space skipped),
 * or a data: URL (base64 or percent-encoded), in place: text[0..n) becomes *ret_size bytes, which
 * is always shorter. content_type (may be NULL) gets the data: URL's type or "". -EBADMSG with
 * words. */
int http_base64_decode(char *text, size_t n, size_t *ret_size, char *content_type,
                       size_t content_type_size, struct err *e) must_check;
/* Adds padded standard base64. */
struct str;
void http_base64_encode(struct str *to, const void *data, size_t n);

#endif
