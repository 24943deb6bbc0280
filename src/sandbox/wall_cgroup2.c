/* wall_cgroup2.c -- version 2: one hierarchy, whose controllers must be handed down to us, and no
 * processes beside child cgroups: so the host itself moves one floor down. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/cgroup_files.h"
#include "sandbox/cgroup_place.h"
#include "sandbox/isolation_reason.h"

#define HOST_LEAF "forgesyte-host"

static const struct {
        enum cgroup_controller bit;
        const char *name, *enable;
} controllers[] = {
    {CGROUP_MEMORY, "memory", "+memory"},
    {CGROUP_PIDS, "pids", "+pids"},
    {CGROUP_CPU, "cpu", "+cpu"},
};

static int enable(int dir, unsigned wanted, unsigned *ret_enabled)
{
        int worst = 0;

        for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
                int r = 0;

                if (!(wanted & controllers[i].bit))
                        continue;
                if (!cgroup_has_word(dir, "cgroup.subtree_control", controllers[i].name))
                        r = cgroup_write(dir, "cgroup.subtree_control", controllers[i].enable);
                /* Memory comes first in the table and says EBUSY beside processes. The others would
                 * not, but turn the cgroup into a threaded one, where no child may have processes.
                 */
                if (r == -EBUSY)
                        return r;
                if (r == 0)
                        *ret_enabled |= controllers[i].bit;
                else
                        worst = r;
        }
        return worst;
}

/* EBUSY: processes and controlled children may not live side by side. We are the process, if we are
 * the only one; else somebody's whole session is in here and it is not ours to move. */
static int step_down(int base)
{
        scoped(fd) int leaf = -1;
        int r;

        if (mkdirat(base, HOST_LEAF, 0755) < 0 && errno != EEXIST)
                return -errno;
        leaf = openat(base, HOST_LEAF, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = leaf < 0 ? -errno : cgroup_write(leaf, "cgroup.procs", "0");
        if (r < 0)
                (void)!unlinkat(base, HOST_LEAF, AT_REMOVEDIR);
        return r;
}

static void step_back(int base)
{
        if (cgroup_write(base, "cgroup.procs", "0") == 0)
                (void)!unlinkat(base, HOST_LEAF, AT_REMOVEDIR);
}

static unsigned available(int base)
{
        unsigned bits = 0;

        for (size_t i = 0; i < ARRAY_LEN(controllers); i++)
                if (cgroup_has_word(base, "cgroup.controllers", controllers[i].name))
                        bits |= controllers[i].bit;
        return bits;
}

static int hand_down(int base, unsigned wanted, unsigned *ret_enabled)
{
        int r = enable(base, wanted, ret_enabled);

        if (r != -EBUSY)
                return r;
        r = step_down(base);
        if (r < 0)
                return r;
        *ret_enabled = 0;
        r = enable(base, wanted, ret_enabled);
        if (r < 0 && !*ret_enabled)
                step_back(base);
        return r;
}

/* A host that ran before us in this cgroup, and moved down, left us its floor as our own. */
static void climb_from_leaf(char *base)
{
        char *last = strrchr(base, '/');

        if (last && !strcmp(last + 1, HOST_LEAF))
                *last = '\0';
}

static int open_place(struct cgroup_place *place, unsigned without, unsigned *ret_enabled)
{
        scoped(fd) int base = open(place->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
        scoped(fd) int dir = -1;
        unsigned floor = 0, wanted;
        int r;

        if (base < 0)
                return -errno;
        wanted = available(base) & ~without;
        if (!(wanted & CGROUP_MEMORY))
                return -ENODEV;
        r = hand_down(base, wanted, &floor);
        if (!floor)
                return r;
        r = cgroup_place_make(place);
        if (r < 0)
                return r;
        dir = open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = dir < 0 ? -errno : enable(dir, floor, ret_enabled);
        if (!*ret_enabled)
                (void)!rmdir(place->path);
        return *ret_enabled ? 0 : r;
}

void wall_cgroup2(const struct cgroup_view *v, struct cgroup_root *root, struct isolation *why)
{
        struct cgroup_place place = {0};
        int r = -ENODEV;

        if (cgroup_place_base(v, "", place.base, sizeof place.base)) {
                climb_from_leaf(place.base);
                r = open_place(&place, v->without, &place.controllers);
        }
        if (r < 0) {
                isolation_reason(why, "version 2", "%s",
                                 r == -ENODEV  ? "no memory controller for us"
                                 : r == -EBUSY ? "other processes share our cgroup"
                                               : strerrordesc_np(-r));
                return;
        }
        root->version2 = true;
        root->places[root->n_places++] = place;
        if (place.controllers & CGROUP_MEMORY)
                root->kind = ISOLATION_MEMORY_CGROUP2;
        root->pids = place.controllers & CGROUP_PIDS;
}
