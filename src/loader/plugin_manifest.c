#include "loader/plugin_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "loader/plugin_manifest_parts.h"
#include "loader/plugin_manifest_read.h"
#include "loader/plugin_manifest_rules.h"

static const char *const runtime_names[] = {
    [PLUGIN_RUNTIME_NATIVE] = "native",
    [PLUGIN_RUNTIME_PYTHON] = "python",
};
static const char *const runtime_suffixes[] = {
    [PLUGIN_RUNTIME_NATIVE] = ".so",
    [PLUGIN_RUNTIME_PYTHON] = ".py",
};
static const char *const on_error_names[] = {
    [PLUGIN_ON_ERROR_FAIL] = "fail",
    [PLUGIN_ON_ERROR_KEEP] = "keep",
};
static const char *const restart_names[] = {
    [PLUGIN_RESTART_MANUAL] = "manual",
    [PLUGIN_RESTART_ON_FAILURE] = "on-failure",
};

void plugin_manifest_free(struct plugin_manifest *m)
{
        if (!m)
                return;
        free(m->name);
        free(m->version);
        free(m->description);
        free(m->entrypoint);
        free(m->python);
        manifest_list_free(m->packages);
        manifest_list_free(m->libraries);
        manifest_list_free(m->commands);
        manifest_models_free(m->models, m->n_models);
        manifest_list_free(m->read);
        manifest_list_free(m->write);
        manifest_list_free(m->env);
        manifest_tools_free(m->tools, m->n_tools);
        json_decref(m->raw);
        free(m);
}

/* --- the keys --- */

static int parse_name(const struct manifest_at *at, void *into)
{
        return manifest_read_text(at, manifest_rule_plugin_name,
                                  &((struct plugin_manifest *)into)->name);
}

static int parse_version(const struct manifest_at *at, void *into)
{
        return manifest_read_text(at, manifest_rule_version,
                                  &((struct plugin_manifest *)into)->version);
}

static int parse_description(const struct manifest_at *at, void *into)
{
        return manifest_read_text(at, manifest_rule_description,
                                  &((struct plugin_manifest *)into)->description);
}

static int parse_runtime(const struct manifest_at *at, void *into)
{
        unsigned i = 0;
        int r = manifest_read_choice(at, runtime_names, ARRAY_LEN(runtime_names), &i);

        if (r == 0)
                ((struct plugin_manifest *)into)->runtime = (enum plugin_runtime)i;
        return r;
}

static int parse_entrypoint(const struct manifest_at *at, void *into)
{
        return manifest_read_text(at, manifest_rule_path,
                                  &((struct plugin_manifest *)into)->entrypoint);
}

static int parse_python(const struct manifest_at *at, void *into)
{
        return manifest_read_text(at, manifest_rule_python,
                                  &((struct plugin_manifest *)into)->python);
}

static int parse_requires_gpu(const struct manifest_at *at, void *into)
{
        return manifest_read_bool(at, &((struct plugin_manifest *)into)->requires_gpu);
}

static int parse_on_error(const struct manifest_at *at, void *into)
{
        unsigned i = 0;
        int r = manifest_read_choice(at, on_error_names, ARRAY_LEN(on_error_names), &i);

        if (r == 0)
                ((struct plugin_manifest *)into)->on_error = (enum plugin_on_error)i;
        return r;
}

static int parse_restart(const struct manifest_at *at, void *into)
{
        unsigned i = 0;
        int r = manifest_read_choice(at, restart_names, ARRAY_LEN(restart_names), &i);

        if (r == 0)
                ((struct plugin_manifest *)into)->restart = (enum plugin_restart)i;
        return r;
}

static int parse_prefork(const struct manifest_at *at, void *into)
{
        return manifest_read_bool(at, &((struct plugin_manifest *)into)->prefork);
}

/* Only looked at: it becomes the description when there is no other. */
static int parse_title(const struct manifest_at *at, unused_param void *into)
{
        scoped(free) char *title = NULL;

        return manifest_read_text(at, manifest_rule_description, &title);
}

/* Mean the same in both forms. docs/MANIFEST.md has them in this order. */
#define SHARED_KEYS                                                                                \
        {"version", true, parse_version}, {"description", false, parse_description},               \
            {"runtime", false, parse_runtime}, {"entrypoint", true, parse_entrypoint},             \
            {"python", false, parse_python}, {"requires_gpu", false, parse_requires_gpu},          \
            {"dependencies", false, manifest_parse_dependencies},                                  \
            {"models", false, manifest_parse_models}, {"limits", false, manifest_parse_limits},    \
            {"on_error", false, parse_on_error}, {"restart", false, parse_restart},                \
            {"prefork", false, parse_prefork}, {"permissions", false, manifest_parse_permissions}, \
        {                                                                                          \
                "env", false, manifest_parse_env                                                   \
        }

static const struct manifest_key keys[] = {
    {"name", true, parse_name},
    SHARED_KEYS,
    {"tools", false, manifest_parse_tools},
};

/* ForgeSyte's own form, known by its "id". */
static const struct manifest_key form_keys[] = {
    {"id", true, manifest_form_parse_id},
    {"name", false, parse_title},
    SHARED_KEYS,
    {"tools", false, manifest_form_parse_tools},
};

/* --- what follows from several keys --- */

static bool ends_with(const char *text, const char *suffix)
{
        size_t n = strlen(text), n_suffix = strlen(suffix);

        return n > n_suffix && strcmp(text + n - n_suffix, suffix) == 0;
}

/* The runtime whose suffix the entrypoint has, or -1. */
static int runtime_by_suffix(const char *entrypoint)
{
        for (size_t i = 0; i < ARRAY_LEN(runtime_suffixes); i++)
                if (ends_with(entrypoint, runtime_suffixes[i]))
                        return (int)i;
        return -1;
}

/* package.module or module:Class, which no file would be called. */
static bool is_dotted_module(const char *entrypoint)
{
        return strpbrk(entrypoint, ".:") && !manifest_rule_entry_module(entrypoint);
}

/* The runtime when the manifest does not say: -1 when nothing tells. */
static int implied_runtime(const struct plugin_manifest *m, bool form)
{
        int by_suffix = runtime_by_suffix(m->entrypoint);

        if (by_suffix >= 0)
                return by_suffix;
        return form || is_dotted_module(m->entrypoint) ? PLUGIN_RUNTIME_PYTHON : -1;
}

static int check_entrypoint(const struct manifest_at *entrypoint, const struct plugin_manifest *m)
{
        int by_suffix = runtime_by_suffix(m->entrypoint);
        const char *wrong;

        if (by_suffix >= 0 && by_suffix != (int)m->runtime)
                return manifest_complain(entrypoint, "ends in %s, but \"runtime\" is \"%s\"",
                                         runtime_suffixes[by_suffix], runtime_names[m->runtime]);
        if (by_suffix >= 0 || m->runtime != PLUGIN_RUNTIME_PYTHON)
                return 0;
        wrong = manifest_rule_entry_module(m->entrypoint);
        return wrong ? manifest_complain(entrypoint, "must be %s", wrong) : 0;
}

/* Only the Python runtime knows how to go on in a copy of its process. */
static int check_prefork(const struct manifest_at *root, const struct plugin_manifest *m)
{
        struct manifest_at prefork = manifest_member(root, "prefork", NULL);

        if (!m->prefork || m->runtime == PLUGIN_RUNTIME_PYTHON)
                return 0;
        return manifest_complain(&prefork, "is for Python plugins, and this one is \"%s\"",
                                 runtime_names[m->runtime]);
}

static int settle_runtime(const struct manifest_at *root, struct plugin_manifest *m, bool form)
{
        struct manifest_at entrypoint = manifest_member(root, "entrypoint", NULL);
        struct manifest_at runtime = manifest_member(root, "runtime", NULL);
        bool given = json_object_get(m->raw, "runtime") != NULL;
        int implied = given ? (int)m->runtime : implied_runtime(m, form);

        if (implied < 0)
                return manifest_complain(&entrypoint,
                                         "ends neither in .so nor in .py: say which "
                                         "\"runtime\" it has, \"native\" or \"python\"");
        m->runtime = (enum plugin_runtime)implied;
        if (form && m->runtime != PLUGIN_RUNTIME_PYTHON)
                return manifest_complain(given ? &runtime : &entrypoint,
                                         "a manifest with an \"id\" is of ForgeSyte's own form, "
                                         "which is for Python plugins");
        return check_entrypoint(&entrypoint, m);
}

/* A title is better than no words; other texts stay. */
static int settle_description(const struct manifest_at *root, struct plugin_manifest *m, bool form)
{
        const json_t *title = form ? json_object_get(m->raw, "name") : NULL;
        struct manifest_at name = manifest_member(root, "name", title);

        if (title && (!m->description || !*m->description))
                return manifest_read_text(&name, NULL, &m->description);
        if (!m->description)
                m->description = mem_dup0("", 0);
        return m->description ? 0 : manifest_no_memory(root);
}

/* An empty list in place of one that was not given. */
static int settle_lists(const struct manifest_at *root, struct plugin_manifest *m)
{
        char ***const lists[] = {&m->packages, &m->libraries, &m->commands,
                                 &m->read,     &m->write,     &m->env};

        for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
                if (!*lists[i])
                        *lists[i] = calloc(1, sizeof **lists[i]);
                if (!*lists[i])
                        return manifest_no_memory(root);
        }
        return 0;
}

static int settle(const struct manifest_at *root, struct plugin_manifest *m, bool form)
{
        int r = settle_runtime(root, m, form);

        if (r == 0)
                r = check_prefork(root, m);
        if (r == 0)
                r = settle_lists(root, m);
        if (r == 0)
                r = settle_description(root, m, form);
        return r < 0 ? r : manifest_tools_find_files(root, m->runtime, m->tools, m->n_tools);
}

int plugin_manifest_parse(const char *text, size_t n, struct plugin_manifest **ret, struct err *e)
{
        const struct manifest_source source = {text, n, e};
        struct manifest_at root = {.source = &source};
        scoped(plugin_manifest_free) struct plugin_manifest *m = calloc(1, sizeof *m);
        bool form;
        int r;

        if (!m)
                return manifest_no_memory(&root);
        if (n > PLUGIN_MANIFEST_MAX)
                return err_set(e, -EINVAL, "is larger than %zu bytes", PLUGIN_MANIFEST_MAX);
        r = json_parse(text, n, &m->raw, e);
        if (r < 0)
                return r == -EBADMSG ? -EINVAL : r;
        root.value = m->raw;
        manifest_limits_default(&m->limits);
        form = json_object_get(m->raw, "id") != NULL;
        r = form ? manifest_read_open_object(&root, form_keys, ARRAY_LEN(form_keys), m)
                 : manifest_read_object(&root, keys, ARRAY_LEN(keys), m);
        if (r == 0)
                r = settle(&root, m, form);
        if (r < 0)
                return r;
        *ret = take_ptr(m);
        return 0;
}

bool plugin_manifest_exists(const char *dir)
{
        scoped(fd) int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

        return dirfd >= 0 && faccessat(dirfd, PLUGIN_MANIFEST_FILE, F_OK, 0) == 0;
}

int plugin_manifest_load(const char *dir, struct plugin_manifest **ret, struct err *e)
{
        scoped(fd) int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        scoped(free) char *text = NULL;
        size_t n = 0;
        int r;

        if (dirfd < 0)
                return err_set_errno(e, -errno, "%s: open %s", PLUGIN_MANIFEST_FILE, dir);
        r = fd_read_file_below(dirfd, PLUGIN_MANIFEST_FILE, PLUGIN_MANIFEST_MAX, &text, &n, e);
        if (r == -ENOENT)
                return err_set(e, r, "%s: there is none in %s", PLUGIN_MANIFEST_FILE, dir);
        if (r < 0)
                return err_wrap(e, r, "%s", PLUGIN_MANIFEST_FILE);
        r = plugin_manifest_parse(text, n, ret, e);
        return r < 0 ? err_wrap(e, r, "%s", PLUGIN_MANIFEST_FILE) : 0;
}
