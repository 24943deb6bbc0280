/* walls.h -- the walls of a box, as the inside sees them; wall_table.h has their order.
 * Each takes the plan as given: 0 it stands, 1 the plan has none of it here, <0 the worker must not
 * start. One that the plan switches off is not called.
 * Knows: the plan, the kernel.     May not know: who made the plan.
 * Threads: the only one of its process.    Owns: the process. */
#ifndef FORGESYTE_SANDBOX_WALLS_H
#define FORGESYTE_SANDBOX_WALLS_H

#include <sys/types.h>

#include "base/err.h"
#include "sandbox/plan.h"
#include "sandbox/wall_table.h"

struct box {
        struct plan plan;
        uint32_t landlock_abi; /* really entered */
        bool seccomp;
};

int wall_oom_score(struct box *b, struct err *e) must_check;
int wall_cgroup_namespace(struct box *b, struct err *e) must_check;
int wall_host_name(struct box *b, struct err *e) must_check;
int wall_mounts(struct box *b, struct err *e) must_check;
int wall_init(struct box *b, struct err *e) must_check; /* forks: the worker goes on */
int wall_fds(struct box *b, struct err *e) must_check;
int wall_rlimits(struct box *b, struct err *e) must_check;
int wall_priority(struct box *b, struct err *e) must_check;
int wall_caps(struct box *b, struct err *e) must_check;
int wall_uid(struct box *b, struct err *e) must_check;
int wall_pdeathsig(struct box *b, struct err *e) must_check;
int wall_no_new_privs(struct box *b, struct err *e) must_check;
int wall_landlock(struct box *b, struct err *e) must_check;
int wall_seccomp(struct box *b, struct err *e) must_check;

static inline bool wall_is_off(const struct plan *p, enum wall wall)
{
        return p->off & WALL_BIT(wall);
}

/* The walls from `first` to `last`, for a process that parts from the others (init). */
int box_enter_walls(struct box *b, enum wall first, enum wall last, struct err *e) must_check;

/* Parts of walls, in files of their own. */
int scratch_mount(int root, const struct plan *p, struct err *e) must_check;
int proc_mount(int root, const struct plan *p, struct err *e) must_check;
int caps_set(uint64_t kept, struct err *e) must_check; /* effective, permitted; nothing inherited */
int fds_close_from(int first);
void box_keep(void) __attribute__((noreturn));

#endif
