#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A sentence that was cut loses the character that was cut in two. */
static void end_whole(char *msg)
{
        size_t n = strlen(msg), tail = 0;
        unsigned char c;

        if (n < ERR_MSG_MAX - 1)
                return;
        while (tail < 3 && ((unsigned char)msg[n - 1 - tail] & 0xc0) == 0x80)
                tail++;
        c = (unsigned char)msg[n - 1 - tail];
        if (c >= 0xc0 && tail < (size_t)(c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1))
                msg[n - 1 - tail] = '\0';
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
        va_list ap;

        if (!e)
                return code;
        va_start(ap, fmt);
        vsnprintf(e->msg, sizeof e->msg, fmt, ap);
        va_end(ap);
        end_whole(e->msg);
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
        end_whole(e->msg);
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
        end_whole(e->msg);
        return code;
}
