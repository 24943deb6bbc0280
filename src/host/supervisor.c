#include "host/supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/python_discovery.h"
#include "host/unit_box.h"

int supervisor_new(const struct supervisor_options *o, struct supervisor **ret, struct err *e)
{
        struct sandbox_runner_options box = {.worker_path = o->worker_path,
                                             .cgroup = o->config->cgroup,
                                             .fake_missing = o->config->fake_missing};
        struct supervisor *s = calloc(1, sizeof *s);
        int r;

        if (!s)
                return err_set_errno(e, -ENOMEM, "make the supervisor");
        s->o = *o;
        s->config = o->config;
        s->trim = (struct memory_trim){.loop = o->loop, .pool = o->pool};
        TAILQ_INIT(&s->units);
        TAILQ_INIT(&s->settle_waits);
        TAILQ_INIT(&s->discoveries);
        r = plugin_registry_new(&s->registry, e);
        if (r == 0)
                r = sandbox_runner_new(&box, &s->runner, e);
        if (r < 0) {
                supervisor_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

/* Whoever waits for an answer gets one. */
static void end_calls(struct supervisor *s)
{
        struct unit *u;

        s->closing = true;
        python_discovery_close(s);
        TAILQ_FOREACH (u, &s->units, link)
                unit_close(u, "the server is shutting down");
        TAILQ_FOREACH (u, &s->units, link) {
                struct instance *i, *next;

                for (i = TAILQ_FIRST(&u->instances); i; i = next) {
                        struct tool_outcome o = {0};

                        next = TAILQ_NEXT(i, link);
                        tool_outcome_fail(&o, PLUGIN_ERROR_PLUGIN_UNAVAILABLE,
                                          "the server is shutting down");
                        instance_break(i, &o);
                }
        }
}

void supervisor_free(struct supervisor *s)
{
        struct unit *u;
        struct settle_wait *w;

        if (!s)
                return;
        if (!s->closing)
                end_calls(s);
        python_discovery_free(s);
        while ((u = TAILQ_FIRST(&s->units))) {
                TAILQ_REMOVE(&s->units, u, link);
                unit_free(u);
        }
        while ((w = TAILQ_FIRST(&s->settle_waits))) {
                TAILQ_REMOVE(&s->settle_waits, w, link);
                free(w);
        }
        memory_trim_done(&s->trim);
        sandbox_runner_free(s->runner);
        plugin_registry_free(s->registry);
        free(s);
}

struct plugin_registry *supervisor_registry(struct supervisor *s)
{
        return s->registry;
}

const struct isolation *supervisor_isolation(struct supervisor *s)
{
        return sandbox_runner_isolation(s->runner);
}

void supervisor_configure(struct supervisor *s, const struct host_config *config)
{
        s->config = config;
}

void supervisor_emit(struct supervisor *s, const struct supervisor_event *event)
{
        if (s->o.on_event && !s->closing)
                s->o.on_event(s->o.ctx, event);
}

struct unit *supervisor_unit(struct supervisor *s, const char *name)
{
        struct unit *u;

        TAILQ_FOREACH (u, &s->units, link)
                if (!u->gone && !strcmp(u->name, name))
                        return u;
        return NULL;
}

static struct unit *unit_in(struct supervisor *s, const char *dir)
{
        struct unit *u;

        TAILQ_FOREACH (u, &s->units, link)
                if (!u->gone && !strcmp(u->dir, dir))
                        return u;
        return NULL;
}

/* --- finding plugins --- */

/* What a plugin is called as a plugin name, for those whose manifest tells none; -2, -3 ... when it
 * is taken. */
static void name_of_label(struct supervisor *s, const char *label, char *buf)
{
        char name[61];
        size_t n = 0;

        for (; *label && n < sizeof name - 1; label++) {
                char c = *label;

                if (c >= 'A' && c <= 'Z')
                        c = (char)(c - 'A' + 'a');
                name[n++] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ? c : '-';
        }
        name[n] = '\0';
        snprintf(buf, 65, "%s", n ? name : "plugin");
        for (unsigned i = 2; supervisor_unit(s, buf) && i < 1000; i++)
                snprintf(buf, 65, "%s-%u", n ? name : "plugin", i);
}

/* Where a plugin was found. */
struct origin {
        const char *label, *dir;
        const char *python, *made; /* of an interpreter's package, else NULL */
};

/* NULL: no memory. */
static struct unit *add_found(struct supervisor *s, const char *name, const struct origin *o)
{
        struct unit *u = unit_new(s, name, o->dir);

        if (!u)
                return NULL;
        u->python = o->python ? strdup(o->python) : NULL;
        u->made = o->made ? strdup(o->made) : NULL;
        u->seen = true;
        if ((o->python && !u->python) || (o->made && !u->made)) {
                unit_free(u);
                return NULL;
        }
        TAILQ_INSERT_TAIL(&s->units, u, link);
        return u;
}

static void refuse(struct supervisor *s, const struct origin *o, enum plugin_error error,
                   const char *words)
{
        char name[65];
        struct unit *u;

        name_of_label(s, o->label, name);
        if (s->o.only && strcmp(name, s->o.only))
                return;
        u = add_found(s, name, o);
        if (u)
                unit_load(u, NULL, error, words);
}

static bool is_wanted(const struct supervisor *s, const char *name)
{
        if (s->o.only && strcmp(name, s->o.only))
                return false;
        for (size_t i = 0; i < s->config->n_plugins; i++)
                if (s->config->plugins[i].disabled && !strcmp(s->config->plugins[i].name, name))
                        return false;
        return true;
}

static void find_plugin(struct supervisor *s, const struct origin *o)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
        char words[300];
        struct unit *u;
        struct err e;

        if (unit_box_manifest(o->dir, o->python, o->made, &m, &e) < 0) {
                refuse(s, o, PLUGIN_ERROR_MANIFEST, e.msg);
                return;
        }
        if (!is_wanted(s, m->name))
                return;
        u = supervisor_unit(s, m->name);
        if (u) {
                snprintf(words, sizeof words, "the name '%s' is taken by the plugin in %.180s",
                         m->name, u->dir);
                refuse(s, o, PLUGIN_ERROR_VALIDATION, words);
                return;
        }
        u = add_found(s, m->name, o);
        if (u)
                unit_load(u, take_ptr(m), PLUGIN_ERROR_NONE, NULL);
}

static void find_in_folder(struct supervisor *s, const char *dir)
{
        const char *slash = strrchr(dir, '/');
        const struct origin o = {.label = slash ? slash + 1 : dir, .dir = dir};

        if (!unit_in(s, dir))
                find_plugin(s, &o);
}

static int visible(const struct dirent *d)
{
        return d->d_name[0] != '.';
}

static void scan_folder(struct supervisor *s, const char *root, const char *name)
{
        char path[PATH_MAX];
        int n = snprintf(path, sizeof path, "%s/%s", root, name);
        scoped(free) char *real = NULL;

        if (n <= 0 || (size_t)n >= sizeof path)
                return;
        real = realpath(path, NULL);
        if (real && plugin_manifest_exists(real))
                find_in_folder(s, real);
}

int supervisor_scan(struct supervisor *s, const char *dir, struct err *e)
{
        scoped(free) char *root = realpath(dir, NULL);
        struct dirent **entries = NULL;
        struct unit *u;
        int n, total = 0;

        if (!root)
                return err_set_errno(e, -errno, "plugins folder %s", dir);
        if (plugin_manifest_exists(root)) {
                find_in_folder(s, root);
        } else {
                n = scandir(root, &entries, visible, alphasort);
                if (n < 0)
                        return err_set_errno(e, -errno, "plugins folder %s", dir);
                for (int i = 0; i < n; i++) {
                        scan_folder(s, root, entries[i]->d_name);
                        free(entries[i]);
                }
                free(entries);
        }
        TAILQ_FOREACH (u, &s->units, link)
                total += !u->gone;
        return total;
}

/* --- an interpreter's packages --- */

int supervisor_discover(struct supervisor *s, const char *python, struct err *e)
{
        return python_discovery_start(s, python, e);
}

unsigned supervisor_discovery_failures(const struct supervisor *s)
{
        return s->discovery_failures;
}

static bool is_package_of(const struct unit *u, const char *python)
{
        return !u->gone && u->python && !strcmp(u->python, python);
}

void supervisor_adopt_begin(struct supervisor *s, const char *python)
{
        struct unit *u;

        TAILQ_FOREACH (u, &s->units, link)
                if (is_package_of(u, python))
                        u->seen = false;
}

static bool is_as_before(const struct unit *u, const struct origin *o)
{
        return !strcmp(u->dir, o->dir) && !u->made == !o->made &&
               (!o->made || !strcmp(u->made, o->made));
}

/* The plugin that this was when the interpreter was asked before, or NULL. */
static struct unit *find_adopted(struct supervisor *s, const struct origin *o)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
        struct unit *u;
        struct err e;

        TAILQ_FOREACH (u, &s->units, link)
                if (is_package_of(u, o->python) && is_as_before(u, o))
                        return u;
        /* Of another version. */
        if (unit_box_manifest(o->dir, o->python, o->made, &m, &e) < 0)
                return NULL;
        u = supervisor_unit(s, m->name);
        return u && is_package_of(u, o->python) && !u->seen ? u : NULL;
}

static bool replace(char **text, const char *with)
{
        char *copy = with ? strdup(with) : NULL;

        if (with && !copy)
                return false;
        free(*text);
        *text = copy;
        return true;
}

void supervisor_adopt(struct supervisor *s, const char *label, const char *dir, const char *python,
                      const char *made)
{
        const struct origin o = {label, dir, python, made};
        struct unit *u = find_adopted(s, &o);

        if (!u) {
                find_plugin(s, &o);
                return;
        }
        u->seen = true;
        /* What it has of its own, a reload reads anew; what was made of it is told here. */
        if (!is_as_before(u, &o) && replace(&u->dir, dir) && replace(&u->made, made))
                unit_reload(u);
}

void supervisor_adopt_end(struct supervisor *s, const char *python)
{
        struct unit *u;

        TAILQ_FOREACH (u, &s->units, link)
                if (is_package_of(u, python) && !u->seen)
                        unit_retire(u);
}

/* --- asking --- */

char **supervisor_pending(struct supervisor *s, size_t *ret_n)
{
        static const char searched[] = "python plugins: being looked for in ";
        const char *python;
        struct unit *u;
        size_t n = 0, bytes = 0;
        char **list, *text;

        for (; (python = python_discovery_name(s, n)); n++)
                bytes += sizeof searched + strlen(python);
        TAILQ_FOREACH (u, &s->units, link) {
                if (u->gone || !unit_is_pending(u))
                        continue;
                n++;
                bytes += strlen(u->name) + strlen(plugin_loader_step_words(u->loader.step)) + 4;
        }
        list = calloc(1, (n + 1) * sizeof *list + bytes);
        if (!list)
                return NULL;
        text = (char *)(list + n + 1);
        for (n = 0; (python = python_discovery_name(s, n)); n++) {
                list[n] = text;
                text += sprintf(text, "%s%s", searched, python) + 1;
        }
        TAILQ_FOREACH (u, &s->units, link) {
                if (u->gone || !unit_is_pending(u))
                        continue;
                list[n++] = text;
                text +=
                    sprintf(text, "%s: %s", u->name, plugin_loader_step_words(u->loader.step)) + 1;
        }
        *ret_n = n;
        return list;
}

const struct plugin_manifest *supervisor_manifest(struct supervisor *s, const char *name)
{
        struct unit *u = supervisor_unit(s, name);

        return u && u->release ? u->release->manifest : NULL;
}

const char *supervisor_plugin_dir(struct supervisor *s, const char *name)
{
        const struct unit *u = supervisor_unit(s, name);

        return u ? u->dir : NULL;
}

const char *supervisor_findings(struct supervisor *s, const char *name)
{
        const struct unit *u = supervisor_unit(s, name);

        return u ? u->loader.findings : NULL;
}

struct plugin_log *supervisor_log(struct supervisor *s, const char *name)
{
        struct unit *u = supervisor_unit(s, name);

        return u ? &u->log : NULL;
}

void supervisor_refresh(struct supervisor *s, const char *name)
{
        int64_t now = clock_mono_ns();
        struct unit *u;

        TAILQ_FOREACH (u, &s->units, link)
                if (!u->gone && (!name || !strcmp(name, u->name)))
                        unit_refresh(u, now);
}

/* --- reloading --- */

int supervisor_reload(struct supervisor *s, const char *name, void (*done)(void *ctx), void *ctx)
{
        struct unit *u = supervisor_unit(s, name);
        int r;

        if (!u)
                return 1;
        r = unit_when_settled(u, done, ctx);
        if (r < 0)
                return r;
        log_write(s->o.log, LOG_LEVEL_INFO, "plugin %s: reload", u->name);
        /* Who asks by hand starts the count of restarts anew. */
        u->restart = u->respawn = (struct restart_policy){0};
        unit_reload(u);
        return 0;
}

static bool is_settled(const struct supervisor *s)
{
        const struct unit *u;

        if (python_discovery_is_pending(s))
                return false;
        TAILQ_FOREACH (u, &s->units, link)
                if (!u->gone && unit_is_pending(u))
                        return false;
        return true;
}

/* Whoever is served may wait again, or make others not wait any more. */
static void serve_settle_waits(struct supervisor *s)
{
        uint64_t round = ++s->settle_round;
        struct settle_wait *w;

        while (is_settled(s) && (w = TAILQ_FIRST(&s->settle_waits)) && w->round < round) {
                TAILQ_REMOVE(&s->settle_waits, w, link);
                w->fn(w->ctx);
                free(w);
        }
}

void supervisor_settled(struct supervisor *s)
{
        if (!s->closing && is_settled(s))
                serve_settle_waits(s);
}

int supervisor_when_settled(struct supervisor *s, void (*done)(void *ctx), void *ctx)
{
        struct settle_wait *w;

        if (is_settled(s)) {
                done(ctx);
                return 0;
        }
        w = malloc(sizeof *w);
        if (!w)
                return -ENOMEM;
        *w = (struct settle_wait){.fn = done, .ctx = ctx, .round = s->settle_round};
        TAILQ_INSERT_TAIL(&s->settle_waits, w, link);
        return 0;
}

static void on_bury_timer(void *ctx)
{
        struct unit *u = ctx;

        if (u->calls > 0 || !TAILQ_EMPTY(&u->instances) || !TAILQ_EMPTY(&u->waiters))
                return;
        TAILQ_REMOVE(&u->s->units, u, link);
        unit_free(u);
}

void supervisor_bury(struct unit *u)
{
        if (!u->gone || u->s->closing)
                return;
        /* Not here: whoever calls is in the middle of something. Without memory for a timer it is
         * freed at the end. */
        (void)!loop_timer_set(u->s->o.loop, &u->restart_timer, clock_mono_ns(), on_bury_timer, u);
}

/* Gone, or under another name: found again by the scan. */
static void retire_vanished(struct supervisor *s)
{
        struct unit *u;

        TAILQ_FOREACH (u, &s->units, link) {
                scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
                struct err e;

                if (u->gone)
                        continue;
                if (u->made ? access(u->dir, F_OK) < 0 : !plugin_manifest_exists(u->dir))
                        unit_retire(u);
                else if (unit_box_manifest(u->dir, u->python, u->made, &m, &e) == 0 &&
                         strcmp(m->name, u->name))
                        unit_retire(u);
        }
}

int supervisor_reload_all(struct supervisor *s, void (*done)(void *ctx), void *ctx, struct err *e)
{
        struct unit *u, *last;
        int r = 0;

        retire_vanished(s);
        last = TAILQ_LAST(&s->units, unit_list);
        for (char **dir = s->config->plugin_dirs; *dir && r >= 0; dir++)
                r = supervisor_scan(s, *dir, e);
        for (char **python = s->config->python_plugins; *python && r >= 0; python++)
                r = supervisor_discover(s, *python, e);
        if (r < 0)
                return r;
        /* Those that were there before; the scan has begun the new ones. */
        for (u = last ? TAILQ_FIRST(&s->units) : NULL; u;
             u = u == last ? NULL : TAILQ_NEXT(u, link))
                if (!u->gone)
                        unit_reload(u);
        r = supervisor_when_settled(s, done, ctx);
        return r < 0 ? err_set_errno(e, r, "wait for the plugins") : 0;
}

void supervisor_forget(struct supervisor *s, void *ctx)
{
        struct settle_wait *w, *next_wait;
        struct unit_waiter *v, *next_waiter;
        struct unit *u;

        for (w = TAILQ_FIRST(&s->settle_waits); w; w = next_wait) {
                next_wait = TAILQ_NEXT(w, link);
                if (w->ctx == ctx) {
                        TAILQ_REMOVE(&s->settle_waits, w, link);
                        free(w);
                }
        }
        TAILQ_FOREACH (u, &s->units, link)
                for (v = TAILQ_FIRST(&u->waiters); v; v = next_waiter) {
                        next_waiter = TAILQ_NEXT(v, link);
                        if (v->own && v->ctx == ctx) {
                                TAILQ_REMOVE(&u->waiters, v, link);
                                free(v);
                        }
                }
}

/* --- the end --- */

void supervisor_close(struct supervisor *s)
{
        if (s->closing)
                return;
        end_calls(s);
        serve_settle_waits(s);
}

void supervisor_drain(struct supervisor *s)
{
        s->draining = true;
}

bool supervisor_is_drained(const struct supervisor *s)
{
        return s->draining && s->calls == 0;
}
