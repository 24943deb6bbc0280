/* failing_malloc.h -- the n-th allocation fails. meson puts these between the code under test (not
 * its shared libraries) and malloc with --wrap; jansson needs json_set_alloc_funcs(__wrap_malloc,
 * free). Threads: any allocates, one arms.     Owns: two counters. */
#ifndef FORGESYTE_TESTS_FAILING_MALLOC_H
#define FORGESYTE_TESTS_FAILING_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

/* From now on the n-th allocation (from 0) fails, once. */
void failing_malloc_arm(size_t n);
/* None fails any more. Was the n-th reached? */
bool failing_malloc_disarm(void);
/* Allocations since it was armed. */
size_t failing_malloc_count(void);

#endif
