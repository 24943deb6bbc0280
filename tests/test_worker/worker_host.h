/* worker_host.h -- a host for one worker, just large enough to test it over the real wire.
 * Knows: processes, frames.    May not know: boxes, plugins.
 * Threads: one.            Owns: the worker, until worker_host_stop. */
#ifndef FORGESYTE_TESTS_WORKER_HOST_H
#define FORGESYTE_TESTS_WORKER_HOST_H

#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "wire/wire_frame.h"
#include "wire/wire_message.h"

#define WORKER_HOST_GENERATION 7
#define WORKER_HOST_MAX_OUTPUT MIB(1)

struct worker_host {
        pid_t pid;
        int fd;
        int log; /* a file that collects stdout and stderr */
        uint32_t seq;
        uint64_t call_id;
        struct wire_parser parser;
        uint8_t buf[4096];
        size_t at, have; /* of buf, not fed yet */
};

/* Starts $FORGESYTE_TEST_WORKER and greets it. Fails the test when that does not work. */
void worker_host_start(struct worker_host *h);
void worker_host_send(struct worker_host *h, enum wire_type type, const struct str *payload);
/* The same with descriptors, which stay the caller's. */
void worker_host_send_with(struct worker_host *h, enum wire_type type, const struct str *payload,
                           const int *fds, unsigned n);
/* The next frame of any type within 10 s; its type is 0 when the worker is gone instead. Fails the
 * test on a violation. The caller frees it. */
struct wire_frame worker_host_next(struct worker_host *h);
/* Skips LOG and PROGRESS, counting them when n is not NULL. */
struct wire_frame worker_host_answer(struct worker_host *h, unsigned *n);

/* LOAD of a test plugin; the answer (META is kept in meta when given): READY or ERROR. */
struct wire_frame worker_host_load(struct worker_host *h, const char *entrypoint, struct str *meta);
/* LOAD, INIT and VALIDATE, which must go well. */
void worker_host_ready(struct worker_host *h, const char *entrypoint);
void worker_host_send_call(struct worker_host *h, const struct wire_call *m);

/* Waits for its end: exit code, or -signal. */
int worker_host_wait(struct worker_host *h);
/* What it printed so far. The caller frees. */
char *worker_host_log(struct worker_host *h);
/* Kills what is left. */
void worker_host_stop(struct worker_host *h);

#endif
