/* wall_caps.c -- every privilege given away, and the promise never to get one back. Raw system
 * calls: the plugin shares this program's symbols, so no libcap. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/walls.h"

static int drop_bounding(struct err *e)
{
        for (unsigned long cap = 0; cap < 64; cap++) {
                if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
                        continue;
                if (errno == EINVAL) /* past the last one */
                        return 0;
                if (errno == EPERM) /* we have none to begin with; no_new_privs does the rest */
                        return 0;
                return err_set_errno(e, -errno, "drop capability %lu", cap);
        }
        return 0;
}

static int become(uid_t uid, gid_t gid, struct err *e)
{
        if (setgroups(0, NULL) < 0)
                return err_set_errno(e, -errno, "leave all groups");
        if (setresgid(gid, gid, gid) < 0)
                return err_set_errno(e, -errno, "become gid %u", gid);
        if (setresuid(uid, uid, uid) < 0)
                return err_set_errno(e, -errno, "become uid %u", uid);
        return 0;
}

static int clear_sets(struct err *e)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

        memset(none, 0, sizeof none);
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
                return err_set_errno(e, -errno, "clear ambient capabilities");
        if (syscall(SYS_capset, &head, none) < 0)
                return err_set_errno(e, -errno, "give capabilities away");
        return 0;
}

/* A change of identity clears the wish to die with the host, so it is made again; a host that died
 * in between is noticed by the parent's pid, or in a pid namespace by init's broken pipe. */
static int die_with_parent(const struct plan *p, struct err *e)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return err_set_errno(e, -errno, "ask to die with the host");
        if (p->host_pid && (uint64_t)getppid() != p->host_pid)
                return err_set(e, -ESRCH, "the host is gone");
        return 0;
}

int caps_drop(const struct plan *p, struct err *e)
{
        int r = drop_bounding(e);

        if (r == 0 && p->own_user)
                r = become((uid_t)p->uid, (gid_t)p->gid, e);
        if (r == 0)
                r = clear_sets(e);
        if (r == 0)
                r = die_with_parent(p, e);
        if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                r = err_set_errno(e, -errno, "no_new_privs");
        return r;
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

/* The commonest mistake of a root host: a plugin's folder that only root can read. */
static int check_plugin_dir(const struct plan *p, struct err *e)
{
        const char *dir = p->namespaces & ISOLATION_NS_MOUNT ? SANDBOX_PLUGIN_DIR : p->plugin_dir;

        if (access(dir, R_OK | X_OK) == 0)
                return 0;
        return err_set_errno(e, -errno,
                             "plugin folder %s can't be read by the worker's user "
                             "(chmod o+rx it)",
                             p->plugin_dir);
}

int wall_caps(struct box *b, struct err *e)
{
        int r = caps_drop(&b->plan, e);

        if (r == 0)
                r = own_proc_self(&b->plan, e);
        if (r == 0)
                r = check_plugin_dir(&b->plan, e);
        return r;
}
