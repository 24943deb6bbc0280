/* http_param.h -- a header value's parameters ("form-data; name=\"a\"; filename=b"), walked. Pure.
 * Knows: tokens, quoted strings.   May not know: which header it is.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_HTTP_HTTP_PARAM_H
#define FORGESYTE_HTTP_HTTP_PARAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

/* A cursor: what is left of the value. */
struct http_param_walk {
        const char *p, *end;
};

bool http_param_is_token_char(char c);
/* The next parameter: *ret_name points into the value, the value goes to buf[0..size),
 * NUL-terminated and without quotes (\" and \\ mean " and \; a backslash before anything else is
 * itself, as browsers send it). 1: one was read; 0: the end; -EBADMSG: malformed; -EMSGSIZE: longer
 * than buf. */
int http_param_next(struct http_param_walk *w, const char **ret_name, size_t *ret_name_len,
                    char *buf, size_t size, size_t *ret_len) must_check;

#endif
