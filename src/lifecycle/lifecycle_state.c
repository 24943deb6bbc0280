#include "lifecycle/lifecycle_state.h"

const char *lifecycle_state_name(enum lifecycle_state s)
{
        static const char *const names[LIFECYCLE_N_STATES] = {
#define X(id, name, meaning) name,
                LIFECYCLE_STATES(X)
#undef X
        };

        return (unsigned)s < LIFECYCLE_N_STATES ? names[s] : "?";
}

const char *lifecycle_event_name(enum lifecycle_event e)
{
        static const char *const names[LIFECYCLE_N_EVENTS] = {
#define X(id, meaning) #id,
                LIFECYCLE_EVENTS(X)
#undef X
        };

        return (unsigned)e < LIFECYCLE_N_EVENTS ? names[e] : "?";
}

int lifecycle_state_is_available(enum lifecycle_state s)
{
        return s == LIFECYCLE_LOADED || s == LIFECYCLE_INITIALIZED || s == LIFECYCLE_RUNNING;
}

int lifecycle_state_is_terminal(enum lifecycle_state s)
{
        return s == LIFECYCLE_FAILED || s == LIFECYCLE_UNAVAILABLE;
}
