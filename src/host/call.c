/* call.c -- one request to run a tool, from the body to the answer: waits for the plugin, makes and
 * checks arguments (in the pool when they are large), queues, runs, checks the result.
 * Knows: units, the tool runner, the pool.     May not know: HTTP.
 * Threads: the loop's; prepare_work and check_work any.
 * Owns: the arguments, a release, the outcome. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "host/call_result.h"
#include "host/unit.h"
#include "sandbox/timeout.h"

#define INLINE_MAX KIB(64) /* more is worth a trip to the pool */

enum phase { PHASE_WAITING, PHASE_PREPARING, PHASE_QUEUED, PHASE_RUNNING, PHASE_CHECKING };

struct host_call {
        struct tool_call call;
        enum phase phase;
        bool cancelled; /* the client has left */
        bool expired;   /* the deadline passed while the pool had it */
        bool made;      /* the arguments are, of the source */
        bool *ended;    /* supervisor_run's, while it is on the stack */
        struct supervisor *s;
        struct unit *unit;
        struct release *release;
        char plugin[65];
        struct argument_source source;
        size_t body_size; /* the source's, which gives its body away */
        struct unit_waiter waiter;
        struct loop_timer deadline;
        struct pool_job job;
        int refused; /* what the pool found: outcome says why */
        struct tool_outcome outcome;
        uint8_t *payload;
        size_t payload_size;
        host_call_end_fn end;
        void *ctx;
};

static struct host_call *host_call_of(struct tool_call *call)
{
        return container_of(call, struct host_call, call);
}

static void free_args(struct pool_job *job)
{
        struct host_call *c = container_of(job, struct host_call, job);

        call_args_done(&c->call.args);
}

static void free_rest(struct pool_job *job)
{
        struct host_call *c = container_of(job, struct host_call, job);

        argument_source_done(&c->source);
        tool_outcome_done(&c->outcome);
        release_unref(c->release);
        free(c->payload);
        free(c);
}

static void host_call_free(struct host_call *c)
{
        loop_timer_unset(c->s->o.loop, &c->deadline);
        if (c->body_size > MEMORY_TRIM_BIG || c->payload_size > MEMORY_TRIM_BIG)
                memory_trim_soon(&c->s->trim);
        if (c->ended)
                *c->ended = true;
        c->job = (struct pool_job){.work = free_args, .done = free_rest};
        /* A million values take their time. */
        if (c->body_size > INLINE_MAX && !c->s->closing) {
                pool_submit(c->s->o.pool, &c->job);
                return;
        }
        free_args(&c->job);
        free_rest(&c->job);
}

static void emit_end(struct host_call *c, const struct tool_outcome *o)
{
        struct supervisor_event event = {
            .kind = SUPERVISOR_CALL_END, .plugin = c->plugin, .tool = c->call.tool, .outcome = o};

        supervisor_emit(c->s, &event);
}

/* Every call comes by here once, and is gone afterwards. */
static void on_end(void *ctx, unused_param struct tool_call *call, struct tool_outcome *o)
{
        struct host_call *c = ctx;

        c->s->calls--;
        if (c->unit) {
                c->unit->calls--;
                unit_announce(c->unit);
                supervisor_bury(c->unit);
        }
        emit_end(c, o);
        if (!c->cancelled)
                c->end(c->ctx, o);
        host_call_free(c);
}

static void finish(struct host_call *c, struct tool_outcome *o)
{
        bool known = c->unit && !c->unit->gone;

        tool_runner_finish(&c->call, known, o, clock_mono_ns());
}

static void end_with(struct host_call *c, enum plugin_error error, const char *words)
{
        scoped(tool_outcome) struct tool_outcome o = {0};

        tool_outcome_fail(&o, error, "%s", words);
        finish(c, &o);
}

static void end_cancelled(struct host_call *c)
{
        end_with(c, PLUGIN_ERROR_CANCELLED, "the client left");
}

/* waited: what for, as a sentence; "": nothing. */
static void end_expired(struct host_call *c, const char *waited)
{
        scoped(tool_outcome) struct tool_outcome o = {0};
        char words[200];
        double seconds = c->release ? c->release->manifest->limits.timeout_seconds : 0;

        timeout_sentence(seconds, words, sizeof words);
        tool_outcome_fail(&o, PLUGIN_ERROR_TIMEOUT, "%s%s", words, waited);
        finish(c, &o);
}

void host_call_finish(struct tool_call *call, struct tool_outcome *o)
{
        struct host_call *c = host_call_of(call);
        struct unit *u = c->unit;

        unit_note_outcome(u, c->release, o);
        finish(c, o);
        unit_fail_stranded(u);
}

/* --- the deadline --- */

static void on_deadline(void *ctx)
{
        struct host_call *c = ctx;

        switch (c->phase) {
        case PHASE_WAITING:
                TAILQ_REMOVE(&c->unit->waiters, &c->waiter, link);
                end_expired(c, " It waited for the plugin to load.");
                break;
        case PHASE_QUEUED:
                end_expired(c, " It waited for its turn.");
                break;
        case PHASE_RUNNING:
                /* It waited for long, so the plugin did not have its full time: the client hears of
                 * the deadline, the plugin is asked to stop and is not to blame. */
                instance_cancel(c->call.holder, true);
                end_expired(c, " It had waited for its turn before it ran.");
                break;
        case PHASE_PREPARING:
        case PHASE_CHECKING:
                c->expired = true;
                break;
        }
}

static bool set_deadline(struct host_call *c)
{
        double seconds = c->release->manifest->limits.timeout_seconds;

        c->call.deadline_ns = timeout_deadline(c->call.accepted_ns, seconds);
        return loop_timer_set(c->s->o.loop, &c->deadline, c->call.deadline_ns, on_deadline, c) == 0;
}

int64_t host_call_dispatched(struct tool_call *call, int64_t now_ns)
{
        struct host_call *c = host_call_of(call);
        double seconds = c->release->manifest->limits.timeout_seconds;

        c->phase = PHASE_RUNNING;
        if ((double)(now_ns - call->accepted_ns) > seconds * 1e9 / 10)
                return timeout_deadline(now_ns, seconds);
        loop_timer_unset(c->s->o.loop, &c->deadline);
        return call->deadline_ns;
}

/* --- before the queue --- */

/* 0; 1: the outcome says why not; -EAGAIN: the arguments are made, to check them takes its time. */
static int prepare(struct host_call *c, enum tool_check effort)
{
        const struct plugin_manifest *m = c->release->manifest;
        const struct manifest_tool *tool = plugin_manifest_tool(m, c->call.tool);
        int r;

        if (tool && !c->made) {
                c->call.views = m->runtime == PLUGIN_RUNTIME_NATIVE || tool->views;
                if (arguments_make(tool, &c->source, &c->call.args, &c->outcome))
                        return 1;
                c->made = true;
        }
        r = tool_runner_check(effort, m, c->call.tool, &c->call.args, &c->outcome);
        if (r)
                return r;
        if (call_args_write(&c->call.args) == 0)
                return 0;
        tool_outcome_fail(&c->outcome, PLUGIN_ERROR_INTERNAL, "the host has no memory");
        return 1;
}

static void prepared(struct host_call *c)
{
        struct unit *u = c->unit;

        if (c->cancelled) {
                end_cancelled(c);
        } else if (c->expired) {
                end_expired(c, "");
        } else if (c->refused) {
                finish(c, &c->outcome);
        } else {
                c->phase = PHASE_QUEUED;
                if (tool_runner_run(&u->queue, &c->call, c->release->generation, clock_mono_ns()) ==
                    0)
                        unit_pump(u);
        }
}

static void prepare_work(struct pool_job *job)
{
        struct host_call *c = container_of(job, struct host_call, job);

        c->refused = prepare(c, TOOL_CHECK_WHOLE);
}

static void prepare_done(struct pool_job *job)
{
        prepared(container_of(job, struct host_call, job));
}

static void proceed(struct host_call *c)
{
        struct unit *u = c->unit;

        if (!plugin_registry_is_available(c->s->registry, u->name) || !u->release) {
                /* Refuses with the plugin's reason. */
                if (tool_runner_run(&u->queue, &c->call, 0, clock_mono_ns()) == 0)
                        end_with(c, PLUGIN_ERROR_PLUGIN_UNAVAILABLE, "the plugin is not loaded");
                return;
        }
        release_unref(c->release);
        c->release = release_ref(u->release);
        if (!set_deadline(c)) {
                end_with(c, PLUGIN_ERROR_INTERNAL, "the host has no memory");
                return;
        }
        c->phase = PHASE_PREPARING;
        /* A raw body needs no reading, however large. */
        if (c->body_size <= INLINE_MAX || argument_source_is_raw(&c->source)) {
                c->refused = prepare(c, TOOL_CHECK_BRIEF);
                if (c->refused != -EAGAIN) {
                        prepared(c);
                        return;
                }
        }
        c->job = (struct pool_job){.work = prepare_work, .done = prepare_done};
        pool_submit(c->s->o.pool, &c->job);
}

static void on_settled(void *ctx)
{
        proceed(ctx);
}

/* A plugin whose tools are not known yet, or that has no state yet: the call waits, and the time
 * counts. */
static bool must_wait(const struct unit *u)
{
        return unit_is_pending(u) &&
               (u->loader.step < PLUGIN_LOADER_AT_IMPORT || !u->release->manifest->has_tools);
}

static void begin(struct host_call *c)
{
        if (!must_wait(c->unit)) {
                proceed(c);
                return;
        }
        c->phase = PHASE_WAITING;
        c->release = release_ref(c->unit->release);
        unit_wait(c->unit, &c->waiter, on_settled, c);
        if (c->release && !set_deadline(c)) {
                TAILQ_REMOVE(&c->unit->waiters, &c->waiter, link);
                end_with(c, PLUGIN_ERROR_INTERNAL, "the host has no memory");
        }
}

/* --- in the queue --- */

static bool same_input(const struct plugin_manifest *a, const struct plugin_manifest *b,
                       const char *name)
{
        const struct manifest_tool *before = plugin_manifest_tool(a, name);
        const struct manifest_tool *now = plugin_manifest_tool(b, name);

        if (!before || !now || before->views != now->views)
                return false;
        return before->input_schema == now->input_schema ||
               json_equal(before->input_schema, now->input_schema);
}

bool host_call_adopt(struct tool_call *call, struct release *r)
{
        struct host_call *c = host_call_of(call);
        bool same;
        int refused;

        if (c->release == r)
                return true;
        same = same_input(c->release->manifest, r->manifest, call->tool);
        release_unref(c->release);
        c->release = release_ref(r);
        call->generation = r->generation;
        if (same)
                return true;
        refused =
            tool_runner_check(TOOL_CHECK_BRIEF, r->manifest, call->tool, &call->args, &c->outcome);
        if (refused == -EAGAIN)
                end_with(c, PLUGIN_ERROR_PLUGIN_UNAVAILABLE,
                         "the plugin was loaded anew with another schema while this call waited; "
                         "try again");
        else if (refused)
                finish(c, &c->outcome);
        return refused == 0;
}

/* --- after the run --- */

static void checked(struct host_call *c)
{
        if (c->cancelled) {
                end_cancelled(c);
                return;
        }
        host_call_finish(&c->call, &c->outcome);
}

static int check(struct host_call *c, enum tool_check effort)
{
        const struct plugin_manifest *m = c->release->manifest;

        return call_result_make(effort, plugin_manifest_tool(m, c->call.tool), &c->payload,
                                c->payload_size, &c->outcome);
}

static void check_work(struct pool_job *job)
{
        /* Who takes all the time there is has an answer. */
        (void)!check(container_of(job, struct host_call, job), TOOL_CHECK_WHOLE);
}

static void check_done(struct pool_job *job)
{
        checked(container_of(job, struct host_call, job));
}

void host_call_result(struct tool_call *call, uint8_t *take_payload, size_t n)
{
        struct host_call *c = host_call_of(call);

        c->phase = PHASE_CHECKING;
        c->payload = take_payload;
        c->payload_size = n;
        if (n <= INLINE_MAX && check(c, TOOL_CHECK_BRIEF) == 0) {
                checked(c);
                return;
        }
        c->job = (struct pool_job){.work = check_work, .done = check_done};
        pool_submit(c->s->o.pool, &c->job);
}

/* --- the door --- */

static void refuse_unknown(struct host_call *c)
{
        scoped(str) struct str names = {0};
        scoped(tool_outcome) struct tool_outcome o = {0};
        struct unit *u;

        TAILQ_FOREACH (u, &c->s->units, link)
                if (!u->gone)
                        str_addf(&names, "%s%s", names.len ? ", " : "", u->name);
        tool_outcome_fail(&o, PLUGIN_ERROR_PLUGIN_NOT_FOUND,
                          "no plugin is called '%s'; there are: %s", c->plugin,
                          names.len ? names.data : "none");
        finish(c, &o);
}

struct host_call *supervisor_run(struct supervisor *s, const char *plugin, const char *tool,
                                 struct argument_source *source, host_call_end_fn end, void *ctx)
{
        struct host_call *c = calloc(1, sizeof *c);
        bool ended = false;

        if (!c) {
                struct tool_outcome o = {.error = PLUGIN_ERROR_INTERNAL, .ms = -1};

                argument_source_done(source);
                end(ctx, &o);
                return NULL;
        }
        c->s = s;
        c->end = end;
        c->ctx = ctx;
        c->ended = &ended;
        c->source = *source;
        c->body_size = source->body_size;
        *source = (struct argument_source){0};
        c->unit = supervisor_unit(s, plugin);
        if (c->unit)
                c->unit->calls++;
        snprintf(c->plugin, sizeof c->plugin, "%s", plugin);
        snprintf(c->call.tool, sizeof c->call.tool, "%s", tool);
        c->call.on_end = on_end;
        c->call.ctx = c;
        c->call.accepted_ns = clock_mono_ns();
        s->calls++;
        if (s->draining || s->closing)
                end_with(c, PLUGIN_ERROR_PLUGIN_UNAVAILABLE, "the server is shutting down");
        else if (!c->unit)
                refuse_unknown(c);
        else
                begin(c);
        if (ended)
                return NULL;
        c->ended = NULL;
        return c;
}

void supervisor_cancel(unused_param struct supervisor *s, struct host_call *c)
{
        c->cancelled = true;
        switch (c->phase) {
        case PHASE_WAITING:
                TAILQ_REMOVE(&c->unit->waiters, &c->waiter, link);
                end_cancelled(c);
                break;
        case PHASE_QUEUED:
                end_cancelled(c);
                break;
        case PHASE_RUNNING:
                instance_cancel(c->call.holder, false);
                break;
        case PHASE_PREPARING:
        case PHASE_CHECKING:
                break; /* the pool brings it back */
        }
}
