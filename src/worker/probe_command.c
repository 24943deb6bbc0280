#include "worker/probe.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

enum found { NOTHING, NOT_EXECUTABLE, EXECUTABLE };

static enum found look_at(const char *path)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return NOTHING;
        return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? EXECUTABLE : NOT_EXECUTABLE;
}

/* The first executable one on PATH, else the last that was there and was not. */
static enum found search(const char *name, char *path)
{
        const char *at = getenv("PATH");
        enum found best = NOTHING;
        char candidate[PATH_MAX];

        at = at && *at ? at : DEFAULT_PATH;
        while (*at && best != EXECUTABLE) {
                size_t n = strcspn(at, ":");
                int len =
                    snprintf(candidate, sizeof candidate, "%.*s/%s", (int)n, n ? at : ".", name);
                enum found f = len < PATH_MAX ? look_at(candidate) : NOTHING;

                if (f != NOTHING) {
                        best = f;
                        memcpy(path, candidate, (size_t)len + 1);
                }
                at += n + (at[n] == ':');
        }
        return best;
}

void probe_command(const char *name, char *path, struct probe_verdict *v)
{
        char own_path[PATH_MAX] = "";
        enum found found;

        path = path ? path : own_path;
        if (!*name || strlen(name) >= PATH_MAX) {
                probe_say(v, WIRE_CHECK_UNKNOWN, "\"%.64s\" is no command's name", name);
                return;
        }
        if (strchr(name, '/')) {
                strcpy(path, name);
                found = look_at(name);
        } else {
                found = search(name, path);
        }
        switch (found) {
        case NOTHING:
                probe_say(v, WIRE_CHECK_MISSING,
                          strchr(name, '/') ? "%s does not exist" : "%s is not on PATH", name);
                return;
        case NOT_EXECUTABLE:
                probe_say(v, WIRE_CHECK_BROKEN, "%s is not an executable file", path);
                return;
        case EXECUTABLE:
                probe_say(v, WIRE_CHECK_OK, "%s", path);
                return;
        }
}
