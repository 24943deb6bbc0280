/* err.h -- the words of a failure, on the caller's stack: nothing to leak, nothing to free.
 * Knows: errno.            May not know: who will read it.
 * Threads: any, one struct each.   Owns: nothing. */
#ifndef FORGESYTE_BASE_ERR_H
#define FORGESYTE_BASE_ERR_H

#include "base/macro.h"

#define ERR_MSG_MAX 480

/* code: the -errno that the failing function returned. msg: what, and outside it where. */
struct err {
        int code;
        char msg[ERR_MSG_MAX];
};

/* Each returns `code` (negative), so that `return err_set(e, -errno, "open %s", path);` works.
 * `e` may be NULL. A negative code's strerror text is appended by err_set_errno only. */
int err_set(struct err *e, int code, const char *fmt, ...) printf_like(3, 4);
/* Like err_set, and appends ": " and the text of -code. */
int err_set_errno(struct err *e, int code, const char *fmt, ...) printf_like(3, 4);
/* Puts "where: " before what `e` already says; returns `code` unchanged. */
int err_wrap(struct err *e, int code, const char *fmt, ...) printf_like(3, 4);

#endif
