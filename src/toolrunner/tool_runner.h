/* tool_runner.h -- one call from queue to accounting (the diagrams' section 3).
 * It decides; the supervisor acts: it takes calls from the queue with tool_runner_next and reports
 * each end with tool_runner_finish.
 * Knows: queues, schemas, the registry.    May not know: processes, sockets, clocks.
 * Threads: the loop's; tool_runner_check any.
 * Owns: nothing but the queue's links. */
#ifndef FORGESYTE_TOOLRUNNER_TOOL_RUNNER_H
#define FORGESYTE_TOOLRUNNER_TOOL_RUNNER_H

#include "loader/plugin_registry.h"
#include "toolrunner/tool_call.h"

/* A plugin's calls that wait for a free instance, oldest first. */
struct tool_queue {
        struct plugin_registry *registry;
        char plugin[65];
        TAILQ_HEAD(tool_queue_list, tool_call) calls;
        unsigned n, max;
};

void tool_queue_init(struct tool_queue *q, struct plugin_registry *registry, const char *plugin);

/* How much work a check may be. BRIEF: some milliseconds at most, for the loop, however plugin and
 * client conspire; with more to do it is -EAGAIN, and in a thread of the pool WHOLE says. */
enum tool_check { TOOL_CHECK_BRIEF, TOOL_CHECK_WHOLE };

/* Checks tool and arguments against the manifest: 0, or 1 and the outcome (ToolNotFound,
 * InvalidArguments, ...), or -EAGAIN. Touches nothing but its parameters. */
int tool_runner_check(enum tool_check effort, const struct plugin_manifest *m, const char *tool,
                      const struct call_args *args, struct tool_outcome *ret) must_check;
/* Checks a result against the tool's output schema: 0, or 1 and InvalidOutput, or -EAGAIN. `text`
 * is strict JSON or it is InvalidOutput as well. Touches nothing but its parameters. */
int tool_runner_check_result(enum tool_check effort, const struct manifest_tool *tool,
                             const char *text, size_t size, struct tool_outcome *ret) must_check;

/* Step 1: available? and room in the queue? Then the call is QUEUED and 0 is returned; otherwise
 * the call has ended (on_end was called) and 1 is returned. */
int tool_runner_run(struct tool_queue *q, struct tool_call *call, uint32_t generation,
                    int64_t now_ns) must_check;
/* Step 2: the oldest queued call leaves the queue and counts as running; NULL when there is none.
 * real_now_ns: UTC, for last_used. */
struct tool_call *tool_runner_next(struct tool_queue *q, int64_t now_ns, int64_t real_now_ns);
/* The oldest queued call, which stays where it is. */
struct tool_call *tool_runner_peek(const struct tool_queue *q);
/* Step 4: records success or error (once) in the generation that ran the call, and tells the
 * caller. known: the plugin is still in the registry (not another one of its name). A second end of
 * the same call does nothing and returns 1. */
int tool_runner_finish(struct tool_call *call, bool known, struct tool_outcome *outcome,
                       int64_t now_ns);
/* Every queued call ends with PluginUnavailable and this reason. */
void tool_runner_fail_queued(struct tool_queue *q, const char *reason, int64_t now_ns);

#endif
