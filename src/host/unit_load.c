#include "host/unit_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "host/unit_box.h"

static void over(struct unit *u)
{
        scoped(free) struct plugin_health *h = malloc(sizeof *h);
        bool known = h && plugin_registry_get_status(u->s->registry, u->name, h) == 0;

        unit_announce(u);
        unit_stop_instances(u);
        unit_fail_queued(u, known ? h->reason : "it failed to load");
        if (known && h->state == LIFECYCLE_FAILED)
                unit_consider_restart(u);
        unit_settled(u);
}

static void give_up(struct unit *u, const struct tool_outcome *o)
{
        scoped(str) struct str words = {0};

        unit_remember_failure(u, o);
        str_adds(&words, o->words ? o->words : "");
        if (o->traceback)
                str_addf(&words, "\n%s", o->traceback);
        plugin_loader_fail(&u->loader, o->error, words.data ? words.data : "", clock_mono_ns());
        over(u);
}

static void give_up_with(struct unit *u, enum plugin_error error, const char *words)
{
        scoped(tool_outcome) struct tool_outcome o = {0};

        tool_outcome_fail(&o, error, "%s", words);
        give_up(u, &o);
}

/* A forecast until the worker has answered, then what really holds it. */
static void show_isolation(struct unit *u, const struct instance *i)
{
        if (plugin_registry_set_isolation(u->s->registry, u->name, sandbox_isolation(i->box)) < 0)
                log_write(u->s->o.log, LOG_LEVEL_ERROR, "plugin %s: out of memory", u->name);
}

static void start_worker(struct unit *u, bool probe, struct err *e, int *ret)
{
        struct instance *i;

        *ret = unit_box_start(u, probe, &i, e);
        if (*ret != 0)
                return;
        TAILQ_INSERT_TAIL(&u->instances, i, link);
        if (!probe) {
                unit_prefork_started(u, i);
                show_isolation(u, i);
        }
        unit_refresh(u, clock_mono_ns());
}

static enum plugin_error error_of_start(int r)
{
        if (r > 0)
                return PLUGIN_ERROR_ISOLATION_UNAVAILABLE;
        return r == -EBADMSG ? PLUGIN_ERROR_MANIFEST : PLUGIN_ERROR_INTERNAL;
}

static void start_first(struct unit *u, bool probe);

static void on_start_timer(void *ctx)
{
        struct unit *u = ctx;

        start_first(u, u->start_probe);
}

/* A start keeps the loop for milliseconds. Of many plugins each one's turn comes when everybody
 * else has had as long as the start before it took. */
static void start_first(struct unit *u, bool probe)
{
        int64_t began = clock_mono_ns(), ended;
        struct err e;
        int r;

        u->start_probe = probe;
        if (began < u->s->next_start_ns &&
            loop_timer_set(u->s->o.loop, &u->start_timer, u->s->next_start_ns, on_start_timer, u) ==
                0)
                return;
        start_worker(u, probe, &e, &r);
        ended = clock_mono_ns();
        u->s->next_start_ns = ended + (ended - began);
        if (r != 0)
                give_up_with(u, error_of_start(r), e.msg);
}

/* A further instance, or one in place of a dead one. */
static void start_another(struct unit *u);

static void on_respawn_timer(void *ctx)
{
        struct unit *u = ctx;
        unsigned n = u->missing;

        u->missing = 0;
        unit_start_instances(u, n);
        unit_fail_stranded(u);
}

static void respawn_later(struct unit *u, const struct tool_outcome *why, unsigned n)
{
        int64_t at = restart_policy_grant(&u->respawn, clock_mono_ns());

        if (at < 0) {
                log_write(u->s->o.log, LOG_LEVEL_ERROR,
                          "plugin %s: its workers broke too often (%d in 10 minutes)", u->name,
                          RESTART_POLICY_CAP);
                unit_fail(u, why);
                return;
        }
        u->missing += n;
        if (loop_timer_set(u->s->o.loop, &u->respawn_timer, at, on_respawn_timer, u) < 0)
                unit_fail(u, why);
}

static void start_another(struct unit *u)
{
        scoped(tool_outcome) struct tool_outcome o = {0};
        struct err e;
        int r;

        if (unit_prefork_another(u))
                return;
        start_worker(u, false, &e, &r);
        if (r == 0)
                return;
        tool_outcome_fail(&o, PLUGIN_ERROR_INTERNAL, "%s", e.msg);
        respawn_later(u, &o, 1);
}

void unit_start_instances(struct unit *u, unsigned n)
{
        for (; n > 0 && u->usable; n--)
                start_another(u);
}

static void become_ready(struct unit *u, struct instance *i)
{
        u->usable = true;
        instance_set_idle(i);
        u->refreshed_ns = 0;
        unit_announce(u);
        unit_start_instances(u, u->release->manifest->limits.instances - 1);
        unit_settled(u);
        unit_pump(u);
        unit_fail_stranded(u);
}

void unit_request(struct unit *u, struct instance *i, enum wire_type type)
{
        scoped(str) struct str payload = {0};
        struct tool_outcome o = {0};
        int r = unit_box_payload(u, i, type, &payload);

        if (r == 0)
                r = instance_request(i, type, &payload);
        if (r == 0)
                return;
        tool_outcome_fail(&o, PLUGIN_ERROR_INTERNAL, "%s: %s", wire_type_name(type), strerror(-r));
        instance_break(i, &o);
}

/* Everything that it needs is there, and that is all that was asked. */
static void checked(struct unit *u)
{
        u->loader.step = PLUGIN_LOADER_AT_DONE;
        unit_settled(u);
}

void unit_act(struct unit *u, struct instance *i, int next)
{
        switch ((enum plugin_loader_next)next) {
        case PLUGIN_LOADER_PROBE:
                start_first(u, true);
                break;
        case PLUGIN_LOADER_SPAWN:
                unit_announce(u);
                if (u->s->o.check_only)
                        checked(u);
                else
                        start_first(u, false);
                break;
        case PLUGIN_LOADER_INIT:
                if (!unit_prefork_loaded(u, i))
                        unit_request(u, i, WIRE_INIT);
                break;
        case PLUGIN_LOADER_SELFTEST:
                unit_request(u, i, WIRE_VALIDATE);
                break;
        case PLUGIN_LOADER_READY:
                become_ready(u, i);
                break;
        case PLUGIN_LOADER_OVER:
                over(u);
                break;
        }
}

/* --- an instance's events --- */

static bool is_loading(const struct unit *u, const struct instance *i)
{
        return unit_is_current(u, i->generation) && plugin_loader_is_loading(&u->loader);
}

static int on_meta(struct instance *i, const char *json, size_t n, struct err *e)
{
        struct unit *u = i->ctx;

        /* The first instance speaks for all: the manifest is shared from then on. */
        return is_loading(u, i) ? plugin_manifest_merge_meta(u->release->manifest, json, n, e) : 0;
}

static void on_report(struct instance *i, const struct wire_report *report)
{
        struct unit *u = i->ctx;
        bool wanted = is_loading(u, i);

        instance_leave(i);
        if (wanted)
                unit_act(u, NULL, plugin_loader_checked(&u->loader, report, clock_mono_ns()));
}

static void on_ready(struct instance *i, enum wire_type answered)
{
        struct unit *u = i->ctx;

        if (!unit_is_current(u, i->generation)) {
                instance_leave(i);
        } else if (answered == WIRE_HELLO) {
                if (!i->probe)
                        show_isolation(u, i);
                unit_request(u, i, i->probe ? WIRE_CHECK : WIRE_LOAD);
        } else if (is_loading(u, i)) {
                unit_act(u, i, plugin_loader_advance(&u->loader, clock_mono_ns()));
        } else if (!u->usable) {
                instance_leave(i);
        } else if (answered == WIRE_LOAD) {
                if (!unit_prefork_loaded(u, i))
                        unit_request(u, i, WIRE_INIT);
        } else if (answered == WIRE_INIT) {
                /* The first one's verdict was about the code; what this one made may be ill. */
                unit_request(u, i, WIRE_VALIDATE);
        } else {
                instance_set_idle(i);
                unit_pump(u);
        }
}

static void after_call(struct unit *u, struct instance *i)
{
        if (!unit_is_current(u, i->generation) || !u->usable)
                instance_leave(i);
        else
                unit_pump(u);
}

static void on_result(struct instance *i, struct tool_call *call, uint8_t *take_payload, size_t n)
{
        struct unit *u = i->ctx;

        host_call_result(call, take_payload, n);
        after_call(u, i);
}

static void on_error(struct instance *i, struct tool_call *call, struct tool_outcome *o)
{
        struct unit *u = i->ctx;

        if (call)
                host_call_finish(call, o);
        after_call(u, i);
}

static void on_progress(struct instance *i, struct tool_call *call, double done, double total)
{
        struct unit *u = i->ctx;
        struct supervisor_event event = {.kind = SUPERVISOR_PROGRESS,
                                         .plugin = u->name,
                                         .tool = call->tool,
                                         .done = done,
                                         .total = total};

        supervisor_emit(u->s, &event);
}

/* A worker of the generation in use has died, and n instances with it. */
static void replace_or_fail(struct unit *u, const struct tool_outcome *o, unsigned n)
{
        if (o->error == PLUGIN_ERROR_CANCELLED) {
                unit_start_instances(u, n);
                return;
        }
        unit_remember_failure(u, o);
        if (u->release->manifest->on_error == PLUGIN_ON_ERROR_KEEP)
                respawn_later(u, o, n);
        else
                unit_fail(u, o);
}

static void on_broke(struct instance *i, struct tool_call *call, struct tool_outcome *o)
{
        struct unit *u = i->ctx;
        bool loading = is_loading(u, i), current = unit_is_current(u, i->generation);

        unsigned lost = unit_prefork_lost(u, i);

        if (u->s->closing)
                current = loading = false;
        /* The state first, then the client: whoever reads the answer may ask for the state. */
        if (loading && o->error != PLUGIN_ERROR_CANCELLED)
                give_up(u, o);
        else if (current && u->usable && !i->probe && lost > 0)
                replace_or_fail(u, o, lost);
        if (i->leaving && !i->left_well && !i->probe)
                log_write(u->s->o.log, LOG_LEVEL_WARNING,
                          "plugin %s: a worker did not end well: %s", u->name,
                          o->words ? o->words : plugin_error_name(o->error));
        else if (o->error == PLUGIN_ERROR_CANCELLED && o->words && !i->probe)
                log_write(u->s->o.log, LOG_LEVEL_DEBUG, "plugin %s: worker ended: %s", u->name,
                          o->words);
        unit_refresh(u, clock_mono_ns());
        if (call)
                host_call_finish(call, o);
        unit_prefork_end_copies(u, i, o);
        unit_fail_stranded(u);
}

static void on_gone(struct instance *i)
{
        struct instance *template = i->fork.template;
        struct unit *u = i->ctx;

        TAILQ_REMOVE(&u->instances, i, link);
        instance_free(i);
        unit_prefork_gone(u, template);
        supervisor_bury(u);
}

const struct instance_owner unit_instance_owner = {
    .meta = on_meta,
    .report = on_report,
    .ready = on_ready,
    .result = on_result,
    .error = on_error,
    .progress = on_progress,
    .broke = on_broke,
    .forked = unit_prefork_forked,
    .gone = on_gone,
};
