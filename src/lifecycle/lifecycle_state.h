/* lifecycle_state.h -- the states of a plugin and the events that move it (docs/LIFECYCLE.md).
 * Knows: names.            May not know: anything else.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_LIFECYCLE_LIFECYCLE_STATE_H
#define FORGESYTE_LIFECYCLE_LIFECYCLE_STATE_H

/* ABSENT is the time before a generation has a state: it is never shown. */
#define LIFECYCLE_STATES(X)                                                                        \
        X(ABSENT, "absent", "being found and checked")                                             \
        X(LOADED, "LOADED", "registered; its worker is importing, instantiating or validating")    \
        X(INITIALIZED, "INITIALIZED", "validated and idle: takes calls")                           \
        X(RUNNING, "RUNNING", "at least one call is in flight")                                    \
        X(FAILED, "FAILED", "broke while loading or running; terminal, see its reason")            \
        X(UNAVAILABLE, "UNAVAILABLE", "something that it needs is missing; terminal")

enum lifecycle_state {
#define X(id, name, meaning) LIFECYCLE_##id,
        LIFECYCLE_STATES(X)
#undef X
            LIFECYCLE_N_STATES
};

#define LIFECYCLE_EVENTS(X)                                                                        \
        X(DEPENDENCIES_MISSING, "step 2 found something missing")                                  \
        X(REFUSED, "step 1 failed, or the name is taken")                                          \
        X(REGISTERED, "steps 1 and 2 done: its worker starts")                                     \
        X(VALIDATED, "steps 3 to 6 done")                                                          \
        X(LOAD_FAILED, "a step from 3 to 6 failed")                                                \
        X(CALL_STARTED, "a call was handed to a worker")                                           \
        X(CALL_ENDED, "a call ended, and the plugin goes on")                                      \
        X(BROKE, "a call or an idle worker failed the plugin")

enum lifecycle_event {
#define X(id, meaning) LIFECYCLE_EVENT_##id,
        LIFECYCLE_EVENTS(X)
#undef X
            LIFECYCLE_N_EVENTS
};

const char *lifecycle_state_name(enum lifecycle_state s);
const char *lifecycle_event_name(enum lifecycle_event e);
/* LOADED, INITIALIZED or RUNNING. */
int lifecycle_state_is_available(enum lifecycle_state s);
/* FAILED or UNAVAILABLE. */
int lifecycle_state_is_terminal(enum lifecycle_state s);

#endif
