#include "sandbox/memory_watch.h"

#include "base/macro.h"

void memory_watch_looked(struct memory_watch *w, uint64_t bytes, int64_t began_ns, int64_t ended_ns)
{
        const int64_t shortest = MEMORY_WATCH_MS * NSEC_PER_MSEC;
        const int64_t longest = MEMORY_WATCH_LONGEST_MS * NSEC_PER_MSEC;
        int64_t took = ended_ns - began_ns, pause = longest;

        if (took < longest / MEMORY_WATCH_PAUSES)
                pause = MAX_OF(shortest, took * MEMORY_WATCH_PAUSES);
        *w = (struct memory_watch){bytes, ended_ns + pause};
}
