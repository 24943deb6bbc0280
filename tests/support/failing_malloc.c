#include "failing_malloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/macro.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
int __real_vasprintf(char **ret, const char *fmt, va_list args) printf_like(2, 0);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_vasprintf(char **ret, const char *fmt, va_list args) printf_like(2, 0);
int __wrap_asprintf(char **ret, const char *fmt, ...) printf_like(2, 3);
int __wrap___vasprintf_chk(char **ret, int flag, const char *fmt, va_list args) printf_like(3, 0);
int __wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...) printf_like(3, 4);

static size_t allocations, failing; /* atomic: threads allocate too */

static bool fails(void)
{
        size_t nth = __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);

        if (nth != __atomic_load_n(&failing, __ATOMIC_RELAXED))
                return false;
        errno = ENOMEM;
        return true;
}

void failing_malloc_arm(size_t nth)
{
        __atomic_store_n(&allocations, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&failing, nth, __ATOMIC_RELAXED);
}

bool failing_malloc_disarm(void)
{
        size_t nth = __atomic_exchange_n(&failing, 0, __ATOMIC_RELAXED);

        return nth > 0 && failing_malloc_count() >= nth;
}

size_t failing_malloc_count(void)
{
        return __atomic_load_n(&allocations, __ATOMIC_RELAXED);
}

size_t failing_malloc_each(void (*once)(void *ctx), void *ctx)
{
        for (size_t nth = 1;; nth++) {
                failing_malloc_arm(nth);
                once(ctx);
                failing_malloc_disarm();
                if (failing_malloc_count() < nth)
                        return nth - 1;
        }
}

void *__wrap_malloc(size_t n)
{
        return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
        return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
        return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
        return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
        return fails() ? NULL : __real_strndup(s, n);
}

/* On failure *ret is anything, as POSIX has it: whoever frees it is found out. */
static int refuse_text(char **ret)
{
        *ret = (char *)1;
        return -1;
}

int __wrap_vasprintf(char **ret, const char *fmt, va_list args)
{
        return fails() ? refuse_text(ret) : __real_vasprintf(ret, fmt, args);
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
        va_list args;
        int r;

        va_start(args, fmt);
        r = fails() ? refuse_text(ret) : __real_vasprintf(ret, fmt, args);
        va_end(args);
        return r;
}

/* What _FORTIFY_SOURCE makes of them. */
int __wrap___vasprintf_chk(char **ret, int flag, const char *fmt, va_list args)
{
        (void)flag;
        return fails() ? refuse_text(ret) : __real_vasprintf(ret, fmt, args);
}

int __wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...)
{
        va_list args;
        int r;

        (void)flag;
        va_start(args, fmt);
        r = fails() ? refuse_text(ret) : __real_vasprintf(ret, fmt, args);
        va_end(args);
        return r;
}

/* jansson is a shared library, whose calls the linker does not wrap. */
static __attribute__((constructor)) void take_jansson(void)
{
        json_set_alloc_funcs(__wrap_malloc, free);
}
