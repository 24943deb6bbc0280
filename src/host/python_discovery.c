#include "host/python_discovery.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "host/path_way.h"
#include "host/python_env.h"

#define DISCOVERY_SECONDS 60
#define PLUGINS_MAX       256
#define TEXT_MAX          KIB(256)

struct python_discovery {
        TAILQ_ENTRY(python_discovery) link;
        struct supervisor *s;
        char *python; /* an absolute path, or a name on the box's PATH */
        struct instance *instance;
        struct plugin_log log;
        bool pending;
};

static void discovery_free(struct python_discovery *d)
{
        if (!d)
                return;
        instance_free(d->instance);
        plugin_log_done(&d->log);
        free(d->python);
        free(d);
}

DEFINE_SCOPED(struct python_discovery *, discovery_free)

static void complain(struct python_discovery *d, const char *words)
{
        d->s->discovery_failures++;
        log_write(d->s->o.log, LOG_LEVEL_ERROR, "python plugins of %s: %s", d->python, words);
}

/* --- the interpreter --- */

static int fill_policy(const struct python_discovery *d, struct sandbox_policy *p, struct err *e)
{
        /* A box wants a plugin's folder. There is none: this one is in every box anyway. */
        int r = sandbox_policy_set_plugin_dir(p, "/usr/lib");

        snprintf(p->name, sizeof p->name, "python-plugins");
        p->min_level = d->s->config->min_isolation;
        return r < 0 ? err_set_errno(e, r, "describe the box")
                     : python_env_bind(p, d->python, "/usr/lib", e);
}

/* --- an answer --- */

struct entry_point {
        char *name, *value, *version, *folder;
};

/* A line becomes its four texts, in place. */
static bool read_entry_point(char *line, struct entry_point *ret)
{
        ret->name = strsep(&line, "\t");
        ret->value = line ? strsep(&line, "\t") : NULL;
        ret->version = line ? strsep(&line, "\t") : NULL;
        ret->folder = line ? strsep(&line, "\t") : NULL;
        return ret->folder && !line && *ret->name && *ret->value;
}

/* A manifest for a package that brings none: of ForgeSyte's form, whose id is made a plugin's name
 * by that form's rule. NULL: no memory. */
static char *make_manifest(const struct entry_point *ep)
{
        struct str text = {0};

        str_adds(&text, "{\"id\":");
        str_add_json_string(&text, ep->name, strlen(ep->name));
        str_adds(&text, ",\"version\":");
        str_add_json_string(&text, ep->version, strlen(ep->version));
        str_adds(&text, ",\"entrypoint\":");
        str_add_json_string(&text, ep->value, strlen(ep->value));
        str_adds(&text, "}");
        return str_take(&text);
}

static bool is_within(const char *path, const char *folder)
{
        char real[PATH_MAX];

        return realpath(folder, real) && real[1] && path_way_is_below(path, real);
}

/* The folder is shown to the plugin, and it was named by code of its like: so it may only be one
 * that the interpreter sees anyway. 0 and the real path, or NULL where it is none; -ENOMEM. */
static int folder_of(const struct python_discovery *d, const struct entry_point *ep, char **ret)
{
        scoped(sandbox_policy) struct sandbox_policy p;
        scoped(free) char *real = ep->folder[0] == '/' ? realpath(ep->folder, NULL) : NULL;
        bool seen;

        sandbox_policy_init(&p);
        if ((!real && errno == ENOMEM) || fill_policy(d, &p, NULL) < 0)
                return -ENOMEM;
        seen = real && (is_within(real, "/usr/lib") || is_within(real, "/usr/local/lib"));
        for (size_t i = 0; real && i < p.n_binds && !seen; i++)
                seen = !p.binds[i].link && is_within(real, p.binds[i].source);
        *ret = seen && access(real, R_OK | X_OK) == 0 ? take_ptr(real) : NULL;
        return 0;
}

/* 0 or -ENOMEM. */
static int take_entry_point(struct python_discovery *d, const struct entry_point *ep)
{
        scoped(free) char *made = NULL, *folder = NULL;
        char words[400];

        if (folder_of(d, ep, &folder) < 0)
                return -ENOMEM;
        if (!folder) {
                snprintf(words, sizeof words,
                         "%.64s: its package (%.128s) was not found in the interpreter's folders, "
                         "nor in one that its .pth files and editable installations name",
                         ep->name, ep->value);
                complain(d, words);
                return 0;
        }
        if (!plugin_manifest_exists(folder) && !(made = make_manifest(ep)))
                return -ENOMEM;
        supervisor_adopt(d->s, ep->name, folder, d->python, made);
        return 0;
}

static void take_lines(struct python_discovery *d, char *text)
{
        size_t n = 0;
        char *line;
        int r = 0;

        supervisor_adopt_begin(d->s, d->python);
        /* A worker may say anything: what is no line of ours is passed over. */
        while (r == 0 && (line = strsep(&text, "\n")) && text && n < PLUGINS_MAX) {
                struct entry_point ep;

                if (!read_entry_point(line, &ep))
                        continue;
                r = take_entry_point(d, &ep);
                n++;
        }
        /* Who was not looked at has not vanished. */
        if (r < 0) {
                complain(d, "out of memory");
                return;
        }
        supervisor_adopt_end(d->s, d->python);
        log_write(d->s->o.log, n ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
                  "python plugins of %s: %zu package%s declare%s " PYTHON_DISCOVERY_GROUP,
                  d->python, n, n == 1 ? "" : "s", n == 1 ? "s" : "");
}

/* --- the end of a question --- */

static void finish(struct python_discovery *d)
{
        d->pending = false;
        supervisor_settled(d->s);
}

static void fail(struct python_discovery *d, const char *words)
{
        if (!d->pending)
                return;
        complain(d, words ? words : "out of memory");
        finish(d);
}

/* --- an instance's events --- */

static int on_meta(unused_param struct instance *i, unused_param const char *json,
                   unused_param size_t n, unused_param struct err *e)
{
        return 0;
}

/* What the interpreter says becomes fit for a log first; it stands between tabs and newlines. */
static void take_verdict(struct python_discovery *d, const struct wire_verdict *v)
{
        scoped(str) struct str text = {0};

        str_add_printable(&text, v->detail.p, v->detail.len, TEXT_MAX);
        str_adds(&text, "");
        if (text.bad || v->status != WIRE_CHECK_OK) {
                fail(d, text.bad ? NULL : text.data);
                return;
        }
        take_lines(d, text.data);
        finish(d);
}

static void on_report(struct instance *i, const struct wire_report *report)
{
        struct python_discovery *d = i->ctx;

        if (d->pending && report->n_verdicts == 1)
                take_verdict(d, report->verdicts);
        else
                fail(d, "the probe's report does not fit");
        instance_leave(i);
}

static void on_ready(struct instance *i, unused_param enum wire_type answered)
{
        struct python_discovery *d = i->ctx;
        struct wire_check check = {.kind = WIRE_CHECK_ENTRY_POINTS,
                                   .subject = wire_str_of(PYTHON_DISCOVERY_GROUP),
                                   .extra = wire_str_of("")};
        struct wire_check_list list = {.interpreter = wire_str_of(d->python),
                                       .dir = wire_str_of(""),
                                       .checks = &check,
                                       .n_checks = 1};
        scoped(str) struct str payload = {0};
        int r;

        wire_encode_check_list(&payload, &list);
        r = payload.bad ? -ENOMEM : instance_request(i, WIRE_CHECK, &payload);
        if (r == 0)
                return;
        fail(d, strerror(-r));
        instance_leave(i);
}

static void on_result(unused_param struct instance *i, unused_param struct tool_call *call,
                      uint8_t *take_payload, unused_param size_t n)
{
        free(take_payload);
}

static void on_error(struct instance *i, unused_param struct tool_call *call,
                     struct tool_outcome *o)
{
        fail(i->ctx, o->words);
        instance_leave(i);
}

static void on_progress(unused_param struct instance *i, unused_param struct tool_call *call,
                        unused_param double done, unused_param double total)
{
}

static void on_broke(struct instance *i, unused_param struct tool_call *call,
                     struct tool_outcome *o)
{
        fail(i->ctx, o->words);
}

static void on_gone(struct instance *i)
{
        struct python_discovery *d = i->ctx;

        TAILQ_REMOVE(&d->s->discoveries, d, link);
        discovery_free(d);
}

static const struct instance_owner discovery_owner = {
    .meta = on_meta,
    .report = on_report,
    .ready = on_ready,
    .result = on_result,
    .error = on_error,
    .progress = on_progress,
    .broke = on_broke,
    .gone = on_gone,
};

/* --- the question --- */

static int start_worker(struct python_discovery *d, struct err *e)
{
        scoped(sandbox_policy) struct sandbox_policy policy;
        struct instance_options o = {.owner = &discovery_owner,
                                     .ctx = d,
                                     .loop = d->s->o.loop,
                                     .log = &d->log,
                                     .probe = true,
                                     .generation = 1,
                                     .max_output = (uint32_t)d->s->config->max_output_bytes,
                                     .timeout_seconds = DISCOVERY_SECONDS,
                                     .boot_seconds = DISCOVERY_SECONDS};
        int r;

        sandbox_policy_init(&policy);
        policy.may_fork = true; /* the interpreter that is asked */
        o.memory_bytes = policy.memory_bytes;
        r = fill_policy(d, &policy, e);
        if (r == 0)
                r = instance_start(d->s->runner, &policy, &o, &d->instance, e);
        /* 1: the box would be too weak, and the words say so. */
        return r > 0 ? -EPERM : r;
}

int python_discovery_start(struct supervisor *s, const char *python, struct err *e)
{
        scoped(discovery_free) struct python_discovery *d = calloc(1, sizeof *d);
        const struct python_discovery *other;
        int r;

        if (!d)
                return err_set_errno(e, -ENOMEM, "python plugins of %s", python);
        plugin_log_init(&d->log);
        d->s = s;
        if (strchr(python, '/') && access(python, X_OK) < 0)
                return err_set_errno(e, -errno, "python plugins of %s", python);
        d->python = python_env_resolve(python);
        if (!d->python)
                return err_set_errno(e, -ENOMEM, "python plugins of %s", python);
        TAILQ_FOREACH (other, &s->discoveries, link)
                if (other->pending && !strcmp(other->python, d->python))
                        return 0;
        r = start_worker(d, e);
        if (r < 0)
                return err_wrap(e, r, "python plugins of %s", python);
        d->pending = true;
        TAILQ_INSERT_TAIL(&s->discoveries, d, link);
        take_ptr(d);
        return 0;
}

/* --- all of them --- */

bool python_discovery_is_pending(const struct supervisor *s)
{
        return python_discovery_name(s, 0) != NULL;
}

const char *python_discovery_name(const struct supervisor *s, size_t n)
{
        const struct python_discovery *d;

        TAILQ_FOREACH (d, &s->discoveries, link)
                if (d->pending && n-- == 0)
                        return d->python;
        return NULL;
}

void python_discovery_close(struct supervisor *s)
{
        struct python_discovery *d, *next;

        for (d = TAILQ_FIRST(&s->discoveries); d; d = next) {
                next = TAILQ_NEXT(d, link);
                d->pending = false;
                instance_leave(d->instance);
        }
}

void python_discovery_free(struct supervisor *s)
{
        struct python_discovery *d;

        while ((d = TAILQ_FIRST(&s->discoveries))) {
                TAILQ_REMOVE(&s->discoveries, d, link);
                discovery_free(d);
        }
}
