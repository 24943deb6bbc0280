/* mem.h -- ownership by scope: `scoped(free)` from the declaring line, `take_ptr` to hand over.
 * Knows: malloc.           May not know: what is in the memory.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_BASE_MEM_H
#define FORGESYTE_BASE_MEM_H

#include <stdlib.h>

#include "base/macro.h"

/* scoped(x) calls x_scoped on leaving the scope: scoped(free) char *s = NULL; */
#define scoped(name) __attribute__((cleanup(name##_scoped)))

/* Makes `fn`, a destructor that accepts NULL, usable with scoped(). */
#define DEFINE_SCOPED(type, fn)                                                                    \
        static inline __attribute__((unused)) void fn##_scoped(type *p)                            \
        {                                                                                          \
                fn(*p);                                                                            \
        }

static inline void free_scoped(void *p)
{
        free(*(void **)p);
}

/* Hands a scoped pointer over: its old holder becomes NULL. */
#define take_ptr(p)                                                                                \
        ({                                                                                         \
                __typeof__(p) taken_ = (p);                                                        \
                (p) = NULL;                                                                        \
                taken_;                                                                            \
        })

/* A copy of n bytes, NUL-terminated behind; NULL when there is no memory. The caller frees. */
char *mem_dup0(const void *src, size_t n) must_check;

#endif
