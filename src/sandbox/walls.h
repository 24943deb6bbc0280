/* walls.h -- the walls of a box, as the inside sees them; box.c has their order.
 * Each takes the plan as given: 0 it stands, 1 the plan has none of it here, <0 the worker must not
 * start.
 * Knows: the plan, the kernel.     May not know: who made the plan.
 * Threads: the only one of its process.    Owns: the process. */
#ifndef FORGESYTE_SANDBOX_WALLS_H
#define FORGESYTE_SANDBOX_WALLS_H

#include <sys/types.h>

#include "base/err.h"
#include "sandbox/plan.h"

struct box {
        struct plan plan;
        uint32_t landlock_abi; /* really entered */
        bool seccomp;
};

int wall_oom_score(struct box *b, struct err *e) must_check;
int wall_namespaces(struct box *b, struct err *e) must_check;
int wall_mounts(struct box *b, struct err *e) must_check;
int wall_init(struct box *b, struct err *e) must_check; /* forks: the worker goes on */
int wall_fds(struct box *b, struct err *e) must_check;
int wall_rlimits(struct box *b, struct err *e) must_check;
int wall_caps(struct box *b, struct err *e) must_check;
int wall_landlock(struct box *b, struct err *e) must_check;
int wall_seccomp(struct box *b, struct err *e) must_check;

/* Parts of walls that others lean on. */
int caps_drop(const struct plan *p, struct err *e) must_check;
int fds_close_from(int first);
void box_keep(void) __attribute__((noreturn));

#endif
