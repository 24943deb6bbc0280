#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
        va_list ap;

        if (!e)
                return code;
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof e->msg, fmt, ap);
        va_end(ap);
        e->code = code;
        return code;
}

int err_set_errno(struct err *e, int code, const char *fmt, ...)
{
        va_list ap;
        char why[96];
        size_t n;

        if (!e)
                return code;
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof e->msg, fmt, ap);
        va_end(ap);
        n = strlen(e->msg);
        snprintf(e->msg + n, sizeof e->msg - n, ": %s", strerror_r(-code, why, sizeof why));
        e->code = code;
        return code;
}

int err_wrap(struct err *e, int code, const char *fmt, ...)
{
        char where[ERR_MSG_MAX];
        char what[ERR_MSG_MAX];
        va_list ap;

        if (!e)
                return code;
        va_start(ap, fmt);
        vsnprintf(where, sizeof where, fmt, ap);
        va_end(ap);
        memcpy(what, e->msg, sizeof what);
        /* Cutting the tail of a very long sentence is what msg's bound is for. */
        int n = snprintf(e->msg, sizeof e->msg, "%s: ", where);
        if (n > 0 && (size_t)n < sizeof e->msg) {
                size_t left = sizeof e->msg - (size_t)n - 1;
                size_t len = strnlen(what, sizeof what);
                if (len > left)
                        len = left;
                memcpy(e->msg + n, what, len);
                e->msg[(size_t)n + len] = '\0';
        }
        return code;
}
