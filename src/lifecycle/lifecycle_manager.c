#include "lifecycle/lifecycle_manager.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>

#include "base/macro.h"

#define ACT_STOP                                                                                   \
        (LIFECYCLE_DO_ANNOUNCE | LIFECYCLE_DO_STOP_WORKERS | LIFECYCLE_DO_FAIL_QUEUED |            \
         LIFECYCLE_DO_CONSIDER_RESTART)
#define ACT_GIVE_UP (LIFECYCLE_DO_ANNOUNCE | LIFECYCLE_DO_FAIL_QUEUED)
#define ACT_START   (LIFECYCLE_DO_ANNOUNCE | LIFECYCLE_DO_START_WORKER)

/* Which count of calls in flight, before the event, a row is for. */
enum when {
        WHEN_ANY,
        WHEN_SOME, /* one or more */
        WHEN_LAST, /* exactly one */
        WHEN_MORE, /* two or more */
};

/* docs/LIFECYCLE.md, "Moves". X(from, event, when, to, do) */
#define MOVES(X)                                                                                   \
        X(ABSENT, DEPENDENCIES_MISSING, ANY, UNAVAILABLE, ACT_GIVE_UP)                             \
        X(ABSENT, REFUSED, ANY, FAILED, ACT_GIVE_UP)                                               \
        X(ABSENT, REGISTERED, ANY, LOADED, ACT_START)                                              \
        X(LOADED, VALIDATED, ANY, INITIALIZED, LIFECYCLE_DO_ANNOUNCE)                              \
        X(LOADED, LOAD_FAILED, ANY, FAILED, ACT_STOP)                                              \
        X(INITIALIZED, CALL_STARTED, ANY, RUNNING, LIFECYCLE_DO_ANNOUNCE)                          \
        X(INITIALIZED, BROKE, ANY, FAILED, ACT_STOP)                                               \
        X(RUNNING, CALL_STARTED, ANY, RUNNING, LIFECYCLE_DO_NOTHING)                               \
        X(RUNNING, CALL_ENDED, MORE, RUNNING, LIFECYCLE_DO_NOTHING)                                \
        X(RUNNING, CALL_ENDED, LAST, INITIALIZED, LIFECYCLE_DO_ANNOUNCE)                           \
        X(RUNNING, BROKE, ANY, FAILED, ACT_STOP)                                                   \
        X(FAILED, CALL_ENDED, SOME, FAILED, LIFECYCLE_DO_NOTHING)

struct move {
        enum lifecycle_state from;
        enum lifecycle_event event;
        enum when when;
        enum lifecycle_state to;
        unsigned actions;
};

static const struct move moves[] = {
#define X(from, event, when, to, actions)                                                          \
        {LIFECYCLE_##from, LIFECYCLE_EVENT_##event, WHEN_##when, LIFECYCLE_##to, actions},
    MOVES(X)
#undef X
};

static bool when_holds(enum when when, unsigned in_flight)
{
        switch (when) {
        case WHEN_ANY:
                return true;
        case WHEN_SOME:
                return in_flight >= 1;
        case WHEN_LAST:
                return in_flight == 1;
        case WHEN_MORE:
                return in_flight >= 2;
        }
        return false;
}

static const struct move *find_move(const struct lifecycle *l, enum lifecycle_event event)
{
        for (size_t i = 0; i < ARRAY_LEN(moves); i++)
                if (moves[i].from == l->state && moves[i].event == event &&
                    when_holds(moves[i].when, l->in_flight))
                        return &moves[i];
        return NULL;
}

int lifecycle_step(struct lifecycle *l, enum lifecycle_event event, unsigned *ret_actions)
{
        const struct move *move = find_move(l, event);

        if (!move || (event == LIFECYCLE_EVENT_CALL_STARTED && l->in_flight == UINT_MAX))
                return -EINVAL;
        if (event == LIFECYCLE_EVENT_CALL_STARTED)
                l->in_flight++;
        if (event == LIFECYCLE_EVENT_CALL_ENDED)
                l->in_flight--;
        l->state = move->to;
        *ret_actions = move->actions;
        return 0;
}

/* --- the restart policy --- */

#define BACKOFF_MAX_SECONDS 60
#define WINDOW_NS           (600 * NSEC_PER_SEC)

/* 1, 2, 4 ... 60 s. */
static int64_t backoff_ns(unsigned streak)
{
        int64_t seconds = streak < 6 ? INT64_C(1) << streak : BACKOFF_MAX_SECONDS;

        return seconds * NSEC_PER_SEC;
}

int64_t restart_policy_grant(struct restart_policy *p, int64_t now_ns)
{
        int64_t last = p->at[(p->next + RESTART_POLICY_CAP - 1) % RESTART_POLICY_CAP];
        int64_t oldest = p->at[p->next % RESTART_POLICY_CAP];
        unsigned streak = last && now_ns - last >= WINDOW_NS ? 0 : p->streak;
        int64_t when = now_ns + backoff_ns(streak);

        if (oldest && when - oldest < WINDOW_NS)
                return -1;
        p->at[p->next % RESTART_POLICY_CAP] = when;
        p->next = (p->next + 1) % RESTART_POLICY_CAP;
        p->streak = streak < UINT_MAX ? streak + 1 : streak;
        return when;
}

void restart_policy_success(struct restart_policy *p)
{
        p->streak = 0;
}
