#include "host/permissions.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "host/path_way.h"

static bool overlap(const char *a, const char *b)
{
        return path_way_is_below(a, b) || path_way_is_below(b, a);
}

/* The first permission to write whose place this holds of. One that leads nowhere is none. */
static const char *writable_that(const struct plugin_manifest *m,
                                 bool (*holds)(const char *path, const char *writable),
                                 const char *path)
{
        for (char **w = m->write; *w; w++) {
                char real[PATH_MAX];

                if (realpath(*w, real) && holds(path, real))
                        return *w;
        }
        return NULL;
}

/* --- one path --- */

struct way {
        const struct plugin_manifest *m;
        const char *path;
        struct err *e;
};

/* A link is changed by who may write to the folder that it is in. */
static int refuse_own_link(void *ctx, const char *link)
{
        const struct way *way = ctx;
        const char *writable;
        char folder[PATH_MAX];
        size_t n = (size_t)(strrchr(link, '/') - link);

        memcpy(folder, link, n);
        folder[n] = '\0';
        writable = writable_that(way->m, path_way_is_below, folder);
        if (!writable)
                return 0;
        return err_set(way->e, -EBADMSG,
                       "permissions: %s leads through the link %s, which the plugin may change "
                       "(write: %s). Name the place itself.",
                       way->path, link, writable);
}

/* What the manifest's rule says of the path holds of where its links lead, too. */
static int refuse_kernels(const char *path, const char *real, struct err *e)
{
        static const char *const own[] = {"/proc", "/sys", "/dev"};
        bool refused = !strcmp(real, "/");

        for (size_t i = 0; i < ARRAY_LEN(own); i++)
                refused |= path_way_is_below(real, own[i]);
        return refused ? err_set(e, -EBADMSG,
                                 "permissions: %s leads to %s, which no plugin may be given", path,
                                 real)
                       : 0;
}

static int add(struct sandbox_policy *p, const struct plugin_manifest *m, const char *path,
               bool writable, struct err *e)
{
        struct way way = {m, path, e};
        scoped(free) char *real = NULL;
        int r = path_way_each_link(path, refuse_own_link, &way);

        if (r < 0)
                return r;
        real = realpath(path, NULL);
        if (!real && errno == ENOMEM)
                return err_set_errno(e, -ENOMEM, "show the box %s", path);
        r = real ? refuse_kernels(path, real, e) : 0;
        if (r < 0)
                return r;
        r = sandbox_policy_add_bind(p, real ? real : path, path, writable, true);
        return r < 0 ? err_set_errno(e, r, "show the box %s", path) : 0;
}

/* --- what says what a plugin may do --- */

/* Below its own folder a plugin may write where it is let; the folder holds its manifest. */
static bool holds_manifests(const char *writable, const char *dir, const char *plugins)
{
        bool below_own = path_way_is_below(writable, dir) && strcmp(writable, dir) != 0;

        return path_way_is_below(plugins, writable) ||
               (path_way_is_below(writable, plugins) && !below_own);
}

static int refuse_manifests(const char *path, const char *dir, char *const *plugin_dirs,
                            struct err *e)
{
        char real[PATH_MAX], own[PATH_MAX], plugins[PATH_MAX];

        if (!realpath(path, real) || !realpath(dir, own))
                return 0;
        for (const char *at = dir; at; at = *plugin_dirs ? *plugin_dirs++ : NULL)
                if (realpath(at, plugins) && holds_manifests(real, own, plugins))
                        return err_set(e, -EBADMSG,
                                       "permissions.write: who may write to %s can change a plugin "
                                       "in %s, and what its manifest permits. Name a folder "
                                       "elsewhere, or one in the plugin's own folder.",
                                       path, at);
        return 0;
}

int permissions_add(struct sandbox_policy *p, const struct plugin_manifest *m, const char *dir,
                    char *const *plugin_dirs, struct err *e)
{
        int r = 0;

        for (char **path = m->write; *path && r == 0; path++)
                r = refuse_manifests(*path, dir, plugin_dirs, e);
        for (char **path = m->read; *path && r == 0; path++)
                r = add(p, m, *path, false, e);
        for (char **path = m->write; *path && r == 0; path++)
                r = add(p, m, *path, true, e);
        return r;
}

/* --- the interpreter --- */

/* PREFIX/bin/python */
static bool prefix_of(const char *python, char real[PATH_MAX])
{
        char prefix[PATH_MAX];
        size_t n = strlen(python);

        if (python[0] != '/' || n >= sizeof prefix)
                return false;
        memcpy(prefix, python, n + 1);
        for (int up = 0; up < 2; up++) {
                char *slash = strrchr(prefix, '/');

                if (slash == prefix)
                        return false;
                *slash = '\0';
        }
        return realpath(prefix, real) != NULL;
}

int permissions_check_python(const struct plugin_manifest *m, const char *python,
                             const struct sandbox_policy *p, size_t from, struct err *e)
{
        char prefix[PATH_MAX];
        const char *path = python, *writable = NULL;

        if (prefix_of(python, prefix))
                writable = writable_that(m, overlap, prefix);
        for (; !writable && from < p->n_binds; from++) {
                path = p->binds[from].source;
                writable = writable_that(m, overlap, path);
        }
        return writable ? err_set(e, -EBADMSG,
                                  "permissions.write: who may write to %s can change what belongs "
                                  "to the interpreter (%s). Name a folder elsewhere.",
                                  writable, path)
                        : 0;
}
