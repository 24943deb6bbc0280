/* wall_namespaces.c -- the namespaces that clone could not give: the cgroup namespace takes the
 * cgroup that one is in as its root, so it comes after the move into the box's own. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/walls.h"

int wall_namespaces(struct box *b, struct err *e)
{
        if ((b->plan.namespaces & ISOLATION_NS_CGROUP) && unshare(CLONE_NEWCGROUP) < 0)
                return err_set_errno(e, -errno, "cgroup namespace");
        if ((b->plan.namespaces & ISOLATION_NS_UTS) &&
            (sethostname(b->plan.name, strnlen(b->plan.name, 64)) < 0 || setdomainname("", 0) < 0))
                return err_set_errno(e, -errno, "name the box");
        return 0;
}
