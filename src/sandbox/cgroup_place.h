/* cgroup_place.h -- what the two versions of cgroups do each in its own way: finding a place.
 * Knows: mounts, controllers.      May not know: boxes.
 * Threads: the runner's.           Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_CGROUP_PLACE_H
#define FORGESYTE_SANDBOX_CGROUP_PLACE_H

#include "sandbox/cgroup.h"

/* /proc/self/cgroup and /proc/self/mountinfo. */
struct cgroup_view {
        const char *own, *mounts, *given;
        unsigned without; /* controllers */
};

/* Where the host's cgroup of `controller` ("" is version 2) lies in the file system. */
bool cgroup_place_base(const struct cgroup_view *v, const char *controller, char *ret, size_t size);
/* Makes place->path below place->base. 0 or -errno. */
int cgroup_place_make(struct cgroup_place *place) must_check;

/* Fill root->places, kind, pids; they say in `why` what is missing. */
void wall_cgroup1(const struct cgroup_view *v, struct cgroup_root *root, struct isolation *why);
void wall_cgroup2(const struct cgroup_view *v, struct cgroup_root *root, struct isolation *why);

#endif
