#include "host/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "host/unit_private.h"

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
        loop_timer_unset(u->s->o.loop, &u->start_timer);
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

void unit_settled(struct unit *u)
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
        return !i->probe && !i->fork.is_template && i->state != INSTANCE_DYING;
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

void unit_remember_failure(struct unit *u, const struct tool_outcome *o)
{
        scoped(free) struct health_failure *f = calloc(1, sizeof *f);

        if (!f)
                return;
        f->at_ns = clock_real_ns();
        f->signal = o->signal;
        f->peak_rss_bytes = o->peak_bytes;
        snprintf(f->error_type, sizeof f->error_type, "%s",
                 o->type[0] ? o->type : plugin_error_name(o->error));
        snprintf(f->error, sizeof f->error, "%s", o->words ? o->words : "");
        snprintf(f->stderr_tail, sizeof f->stderr_tail, "%s", o->stderr_tail ? o->stderr_tail : "");
        if (plugin_registry_record_failure(u->s->registry, u->name, f) < 0)
                log_write(u->s->o.log, LOG_LEVEL_ERROR, "plugin %s: out of memory", u->name);
}

void unit_remember_refusal(struct unit *u, enum plugin_error error, const char *words)
{
        scoped(tool_outcome) struct tool_outcome o = {0};

        tool_outcome_fail(&o, error, "%s", words);
        unit_remember_failure(u, &o);
}

/* --- ends --- */

void unit_stop_instances(struct unit *u)
{
        struct instance *i, *next;

        unit_prefork_end(u);
        for (i = TAILQ_FIRST(&u->instances); i; i = next) {
                next = TAILQ_NEXT(i, link);
                /* A template ends with its last copy, which may be busy. */
                if (!instance_has_copies(i))
                        instance_leave(i);
        }
}

static void on_restart_timer(void *ctx)
{
        unit_reload(ctx);
}

void unit_consider_restart(struct unit *u)
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

void unit_fail_queued(struct unit *u, const char *reason)
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
                unit_fail_queued(u, h->reason);
        else
                unit_fail_queued(u, "it failed");
}

/* `plugin.py line 9` of `plugin.py line 9, in go`. */
static bool names_place(const char *words, const char *place)
{
        size_t n = strcspn(place, ",");

        return memmem(words, strlen(words), place, n) != NULL;
}

/* "Plugin crashed: ..." names the fault itself; what a plugin says does not. */
static bool names_error(const struct tool_outcome *o, const char *name)
{
        size_t n = strlen(name);

        if (o->error != PLUGIN_ERROR_EXCEPTION && !strncmp(o->words, "Plugin ", strlen("Plugin ")))
                return true;
        return !strncmp(o->words, name, n) && o->words[n] == ':';
}

/* The words behind the error's name or the exception's class, and the place where that was. */
static void reason_of(const struct tool_outcome *o, struct str *to)
{
        const char *name = o->type[0] ? o->type : plugin_error_name(o->error);

        if (o->words && !names_error(o, name))
                str_addf(to, "%s: ", name);
        str_adds(to, o->words ? o->words : plugin_error_name(o->error));
        if (o->place && o->words && !names_place(o->words, o->place))
                str_addf(to, " (%s)", o->place);
}

/* The current generation is over; unit_fail_stranded follows. */
void unit_fail(struct unit *u, const struct tool_outcome *o)
{
        scoped(str) struct str reason = {0};
        unsigned actions = 0;

        reason_of(o, &reason);
        u->usable = false;
        u->missing = 0;
        loop_timer_unset(u->s->o.loop, &u->respawn_timer);
        /* Refused only when the entry is gone: then there is nobody to tell. */
        if (plugin_registry_step(u->s->registry, u->name, LIFECYCLE_EVENT_BROKE,
                                 reason.data ? reason.data : plugin_error_name(o->error),
                                 clock_mono_ns(), &actions) != 0)
                return;
        unit_announce(u);
        if (actions & LIFECYCLE_DO_STOP_WORKERS)
                unit_stop_instances(u);
        if (actions & LIFECYCLE_DO_CONSIDER_RESTART)
                unit_consider_restart(u);
}

bool unit_is_current(const struct unit *u, uint32_t generation)
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
        if (!plugin_error_fails_plugin(o->error) || !unit_is_current(u, of->generation))
                return;
        unit_remember_failure(u, o);
        if (u->usable && of->manifest->on_error == PLUGIN_ON_ERROR_FAIL)
                unit_fail(u, o);
}

/* --- calls --- */

static struct instance *find_free(struct unit *u)
{
        struct instance *i;

        TAILQ_FOREACH (i, &u->instances, link)
                if (instance_is_free(i) && unit_is_current(u, i->generation))
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
