#include "sandbox/sandbox_policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/memory_guard.h"

void sandbox_policy_init(struct sandbox_policy *p)
{
        *p = (struct sandbox_policy){
            .memory_bytes = MEMORY_GUARD_DEFAULT_BYTES,
            .pids_max = 128,
            .nofile = 256,
            .tmp_bytes = MIB(64),
            .min_level = ISOLATION_FILTERED,
        };
}

static void free_strings(char **strings)
{
        for (char **s = strings; s && *s; s++)
                free(*s);
        free(strings);
}

void sandbox_policy_done(struct sandbox_policy *p)
{
        for (size_t i = 0; i < p->n_binds; i++) {
                free(p->binds[i].source);
                free(p->binds[i].target);
        }
        free(p->binds);
        free(p->plugin_dir);
        free_strings(p->env);
        *p = (struct sandbox_policy){0};
}

/* Absolute, without "//", "/./", "/../" or a slash at the end, so that what is checked here is what
 * is mounted there. */
static bool path_is_normal(const char *path)
{
        if (!path || path[0] != '/')
                return false;
        if (path[1] == '\0')
                return true;
        while (*path == '/') {
                size_t len = strcspn(++path, "/");

                if (len == 0 || (len == 1 && path[0] == '.') ||
                    (len == 2 && path[0] == '.' && path[1] == '.'))
                        return false;
                path += len;
        }
        return true;
}

int sandbox_policy_set_plugin_dir(struct sandbox_policy *p, const char *dir)
{
        char *copy;

        if (!path_is_normal(dir))
                return -EINVAL;
        copy = strdup(dir);
        if (!copy)
                return -ENOMEM;
        free(p->plugin_dir);
        p->plugin_dir = copy;
        return 0;
}

int sandbox_policy_add_bind(struct sandbox_policy *p, const char *source, const char *target,
                            bool writable, bool optional)
{
        scoped(free) char *from = NULL, *to = NULL;
        struct sandbox_bind *grown;

        if (!path_is_normal(source) || (target && !path_is_normal(target)))
                return -EINVAL;
        from = strdup(source);
        to = target ? strdup(target) : NULL;
        grown = realloc(p->binds, (p->n_binds + 1) * sizeof *grown);
        if (grown)
                p->binds = grown;
        if (!from || (target && !to) || !grown)
                return -ENOMEM;
        p->binds[p->n_binds++] =
            (struct sandbox_bind){take_ptr(from), take_ptr(to), writable, optional, false};
        return 0;
}

int sandbox_policy_add_link(struct sandbox_policy *p, const char *path)
{
        int r = sandbox_policy_add_bind(p, path, NULL, false, true);

        if (r == 0)
                p->binds[p->n_binds - 1].link = true;
        return r;
}

int sandbox_policy_add_env(struct sandbox_policy *p, const char *key, const char *value)
{
        scoped(free) char *entry = NULL;
        size_t n = 0;
        char **grown;

        if (!*key || strchr(key, '='))
                return -EINVAL;
        while (p->env && p->env[n])
                n++;
        if (asprintf(&entry, "%s=%s", key, value) < 0) {
                entry = NULL;
                return -ENOMEM;
        }
        grown = realloc(p->env, (n + 2) * sizeof *grown);
        if (!grown)
                return -ENOMEM;
        p->env = grown;
        p->env[n] = take_ptr(entry);
        p->env[n + 1] = NULL;
        return 0;
}
