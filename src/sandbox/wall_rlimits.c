/* wall_rlimits.c -- what one process may use of the kernel, whatever the cgroup says of all. */
#include <errno.h>
#include <sys/resource.h>

#include "base/macro.h"
#include "sandbox/walls.h"

#define LIMIT_NONE RLIM_INFINITY

/* Lowers both limits; what the host was given itself can't be raised and isn't asked for. */
static int lower(int resource, const char *name, uint64_t wanted, struct err *e)
{
        struct rlimit rl;

        if (getrlimit((__rlimit_resource_t)resource, &rl) < 0)
                return err_set_errno(e, -errno, "read %s", name);
        rl.rlim_max = MIN_OF((rlim_t)wanted, rl.rlim_max);
        rl.rlim_cur = rl.rlim_max;
        if (setrlimit((__rlimit_resource_t)resource, &rl) < 0)
                return err_set_errno(e, -errno, "set %s", name);
        return 0;
}

/* Room above the watch's threshold, so that in the 50 ms between two looks a greedy worker meets
 * the watch (which is told apart as a memory kill) and not a failing malloc. */
static uint64_t data_limit(const struct plan *p)
{
        if (!p->memory_by_rlimit || p->gpu)
                return LIMIT_NONE;
        return p->memory_bytes + MAX_OF(p->memory_bytes / 4, MIB(128));
}

/* Address space costs page tables (a byte per 2 MiB is 4 KiB each) and thread stacks. Libraries
 * reserve a lot of it, so this only stops what is absurd. */
static uint64_t space_limit(const struct plan *p)
{
        if (!p->memory_by_rlimit || p->gpu)
                return LIMIT_NONE;
        return p->memory_bytes * 16 + ((uint64_t)16 << 30);
}

int wall_rlimits(struct box *b, struct err *e)
{
        const struct plan *p = &b->plan;
        const struct {
                enum wall wall;
                int resource;
                const char *name;
                uint64_t value;
        } limits[] = {
            {WALL_CORE, RLIMIT_CORE, "RLIMIT_CORE",
             p->core}, /* a core delays the news of a death */
            {WALL_NOFILE, RLIMIT_NOFILE, "RLIMIT_NOFILE", p->nofile},
            {WALL_FSIZE, RLIMIT_FSIZE, "RLIMIT_FSIZE", (uint64_t)16 << 30},
            {WALL_MEMLOCK, RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", p->gpu ? LIMIT_NONE : KIB(64)},
            {WALL_MSGQUEUE, RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE", 0},
            {WALL_RTPRIO, RLIMIT_RTPRIO, "RLIMIT_RTPRIO", 0},
            {WALL_NICE, RLIMIT_NICE, "RLIMIT_NICE", 0},
            {WALL_SIGPENDING, RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING", 256},
            {WALL_NPROC, RLIMIT_NPROC, "RLIMIT_NPROC", p->nproc ? p->nproc : LIMIT_NONE},
            {WALL_STACK, RLIMIT_STACK, "RLIMIT_STACK", MIB(8)},
            {WALL_DATA, RLIMIT_DATA, "RLIMIT_DATA", data_limit(p)},
            {WALL_AS, RLIMIT_AS, "RLIMIT_AS", space_limit(p)},
        };

        for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
                int r;

                if (wall_is_off(p, limits[i].wall))
                        continue;
                r = lower(limits[i].resource, limits[i].name, limits[i].value, e);
                if (r < 0)
                        return r;
        }
        return 0;
}
