/* lifecycle_manager.h -- one generation of one plugin: a table and a pure step over it, and the
 * restart policy. Time is a parameter; the caller performs the actions.
 * Knows: states, events.   May not know: clocks, processes, registries.
 * Threads: one at a time.  Owns: nothing. */
#ifndef FORGESYTE_LIFECYCLE_LIFECYCLE_MANAGER_H
#define FORGESYTE_LIFECYCLE_LIFECYCLE_MANAGER_H

#include <stdbool.h>
#include <stdint.h>

#include "lifecycle/lifecycle_state.h"

/* What the caller has to do after a step. */
enum lifecycle_action {
        LIFECYCLE_DO_NOTHING = 0,
        LIFECYCLE_DO_START_WORKER = 1 << 0, /* import, instantiate, validate */
        LIFECYCLE_DO_ANNOUNCE = 1 << 1,     /* the state changed: registry, events, waiting calls */
        LIFECYCLE_DO_STOP_WORKERS = 1 << 2, /* end idle instances; busy ones end with their call */
        LIFECYCLE_DO_FAIL_QUEUED = 1 << 3,  /* queued calls get PluginUnavailable */
        LIFECYCLE_DO_CONSIDER_RESTART = 1 << 4,
};

struct lifecycle {
        enum lifecycle_state state;
        unsigned in_flight; /* calls handed to workers and not ended */
};

/* 0 and the actions; -EINVAL when the table has no such move: nothing changes.
 * CALL_STARTED and CALL_ENDED count in_flight: RUNNING begins with the first and ends with the
 * last; after a terminal state CALL_ENDED still counts down and moves nothing. */
int lifecycle_step(struct lifecycle *l, enum lifecycle_event event, unsigned *ret_actions)
    __attribute__((warn_unused_result));

/* Back-off and cap: 1 s doubling to 60 s, at most 5 restarts in any 10 minutes. A stable run of
 * 10 minutes resets the back-off, and so does restart_policy_success() after a successful call. */
#define RESTART_POLICY_CAP 5
struct restart_policy {
        int64_t at[RESTART_POLICY_CAP]; /* when the last ones begin, monotonic ns; 0: never */
        unsigned next;
        unsigned streak; /* since the last success */
};
/* When to restart (absolute, monotonic ns; >= now), or -1: the cap is reached. */
int64_t restart_policy_grant(struct restart_policy *p, int64_t now_ns);
void restart_policy_success(struct restart_policy *p);

#endif
