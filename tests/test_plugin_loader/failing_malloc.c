#include "test_plugin_loader/failing_malloc.h"

#include <stdint.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);

static size_t allocations, failing = SIZE_MAX; /* atomic: threads allocate too */

static bool fails(void)
{
        return __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED) ==
               __atomic_load_n(&failing, __ATOMIC_RELAXED);
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

void failing_malloc_arm(size_t n)
{
        allocations = 0;
        failing = n;
}

bool failing_malloc_disarm(void)
{
        bool reached = allocations > failing;

        failing = SIZE_MAX;
        return reached;
}

size_t failing_malloc_count(void)
{
        return allocations;
}
