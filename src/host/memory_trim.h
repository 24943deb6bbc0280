/* memory_trim.h -- gives what big calls have freed back to the system, since malloc keeps it and
 * the host would stay as large as its largest requests were together. Knows: the loop, the pool.
 * May not know: calls. Threads: the loop's; trimming takes milliseconds and is done in the pool.
 * Owns: nothing. */
#ifndef FORGESYTE_HOST_MEMORY_TRIM_H
#define FORGESYTE_HOST_MEMORY_TRIM_H

#include "host/loop.h"
#include "host/pool.h"

#define MEMORY_TRIM_BIG MIB(1) /* a call with that much is worth it */

/* Embedded in its owner; zero-initialised but for loop and pool. */
struct memory_trim {
        struct loop *loop;
        struct pool *pool;
        struct loop_timer timer;
        struct pool_job job;
        bool running;
};

/* Before the first thread starts: has all threads share one arena. malloc_trim gives back no free
 * memory at the top of another's, and the pool's would keep what the largest values took. */
void memory_trim_prepare(void);
/* Something big is being freed about now. */
void memory_trim_soon(struct memory_trim *t);
/* Before the loop ends; the pool is gone by then. */
void memory_trim_done(struct memory_trim *t);

#endif
