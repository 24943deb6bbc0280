/* worker_loop.h -- the life of a worker in its box: one request after the other, until SHUTDOWN.
 * Knows: requests, the runtimes, the probe.    May not know: the box.
 * Threads: the main one.   Owns: the channel and the plugin. */
#ifndef FORGESYTE_WORKER_WORKER_LOOP_H
#define FORGESYTE_WORKER_WORKER_LOOP_H

#include "worker/native_runtime.h"
#include "worker/shared_memory.h"
#include "worker/worker_channel.h"

/* Which requests are in order: each stage follows the one before. */
enum worker_stage { WORKER_STARTED, WORKER_GREETED, WORKER_LOADED, WORKER_READY };

struct worker {
        struct worker_channel channel;
        enum worker_stage stage;
        uint64_t max_output;
        struct native_runtime runtime;
        struct shared_memory memory;
};

/* Serves the wire on `fd` until SHUTDOWN. Returns the process's exit code; ends the process itself
 * when the host goes away. */
int worker_run(struct worker *w, int fd);

#endif
