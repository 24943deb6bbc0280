/* instance_verdict.h -- from how a worker died or misbehaved to the error a client reads.
 * Knows: obituaries, error types.  May not know: processes, loops.
 * Threads: any.                    Owns: nothing. */
#ifndef FORGESYTE_HOST_INSTANCE_VERDICT_H
#define FORGESYTE_HOST_INSTANCE_VERDICT_H

#include "sandbox/obituary.h"
#include "toolrunner/tool_call.h"
#include "wire/wire_message.h"

struct verdict_circumstances {
        const char *stage;      /* "load", "init", "validate", "call", "check", "idle" */
        uint64_t memory_bytes;  /* the limit */
        bool shortage;          /* of a memory kill: not for that limit */
        double timeout_seconds; /* the limit that passed */
        const char *tail;       /* last stderr lines, "" when none */
        const char *stack;      /* at a timeout: what Python printed of its threads, or NULL */
        /* The folder of a Python plugin as its stacks name it, and as the host sees it; or NULL. */
        const char *plugin_dir, *folder;
};

void verdict_of_death(const struct obituary *o, const struct verdict_circumstances *c,
                      struct tool_outcome *ret);
void verdict_of_timeout(const struct verdict_circumstances *c, struct tool_outcome *ret);
void verdict_of_memory(const struct verdict_circumstances *c, struct tool_outcome *ret);
/* An ERROR frame of a worker that goes on. plugin_dir: as above. */
void verdict_of_error(const struct wire_error *m, const char *stage, const char *plugin_dir,
                      struct tool_outcome *ret);

#endif
