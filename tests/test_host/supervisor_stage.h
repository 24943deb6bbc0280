/* supervisor_stage.h -- a supervisor over a folder of test plugins, with the trace of its events
 * and of its calls' ends. Every wait has an event and a generous end. Threads: one, and the pool's.
 * Owns: everything from the folder to the calls. */
#ifndef FORGESYTE_TESTS_SUPERVISOR_STAGE_H
#define FORGESYTE_TESTS_SUPERVISOR_STAGE_H

#include "../support/test.h"
#include "host/supervisor.h"

#define STAGE_CALLS_MAX 64

struct supervisor_stage;

struct stage_call {
        struct supervisor_stage *stage;
        char name[16];            /* in the trace */
        struct host_call *handle; /* NULL: ended */
        unsigned ends;
        enum plugin_error error;
        char words[512];
        char result[512];
        double ms;
        /* What the call's end does, or NULL. */
        void (*then)(struct supervisor_stage *s);
};

struct supervisor_stage {
        char dir[64];
        struct host_config *config;
        struct loop *loop;
        struct pool *pool;
        struct supervisor *supervisor;
        const char *only;
        bool check_only;
        bool quiet;       /* events are not kept in the trace */
        struct str trace; /* "plugin STATE; " and "call=Error; ", "done; " */
        struct stage_call calls[STAGE_CALLS_MAX];
        unsigned n_calls;
};

/* argv: the worker, a plugin's shared object. */
void supervisor_stage_set(const char *worker, const char *plugin);

void supervisor_stage_init(struct supervisor_stage *s);
/* A folder with the plugin and a manifest of these further members ("" or ",\"limits\":{...}"). */
void supervisor_stage_add(struct supervisor_stage *s, const char *folder, const char *name,
                          const char *members);
void supervisor_stage_write(struct supervisor_stage *s, const char *folder, const char *manifest);
void supervisor_stage_remove(struct supervisor_stage *s, const char *folder);
/* Makes the supervisor and scans the folder. */
void supervisor_stage_start(struct supervisor_stage *s);
/* init, add "p" in folder "p", start, and wait until it is INITIALIZED; the trace is empty then. */
void supervisor_stage_open(struct supervisor_stage *s, const char *members);
/* Ends the pool and the supervisor, but keeps trace and calls. */
void supervisor_stage_stop(struct supervisor_stage *s);
void supervisor_stage_done(struct supervisor_stage *s);

struct stage_call *supervisor_stage_call(struct supervisor_stage *s, const char *name,
                                         const char *tool, const char *json);
struct stage_call *supervisor_stage_call_of(struct supervisor_stage *s, const char *plugin,
                                            const char *name, const char *tool, const char *json);
void supervisor_stage_cancel(struct stage_call *c);

void supervisor_stage_turn(struct supervisor_stage *s);
/* Turns the loop until this stands in the trace; fails the test after 30 s. */
void supervisor_stage_await(struct supervisor_stage *s, const char *event);
void supervisor_stage_await_call(struct stage_call *c, enum plugin_error error);
void supervisor_stage_expect(struct supervisor_stage *s, const char *trace);
struct plugin_health supervisor_stage_health(struct supervisor_stage *s, const char *plugin);
/* For supervisor_reload and its kin: adds "done; ". */
void supervisor_stage_on_done(void *ctx);

#endif
