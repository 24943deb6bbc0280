/* shared_memory.h -- the shared memory that CALL_SHM brings, mapped from its first call on: the
 * next one brings the same, nearly always. Knows: a descriptor, offsets.    May not know: tools.
 * Threads: the main one.           Owns: the mapping. */
#ifndef FORGESYTE_WORKER_SHARED_MEMORY_H
#define FORGESYTE_WORKER_SHARED_MEMORY_H

#include <sys/types.h>

#include "wire/wire_message.h"

struct shared_memory {
        void *at; /* NULL: nothing is mapped */
        size_t size;
        dev_t device; /* of the file that is */
        ino_t inode;
};

/* Sets the data of the blobs, which are valid until the call is answered, and closes the
 * descriptor, also when it fails: the plugin finds none that it did not have before. -EBADMSG: a
 * blob is not in there; -errno. */
int shared_memory_give(struct shared_memory *s, int take_fd, struct wire_call *m) must_check;

#endif
