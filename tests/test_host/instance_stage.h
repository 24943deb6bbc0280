/* instance_stage.h -- one instance over a worker that follows a script, and the trace of its
 * events. Every wait has an event and a generous end. Threads: one.            Owns: runner, loop,
 * log; the instance until it is gone. */
#ifndef FORGESYTE_TESTS_INSTANCE_STAGE_H
#define FORGESYTE_TESTS_INSTANCE_STAGE_H

#include "../support/test.h"
#include "host/instance.h"

struct instance_stage {
        struct sandbox_runner *runner;
        struct loop *loop;
        struct pool *pool;
        struct plugin_log log;
        struct sandbox_policy policy;
        struct instance *instance;   /* NULL: gone */
        struct str trace;            /* "event words; " */
        struct tool_outcome outcome; /* of the last error or broke */
        const char *refuse_meta;
        bool leave_when_ready; /* stop at the first READY instead of going on */
        bool is_template;      /* made one when it is loaded, instead of INIT */
        struct instance *copy; /* what it has forked; NULL: none, or gone */
        struct tool_call call;
        unsigned broke, gone;
};

/* Where the runner finds its worker: set once, by main. */
void instance_stage_set_worker(const char *path);

/* A loop, a runner and a folder; then a worker that follows the script. */
void instance_stage_open(struct instance_stage *s, const char *script);
void instance_stage_open_with(struct instance_stage *s, const char *script, double boot_seconds);
/* One that is loaded and forks: "template; " is its trace then, and "copy; " or "refused; " what
 * came of a FORK; one that refuses is let go. */
void instance_stage_open_template(struct instance_stage *s, const char *script);
void instance_stage_done(struct instance_stage *s);

/* Turns the loop until this stands in the trace; fails the test after 20 s. */
void instance_stage_await(struct instance_stage *s, const char *event);
/* ... until it is gone, and expects what the whole trace is. */
void instance_stage_await_end(struct instance_stage *s, const char *trace);
/* ... until it is idle for the first time; forgets the trace up to there. */
void instance_stage_boot(struct instance_stage *s);
void instance_stage_expect(struct instance_stage *s, const char *trace);

/* Hands over a call of tool "t" with these arguments, whose deadline is in so many seconds. */
void instance_stage_call(struct instance_stage *s, const char *json, double seconds);
/* The same with so many bytes; for shared memory, where call.views says so. */
void instance_stage_call_bytes(struct instance_stage *s, size_t size);
/* The call's memory goes: whoever still reads it is seen by the sanitizer. */
void instance_stage_drop_call(struct instance_stage *s);

#endif
