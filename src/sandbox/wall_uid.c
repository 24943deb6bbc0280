/* wall_uid.c -- a user of the box's own, whom nothing on the machine belongs to. */
#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sandbox/walls.h"

static int become(uid_t uid, gid_t gid, struct err *e)
{
        if (setgroups(0, NULL) < 0)
                return err_set_errno(e, -errno, "leave all groups");
        if (setresgid(gid, gid, gid) < 0)
                return err_set_errno(e, -errno, "become gid %u", gid);
        if (setresuid(uid, uid, uid) < 0)
                return err_set_errno(e, -errno, "become uid %u", uid);
        return caps_set(0, e); /* the kernel does so by itself unless its host was told not to */
}

/* Dumpable decides who owns /proc/self: without it a plugin can't read its own maps. A box with a
 * uid or a pid namespace of its own has nobody beside it who could use that. One that shares the
 * host's user and sees its processes relies on Landlock to be kept out of its siblings' memory, and
 * without Landlock stays closed. */
static int own_proc_self(const struct plan *p, struct err *e)
{
        bool alone = p->own_user || (p->namespaces & ISOLATION_NS_PID) || p->landlock_abi;

        if (prctl(PR_SET_DUMPABLE, alone ? 1 : 0) < 0)
                return err_set_errno(e, -errno, "own /proc/self");
        return 0;
}

int wall_uid(struct box *b, struct err *e)
{
        const struct plan *p = &b->plan;
        int r = p->own_user ? become((uid_t)p->uid, (gid_t)p->gid, e) : 0;

        return r < 0 ? r : own_proc_self(p, e);
}
