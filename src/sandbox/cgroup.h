/* cgroup.h -- the runner's own cgroups and a box's part of them, version 1 or 2.
 * Knows: the cgroup file systems.      May not know: policies, processes other than by their
 * limits. Threads: the runner's.               Owns: the directories it makes, and removes them.
 *
 * Everything lies below the cgroup that the host is in (or was given):
 * <base>/forgesyte-PID-START-N/ <box>. PID and START (the start time) tell a dead host's leavings
 * from a living one's. */
#ifndef FORGESYTE_SANDBOX_CGROUP_H
#define FORGESYTE_SANDBOX_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sandbox/isolation.h"

enum cgroup_controller {
        CGROUP_MEMORY = 1 << 0,
        CGROUP_PIDS = 1 << 1,
        CGROUP_CPU = 1 << 2,
};

#define CGROUP_CONTROLLERS 3

/* One directory of ours. Version 1 mounts controllers apart, so there may be several. */
struct cgroup_place {
        unsigned controllers; /* that are in force there */
        char base[PATH_MAX];  /* the host's cgroup */
        char path[PATH_MAX];  /* our directory in it */
};

struct cgroup_root {
        enum isolation_memory kind; /* of the memory controller; RLIMIT: there is none */
        bool pids;
        bool version2;
        unsigned n_places;
        struct cgroup_place places[CGROUP_CONTROLLERS];
};

struct cgroup_options {
        const char *given; /* below the mount, or NULL: the host's own */
        bool no_version1, no_version2;
        unsigned without; /* controllers to do without */
};

/* Finds what can be used, makes the runner's directories, sweeps those of dead hosts. What is
 * missing is said in `why`; never fails. */
void cgroup_root_open(const struct cgroup_options *o, struct cgroup_root *ret,
                      struct isolation *why);
/* Removes them, and sweeps once more. */
void cgroup_root_close(struct cgroup_root *root);

struct cgroup_limits {
        uint64_t memory_bytes;
        unsigned pids;
};

/* What a box holds of it. */
struct cgroup_box {
        unsigned n;
        int dirs[CGROUP_CONTROLLERS];  /* as the root's places */
        int procs[CGROUP_CONTROLLERS]; /* cgroup.procs: "0" moves the writer in */
        unsigned controllers[CGROUP_CONTROLLERS];
        int into; /* version 2: for CLONE_INTO_CGROUP, else -1 */
        int oom;  /* readable or POLLPRI when the limit was hit, else -1 */
        char name[96];
};

/* Makes the box's cgroups with their limits, before anybody is inside. */
int cgroup_box_make(const struct cgroup_root *root, const char *name,
                    const struct cgroup_limits *limits, struct cgroup_box *ret,
                    struct err *e) must_check;
/* Closes and removes. 0, or -EBUSY while somebody is still inside (call again). */
int cgroup_box_remove(const struct cgroup_root *root, struct cgroup_box *box) must_check;
/* The caller's handles of the birth are of no use after it. */
void cgroup_box_born(struct cgroup_box *box);

/* SIGKILL to all inside at once, where the kernel can (version 2). */
void cgroup_box_kill(const struct cgroup_box *box);
/* Was the memory limit hit? Takes the event off `oom`. */
bool cgroup_box_hit(const struct cgroup_box *box, bool version2);
/* Did it ever have all that its own limit lets it have? */
bool cgroup_box_was_full(const struct cgroup_box *box, bool version2);
uint64_t cgroup_box_oom_kills(const struct cgroup_box *box);
uint64_t cgroup_box_pids_events(const struct cgroup_box *box);
/* In bytes; 0: unknown. */
uint64_t cgroup_box_rss(const struct cgroup_box *box, bool version2);
uint64_t cgroup_box_peak(const struct cgroup_box *box, bool version2);

#endif
