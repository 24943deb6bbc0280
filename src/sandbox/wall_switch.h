/* wall_switch.h -- which walls a test has taken away: a comma list of names.
 * Two kinds. What a machine may lack (a namespace, a controller, Landlock) is taken for absent, and
 * the box becomes what it would be there. What no machine lacks is switched off in the box; then
 * the level is `none`, whatever else stands, and a reason says so. Knows: names.        May not
 * know: how a wall is built. Threads: any.        Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_WALL_SWITCH_H
#define FORGESYTE_SANDBOX_WALL_SWITCH_H

#include <stdbool.h>

#include "base/err.h"
#include "sandbox/isolation.h"
#include "sandbox/wall_table.h"

/* Besides those of wall_table.h: roads to walls, versions of them. */
#define WALL_SWITCHES(X)                                                                           \
        X(USERNS, "userns", "no user namespaces for an ordinary user")                             \
        X(ROOT, "root", "the host is not root, whatever it is")                                    \
        X(PIDFD, "pidfd", "no clone3")                                                             \
        X(CGROUP, "cgroup", "no cgroups")                                                          \
        X(CGROUP1, "cgroup1", "none of version 1")                                                 \
        X(CGROUP2, "cgroup2", "none of version 2")

enum wall_switch {
#define X(id, name, meaning) WALL_SWITCH_##id,
        WALL_SWITCHES(X)
#undef X
};

struct wall_switches {
        uint64_t walls;   /* WALL_BITs */
        unsigned others;  /* 1 << wall_switch */
        int landlock_abi; /* at most; "landlock=3" */
};

/* NULL and "" switch nothing. -EINVAL for a name that is none: a test that switches nothing off
 * tests nothing. */
int wall_switches_parse(const char *list, struct wall_switches *ret, struct err *e) must_check;

static inline bool wall_is_missing(const struct wall_switches *s, enum wall wall)
{
        return s->walls & WALL_BIT(wall);
}

static inline bool wall_switch_is_set(const struct wall_switches *s, enum wall_switch which)
{
        return s->others & (1u << which);
}

/* Those that no machine lacks, each with a reason; they cost the level. Returns their bits. */
uint64_t wall_switches_off(const struct wall_switches *s, struct isolation *why);

#endif
