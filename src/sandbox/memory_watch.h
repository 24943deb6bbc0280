/* memory_watch.h -- what the watch saw last, and when it looks again: where no cgroup counts.
 * A look reads a few files of every process of the box, in the host's loop, so that a box of many
 * costs everybody. The pauses grow with what looking took.
 * Knows: arithmetic.       May not know: clocks, processes.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_MEMORY_WATCH_H
#define FORGESYTE_SANDBOX_MEMORY_WATCH_H

#include <stdint.h>

#define MEMORY_WATCH_MS         50   /* between two looks, at least */
#define MEMORY_WATCH_PAUSES     50   /* times what the look took */
#define MEMORY_WATCH_LONGEST_MS 1000 /* a look that others held up must not blind the watch */

struct memory_watch {
        uint64_t bytes;  /* 0: it has not looked yet */
        int64_t next_ns; /* of the clock that the looks are timed by */
};

void memory_watch_looked(struct memory_watch *w, uint64_t bytes, int64_t began_ns,
                         int64_t ended_ns);

#endif
