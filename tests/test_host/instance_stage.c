#include "instance_stage.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "sandbox/timeout.h"

#define WAIT_SECONDS 20
#define GENERATION   3
#define MAX_OUTPUT   MIB(1)

static char worker_path[PATH_MAX];

void instance_stage_set_worker(const char *path)
{
        assert_non_null(realpath(path, worker_path));
}

static struct instance_stage *stage_of(const struct instance *i)
{
        return i->ctx;
}

static const char *name_of(const struct tool_call *call)
{
        return call ? call->tool : "-";
}

static void keep_outcome(struct instance_stage *s, const struct tool_outcome *o)
{
        tool_outcome_done(&s->outcome);
        tool_outcome_fail(&s->outcome, o->error, "%s", o->words ? o->words : "");
        s->outcome.signal = o->signal;
        if (o->stderr_tail)
                s->outcome.stderr_tail = strdup(o->stderr_tail);
}

static int on_meta(struct instance *i, const char *json, size_t n, struct err *e)
{
        struct instance_stage *s = stage_of(i);

        str_addf(&s->trace, "meta %.*s; ", (int)n, json);
        return s->refuse_meta ? err_set(e, -22, "%s", s->refuse_meta) : 0;
}

static void on_report(struct instance *i, const struct wire_report *report)
{
        str_addf(&stage_of(i)->trace, "report %u; ", report->n_verdicts);
}

static void on_ready(struct instance *i, enum wire_type request)
{
        static const struct {
                enum wire_type answered, next;
        } order[] = {{WIRE_HELLO, WIRE_LOAD}, {WIRE_LOAD, WIRE_INIT}, {WIRE_INIT, WIRE_VALIDATE}};
        const struct wire_load load = {.runtime = wire_str_of("native"),
                                       .plugin = wire_str_of("stage"),
                                       .dir = wire_str_of("/plugin"),
                                       .entrypoint = wire_str_of("x.so")};
        struct instance_stage *s = stage_of(i);
        struct str payload = {0};

        str_addf(&s->trace, "ready %s; ", wire_type_name(request));
        if (s->leave_when_ready) {
                instance_leave(i);
                return;
        }
        if (s->is_template && request == WIRE_LOAD) {
                instance_make_template(i, true);
                str_adds(&s->trace, "template; ");
                return;
        }
        for (size_t k = 0; k < ARRAY_LEN(order); k++) {
                if (order[k].answered != request)
                        continue;
                if (order[k].next == WIRE_LOAD)
                        wire_encode_load(&payload, &load);
                assert_int_equal(instance_request(i, order[k].next, &payload), 0);
                str_done(&payload);
                return;
        }
        instance_set_idle(i);
        str_adds(&s->trace, "idle; ");
}

static void on_result(struct instance *i, struct tool_call *call, uint8_t *take_payload, size_t n)
{
        struct instance_stage *s = stage_of(i);

        assert_int_equal(i->state, INSTANCE_IDLE);
        assert_null(i->call);
        str_addf(&s->trace, "result %s %zu; ", name_of(call), n);
        free(take_payload);
}

static void on_error(struct instance *i, struct tool_call *call, struct tool_outcome *o)
{
        struct instance_stage *s = stage_of(i);

        assert_int_equal(i->state, INSTANCE_IDLE);
        str_addf(&s->trace, "error %s %s; ", name_of(call), plugin_error_name(o->error));
        keep_outcome(s, o);
}

static void on_progress(struct instance *i, struct tool_call *call, double done, double total)
{
        str_addf(&stage_of(i)->trace, "progress %s %g/%g; ", name_of(call), done, total);
}

static void on_broke(struct instance *i, struct tool_call *call, struct tool_outcome *o)
{
        struct instance_stage *s = stage_of(i);

        assert_int_equal(i->state, INSTANCE_DYING);
        if (i == s->copy) {
                str_addf(&s->trace, "copy broke %s; ", plugin_error_name(o->error));
                keep_outcome(s, o);
                return;
        }
        assert_int_equal(s->broke, 0);
        assert_false(instance_is_free(i));
        s->broke++;
        str_addf(&s->trace, "broke %s %s; ", name_of(call), plugin_error_name(o->error));
        keep_outcome(s, o);
        /* What an owner may do at such a moment must do nothing. */
        instance_leave(i);
        instance_cancel(i, true);
}

static void on_forked(struct instance *template, struct instance *copy, const char *refusal)
{
        struct instance_stage *s = stage_of(template);

        assert_true(copy || refusal);
        s->copy = copy;
        str_adds(&s->trace, copy ? "copy; " : "refused; ");
        if (!copy)
                instance_leave(template);
}

static void on_gone(struct instance *i)
{
        struct instance_stage *s = stage_of(i);

        if (i == s->copy) {
                str_adds(&s->trace, "copy gone; ");
                s->copy = NULL;
                instance_free(i);
                return;
        }
        assert_int_equal(s->broke, 1);
        assert_int_equal(s->gone, 0);
        s->gone++;
        str_adds(&s->trace, "gone; ");
        s->instance = NULL;
        instance_free(i);
}

static const struct instance_owner owner = {
    .meta = on_meta,
    .report = on_report,
    .ready = on_ready,
    .result = on_result,
    .error = on_error,
    .progress = on_progress,
    .broke = on_broke,
    .forked = on_forked,
    .gone = on_gone,
};

/* --- opening and closing --- */

static void open_policy(struct instance_stage *s, const char *script)
{
        char dir[] = "/tmp/forgesyte-test-XXXXXX";

        sandbox_policy_init(&s->policy);
        snprintf(s->policy.name, sizeof s->policy.name, "stage-%d", getpid());
        s->policy.min_level = ISOLATION_NONE;
        assert_non_null(mkdtemp(dir));
        assert_int_equal(chmod(dir, 0755), 0);
        assert_int_equal(sandbox_policy_set_plugin_dir(&s->policy, dir), 0);
        assert_int_equal(sandbox_policy_add_env(&s->policy, "FAKE_SCRIPT", script), 0);
}

static void open_stage(struct instance_stage *s, const char *script, double boot_seconds,
                       bool is_template)
{
        const struct sandbox_runner_options runner = {.worker_path = worker_path};
        struct instance_options o = {.owner = &owner,
                                     .ctx = s,
                                     .log = &s->log,
                                     .generation = GENERATION,
                                     .max_output = MAX_OUTPUT,
                                     .timeout_seconds = 0.25,
                                     .memory_bytes = MIB(256),
                                     .boot_seconds = boot_seconds};
        struct err e = {0};

        memset(s, 0, sizeof *s);
        s->is_template = is_template;
        plugin_log_init(&s->log);
        if (loop_new(&s->loop, &e) < 0 || pool_new(s->loop, 1, &s->pool, &e) < 0 ||
            sandbox_runner_new(&runner, &s->runner, &e) < 0)
                fail_msg("%s", e.msg);
        open_policy(s, script);
        s->policy.forks = is_template ? 2 : 0;
        o.loop = s->loop;
        o.pool = s->pool;
        if (instance_start(s->runner, &s->policy, &o, &s->instance, &e) != 0)
                fail_msg("%s", e.msg);
        snprintf(s->call.tool, sizeof s->call.tool, "t");
}

void instance_stage_open_with(struct instance_stage *s, const char *script, double boot_seconds)
{
        open_stage(s, script, boot_seconds, false);
}

void instance_stage_open_template(struct instance_stage *s, const char *script)
{
        open_stage(s, script, WAIT_SECONDS, true);
}

void instance_stage_open(struct instance_stage *s, const char *script)
{
        instance_stage_open_with(s, script, WAIT_SECONDS);
}

void instance_stage_done(struct instance_stage *s)
{
        instance_free(s->copy);
        instance_free(s->instance);
        pool_free(s->pool);
        instance_stage_drop_call(s);
        rmdir(s->policy.plugin_dir);
        sandbox_policy_done(&s->policy);
        sandbox_runner_free(s->runner);
        loop_free(s->loop);
        plugin_log_done(&s->log);
        tool_outcome_done(&s->outcome);
        str_done(&s->trace);
}

/* --- waiting --- */

static void on_too_long(void *ctx)
{
        struct instance_stage *s = ctx;

        fail_msg("nothing more came after: %s", s->trace.data ? s->trace.data : "nothing");
}

static bool has(const struct instance_stage *s, const char *event)
{
        return s->trace.data && strstr(s->trace.data, event);
}

void instance_stage_await(struct instance_stage *s, const char *event)
{
        struct loop_timer limit = {0};
        struct err e;

        assert_int_equal(loop_timer_set(s->loop, &limit,
                                        clock_mono_ns() + WAIT_SECONDS * NSEC_PER_SEC, on_too_long,
                                        s),
                         0);
        while (!has(s, event))
                assert_int_equal(loop_turn(s->loop, &e), 0);
        loop_timer_unset(s->loop, &limit);
}

void instance_stage_expect(struct instance_stage *s, const char *trace)
{
        if (strcmp(s->trace.data ? s->trace.data : "", trace))
                fail_msg("\"%s\" (%s), not \"%s\"", s->trace.data,
                         s->outcome.words ? s->outcome.words : "", trace);
        str_done(&s->trace);
}

void instance_stage_await_end(struct instance_stage *s, const char *trace)
{
        instance_stage_await(s, "gone; ");
        instance_stage_expect(s, trace);
}

void instance_stage_boot(struct instance_stage *s)
{
        instance_stage_await(s, "idle; ");
        instance_stage_expect(s, "ready HELLO; meta {\"tools\":[{\"name\":\"t\"}]}; ready LOAD; "
                                 "ready INIT; ready VALIDATE; idle; ");
        assert_true(instance_is_free(s->instance));
}

/* --- calls --- */

void instance_stage_call(struct instance_stage *s, const char *json, double seconds)
{
        json_t *args = json_loads(json, 0, NULL);

        assert_non_null(args);
        call_args_done(&s->call.args);
        s->call.args.json = args;
        assert_int_equal(
            instance_call(s->instance, &s->call, timeout_deadline(clock_mono_ns(), seconds)), 0);
        assert_false(instance_is_free(s->instance));
}

void instance_stage_call_bytes(struct instance_stage *s, size_t size)
{
        char *data = calloc(1, size);

        s->call.args.json = json_pack("{s:s}", "image", "");
        assert_int_equal(call_args_add_bytes(&s->call.args, "image", "", data, size, data), 0);
        assert_int_equal(
            instance_call(s->instance, &s->call, timeout_deadline(clock_mono_ns(), WAIT_SECONDS)),
            0);
}

void instance_stage_drop_call(struct instance_stage *s)
{
        call_args_done(&s->call.args);
        memset(&s->call, 0, sizeof s->call);
        snprintf(s->call.tool, sizeof s->call.tool, "freed");
}
