/* worker_channel.h -- the worker's end of the wire: whole frames in, whole frames out.
 * Knows: a descriptor, frames.     May not know: what requests mean, plugins.
 * Threads: sending and worker_channel_cancelled from any; worker_channel_next from the main one.
 * Owns: nothing (the descriptor is the process's, closed by its end).
 *
 * The host is trusted here. When it closes the channel or breaks the protocol there is nobody left
 * to work for and nobody to tell: the process ends at once. */
#ifndef FORGESYTE_WORKER_WORKER_CHANNEL_H
#define FORGESYTE_WORKER_WORKER_CHANNEL_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"
#include "wire/wire_frame.h"
#include "worker/worker_fault.h"

#define WORKER_CHANNEL_FD          3
#define WORKER_PROGRESS_PER_SECOND 20

/* Exit codes that the host reads in the obituary. */
enum worker_exit {
        WORKER_EXIT_BOX = 70,      /* the box could not be built */
        WORKER_EXIT_PROTOCOL = 71, /* the host spoke out of turn */
        WORKER_EXIT_NO_MEMORY = 73,
        WORKER_EXIT_HOST_GONE = 219, /* no number that a plugin's exit() is likely to have */
};

struct worker_channel {
        int fd;
        pid_t pid; /* a plugin's fork must not speak for its parent */
        uint32_t generation;

        pthread_mutex_t send_lock; /* everything down to the next lock */
        uint8_t request;           /* under way; 0: idle */
        uint64_t call_id;          /* of that request, or of the last one */
        uint32_t send_seq;
        int64_t next_progress_ns;

        pthread_mutex_t receive_lock; /* taken before send_lock */
        uint8_t header[WIRE_HEADER_SIZE];
        size_t have; /* bytes of header */
        uint32_t receive_seq;
        bool cancelled;
        int arrived[WIRE_MAX_DESCRIPTORS]; /* with the header that is coming in */
        unsigned n_arrived;
        int descriptors[WIRE_MAX_DESCRIPTORS]; /* of the request under way; -1: taken */
        unsigned n_descriptors;
};

void worker_channel_init(struct worker_channel *c, int fd);
/* Waits for the next request. A CANCEL that came too late is dropped. Does not return when the host
 * is gone. As many descriptors as its type has came with it. */
void worker_channel_next(struct worker_channel *c, struct wire_frame *ret);
/* One of the request's, below wire_request_descriptors(type) and not taken before; it is the
 * caller's now, and CLOEXEC. Those that nobody takes are closed when the next request comes. */
int worker_channel_take_descriptor(struct worker_channel *c, unsigned which);

/* Sends one frame about the request under way; nothing when there is none (LOG excepted). */
void worker_channel_send(struct worker_channel *c, enum wire_type type, const struct str *payload);
/* The same, and the request is over. */
void worker_channel_answer(struct worker_channel *c, enum wire_type type,
                           const struct str *payload);
void worker_channel_fault(struct worker_channel *c, const struct worker_fault *f);
/* At most WORKER_PROGRESS_PER_SECOND are sent; others are dropped. */
void worker_channel_progress(struct worker_channel *c, double done, double total);
/* Has the host asked to stop the call under way? Never blocks. */
bool worker_channel_cancelled(struct worker_channel *c);

/* Says why on stderr, which is the plugin's log, and ends the process without any cleaning up. */
_Noreturn void worker_channel_give_up(enum worker_exit code, const char *why);

#endif
