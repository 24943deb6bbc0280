#include "host/path_way.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as many as the kernel follows */

bool path_way_is_below(const char *path, const char *folder)
{
        size_t n = strlen(folder);

        return !strncmp(path, folder, n) && (path[n] == '/' || !path[n]);
}

/* Puts the link's target in its place: `done` loses the link's name, `rest` goes on with the
 * target. */
static int take_link(char done[PATH_MAX], char rest[PATH_MAX])
{
        char target[PATH_MAX], after[PATH_MAX];
        ssize_t n = readlink(done, target, sizeof target - 1);

        if (n <= 0)
                return -ENOENT;
        target[n] = '\0';
        memcpy(after, rest, sizeof after);
        if (snprintf(rest, PATH_MAX, "%s/%s", target, after) >= PATH_MAX)
                return -ENAMETOOLONG;
        *(target[0] == '/' ? done : strrchr(done, '/')) = '\0';
        return 0;
}

/* Moves the first component of `rest` behind `done`. False: there is none, or no room. */
static bool step(char done[PATH_MAX], char rest[PATH_MAX])
{
        char *name = rest + strspn(rest, "/");
        size_t len = strcspn(name, "/"), at = strlen(done);

        if (len == 0 || at + len + 2 > PATH_MAX)
                return false;
        if (len == 2 && !strncmp(name, "..", 2))
                *(at ? strrchr(done, '/') : done) = '\0';
        else if (len > 1 || *name != '.')
                snprintf(done + at, PATH_MAX - at, "/%.*s", (int)len, name);
        memmove(rest, name + len, strlen(name + len) + 1);
        return true;
}

int path_way_each_link(const char *path, int (*on_link)(void *ctx, const char *link), void *ctx)
{
        char done[PATH_MAX] = "", rest[PATH_MAX];
        int r = 0;

        snprintf(rest, sizeof rest, "%s", path);
        for (unsigned links = 0; r == 0 && links < LINKS_MAX && step(done, rest);) {
                struct stat st;

                if (lstat(*done ? done : "/", &st) < 0)
                        return 0;
                if (!S_ISLNK(st.st_mode))
                        continue;
                links++;
                r = on_link(ctx, done);
                if (r == 0 && take_link(done, rest) < 0)
                        return 0;
        }
        return r;
}
