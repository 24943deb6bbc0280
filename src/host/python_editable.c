#include "host/python_editable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define TEXT_MAX KIB(256)

struct search {
        int (*fn)(void *ctx, const char *path);
        void *ctx;
        char site[PATH_MAX];
};

/* A Python string's end: its text is cut off there and unescaped, in place. */
static char *take_string(char *at)
{
        char quote = *at++, *to = at;

        for (char *start = at; *at; at++) {
                if (*at == quote) {
                        *to = '\0';
                        return start;
                }
                if (*at == '\\' && at[1])
                        at++;
                *to++ = *at;
        }
        return NULL;
}

/* The next string in a table's line that is an absolute path. What was read is behind *line. */
static char *next_string(char **line)
{
        char *at = *line;

        while ((at = strpbrk(at, "'\""))) {
                size_t span = strlen(at);
                char *end = at + 1, *text;

                while (*end && *end != *at)
                        end += end[0] == '\\' && end[1] ? 2 : 1;
                *line = end + (*end ? 1 : 0);
                text = (size_t)(end - at) < span ? take_string(at) : NULL;
                if (text && text[0] == '/')
                        return text;
                at = *line;
        }
        return NULL;
}

static char *next_in_pth(char **text)
{
        char *line;

        while ((line = strsep(text, "\n"))) {
                line[strcspn(line, "\r")] = '\0';
                if (line[0] == '/')
                        return line;
        }
        return NULL;
}

char *python_editable_next(char **text, bool pth)
{
        char *found;

        if (!*text || pth)
                return *text ? next_in_pth(text) : NULL;
        found = next_string(text);
        if (!found)
                *text = NULL;
        return found;
}

/* In a finder only its tables count: the lines that begin with their names. They are moved together
 * at the text's begin. */
static void keep_tables(char *text)
{
        char *to = text, *line, *rest = text;

        while ((line = strsep(&rest, "\n"))) {
                size_t len = strlen(line);

                if (strncmp(line, "MAPPING", 7) != 0 && strncmp(line, "NAMESPACES", 10) != 0)
                        continue;
                memmove(to, line, len);
                to += len;
                *to++ = '\n';
        }
        *(to > text ? to - 1 : text) = '\0';
}

static bool is_somebodys_home(const char *real, uid_t owner)
{
        char buf[4096];
        struct passwd pw, *found = NULL;
        const char *mine = getenv("HOME");
        char home[PATH_MAX];

        if (mine && realpath(mine, home) && !strcmp(home, real))
                return true;
        return getpwuid_r(owner, &pw, buf, sizeof buf, &found) == 0 && found &&
               !strcmp(found->pw_dir, real);
}

/* The real path of what may be shown; false: it may not. */
static bool sensible(const char *path, char real[PATH_MAX])
{
        struct stat st;

        return realpath(path, real) && stat(real, &st) == 0 &&
               (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) && strrchr(real, '/') != real &&
               !is_somebodys_home(real, st.st_uid);
}

/* A table's module has no suffix, or has it. */
static int tell(const struct search *s, const char *path)
{
        char real[PATH_MAX], module[PATH_MAX];

        if (sensible(path, real))
                return s->fn(s->ctx, real);
        if (snprintf(module, sizeof module, "%s.py", path) >= (int)sizeof module ||
            !sensible(module, real))
                return 0;
        return s->fn(s->ctx, real);
}

static bool ends_with(const char *name, const char *end)
{
        size_t n = strlen(name), len = strlen(end);

        return n > len && !strcmp(name + n - len, end);
}

static int read_one(const struct search *s, const char *name)
{
        bool pth = ends_with(name, ".pth");
        scoped(free) char *text = NULL;
        char path[PATH_MAX];
        char *rest, *found;
        size_t n;
        int r = 0;

        if (!pth && (strncmp(name, "__editable__", 12) != 0 || !ends_with(name, "_finder.py")))
                return 0;
        if (snprintf(path, sizeof path, "%s/%s", s->site, name) >= (int)sizeof path)
                return 0;
        r = fd_read_file(AT_FDCWD, path, TEXT_MAX, &text, &n, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        if (!pth)
                keep_tables(text);
        rest = text;
        while (r == 0 && (found = python_editable_next(&rest, pth)))
                r = tell(s, found);
        return r;
}

static int each_name(const char *folder, int (*fn)(const struct search *s, const char *name),
                     const struct search *s)
{
        DIR *dir = opendir(folder);
        const struct dirent *d;
        int r = 0;

        while (dir && r == 0 && (d = readdir(dir)))
                r = d->d_name[0] == '.' ? 0 : fn(s, d->d_name);
        if (dir)
                closedir(dir);
        return r;
}

/* s->site is the folder lib of a prefix here. */
static int read_version(const struct search *s, const char *name)
{
        struct search inner = {s->fn, s->ctx, ""};

        if (strncmp(name, "python", 6) != 0 ||
            snprintf(inner.site, sizeof inner.site, "%s/%s/site-packages", s->site, name) >=
                (int)sizeof inner.site)
                return 0;
        return each_name(inner.site, read_one, &inner);
}

int python_editable_each(const char *prefix, int (*fn)(void *ctx, const char *path), void *ctx)
{
        struct search s = {fn, ctx, ""};

        if (snprintf(s.site, sizeof s.site, "%s/lib", prefix) >= (int)sizeof s.site)
                return 0;
        return each_name(s.site, read_version, &s);
}
