/* sandbox_private.h -- the two structs behind sandbox_runner.h, for the files that share them.
 * Knows: what the runner knows.    May not know: more.
 * Threads: the runner's.           Owns: see sandbox_runner.h. */
#ifndef FORGESYTE_SANDBOX_SANDBOX_PRIVATE_H
#define FORGESYTE_SANDBOX_SANDBOX_PRIVATE_H

#include "sandbox/cgroup.h"
#include "sandbox/keeper.h"
#include "sandbox/memory_watch.h"
#include "sandbox/plan.h"
#include "sandbox/probe.h"
#include "sandbox/sandbox_runner.h"

#define SANDBOX_SLOTS     1024
#define SANDBOX_UID_FIRST 0x70000000u
#define SANDBOX_VARIANTS  32 /* of the filter: network, gpu, sockets, forks, watch */

struct filter {
        void *code;
        size_t size;
};

struct sandbox_runner {
        char *worker_path;
        struct machine machine;
        struct cgroup_root cgroups;
        struct isolation isolation; /* of a plain box, judged */
        struct isolation reasons;   /* what probing said, before judgement */
        uint64_t off;               /* WALL_BITs that a test has switched off */
        uint32_t uid_first;
        int dumpable_before; /* of the host process, -1: unknown */
        unsigned serial;
        bool slots[SANDBOX_SLOTS];
        struct filter filters[SANDBOX_VARIANTS];
        struct keeper keeper;
        struct sandbox *boxes;     /* alive, or dead and not freed */
        struct sandbox *lingering; /* freed by their owner, not yet let go by the kernel */
};

struct sandbox {
        struct sandbox_runner *runner;
        struct sandbox *next;
        pid_t pid, worker; /* init (or the worker, where there is none); 0: not known yet */
        int pidfd, channel, out, err, setup, status, crash;
        int slot; /* -1: none */
        bool has_cgroup;
        struct cgroup_box cgroup;
        struct isolation isolation;
        uint64_t memory_bytes, peak_bytes;
        struct memory_watch watch;
        int files[BOX_FILES]; /* in memory, that it was given and we count; -1: none */
        bool makes_files;     /* and the filter lets it make more, which the watch looks for */
        bool ready;           /* the box stands */
        bool host_killed, watch_fired, dead;
        bool crowded;          /* the watch found more threads than may be */
        char setup_error[256]; /* empty: none */
        struct obituary obituary;
        /* Forked by another box's worker (sandbox_adopt.h): */
        bool adopted, told;
        int told_code, told_status; /* its end, by its parent's word */
        unsigned pids_max;          /* for those that are forked of this one */
};

/* A box with nothing in it, among the runner's. NULL: no memory. */
struct sandbox *sandbox_alloc(struct sandbox_runner *r);
/* The host's end, non-blocking, and the other. 0 or -errno. */
int sandbox_make_pipe(int *ret_mine, int *ret_theirs) must_check;
int sandbox_make_sockets(int type, int *ret_mine, int *ret_theirs) must_check;

/* Reads what the box said of its building. */
void sandbox_hear(struct sandbox *s);
/* Closes and frees; never waits. False: the kernel still holds it, call again. */
bool sandbox_let_go(struct sandbox *s);
/* Lets go of what lingers. */
void sandbox_runner_tidy(struct sandbox_runner *r);

#endif
