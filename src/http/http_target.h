/* http_target.h -- a request's target ("/v1/x%20y?a=b") taken apart, strictly. Pure.
 * Knows: percent-encoding, UTF-8.  May not know: sockets, routes.
 * Threads: any.            Owns: the array of parameters; the text stays the caller's. */
#ifndef FORGESYTE_HTTP_HTTP_TARGET_H
#define FORGESYTE_HTTP_HTTP_TARGET_H

#include <stddef.h>

#include "base/macro.h"

#define HTTP_TARGET_PARAMS_MAX 64

struct http_param {
        const char *name, *value; /* decoded, valid UTF-8, no NUL */
};
struct http_target {
        const char *path; /* decoded, begins with '/', no control characters */
        struct http_param *params;
        size_t n;
};

/* Decodes raw[0..n) in place (raw[n] is NUL) and points into it. 0; -ENOMEM; -EBADMSG with static
 * words: not origin-form, a bad escape, NUL, an encoded slash, invalid UTF-8, a parameter without a
 * name or twice, too many of them. http_target_done frees what is there after 0. */
int http_target_parse(char *raw, size_t n, struct http_target *ret,
                      const char **ret_words) must_check;
void http_target_done(struct http_target *t);
/* The value of a parameter, NULL when absent. */
const char *http_target_param(const struct http_target *t, const char *name);

#endif
