/* fail_alloc.h -- makes the N-th allocation of the code under test fail (linked with --wrap).
 * Knows: the linker's wrapping.    May not know: what is tested.
 * Threads: one.            Owns: nothing. */
#ifndef FORGESYTE_TESTS_FAIL_ALLOC_H
#define FORGESYTE_TESTS_FAIL_ALLOC_H

#include <stddef.h>

/* Allocations since the program began. */
extern size_t alloc_count;
/* From now on the nth one fails, once; 0: none does. */
void fail_alloc_at(int nth);

#endif
