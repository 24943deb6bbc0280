/* failing_malloc.h -- the N-th allocation fails. The test is linked with --wrap for malloc, calloc,
 * realloc and strdup, so that it works under the sanitizers too. */
#ifndef FORGESYTE_TESTS_FAILING_MALLOC_H
#define FORGESYTE_TESTS_FAILING_MALLOC_H

#include <stdbool.h>

/* The n-th allocation from now on (1 is the next) fails, once; 0: none does. */
void failing_malloc_arm(unsigned n);
/* Did it? Disarms. */
bool failing_malloc_fired(void);

#endif
