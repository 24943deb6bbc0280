#include "cli/options_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/options.h"

/* What the steps below share: the text for its lines, the folder for relative paths. */
struct file {
        const char *text;
        size_t size;
        const char *base;
};

/* "/plugins/ocr" is where; "line 7: plugins.ocr.limits: " goes before the words. */
static int at(const struct file *f, const char *pointer, int r, struct err *e)
{
        char dotted[256];
        size_t n = utf8_valid_prefix(pointer, MIN_OF(strlen(pointer), sizeof dotted - 1));

        if (r == -ENOMEM)
                return r;
        memcpy(dotted, pointer, n);
        dotted[n] = '\0';
        for (size_t i = 0; i < n; i++)
                if (dotted[i] == '/')
                        dotted[i] = '.';
        int line = json_line_of(f->text, f->size, pointer);

        return *pointer ? err_wrap(e, r, "line %d: %s", line, dotted + 1)
                        : err_wrap(e, r, "line %d", line);
}

/* "POINTER/KEY", with KEY escaped as RFC 6901 wants it. */
static int below(const char *pointer, const char *key, struct str *s, struct err *e)
{
        str_addf(s, "%s/", pointer);
        for (; *key; key++) {
                if (*key == '~' || *key == '/')
                        str_adds(s, *key == '~' ? "~0" : "~1");
                else
                        str_addc(s, *key);
        }
        return s->bad ? err_set_errno(e, -ENOMEM, "read the config file") : 0;
}

static const struct option *row_of(const struct option *rows, size_t n, const char *key)
{
        for (size_t i = 0; i < n; i++)
                if (rows[i].key && !strcmp(rows[i].key, key))
                        return &rows[i];
        return NULL;
}

/* also: one key that is no row, or NULL. */
static int unknown_key(const struct option *rows, size_t n, const char *also, const char *key,
                       struct err *e)
{
        const char *known[64], *nearest;
        scoped(str) struct str s = {0};
        size_t n_known = 0;

        for (size_t i = 0; i < n && n_known + 1 < ARRAY_LEN(known); i++)
                if (rows[i].key)
                        known[n_known++] = rows[i].key;
        if (also)
                known[n_known++] = also;
        nearest = str_nearest(key, known, n_known);
        str_adds(&s, "unknown key");
        if (nearest)
                str_addf(&s, "; did you mean \"%s\"?", nearest);
        for (size_t i = 0; i < n_known && !nearest; i++)
                str_addf(&s, "%s%s", i ? ", " : "; there are ", known[i]);
        return err_set(e, -EINVAL, "%s", s.bad ? "unknown key" : s.data);
}

static int read_value(const struct file *f, const char *pointer, const struct option *row,
                      void *target, const json_t *value, struct err *e)
{
        int r = option_restart(row, target, e);

        if (r == 0)
                r = option_set_json(row, target, value, f->base, e);
        return r < 0 ? at(f, pointer, r, e) : 0;
}

/* What an object may have: rows of a table, and perhaps one key that leads further down. */
struct table {
        const struct option *rows;
        size_t n;
        const char *further; /* or NULL */
        int (*read)(const struct file *f, const char *pointer, void *target, const json_t *value,
                    struct err *e);
        const char *what; /* "an object of limits" */
};

static int read_member(const struct file *f, const char *pointer, const struct table *t,
                       const char *key, void *target, const json_t *value, struct err *e)
{
        const struct option *row = row_of(t->rows, t->n, key);

        if (t->further && !strcmp(key, t->further))
                return t->read(f, pointer, target, value, e);
        if (row)
                return read_value(f, pointer, row, target, value, e);
        return at(f, pointer, unknown_key(t->rows, t->n, t->further, key, e), e);
}

static int read_object(const struct file *f, const char *pointer, const struct table *t,
                       void *target, const json_t *object, struct err *e)
{
        const char *key;
        json_t *value;

        if (!json_is_object(object))
                return at(f, pointer, err_set(e, -EINVAL, "must be %s", t->what), e);
        json_object_foreach ((json_t *)object, key, value) {
                scoped(str) struct str where = {0};
                int r = below(pointer, key, &where, e);

                if (r == 0)
                        r = read_member(f, where.data, t, key, target, value, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- "plugins": {"NAME": {"python", "disabled", "limits": {}}} ---- */

static int read_limits(const struct file *f, const char *pointer, void *plugin,
                       const json_t *object, struct err *e)
{
        struct table t = {.what = "an object of limits"};

        t.rows = options_limit_rows(&t.n);
        return read_object(f, pointer, &t, plugin, object, e);
}

static int read_plugin(const struct file *f, const char *pointer, struct host_plugin_config *p,
                       const json_t *object, struct err *e)
{
        struct table t = {.further = "limits", .read = read_limits, .what = "an object"};

        t.rows = options_plugin_rows(&t.n);
        return read_object(f, pointer, &t, p, object, e);
}

static int read_plugins(const struct file *f, const char *pointer, void *config,
                        const json_t *object, struct err *e)
{
        struct host_config *c = config;
        size_t room = json_object_size(object);
        const char *name;
        json_t *value;

        if (!json_is_object(object))
                return at(f, pointer,
                          err_set(e, -EINVAL,
                                  "must be an object of plugins by their names (folders "
                                  "go into \"plugin_dirs\")"),
                          e);
        c->plugins = calloc(MAX_OF(room, 1), sizeof *c->plugins);
        if (!c->plugins)
                return err_set_errno(e, -ENOMEM, "read the config file");
        json_object_foreach ((json_t *)object, name, value) {
                scoped(str) struct str where = {0};
                struct host_plugin_config *p = &c->plugins[c->n_plugins];
                int r = below(pointer, name, &where, e);

                if (r < 0)
                        return r;
                if (!str_is_plugin_name(name))
                        return at(f, where.data,
                                  err_set(e, -EINVAL, "is no plugin name (a-z, 0-9, - and _)"), e);
                p->name = strdup(name);
                if (!p->name)
                        return err_set_errno(e, -ENOMEM, "read the config file");
                c->n_plugins++;
                r = read_plugin(f, where.data, p, value, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- the whole file ---- */

static int read_root(const struct file *f, struct host_config *c, const json_t *root, struct err *e)
{
        struct table t = {.further = "plugins", .read = read_plugins, .what = "a JSON object"};

        t.rows = options_settings(&t.n);
        return read_object(f, "", &t, c, root, e);
}

int options_file_read(const char *text, size_t n, const char *path, struct host_config *c,
                      struct err *e)
{
        const char *slash = strrchr(path, '/');
        /* "/" of "/forgesyte.json" stays: "" would mean the current folder. */
        size_t folder = slash ? (size_t)(slash - path) + (slash == path) : 0;
        scoped(free) char *base = mem_dup0(path, folder);
        scoped(json_decref) json_t *root = NULL;
        struct file f = {text, n, base};
        int r;

        if (!base)
                return err_set_errno(e, -ENOMEM, "read the config file");
        r = json_parse(text, n, &root, e);
        if (r == 0)
                r = read_root(&f, c, root, e);
        return r < 0 && r != -ENOMEM ? err_wrap(e, r, "%s", path) : r;
}

int options_file_load(const char *path, struct host_config *c, struct err *e)
{
        scoped(free) char *text = NULL;
        size_t n;
        int r = fd_read_file(AT_FDCWD, path, OPTIONS_FILE_MAX, &text, &n, e);

        return r < 0 ? r : options_file_read(text, n, path, c, e);
}
