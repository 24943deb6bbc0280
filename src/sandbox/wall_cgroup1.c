/* wall_cgroup1.c -- version 1: each controller has a hierarchy of its own, and any may be missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/cgroup_place.h"
#include "sandbox/isolation_reason.h"

static const struct {
        enum cgroup_controller bit;
        const char *name, *file;
} controllers[] = {
    {CGROUP_MEMORY, "memory", "memory.limit_in_bytes"},
    {CGROUP_PIDS, "pids", "cgroup.procs"}, /* pids.max is absent in the root, present below */
    {CGROUP_CPU, "cpu", "cpu.shares"},
};

static struct cgroup_place *place_at(struct cgroup_root *root, const char *base)
{
        for (unsigned i = 0; i < root->n_places; i++)
                if (!strcmp(root->places[i].base, base))
                        return &root->places[i];
        return NULL;
}

/* Controllers that are mounted together share one place. */
static int add_controller(const struct cgroup_view *v, size_t i, struct cgroup_root *root)
{
        struct cgroup_place place = {.controllers = controllers[i].bit};
        struct cgroup_place *shared;
        int r;

        if (!cgroup_place_base(v, controllers[i].name, place.base, sizeof place.base))
                return -ENODEV;
        shared = place_at(root, place.base);
        if (shared) {
                shared->controllers |= controllers[i].bit;
                return 0;
        }
        r = cgroup_place_make(&place);
        if (r == 0)
                root->places[root->n_places++] = place;
        return r;
}

void wall_cgroup1(const struct cgroup_view *v, struct cgroup_root *root, struct isolation *why)
{
        for (size_t i = 0; i < sizeof controllers / sizeof *controllers; i++) {
                int r = v->without & controllers[i].bit ? -ENODEV : add_controller(v, i, root);

                if (r < 0 && controllers[i].bit != CGROUP_CPU)
                        isolation_reason(why, "version 1", "%s",
                                         r == -ENODEV ? "not mounted" : strerrordesc_np(-r));
                if (r == 0 && controllers[i].bit == CGROUP_MEMORY)
                        root->kind = ISOLATION_MEMORY_CGROUP1;
                if (r == 0 && controllers[i].bit == CGROUP_PIDS)
                        root->pids = true;
        }
}
