#include "host/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "host/unit_box.h"

#define USAGE_FRESH_NS (100 * NSEC_PER_MSEC)

struct release *release_ref(struct release *r)
{
        if (r)
                r->refs++;
        return r;
}

void release_unref(struct release *r)
{
        if (!r || --r->refs > 0)
                return;
        plugin_manifest_free(r->manifest);
        free(r);
}

struct unit *unit_new(struct supervisor *s, const char *name, const char *dir)
{
        struct unit *u = calloc(1, sizeof *u);

        if (!u || !(u->dir = strdup(dir))) {
                free(u);
                return NULL;
        }
        u->s = s;
        snprintf(u->name, sizeof u->name, "%s", name);
        TAILQ_INIT(&u->instances);
        TAILQ_INIT(&u->waiters);
        plugin_log_init(&u->log);
        tool_queue_init(&u->queue, s->registry, name);
        plugin_loader_init(&u->loader, s->registry, name);
        return u;
}

void unit_free(struct unit *u)
{
        struct instance *i;
        struct unit_waiter *w;

        if (!u)
                return;
        loop_timer_unset(u->s->o.loop, &u->restart_timer);
        loop_timer_unset(u->s->o.loop, &u->respawn_timer);
        while ((i = TAILQ_FIRST(&u->instances))) {
                TAILQ_REMOVE(&u->instances, i, link);
                instance_free(i);
        }
        while ((w = TAILQ_FIRST(&u->waiters))) {
                TAILQ_REMOVE(&u->waiters, w, link);
                if (w->own)
                        free(w);
        }
        release_unref(u->release);
        plugin_loader_done(&u->loader);
        plugin_log_done(&u->log);
        free(u->dir);
        free(u->python);
        free(u->made);
        free(u);
}

/* --- who waits for the load to end --- */

bool unit_is_pending(const struct unit *u)
{
        return plugin_loader_is_loading(&u->loader);
}

void unit_wait(struct unit *u, struct unit_waiter *w, void (*fn)(void *ctx), void *ctx)
{
        *w = (struct unit_waiter){.fn = fn, .ctx = ctx, .round = u->round};
        TAILQ_INSERT_TAIL(&u->waiters, w, link);
}

int unit_when_settled(struct unit *u, void (*fn)(void *ctx), void *ctx)
{
        struct unit_waiter *w = malloc(sizeof *w);

        if (!w)
                return -ENOMEM;
        unit_wait(u, w, fn, ctx);
        w->own = true;
        return 0;
}

static void settled(struct unit *u)
{
        /* A waiter may wait again, take others out, or begin the next load: only those there now
         * are served, and they stay in the one list until it is their turn. */
        uint64_t round = ++u->round;
        struct unit_waiter *w;

        while (!unit_is_pending(u) && (w = TAILQ_FIRST(&u->waiters)) && w->round < round) {
                void (*fn)(void *ctx) = w->fn;
                void *ctx = w->ctx;

                TAILQ_REMOVE(&u->waiters, w, link);
                if (w->own)
                        free(w);
                fn(ctx);
        }
        supervisor_settled(u->s);
}

/* --- what the world is told --- */

void unit_announce(struct unit *u)
{
        struct supervisor_event event = {.kind = SUPERVISOR_STATE, .plugin = u->name};
        scoped(free) struct plugin_health *h = NULL;
        enum lifecycle_state now;

        /* What readers still see of the generation before is no news. */
        if (u->gone || (unit_is_pending(u) && u->loader.step < PLUGIN_LOADER_AT_IMPORT))
                return;
        if (plugin_registry_get_state(u->s->registry, u->name, &now) != 0 || now == u->announced)
                return;
        event.from = u->announced;
        event.to = now;
        event.reason = "";
        u->announced = now;
        if (lifecycle_state_is_terminal(now) && (h = malloc(sizeof *h)) &&
            plugin_registry_get_status(u->s->registry, u->name, h) == 0)
                event.reason = h->reason;
        if (now != LIFECYCLE_RUNNING && event.from != LIFECYCLE_RUNNING)
                log_write(u->s->o.log,
                          lifecycle_state_is_terminal(now) ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
                          "plugin %s: %s%s%s", u->name, lifecycle_state_name(now),
                          event.reason[0] ? ": " : "", event.reason);
        else if (lifecycle_state_is_terminal(now))
                log_write(u->s->o.log, LOG_LEVEL_WARNING, "plugin %s: %s: %s", u->name,
                          lifecycle_state_name(now), event.reason);
        supervisor_emit(u->s, &event);
}

static bool is_shown(const struct instance *i)
{
        return !i->probe && i->state != INSTANCE_DYING;
}

void unit_refresh(struct unit *u, int64_t now_ns)
{
        bool stale = now_ns - u->refreshed_ns >= USAGE_FRESH_NS;
        struct health_instance list[HEALTH_INSTANCES_MAX];
        struct instance *i;
        unsigned n = 0;

        /* Its name may be another's by now. */
        if (u->gone)
                return;
        if (stale)
                u->refreshed_ns = now_ns;
        TAILQ_FOREACH (i, &u->instances, link) {
                if (!is_shown(i) || n == HEALTH_INSTANCES_MAX)
                        continue;
                if (stale || i->usage.rss_bytes == 0)
                        sandbox_usage(i->box, &i->usage);
                list[n++] = (struct health_instance){.pid = sandbox_pid(i->box),
                                                     .rss_bytes = i->usage.rss_bytes,
                                                     .peak_rss_bytes = i->usage.peak_rss_bytes,
                                                     .calls = i->calls};
        }
        /* 1: the entry is gone, and nobody looks. */
        if (plugin_registry_set_instances(u->s->registry, u->name, list, n) < 0)
                log_write(u->s->o.log, LOG_LEVEL_ERROR, "plugin %s: out of memory", u->name);
}

static void remember_failure(struct unit *u, const struct tool_outcome *o)
{
        scoped(free) struct health_failure *f = calloc(1, sizeof *f);

        if (!f)
                return;
        f->at_ns = clock_real_ns();
        f->signal = o->signal;
        snprintf(f->error_type, sizeof f->error_type, "%s",
                 o->type[0] ? o->type : plugin_error_name(o->error));
        snprintf(f->error, sizeof f->error, "%s", o->words ? o->words : "");
        snprintf(f->stderr_tail, sizeof f->stderr_tail, "%s", o->stderr_tail ? o->stderr_tail : "");
        if (plugin_registry_record_failure(u->s->registry, u->name, f) < 0)
                log_write(u->s->o.log, LOG_LEVEL_ERROR, "plugin %s: out of memory", u->name);
}

static void remember_refusal(struct unit *u, enum plugin_error error, const char *words)
{
        scoped(tool_outcome) struct tool_outcome o = {0};

        tool_outcome_fail(&o, error, "%s", words);
        remember_failure(u, &o);
}

/* --- ends --- */

static void stop_instances(struct unit *u)
{
        struct instance *i, *next;

        for (i = TAILQ_FIRST(&u->instances); i; i = next) {
                next = TAILQ_NEXT(i, link);
                instance_leave(i);
        }
}

static void on_restart_timer(void *ctx)
{
        unit_reload(ctx);
}

static void consider_restart(struct unit *u)
{
        int64_t now = clock_mono_ns(), at;

        if (!u->release || u->release->manifest->restart != PLUGIN_RESTART_ON_FAILURE ||
            u->s->draining || u->s->closing || u->gone)
                return;
        at = restart_policy_grant(&u->restart, now);
        if (at < 0) {
                log_write(
                    u->s->o.log, LOG_LEVEL_ERROR,
                    "plugin %s: failed too often (%d restarts in 10 minutes); it stays FAILED "
                    "until it is reloaded",
                    u->name, RESTART_POLICY_CAP);
                return;
        }
        log_write(u->s->o.log, LOG_LEVEL_INFO, "plugin %s: restarting in %.0f s", u->name,
                  (double)(at - now) / 1e9);
        if (loop_timer_set(u->s->o.loop, &u->restart_timer, at, on_restart_timer, u) < 0)
                log_write(u->s->o.log, LOG_LEVEL_ERROR, "plugin %s: no memory to restart it",
                          u->name);
}

static void fail_queued(struct unit *u, const char *reason)
{
        scoped(free) char *words = NULL;

        if (asprintf(&words, "plugin '%s' is not available: %s", u->name, reason) < 0)
                words = NULL;
        tool_runner_fail_queued(&u->queue, words ? words : reason, clock_mono_ns());
}

void unit_fail_stranded(struct unit *u)
{
        scoped(free) struct plugin_health *h = NULL;

        if (u->usable || !u->release || unit_is_pending(u) || !tool_runner_peek(&u->queue))
                return;
        h = malloc(sizeof *h);
        if (h && plugin_registry_get_status(u->s->registry, u->name, h) == 0)
                fail_queued(u, h->reason);
        else
                fail_queued(u, "it failed");
}

/* The current generation is over; unit_fail_stranded follows. */
static void fail_unit(struct unit *u, const struct tool_outcome *o)
{
        unsigned actions = 0;

        u->usable = false;
        u->missing = 0;
        loop_timer_unset(u->s->o.loop, &u->respawn_timer);
        /* Refused only when the entry is gone: then there is nobody to tell. */
        if (plugin_registry_step(u->s->registry, u->name, LIFECYCLE_EVENT_BROKE,
                                 o->words ? o->words : plugin_error_name(o->error), clock_mono_ns(),
                                 &actions) != 0)
                return;
        unit_announce(u);
        if (actions & LIFECYCLE_DO_STOP_WORKERS)
                stop_instances(u);
        if (actions & LIFECYCLE_DO_CONSIDER_RESTART)
                consider_restart(u);
}

static bool is_current(const struct unit *u, uint32_t generation)
{
        return u->release && u->release->generation == generation && !u->gone;
}

void unit_note_outcome(struct unit *u, struct release *of, const struct tool_outcome *o)
{
        if (o->error == PLUGIN_ERROR_NONE) {
                restart_policy_success(&u->restart);
                restart_policy_success(&u->respawn);
                return;
        }
        if (!plugin_error_fails_plugin(o->error) || !is_current(u, of->generation))
                return;
        remember_failure(u, o);
        if (u->usable && of->manifest->on_error == PLUGIN_ON_ERROR_FAIL)
                fail_unit(u, o);
}

/* --- loading --- */

static void act(struct unit *u, struct instance *i, int next);

static void over(struct unit *u)
{
        scoped(free) struct plugin_health *h = malloc(sizeof *h);
        bool known = h && plugin_registry_get_status(u->s->registry, u->name, h) == 0;

        unit_announce(u);
        stop_instances(u);
        fail_queued(u, known ? h->reason : "it failed to load");
        if (known && h->state == LIFECYCLE_FAILED)
                consider_restart(u);
        settled(u);
}

static void give_up(struct unit *u, const struct tool_outcome *o)
{
        scoped(str) struct str words = {0};

        remember_failure(u, o);
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
        if (!probe)
                show_isolation(u, i);
        unit_refresh(u, clock_mono_ns());
}

static void start_first(struct unit *u, bool probe)
{
        struct err e;
        int r;

        start_worker(u, probe, &e, &r);
        if (r != 0)
                give_up_with(u, r > 0 ? PLUGIN_ERROR_ISOLATION_UNAVAILABLE : PLUGIN_ERROR_INTERNAL,
                             e.msg);
}

/* A further instance, or one in place of a dead one. */
static void start_another(struct unit *u);

static void on_respawn_timer(void *ctx)
{
        struct unit *u = ctx;
        unsigned n = u->missing;

        u->missing = 0;
        for (; n > 0 && u->usable; n--)
                start_another(u);
        unit_fail_stranded(u);
}

static void respawn_later(struct unit *u, const struct tool_outcome *why)
{
        int64_t at = restart_policy_grant(&u->respawn, clock_mono_ns());

        if (at < 0) {
                log_write(u->s->o.log, LOG_LEVEL_ERROR,
                          "plugin %s: its workers broke too often (%d in 10 minutes)", u->name,
                          RESTART_POLICY_CAP);
                fail_unit(u, why);
                return;
        }
        u->missing++;
        if (loop_timer_set(u->s->o.loop, &u->respawn_timer, at, on_respawn_timer, u) < 0)
                fail_unit(u, why);
}

static void start_another(struct unit *u)
{
        scoped(tool_outcome) struct tool_outcome o = {0};
        struct err e;
        int r;

        start_worker(u, false, &e, &r);
        if (r == 0)
                return;
        tool_outcome_fail(&o, PLUGIN_ERROR_INTERNAL, "%s", e.msg);
        respawn_later(u, &o);
}

static void become_ready(struct unit *u, struct instance *i)
{
        u->usable = true;
        instance_set_idle(i);
        u->refreshed_ns = 0;
        unit_announce(u);
        for (unsigned n = 1; n < u->release->manifest->limits.instances && u->usable; n++)
                start_another(u);
        settled(u);
        unit_pump(u);
        unit_fail_stranded(u);
}

static void request(struct unit *u, struct instance *i, enum wire_type type)
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
        settled(u);
}

static void act(struct unit *u, struct instance *i, int next)
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
                request(u, i, WIRE_INIT);
                break;
        case PLUGIN_LOADER_SELFTEST:
                request(u, i, WIRE_VALIDATE);
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
        return is_current(u, i->generation) && plugin_loader_is_loading(&u->loader);
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
                act(u, NULL, plugin_loader_checked(&u->loader, report, clock_mono_ns()));
}

static void on_ready(struct instance *i, enum wire_type answered)
{
        struct unit *u = i->ctx;

        if (!is_current(u, i->generation)) {
                instance_leave(i);
        } else if (answered == WIRE_HELLO) {
                if (!i->probe)
                        show_isolation(u, i);
                request(u, i, i->probe ? WIRE_CHECK : WIRE_LOAD);
        } else if (is_loading(u, i)) {
                act(u, i, plugin_loader_advance(&u->loader, clock_mono_ns()));
        } else if (!u->usable) {
                instance_leave(i);
        } else if (answered == WIRE_LOAD) {
                request(u, i, WIRE_INIT);
        } else {
                instance_set_idle(i);
                unit_pump(u);
        }
}

static void after_call(struct unit *u, struct instance *i)
{
        if (!is_current(u, i->generation) || !u->usable)
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

/* A worker of the generation in use has died. */
static void replace_or_fail(struct unit *u, const struct tool_outcome *o)
{
        if (o->error == PLUGIN_ERROR_CANCELLED) {
                start_another(u);
                return;
        }
        remember_failure(u, o);
        if (u->release->manifest->on_error == PLUGIN_ON_ERROR_KEEP)
                respawn_later(u, o);
        else
                fail_unit(u, o);
}

static void on_broke(struct instance *i, struct tool_call *call, struct tool_outcome *o)
{
        struct unit *u = i->ctx;
        bool loading = is_loading(u, i), current = is_current(u, i->generation);

        if (u->s->closing)
                current = loading = false;
        /* The state first, then the client: whoever reads the answer may ask for the state. */
        if (loading && o->error != PLUGIN_ERROR_CANCELLED)
                give_up(u, o);
        else if (current && u->usable && !i->probe)
                replace_or_fail(u, o);
        if (o->error == PLUGIN_ERROR_CANCELLED && o->words && !i->probe)
                log_write(u->s->o.log, LOG_LEVEL_DEBUG, "plugin %s: worker ended: %s", u->name,
                          o->words);
        unit_refresh(u, clock_mono_ns());
        if (call)
                host_call_finish(call, o);
        unit_fail_stranded(u);
}

static void on_gone(struct instance *i)
{
        struct unit *u = i->ctx;

        TAILQ_REMOVE(&u->instances, i, link);
        instance_free(i);
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
    .gone = on_gone,
};

/* --- calls --- */

static struct instance *find_free(struct unit *u)
{
        struct instance *i;

        TAILQ_FOREACH (i, &u->instances, link)
                if (instance_is_free(i) && is_current(u, i->generation))
                        return i;
        return NULL;
}

static void hand_over(struct unit *u, struct instance *i)
{
        int64_t now = clock_mono_ns();
        struct tool_call *call = tool_runner_next(&u->queue, now, clock_real_ns());
        struct tool_outcome o = {0};
        int r;

        unit_announce(u);
        r = instance_call(i, call, host_call_dispatched(call, now));
        if (r == 0)
                return;
        if (r == -E2BIG)
                tool_outcome_fail(&o, PLUGIN_ERROR_PAYLOAD_TOO_LARGE,
                                  "the arguments are more than %zu MiB", WIRE_MAX_CALL >> 20);
        else
                tool_outcome_fail(&o, PLUGIN_ERROR_INTERNAL, "hand the call over: %s",
                                  strerror(-r));
        host_call_finish(call, &o);
        tool_outcome_done(&o);
        if (i->state == INSTANCE_IDLE || i->state == INSTANCE_LEAVING)
                return; /* the worker has not seen any of it */
        tool_outcome_fail(&o, PLUGIN_ERROR_CANCELLED, "a call could not be handed over");
        instance_break(i, &o);
}

void unit_pump(struct unit *u)
{
        struct tool_call *call;
        struct instance *i;

        while (u->usable && (call = tool_runner_peek(&u->queue)) && (i = find_free(u)))
                if (host_call_adopt(call, u->release))
                        hand_over(u, i);
}

/* --- generations --- */

static char *clamp(struct unit *u, struct plugin_manifest *m)
{
        const struct host_config *c = u->s->config;
        struct str words = {0};

        plugin_manifest_clamp(m, &c->max, &words);
        for (size_t i = 0; i < c->n_plugins; i++)
                if (!strcmp(c->plugins[i].name, u->name))
                        plugin_manifest_clamp(m, &c->plugins[i].max, &words);
        if (words.len > 0)
                log_write(u->s->o.log, LOG_LEVEL_WARNING, "plugin %s: %s", u->name, words.data);
        return str_take(&words);
}

static bool set_release(struct unit *u, struct plugin_manifest *take_m)
{
        struct release *r = NULL;

        if (take_m) {
                r = calloc(1, sizeof *r);
                if (!r) {
                        plugin_manifest_free(take_m);
                        return false;
                }
                r->refs = 1;
                r->manifest = take_m;
                if (unit_box_choose_python(u, take_m) < 0) {
                        release_unref(r);
                        return false;
                }
                free(clamp(u, take_m));
                u->queue.max = take_m->limits.queue;
        }
        release_unref(u->release);
        u->release = r;
        return true;
}

/* The generation before: idle workers end now, busy ones with their call. */
static void end_generation(struct unit *u)
{
        u->usable = false;
        u->missing = 0;
        loop_timer_unset(u->s->o.loop, &u->restart_timer);
        loop_timer_unset(u->s->o.loop, &u->respawn_timer);
        release_unref(take_ptr(u->release));
        stop_instances(u);
}

void unit_load(struct unit *u, struct plugin_manifest *take_m, enum plugin_error error,
               const char *refusal)
{
        const struct isolation *box = supervisor_isolation(u->s);
        char weak[256];
        struct err e;
        int next;

        end_generation(u);
        u->announced = LIFECYCLE_ABSENT;
        if (!set_release(u, take_m)) {
                refusal = "the host has no memory";
                error = PLUGIN_ERROR_INTERNAL;
        }
        if (!refusal && box->level < u->s->config->min_isolation) {
                snprintf(weak, sizeof weak,
                         "this machine's sandbox reaches level '%s', and --min-isolation asks for "
                         "'%s'",
                         isolation_level_name(box->level),
                         isolation_level_name(u->s->config->min_isolation));
                refusal = weak;
                error = PLUGIN_ERROR_ISOLATION_UNAVAILABLE;
        }
        next =
            plugin_loader_load(&u->loader, u->release ? u->release->manifest : NULL, error, refusal,
                               unit_box_dir(u), unit_box_python(u), clock_mono_ns(), &e);
        if (next < 0) {
                log_write(u->s->o.log, LOG_LEVEL_ERROR, "plugin %s: %s", u->name, e.msg);
                plugin_loader_fail(&u->loader, PLUGIN_ERROR_INTERNAL, e.msg, clock_mono_ns());
                next = PLUGIN_LOADER_OVER;
        }
        if (u->release)
                u->release->generation = u->loader.generation;
        if (refusal && next == PLUGIN_LOADER_OVER)
                remember_refusal(u, error, refusal);
        act(u, NULL, next);
}

void unit_reload(struct unit *u)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
        struct err e;
        char words[200];

        if (unit_box_manifest(u->dir, u->python, u->made, &m, &e) < 0) {
                unit_load(u, NULL, PLUGIN_ERROR_MANIFEST, e.msg);
                return;
        }
        if (strcmp(m->name, u->name)) {
                snprintf(words, sizeof words,
                         "manifest.json: its name is '%s', not '%s'; reload all plugins to find it "
                         "under that name",
                         m->name, u->name);
                unit_load(u, NULL, PLUGIN_ERROR_MANIFEST, words);
                return;
        }
        unit_load(u, take_ptr(m), PLUGIN_ERROR_NONE, NULL);
}

void unit_retire(struct unit *u)
{
        u->gone = true;
        end_generation(u);
        plugin_loader_fail(&u->loader, PLUGIN_ERROR_MANIFEST, "its folder is gone",
                           clock_mono_ns());
        fail_queued(u, "its folder is gone");
        if (plugin_registry_remove(u->s->registry, u->name) == 0)
                log_write(u->s->o.log, LOG_LEVEL_INFO, "plugin %s: its folder is gone", u->name);
        settled(u);
        supervisor_bury(u);
}

void unit_close(struct unit *u, const char *words)
{
        u->usable = false;
        plugin_loader_fail(&u->loader, PLUGIN_ERROR_INTERNAL, words, clock_mono_ns());
        tool_runner_fail_queued(&u->queue, words, clock_mono_ns());
        settled(u);
}
