/* failing_malloc.h -- the N-th allocation fails. failing_malloc_dep puts this between the code that
 * is linked into a test (not its shared libraries) and malloc, calloc, realloc, strdup, strndup,
 * asprintf and vasprintf by the linker's --wrap, so that it works under the sanitizers too; what
 * jansson allocates is counted as well: this takes its place as jansson's malloc before main().
 * Threads: any allocates, one arms.     Owns: two counters. */
#ifndef FORGESYTE_TESTS_FAILING_MALLOC_H
#define FORGESYTE_TESTS_FAILING_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* The nth allocation from now on (1 is the next) fails, once; 0: none does. */
void failing_malloc_arm(size_t nth);
/* None fails any more. Did the nth come, and fail? */
bool failing_malloc_disarm(void);
/* Allocations since it was armed, or since the program began. */
size_t failing_malloc_count(void);

/* Runs `once` again and again: in the first run the first allocation fails, in the second the
 * second, until a run has fewer; in that last one none fails. `once` looks at its results itself,
 * best after it has disarmed: failing_malloc_disarm() tells it whether one failed. Returns how many
 * allocations were made to fail. */
size_t failing_malloc_each(void (*once)(void *ctx), void *ctx);

#endif
