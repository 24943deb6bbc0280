/* http_guard.h -- who may ask: Host and Origin against an allow-list, the bearer token. Pure.
 * Knows: header values.    May not know: sockets, plugins.
 * Threads: any (immutable after init).   Owns: its lists and the token. */
#ifndef FORGESYTE_HTTP_HTTP_GUARD_H
#define FORGESYTE_HTTP_HTTP_GUARD_H

#include <stdbool.h>

#include "base/err.h"

struct http_guard;

/* listen: the address bound, with its port. allowed_hosts: further names (NULL-terminated, or
 * NULL), "name" or "name:port". token: NULL, or what Authorization: Bearer must carry. */
int http_guard_new(const char *listen, const char *const *allowed_hosts, const char *token,
                   struct http_guard **ret, struct err *e) must_check;
void http_guard_free(struct http_guard *g);

enum http_guard_verdict {
        HTTP_GUARD_OK = 0,
        HTTP_GUARD_BAD_REQUEST,  /* 400: Host missing, twice, malformed, or not one of ours */
        HTTP_GUARD_UNAUTHORIZED, /* 401: token missing or wrong (compared in constant time) */
        HTTP_GUARD_FORBIDDEN,    /* 403: Origin of a foreign page */
};

/* host, origin, authorization: header values or NULL; host_count: how many Host headers came.
 * On a verdict other than OK, words (static) says what a person can do. */
enum http_guard_verdict http_guard_check(const struct http_guard *g, const char *host,
                                         unsigned host_count, const char *origin,
                                         const char *authorization, const char **ret_words);

/* Reads a token file: one line of 16 to 512 printable characters; refuses files that others may
 * read (mode & 077). The caller frees. */
int http_guard_read_token(const char *path, char **ret, struct err *e) must_check;
/* "ADDR:PORT": is it a loopback address? -EINVAL when it is none at all. */
int http_guard_is_loopback(const char *listen, bool *ret, struct err *e) must_check;

#endif
