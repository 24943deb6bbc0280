#include "sandbox/wall_switch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/isolation_reason.h"

static const char *const wall_names[] = {
#define X(id, name, enter, stops) name,
    WALLS(X)
#undef X
};

static const char *const switch_names[] = {
#define X(id, name, meaning) name,
    WALL_SWITCHES(X)
#undef X
};

/* What isolation tells of by itself when it is not there. */
#define REPORTED                                                                                   \
        (WALL_BIT(WALL_MEMORY) | WALL_BIT(WALL_PIDS) | WALL_BIT(WALL_CPU) | WALL_BIT(WALL_PIDNS) | \
         WALL_BIT(WALL_NETNS) | WALL_BIT(WALL_IPCNS) | WALL_BIT(WALL_CGROUPNS) |                   \
         WALL_BIT(WALL_UTSNS) | WALL_BIT(WALL_MOUNTNS) | WALL_BIT(WALL_NPROC) |                    \
         WALL_BIT(WALL_LANDLOCK) | WALL_BIT(WALL_SECCOMP))

#define LANDLOCK_AT_MOST "landlock="

static int find(const char *const *names, size_t n, const char *name, size_t len)
{
        for (size_t i = 0; i < n; i++)
                if (strlen(names[i]) == len && !strncmp(names[i], name, len))
                        return (int)i;
        return -1;
}

static bool take(struct wall_switches *s, const char *name, size_t len)
{
        int wall = find(wall_names, ARRAY_LEN(wall_names), name, len);
        int other = find(switch_names, ARRAY_LEN(switch_names), name, len);

        if (wall >= 0)
                s->walls |= WALL_BIT(wall);
        if (other >= 0)
                s->others |= 1u << other;
        if (wall >= 0 || other >= 0)
                return true;
        if (len != strlen(LANDLOCK_AT_MOST) + 1 || strncmp(name, LANDLOCK_AT_MOST, len - 1) != 0 ||
            name[len - 1] < '0' || name[len - 1] > '9')
                return false;
        s->landlock_abi = name[len - 1] - '0';
        return true;
}

int wall_switches_parse(const char *list, struct wall_switches *ret, struct err *e)
{
        struct wall_switches s = {.landlock_abi = INT_MAX};

        while (list && *list) {
                size_t n = strcspn(list, ",");

                if (n > 0 && !take(&s, list, n))
                        return err_set(e, -EINVAL, "there is no wall \"%.*s\" to be missing",
                                       (int)(n < 40 ? n : 40), list);
                list += n + (list[n] == ',');
        }
        if (wall_is_missing(&s, WALL_LANDLOCK))
                s.landlock_abi = 0;
        *ret = s;
        return 0;
}

uint64_t wall_switches_off(const struct wall_switches *s, struct isolation *why)
{
        uint64_t off = s->walls & ~REPORTED;

        for (unsigned i = 0; i < WALL_COUNT; i++)
                if (off & WALL_BIT(i))
                        isolation_reason(why, wall_names[i], "switched off for a test");
        why->weakened = off != 0;
        return off;
}
