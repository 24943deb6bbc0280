/* tool_call.h -- one call: its arguments, its deadline, its one end.
 * Knows: arguments, outcomes.  May not know: processes, sockets.
 * Threads: one at a time (the pool while it checks, else the loop).
 * Owns: its arguments. */
#ifndef FORGESYTE_TOOLRUNNER_TOOL_CALL_H
#define FORGESYTE_TOOLRUNNER_TOOL_CALL_H

#include <sys/queue.h>

#include <jansson.h>

#include "base/str.h"
#include "loader/plugin_errors.h"
#include "loader/plugin_manifest.h"

/* A bytes argument. data points into the call's backing, or into `own`. */
struct call_bytes {
        char name[PLUGIN_ARGUMENT_NAME_MAX + 1];
        char content_type[128];
        const char *data;
        size_t size;
        char *own; /* NULL, or freed with the arguments */
};

/* json: an object; a bytes argument stands in it as an empty string, for the schema. */
struct call_args {
        json_t *json;
        struct call_bytes *bytes;
        size_t n_bytes;
        char *backing;   /* the request's body, or NULL */
        struct str text; /* of call_args_write, or empty */
};

void call_args_done(struct call_args *a);
/* Writes `text`, unless that was done: the object as the plugin gets it, without bytes arguments.
 * It takes a while for a large one. -ENOMEM. */
int call_args_write(struct call_args *a) must_check;
/* Adds one, growing the array: -ENOMEM. */
int call_args_add_bytes(struct call_args *a, const char *name, const char *content_type,
                        const char *data, size_t size, char *take_own) must_check;

/* How a call ended. error NONE: result is the JSON text for the client. Otherwise words say why,
 * and type (not "") is the plugin's own name for it. Owned by whoever made it.
 * A result lies where it will be sent from, in the envelope that is begun around it: it may be as
 * large as all else together, and is not copied again. */
struct tool_outcome {
        enum plugin_error error;
        char type[65];
        char *words, *traceback;
        char *place;        /* of an exception, in the plugin's own code; NULL: unknown */
        char *envelope;     /* up to the result's end, with room for the rest; NULL: no result */
        const char *result; /* in the envelope; NUL behind */
        size_t result_size;
        double ms; /* of execution; <0: it was never handed to a worker */
        int signal;
        uint64_t peak_bytes; /* of the worker's memory, when it was its end; 0: unknown */
        char *stderr_tail;
};

void tool_outcome_done(struct tool_outcome *o);
static inline void tool_outcome_scoped(struct tool_outcome *o)
{
        tool_outcome_done(o);
}
/* Fills an empty outcome; without memory for the words they stay NULL. */
void tool_outcome_fail(struct tool_outcome *o, enum plugin_error error, const char *fmt, ...)
    printf_like(3, 4);

/* Fills an empty outcome with the n bytes of JSON at take_text + from: begins the envelope around
 * them, in the same memory if there is room behind it or realloc can make some. Takes its time for
 * a large result. -ENOMEM: the text is still the caller's. */
int tool_outcome_succeed(struct tool_outcome *o, char *take_text, size_t from, size_t n) must_check;

/* The API's envelope as text: {"ok":true,"result":...} or {"ok":false,...}. It takes the result out
 * of the outcome, for whom it is the last use; in no time, however large. NULL: no memory, or the
 * result was taken before. */
char *tool_outcome_take_envelope(struct tool_outcome *o, size_t *ret_size);

enum tool_call_state { TOOL_CALL_NEW, TOOL_CALL_QUEUED, TOOL_CALL_RUNNING, TOOL_CALL_ENDED };

struct tool_call;
/* Called exactly once, in the loop, as the last that is done with the call: it may free it. */
typedef void (*tool_call_end_fn)(void *ctx, struct tool_call *call, struct tool_outcome *outcome);

struct tool_queue;

struct tool_call {
        TAILQ_ENTRY(tool_call) link; /* in its queue while QUEUED */
        enum tool_call_state state;
        struct tool_queue *queue;
        char tool[65];
        struct call_args args;
        bool views; /* its bytes are looked at where they lie: shared memory saves a copy */
        uint32_t generation; /* whose schema the arguments were checked against */
        int64_t accepted_ns, started_ns, deadline_ns;
        tool_call_end_fn on_end;
        void *ctx;
        void *holder; /* the supervisor's: the instance that runs it */
};

#endif
