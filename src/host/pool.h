/* pool.h -- a few threads for what would hold the loop up.
 * Knows: jobs.             May not know: what they compute.
 * Threads: submit from the loop; `work` runs in a pool thread, `done` in the loop again.
 * Owns: its threads; jobs are the callers'. */
#ifndef FORGESYTE_HOST_POOL_H
#define FORGESYTE_HOST_POOL_H

#include <sys/queue.h>

#include "host/loop.h"

struct pool;

/* Embedded in its owner, who keeps it alive until done. Everything that work touches belongs to the
 * job alone, or is immutable. */
struct pool_job {
        void (*work)(struct pool_job *job);
        void (*done)(struct pool_job *job);
        STAILQ_ENTRY(pool_job) link;
};

int pool_new(struct loop *l, unsigned threads, struct pool **ret, struct err *e) must_check;
/* Waits for what is being worked on; calls done for everything that was submitted. */
void pool_free(struct pool *p);
void pool_submit(struct pool *p, struct pool_job *job);

#endif
