/* keeper.h -- a small process that outlives the host by a moment, to end the boxes that have no pid
 * namespace. The kernel's "die with your parent" is a property of a thread: a plugin that starts a
 * thread and execs from it has lost it, and its host's sudden death would leave it running.
 * Knows: pidfds.               May not know: boxes.
 * Threads: the runner's.       Owns: the process. */
#ifndef FORGESYTE_SANDBOX_KEEPER_H
#define FORGESYTE_SANDBOX_KEEPER_H

#include <sys/types.h>

#include "base/err.h"

/* fd: -1 is no keeper. */
struct keeper {
        int fd, pidfd;
};

#define KEEPER_NONE ((struct keeper){-1, -1})

/* Starts it, unless it runs. */
int keeper_start(struct keeper *k, const char *worker_path, struct err *e) must_check;
/* It will kill that process when the host is gone. 0; -errno: it is gone itself. */
int keeper_add(const struct keeper *k, int pidfd) must_check;
/* Ends it and waits for it; what it was given is killed. */
void keeper_stop(struct keeper *k);

#endif
