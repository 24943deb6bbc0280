#include "toolrunner/tool_runner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "toolrunner/tool_json.h"

void tool_queue_init(struct tool_queue *q, struct plugin_registry *registry, const char *plugin)
{
        *q = (struct tool_queue){.registry = registry, .max = 64};
        snprintf(q->plugin, sizeof q->plugin, "%s", plugin);
        TAILQ_INIT(&q->calls);
}

/* --- checks --- */

static void fail_no_such_tool(const struct plugin_manifest *m, const char *tool,
                              struct tool_outcome *ret)
{
        struct str names = {0};

        for (size_t i = 0; i < m->n_tools; i++)
                str_addf(&names, "%s%s", i ? ", " : "", m->tools[i].name);
        tool_outcome_fail(ret, PLUGIN_ERROR_TOOL_NOT_FOUND,
                          "plugin '%s' has no tool '%s'; it has: %s", m->name, tool,
                          names.data ? names.data : "none");
        str_done(&names);
}

/* The schema's length rules speak of the base64 text, which never existed for a binary upload. */
static int check_bytes_length(const struct manifest_tool *tool, const struct call_bytes *b,
                              struct tool_outcome *ret)
{
        const json_t *properties = json_object_get(tool->input_schema, "properties");
        const json_t *schema = json_object_get(properties, b->name);
        const json_t *min = json_object_get(schema, "minLength");
        const json_t *max = json_object_get(schema, "maxLength");
        json_int_t chars = (json_int_t)((b->size + 2) / 3 * 4);

        /* Of a path that an uploaded file stands for they mean the path. */
        if (!json_object_get(schema, "contentEncoding"))
                return 0;
        if (json_is_integer(min) && chars < json_integer_value(min)) {
                tool_outcome_fail(ret, PLUGIN_ERROR_INVALID_ARGUMENTS,
                                  "/%s: %zu bytes are fewer than minLength permits (minLength)",
                                  b->name, b->size);
                return 1;
        }
        if (json_is_integer(max) && chars > json_integer_value(max)) {
                tool_outcome_fail(ret, PLUGIN_ERROR_INVALID_ARGUMENTS,
                                  "/%s: %zu bytes are more than maxLength permits (maxLength)",
                                  b->name, b->size);
                return 1;
        }
        return 0;
}

/* A step is some 10 to 40 ns. */
#define BRIEF_STEPS 100000

static int validate(enum tool_check effort, const struct json_schema *schema, const json_t *value,
                    struct json_schema_violation *v)
{
        int r = effort == TOOL_CHECK_WHOLE
                    ? json_schema_validate(schema, value, v)
                    : json_schema_validate_within(schema, value, BRIEF_STEPS, v);

        return r == -E2BIG && effort == TOOL_CHECK_BRIEF ? -EAGAIN : r;
}

int tool_runner_check(enum tool_check effort, const struct plugin_manifest *m, const char *name,
                      const struct call_args *args, struct tool_outcome *ret)
{
        const struct manifest_tool *tool = plugin_manifest_tool(m, name);
        struct json_schema_violation v;
        int r;

        if (!tool) {
                fail_no_such_tool(m, name, ret);
                return 1;
        }
        for (size_t i = 0; i < args->n_bytes && tool->input_schema; i++)
                if (check_bytes_length(tool, &args->bytes[i], ret))
                        return 1;
        r = tool->input ? validate(effort, tool->input, args->json, &v) : 0;
        if (r == 0 || r == -EAGAIN)
                return r;
        if (r > 0)
                tool_outcome_fail(ret, PLUGIN_ERROR_INVALID_ARGUMENTS, "%s (%s)", v.message,
                                  v.rule);
        else if (r == -ENOMEM)
                tool_outcome_fail(ret, PLUGIN_ERROR_INTERNAL,
                                  "the host has no memory to check the arguments");
        else
                tool_outcome_fail(ret, PLUGIN_ERROR_INVALID_ARGUMENTS,
                                  "the arguments take too much work to check against the schema");
        return 1;
}

int tool_runner_check_result(enum tool_check effort, const struct manifest_tool *tool,
                             const char *text, size_t size, struct tool_outcome *ret)
{
        scoped(json_decref) json_t *value = NULL;
        struct json_schema_violation v;
        struct err e;
        int r;

        r = tool_json_parse(text, size, &value, &e);
        if (r == -ENOMEM) {
                tool_outcome_fail(ret, PLUGIN_ERROR_INTERNAL,
                                  "the host has no memory for the answer");
                return 1;
        }
        if (r < 0) {
                tool_outcome_fail(ret, PLUGIN_ERROR_INVALID_OUTPUT,
                                  "the plugin's answer is not valid JSON: %s", e.msg);
                return 1;
        }
        r = tool && tool->output ? validate(effort, tool->output, value, &v) : 0;
        if (r == 0 || r == -EAGAIN)
                return r;
        if (r == -ENOMEM) {
                tool_outcome_fail(ret, PLUGIN_ERROR_INTERNAL,
                                  "the host has no memory to check the answer");
                return 1;
        }
        tool_outcome_fail(ret, PLUGIN_ERROR_INVALID_OUTPUT,
                          "the plugin's answer does not fit its output schema: %s",
                          r > 0 ? v.message : "too much work to check");
        return 1;
}

/* --- the queue --- */

static void end_unqueued(struct tool_call *call, struct tool_outcome *o)
{
        call->state = TOOL_CALL_ENDED;
        o->ms = -1;
        call->on_end(call->ctx, call, o);
        tool_outcome_done(o);
}

static bool refuse(struct tool_queue *q, struct tool_outcome *o)
{
        struct plugin_health h;

        if (!plugin_registry_is_available(q->registry, q->plugin)) {
                if (plugin_registry_get_status(q->registry, q->plugin, &h) != 0)
                        h = (struct plugin_health){.state = LIFECYCLE_UNAVAILABLE};
                tool_outcome_fail(o, PLUGIN_ERROR_PLUGIN_UNAVAILABLE, "plugin '%s' is %s: %s",
                                  q->plugin, lifecycle_state_name(h.state), h.reason);
        } else if (q->n >= q->max) {
                tool_outcome_fail(o, PLUGIN_ERROR_PLUGIN_BUSY,
                                  "plugin '%s' is busy: %u calls are waiting, which is its limit; "
                                  "try again later",
                                  q->plugin, q->n);
        }
        return o->error != PLUGIN_ERROR_NONE;
}

int tool_runner_run(struct tool_queue *q, struct tool_call *call, uint32_t generation,
                    int64_t now_ns)
{
        struct tool_outcome o = {0};

        if (refuse(q, &o)) {
                end_unqueued(call, &o);
                return 1;
        }
        call->queue = q;
        call->generation = generation;
        call->state = TOOL_CALL_QUEUED;
        if (!call->accepted_ns)
                call->accepted_ns = now_ns;
        TAILQ_INSERT_TAIL(&q->calls, call, link);
        q->n++;
        (void)plugin_registry_set_queue_depth(q->registry, q->plugin, q->n);
        return 0;
}

static void leave_queue(struct tool_call *call)
{
        struct tool_queue *q = call->queue;

        TAILQ_REMOVE(&q->calls, call, link);
        q->n--;
        (void)plugin_registry_set_queue_depth(q->registry, q->plugin, q->n);
}

struct tool_call *tool_runner_peek(const struct tool_queue *q)
{
        return TAILQ_FIRST(&q->calls);
}

struct tool_call *tool_runner_next(struct tool_queue *q, int64_t now_ns, int64_t real_now_ns)
{
        struct tool_call *call = TAILQ_FIRST(&q->calls);

        if (!call)
                return NULL;
        leave_queue(call);
        call->state = TOOL_CALL_RUNNING;
        call->started_ns = now_ns;
        (void)plugin_registry_mark_running(q->registry, q->plugin, real_now_ns);
        return call;
}

/* --- the end --- */

static void account(const struct tool_call *call, const struct tool_outcome *o)
{
        struct tool_queue *q = call->queue;
        unsigned actions;

        /* A cancelled call is nobody's success and nobody's fault. */
        if (o->error == PLUGIN_ERROR_NONE)
                (void)plugin_registry_record_success(q->registry, q->plugin, o->ms);
        else if (o->error != PLUGIN_ERROR_CANCELLED)
                (void)plugin_registry_record_error(q->registry, q->plugin, o->ms);
        /* Refused only when its generation is gone, and then there is no state left to move. */
        (void)!plugin_registry_step_of(q->registry, q->plugin, call->generation,
                                       LIFECYCLE_EVENT_CALL_ENDED, NULL, 0, &actions);
}

int tool_runner_finish(struct tool_call *call, bool known, struct tool_outcome *outcome,
                       int64_t now_ns)
{
        if (call->state == TOOL_CALL_ENDED)
                return 1;
        if (call->state == TOOL_CALL_QUEUED)
                leave_queue(call);
        outcome->ms = -1;
        if (call->state == TOOL_CALL_RUNNING) {
                outcome->ms = (double)(now_ns - call->started_ns) / 1e6;
                if (known)
                        account(call, outcome);
        }
        call->state = TOOL_CALL_ENDED;
        call->on_end(call->ctx, call, outcome);
        return 0;
}

void tool_runner_fail_queued(struct tool_queue *q, const char *reason, int64_t now_ns)
{
        struct tool_call *call;

        while ((call = TAILQ_FIRST(&q->calls))) {
                struct tool_outcome o = {0};

                tool_outcome_fail(&o, PLUGIN_ERROR_PLUGIN_UNAVAILABLE, "%s", reason);
                tool_runner_finish(call, false, &o, now_ns);
                tool_outcome_done(&o);
        }
}
