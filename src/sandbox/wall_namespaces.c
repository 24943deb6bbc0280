/* wall_namespaces.c -- what is left to do for the namespaces that clone made, and the one that it
 * could not make: the cgroup namespace takes the cgroup that one is in as its root, so it comes
 * after the move into the box's own. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/walls.h"

int wall_cgroup_namespace(struct box *b, struct err *e)
{
        if (!(b->plan.namespaces & ISOLATION_NS_CGROUP))
                return 1;
        return unshare(CLONE_NEWCGROUP) < 0 ? err_set_errno(e, -errno, "unshare") : 0;
}

int wall_host_name(struct box *b, struct err *e)
{
        if (!(b->plan.namespaces & ISOLATION_NS_UTS))
                return 1;
        if (sethostname(b->plan.name, strnlen(b->plan.name, 64)) < 0 || setdomainname("", 0) < 0)
                return err_set_errno(e, -errno, "name the box");
        return 0;
}
