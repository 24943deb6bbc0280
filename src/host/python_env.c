#include "host/python_env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "host/path_way.h"
#include "host/python_editable.h"

#define LINKS_MAX  16
#define CONFIG_MAX KIB(64)
#define HOME_MAX   4000 /* bytes of a venv's `home` */

/* Already in every box. */
static bool is_shown(const char *path, const char *plugin_dir)
{
        static const char *const shown[] = {"/usr", "/lib", "/lib64", "/bin", "/sbin"};

        for (size_t i = 0; i < ARRAY_LEN(shown); i++)
                if (path_way_is_below(path, shown[i]))
                        return true;
        return path_way_is_below(path, plugin_dir);
}

/* Cuts the last segment off; false when only the root is left. */
static bool to_parent(char *path)
{
        char *slash = strrchr(path, '/');

        if (!slash || slash == path)
                return false;
        *slash = '\0';
        return true;
}

static bool is_bound(const struct sandbox_policy *p, const char *path, bool link)
{
        for (size_t i = 0; i < p->n_binds; i++)
                if (p->binds[i].link == link && !strcmp(p->binds[i].source, path))
                        return true;
        return false;
}

static int show(struct sandbox_policy *p, const char *path, const char *plugin_dir)
{
        return is_shown(path, plugin_dir) || is_bound(p, path, false)
                   ? 0
                   : sandbox_policy_add_bind(p, path, NULL, false, true);
}

struct shown_for {
        struct sandbox_policy *p;
        const char *plugin_dir;
};

static int show_link(void *ctx, const char *link)
{
        const struct shown_for *w = ctx;

        return is_shown(link, w->plugin_dir) || is_bound(w->p, link, true)
                   ? 0
                   : sandbox_policy_add_link(w->p, link);
}

/* Each link on the way is shown as a link, and nothing of the folder it lies in. What a way that
 * ends nowhere lacks, the worker will say. */
static int show_way(struct sandbox_policy *p, const char *path, const char *plugin_dir)
{
        struct shown_for way = {p, plugin_dir};

        return path_way_each_link(path, show_link, &way);
}

/* The place where a folder really is; what leads there is show_way's. */
static int show_real(struct sandbox_policy *p, const char *folder, const char *plugin_dir)
{
        char real[PATH_MAX];

        return realpath(folder, real) ? show(p, real, plugin_dir) : 0;
}

static bool has_file(const char *folder, const char *name)
{
        char path[PATH_MAX];
        int len = snprintf(path, sizeof path, "%s/%s", folder, name);

        return len > 0 && (size_t)len < sizeof path && access(path, F_OK) == 0;
}

/* Does the folder hold some pythonX.Y/os.py? */
static bool has_library(const char *prefix, const char *lib)
{
        char path[PATH_MAX];
        const struct dirent *d;
        bool found = false;
        DIR *dir;

        if (!has_file(prefix, lib))
                return false;
        snprintf(path, sizeof path, "%s/%s", prefix, lib);
        dir = opendir(path);
        while (dir && !found && (d = readdir(dir))) {
                char name[sizeof d->d_name + sizeof "/os.py"];

                snprintf(name, sizeof name, "%s/os.py", d->d_name);
                found = has_file(path, name);
        }
        if (dir)
                closedir(dir);
        return found;
}

/* The venv or installation that a program lies in: /x/bin/python -> /x. Other folders have a bin/
 * too (~/.local) and are nobody's business. 1: none; -ENOMEM. */
static int prefix_of(const char *program, char **ret)
{
        scoped(free) char *prefix = strdup(program);

        if (!prefix)
                return -ENOMEM;
        if (!to_parent(prefix) || !to_parent(prefix) ||
            (!has_file(prefix, "pyvenv.cfg") && !has_library(prefix, "lib") &&
             !has_library(prefix, "lib64")))
                return 1;
        *ret = take_ptr(prefix);
        return 0;
}

static int show_editable(void *ctx, const char *path)
{
        const struct shown_for *s = ctx;

        return show(s->p, path, s->plugin_dir);
}

/* The installation with the packages that it has elsewhere, or at least the program. */
static int show_prefix(struct sandbox_policy *p, const char *program, const char *plugin_dir)
{
        struct shown_for editable = {p, plugin_dir};
        scoped(free) char *prefix = NULL;
        int r = prefix_of(program, &prefix);
        struct stat st;

        if (r == 0)
                r = show_real(p, prefix, plugin_dir);
        if (prefix)
                return r < 0 ? r : python_editable_each(prefix, show_editable, &editable);
        return r > 0 && lstat(program, &st) == 0 && S_ISREG(st.st_mode)
                   ? show_real(p, program, plugin_dir)
                   : MIN_OF(r, 0);
}

bool python_env_home(char *text, char *ret, size_t size)
{
        char *line;

        while ((line = strsep(&text, "\n"))) {
                char home[HOME_MAX + 1];

                if (sscanf(line, " home = %4000[^\r\n]", home) == 1 && home[0] == '/')
                        return (size_t)snprintf(ret, size, "%s", home) < size;
        }
        return false;
}

/* `home = /x/bin` in DIR/pyvenv.cfg is where the venv's interpreter comes from. */
static int show_home(struct sandbox_policy *p, const char *venv, const char *plugin_dir)
{
        scoped(free) char *text = NULL;
        char path[PATH_MAX], home[PATH_MAX];
        size_t n;
        int r, len = snprintf(path, sizeof path, "%s/pyvenv.cfg", venv);

        if (len < 0 || (size_t)len >= sizeof path)
                return 0;
        r = fd_read_file(AT_FDCWD, path, CONFIG_MAX, &text, &n, NULL);
        if (r < 0 || !python_env_home(text, home, sizeof home - strlen("/python")))
                return r == -ENOMEM ? r : 0;
        r = show_way(p, home, plugin_dir);
        strcat(home, "/python");
        return r < 0 ? r : show_prefix(p, home, plugin_dir);
}

static int show_venv(struct sandbox_policy *p, const char *program, const char *plugin_dir)
{
        scoped(free) char *venv = strdup(program);

        if (!venv)
                return -ENOMEM;
        return to_parent(venv) && to_parent(venv) ? show_home(p, venv, plugin_dir) : 0;
}

/* The same place without `..` and links to folders on the way to it. */
static void straighten(char *path, size_t size)
{
        char folder[PATH_MAX], real[PATH_MAX], straight[PATH_MAX];
        const char *slash = strrchr(path, '/');
        int len;

        if (slash == path)
                return;
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        if (!realpath(folder, real))
                return;
        len = snprintf(straight, sizeof straight, "%s%s", real, slash);
        if ((size_t)len < MIN_OF(size, sizeof straight))
                strcpy(path, straight);
}

/* Where the link at `path` leads, as an absolute path; false: it is none. */
static bool follow(const char *path, char *to, size_t size)
{
        char target[PATH_MAX];
        ssize_t n = readlink(path, target, sizeof target - 1);
        const char *slash = strrchr(path, '/');
        int len;

        if (n < 0)
                return false;
        target[n] = '\0';
        if (target[0] == '/')
                len = snprintf(to, size, "%s", target);
        else
                len = snprintf(to, size, "%.*s%s", (int)(slash - path + 1), path, target);
        if (len <= 0 || (size_t)len >= size)
                return false;
        if (strstr(to, "/.."))
                straighten(to, size);
        return true;
}

/* Of a path with a slash in it; other names are looked up on PATH by whoever starts them. */
static bool make_absolute(const char *path, char *to, size_t size)
{
        scoped(free) char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
        int len = here ? snprintf(to, size, "%s/%s", here, path) : snprintf(to, size, "%s", path);

        if (!strchr(path, '/') || to[0] != '/' || (size_t)len >= size)
                return false;
        if (strstr(to, "/.."))
                straighten(to, size);
        return true;
}

char *python_env_resolve(const char *interpreter)
{
        char start[PATH_MAX], at[PATH_MAX], next[PATH_MAX];

        if (!make_absolute(interpreter, start, sizeof start))
                return strdup(interpreter);
        memcpy(at, start, sizeof at);
        for (unsigned links = 0; links < LINKS_MAX; links++) {
                scoped(free) char *prefix = NULL;
                int r = prefix_of(at, &prefix);

                if (r <= 0)
                        return r < 0 ? NULL : strdup(at);
                if (!follow(at, next, sizeof next))
                        break;
                memcpy(at, next, sizeof at);
        }
        return strdup(start);
}

int python_env_bind(struct sandbox_policy *p, const char *interpreter, const char *plugin_dir,
                    struct err *e)
{
        char at[PATH_MAX], next[PATH_MAX];
        int r = 0;

        if (interpreter[0] != '/')
                return 0;
        snprintf(at, sizeof at, "%s", interpreter);
        for (unsigned links = 0; links < LINKS_MAX && r == 0; links++) {
                r = show_prefix(p, at, plugin_dir);
                if (r == 0)
                        r = show_venv(p, at, plugin_dir);
                if (!follow(at, next, sizeof next))
                        break;
                memcpy(at, next, sizeof at);
        }
        if (r == 0)
                r = show_way(p, interpreter, plugin_dir);
        return r < 0 ? err_set_errno(e, r, "python: %s", interpreter) : 0;
}

char *python_env_lib(void)
{
        static const char *const places[] = {"../share/forgesyte/python", "../../../python"};
        char self[PATH_MAX], path[PATH_MAX + 64];
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

        if (n < 0)
                return NULL;
        self[n] = '\0';
        if (!to_parent(self))
                return NULL;
        for (size_t i = 0; i < ARRAY_LEN(places); i++) {
                snprintf(path, sizeof path, "%s/%s/forgesyte_worker/__main__.py", self, places[i]);
                if (access(path, R_OK) == 0) {
                        snprintf(path, sizeof path, "%s/%s", self, places[i]);
                        return realpath(path, NULL);
                }
        }
        if (access(FORGESYTE_SOURCE_PYTHON "/forgesyte_worker/__main__.py", R_OK) == 0)
                return realpath(FORGESYTE_SOURCE_PYTHON, NULL);
        return NULL;
}
