#include "sandbox/isolation.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "sandbox/isolation_reason.h"

static const char *const level_names[] = {
#define X(id, name, meaning) [ISOLATION_##id] = name,
    ISOLATION_LEVELS(X)
#undef X
};

static const char *const memory_names[] = {
#define X(id, name) [ISOLATION_MEMORY_##id] = name,
    ISOLATION_MEMORY_KINDS(X)
#undef X
};

/* lacking: said of a box that shares this with the host; NULL: its absence costs nothing. */
static const struct {
        enum isolation_namespace bit;
        const char *name, *lacking;
} spaces[] = {
    {ISOLATION_NS_USER, "user", NULL},
    {ISOLATION_NS_PID, "pid", "no pid namespace: processes of its own are denied instead"},
    {ISOLATION_NS_MOUNT, "mount", "no mount namespace: it sees the host's file tree"},
    {ISOLATION_NS_NET, "net", "it shares the host's network"},
    {ISOLATION_NS_IPC, "ipc", "no ipc namespace"},
    {ISOLATION_NS_UTS, "uts", "no uts namespace: it sees the host's name"},
    {ISOLATION_NS_CGROUP, "cgroup", "no cgroup namespace: it sees its cgroup's path"},
};

const char *isolation_level_name(enum isolation_level level)
{
        return level_names[level];
}

int isolation_level_from_name(const char *name)
{
        for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
                if (!strcmp(name, level_names[i]))
                        return (int)i;
        return -1;
}

static bool has_reason(const struct isolation *i, const char *wall)
{
        size_t len = strlen(wall);

        for (unsigned n = 0; n < i->n_reasons; n++)
                if (!strncmp(i->reasons[n], wall, len) && i->reasons[n][len] == ':')
                        return true;
        return false;
}

void isolation_reason(struct isolation *i, const char *wall, const char *fmt, ...)
{
        char *to;
        va_list ap;
        int n;

        if (i->n_reasons == ISOLATION_REASONS_MAX || has_reason(i, wall))
                return;
        to = i->reasons[i->n_reasons++];
        n = snprintf(to, ISOLATION_REASON_SIZE, "%s: ", wall);
        va_start(ap, fmt);
        vsnprintf(to + n, ISOLATION_REASON_SIZE - (size_t)n, fmt, ap);
        va_end(ap);
}

static bool judge_namespaces(struct isolation *i)
{
        bool all = true;

        for (size_t n = 0; n < ARRAY_LEN(spaces); n++) {
                if (!spaces[n].lacking || (i->namespaces & spaces[n].bit))
                        continue;
                isolation_reason(i, spaces[n].name, "%s", spaces[n].lacking);
                all = false;
        }
        return all;
}

static bool judge_limits(struct isolation *i, uint32_t host_uid)
{
        bool all = true;

        if (i->uid == host_uid || i->uid == 0) {
                isolation_reason(i, "uid", "it runs as the host's own user");
                all = false;
        }
        if (i->memory < ISOLATION_MEMORY_CGROUP1) {
                isolation_reason(i, "memory", "no cgroup: rlimits and a watch every 50 ms");
                all = false;
        }
        if (!i->pids) {
                isolation_reason(i, "pids", "no kernel limit on the number of its threads");
                all = false;
        }
        if (!i->cpu) {
                isolation_reason(i, "cpu",
                                 "no cgroup weighs its processor time: a low priority alone");
                all = false;
        }
        return all;
}

/* Namespaces without the filter leave the whole kernel in reach, so a box without seccomp is `none`
 * whatever else holds it. */
void isolation_judge(struct isolation *i, uint32_t host_uid)
{
        const unsigned tree = ISOLATION_NS_PID | ISOLATION_NS_MOUNT;
        bool spaces_ok = judge_namespaces(i);
        bool limits_ok = judge_limits(i, host_uid);

        if (!i->seccomp)
                isolation_reason(i, "seccomp", "no system call filter");
        if (!i->landlock_abi && !(i->namespaces & ISOLATION_NS_MOUNT))
                isolation_reason(i, "landlock", "not there: the host's files are readable");
        if (!i->seccomp || i->weakened)
                i->level = ISOLATION_NONE;
        else if ((i->namespaces & tree) != tree)
                i->level = ISOLATION_FILTERED;
        else
                i->level = spaces_ok && limits_ok ? ISOLATION_FULL : ISOLATION_NAMESPACES;
}

static json_t *reasons_to_json(const struct isolation *i)
{
        json_t *list = json_array();

        for (unsigned n = 0; list && n < i->n_reasons; n++)
                if (json_array_append_new(list, json_string(i->reasons[n])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

static json_t *namespaces_to_json(const struct isolation *i)
{
        json_t *list = json_array();

        for (size_t n = 0; list && n < ARRAY_LEN(spaces); n++)
                if ((i->namespaces & spaces[n].bit) &&
                    json_array_append_new(list, json_string(spaces[n].name)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

json_t *isolation_to_json(const struct isolation *i)
{
        json_t *reasons = reasons_to_json(i);
        json_t *namespaces = namespaces_to_json(i);

        /* "o*" would drop a NULL silently; "o" makes the whole pack fail, which is what we want. */
        return json_pack("{s:s, s:o, s:o, s:b, s:i, s:s, s:b, s:I}", "level",
                         isolation_level_name(i->level), "reasons", reasons, "namespaces",
                         namespaces, "seccomp", i->seccomp, "landlock_abi", i->landlock_abi,
                         "memory", memory_names[i->memory], "pids", i->pids, "uid",
                         (json_int_t)i->uid);
}
