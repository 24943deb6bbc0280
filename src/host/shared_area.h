/* shared_area.h -- memory that the host writes and one worker reads.
 * A memfd of fixed size, sparse until it is written: it takes no room but its pages. The worker
 * gets `read_fd`: a description that cannot write, of a file that nobody but its owner may open,
 * and that nobody can shrink under the host. The host takes the pages back from under whoever still
 * maps them.
 * Knows: memory.   May not know: calls, instances.
 * Threads: one at a time.      Owns: its descriptors and its mapping. */
#ifndef FORGESYTE_HOST_SHARED_AREA_H
#define FORGESYTE_HOST_SHARED_AREA_H

#include <stddef.h>

#include "base/macro.h"
#include "host/pool.h"

struct shared_area {
        struct pool_job job; /* of shared_area_retire */
        int write_fd, read_fd;
        size_t size;
        char *map;     /* of all of it; NULL: written with pwrite */
        size_t ready;  /* this much from its begin has pages, and is safe to write to */
        size_t before; /* what the round before this one wrote */
};

/* 0 or -errno. */
int shared_area_new(size_t size, struct shared_area **ret) must_check;
/* Gives the pages back, also those that a worker still maps (it reads zeros). NULL is fine. */
void shared_area_free(struct shared_area *a);
/* Gives the pages back and keeps the area. */
void shared_area_empty(struct shared_area *a);
/* As shared_area_free, in the pool: it takes a while for many pages. Takes the area. */
void shared_area_retire(struct shared_area *take_area, struct pool *p);

/* Writes one piece, and zeros from the end of the piece before it; pieces come in order, from 0 up.
 * 0 or -errno (no memory). */
int shared_area_write(struct shared_area *a, size_t *at, size_t offset, const void *data,
                      size_t n) must_check;
/* Ends a round of pieces up to `at`: zeros to the end of the page, and what earlier rounds had
 * behind it is given back unless they are likely to come again. 0 or -errno. */
int shared_area_finish(struct shared_area *a, size_t at) must_check;

#endif
