#include "host/unit_private.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "host/unit_box.h"

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
        loop_timer_unset(u->s->o.loop, &u->start_timer);
        release_unref(take_ptr(u->release));
        unit_stop_instances(u);
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
        u->loader.look_inside = u->s->o.check_only;
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
        unit_prefork_begin(u);
        if (refusal && next == PLUGIN_LOADER_OVER)
                unit_remember_refusal(u, error, refusal);
        unit_act(u, NULL, next);
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
        unit_fail_queued(u, "its folder is gone");
        if (plugin_registry_remove(u->s->registry, u->name) == 0)
                log_write(u->s->o.log, LOG_LEVEL_INFO, "plugin %s: its folder is gone", u->name);
        unit_settled(u);
        supervisor_bury(u);
}

void unit_close(struct unit *u, const char *words)
{
        u->usable = false;
        loop_timer_unset(u->s->o.loop, &u->start_timer);
        plugin_loader_fail(&u->loader, PLUGIN_ERROR_INTERNAL, words, clock_mono_ns());
        tool_runner_fail_queued(&u->queue, words, clock_mono_ns());
        unit_settled(u);
}
