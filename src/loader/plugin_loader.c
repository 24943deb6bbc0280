#include "loader/plugin_loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *plugin_loader_step_words(enum plugin_loader_step step)
{
        static const char *const words[] = {
#define X(id, text) text,
                PLUGIN_LOADER_STEPS(X)
#undef X
        };

        return words[step];
}

void plugin_loader_init(struct plugin_loader *l, struct plugin_registry *registry, const char *name)
{
        *l = (struct plugin_loader){.registry = registry};
        snprintf(l->name, sizeof l->name, "%s", name);
}

void plugin_loader_done(struct plugin_loader *l)
{
        dependency_plan_done(&l->plan);
        free(l->findings);
        l->findings = NULL;
}

bool plugin_loader_is_loading(const struct plugin_loader *l)
{
        return l->step > PLUGIN_LOADER_AT_NONE && l->step < PLUGIN_LOADER_AT_DONE;
}

static bool step(struct plugin_loader *l, enum lifecycle_event event, const char *reason,
                 int64_t now)
{
        unsigned actions;

        /* The entry was made by load and the table has the move, so nothing is left to refuse it
         * but the entry's removal, which ends the load as well. */
        if (plugin_registry_step(l->registry, l->name, event, reason, now, &actions) == 0)
                return true;
        l->step = PLUGIN_LOADER_AT_ENDED;
        return false;
}

static void move(struct plugin_loader *l, enum plugin_error error, const char *words, int64_t now)
{
        scoped(str) struct str reason = {0};
        bool registered = l->step > PLUGIN_LOADER_AT_DEPENDENCIES;
        enum lifecycle_event event =
            registered ? LIFECYCLE_EVENT_LOAD_FAILED : LIFECYCLE_EVENT_REFUSED;

        /* "Plugin crashed" says it. */
        if (error != PLUGIN_ERROR_NONE && error != PLUGIN_ERROR_CRASHED &&
            strncmp(words, plugin_error_name(error), strlen(plugin_error_name(error))))
                str_addf(&reason, "%s: ", plugin_error_name(error));
        str_adds(&reason, words);
        /* A box that is too weak is missing on this machine, not a fault of the plugin. */
        if (!registered &&
            (error == PLUGIN_ERROR_NONE || error == PLUGIN_ERROR_ISOLATION_UNAVAILABLE))
                event = LIFECYCLE_EVENT_DEPENDENCIES_MISSING;
        /* Half of the words would say another thing, or none. */
        (void)step(l, event, reason.bad ? words : reason.data, now);
        l->step = PLUGIN_LOADER_AT_ENDED;
}

void plugin_loader_fail(struct plugin_loader *l, enum plugin_error error, const char *words,
                        int64_t now)
{
        if (plugin_loader_is_loading(l))
                move(l, error, words, now);
}

static int registered(struct plugin_loader *l, int64_t now)
{
        if (!step(l, LIFECYCLE_EVENT_REGISTERED, NULL, now))
                return PLUGIN_LOADER_OVER;
        l->step = PLUGIN_LOADER_AT_IMPORT;
        return PLUGIN_LOADER_SPAWN;
}

int plugin_loader_load(struct plugin_loader *l, const struct plugin_manifest *m,
                       enum plugin_error error, const char *refusal, const char *box_dir,
                       const char *host_python, int64_t now, struct err *e)
{
        int r;

        plugin_loader_done(l);
        r = plugin_registry_begin(l->registry, l->name, &l->generation, e);
        if (r < 0)
                return r;
        l->step = PLUGIN_LOADER_AT_MANIFEST;
        if (m && plugin_registry_describe(l->registry, l->name, m->version, m->description,
                                          m->limits.timeout_seconds, m->limits.memory_bytes) < 0)
                return err_set_errno(e, -ENOMEM, "describe %s", l->name);
        if (refusal) {
                move(l, error, refusal, now);
                return PLUGIN_LOADER_OVER;
        }
        l->step = PLUGIN_LOADER_AT_DEPENDENCIES;
        r = dependency_checker_plan(m, box_dir, host_python, &l->plan);
        if (r == 0 && l->look_inside)
                r = dependency_checker_plan_source(&l->plan, m, box_dir, host_python);
        if (r == -E2BIG) {
                move(l, PLUGIN_ERROR_MANIFEST,
                     "manifest.json: more dependencies than can be checked", now);
                return PLUGIN_LOADER_OVER;
        }
        if (r < 0)
                return err_set_errno(e, r, "plan the checks of %s", l->name);
        return l->plan.n > 0 ? PLUGIN_LOADER_PROBE : registered(l, now);
}

int plugin_loader_checked(struct plugin_loader *l, const struct wire_report *report, int64_t now)
{
        scoped(str) struct str reason = {0};
        struct err e;
        int r = dependency_checker_verdict(&l->plan, report, &reason, &e);

        if (r >= 0 && dependency_checker_findings(&l->plan, report, &l->findings) < 0)
                r = err_set_errno(&e, -ENOMEM, "keep what the source told");
        if (r < 0)
                move(l, r == -ENOMEM ? PLUGIN_ERROR_INTERNAL : PLUGIN_ERROR_PROTOCOL, e.msg, now);
        else if (r > 0)
                move(l, PLUGIN_ERROR_NONE, reason.data, now);
        else
                return registered(l, now);
        return PLUGIN_LOADER_OVER;
}

int plugin_loader_advance(struct plugin_loader *l, int64_t now)
{
        switch (l->step) {
        case PLUGIN_LOADER_AT_IMPORT:
                l->step = PLUGIN_LOADER_AT_INSTANTIATE;
                return PLUGIN_LOADER_INIT;
        case PLUGIN_LOADER_AT_INSTANTIATE:
                l->step = PLUGIN_LOADER_AT_VALIDATE;
                return PLUGIN_LOADER_SELFTEST;
        case PLUGIN_LOADER_AT_VALIDATE:
                if (!step(l, LIFECYCLE_EVENT_VALIDATED, NULL, now))
                        return PLUGIN_LOADER_OVER;
                l->step = PLUGIN_LOADER_AT_DONE;
                return PLUGIN_LOADER_READY;
        case PLUGIN_LOADER_AT_NONE:
        case PLUGIN_LOADER_AT_MANIFEST:
        case PLUGIN_LOADER_AT_DEPENDENCIES:
        case PLUGIN_LOADER_AT_DONE:
        case PLUGIN_LOADER_AT_ENDED:
                break;
        }
        return PLUGIN_LOADER_OVER;
}
