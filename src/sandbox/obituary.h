/* obituary.h -- how a worker died, composed from everything that was seen of it.
 * Knows: wait statuses, counters.  May not know: plugins, HTTP.
 * Threads: any (a value).          Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_OBITUARY_H
#define FORGESYTE_SANDBOX_OBITUARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/crash_record.h"

enum obituary_cause {
        OBITUARY_SETUP,   /* the box could not be built: `setup` says at which wall */
        OBITUARY_EXITED,  /* by itself: exit_code */
        OBITUARY_SIGNAL,  /* by a signal that the host did not send: signal */
        OBITUARY_KILLED,  /* by the host (deadline, cancel, protocol, shutdown) */
        OBITUARY_MEMORY,  /* the kernel's or the watch's memory limit */
        OBITUARY_SYSCALL, /* seccomp killed it (SIGSYS) */
};

struct obituary {
        enum obituary_cause cause;
        int exit_code;
        int signal;
        bool core_dumped;
        bool pids_limit;           /* a fork was refused by the process limit in its life */
        uint64_t oom_kills;        /* by the cgroup's counter */
        uint64_t peak_bytes;       /* 0: unknown */
        struct crash_record crash; /* written is 0: the worker left none */
        char setup[256];
};

/* What the kernel and the box reported, before judgement. */
struct obituary_facts {
        bool have_status; /* status is valid: waitid-style code and value of the worker itself */
        int code;         /* CLD_EXITED, CLD_KILLED, CLD_DUMPED */
        int status;       /* exit code or signal */
        bool host_killed;
        bool watch_fired; /* the resident-set watch ordered the kill */
        uint64_t oom_kills, pids_events, peak_bytes;
        const char *setup_error;          /* NULL or the box's words */
        const struct crash_record *crash; /* NULL or the worker's own, of that signal */
};

/* Pure: facts in, verdict out. A SIGKILL alone never means memory. */
void obituary_compose(const struct obituary_facts *facts, struct obituary *ret);

#define OBITUARY_SENTENCE_SIZE 320
/* "died by signal 11 (SIGSEGV) at address 0x0 (NULL dereference)", "exited with code 3", ...: buf
 * holds OBITUARY_SENTENCE_SIZE. */
void obituary_sentence(const struct obituary *o, char *buf);

#endif
