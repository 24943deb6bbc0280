#include "sandbox/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "sandbox/isolation_reason.h"
#include "sandbox/mount_tree.h"
#include "sandbox/seccomp_program.h"
#include "sandbox/spawn.h"

/* A trial runs in a child and answers by its exit status; -errno when there was no child. */
struct trial {
        unsigned namespaces;
        bool no_clone3;
        int (*run)(const void *arg);
        const void *arg;
};

static int try_out(const struct trial *t)
{
        struct spawn s = {
            .namespaces = t->namespaces, .no_clone3 = t->no_clone3, .into_cgroup = -1};
        uid_t uid = geteuid();
        gid_t gid = getegid();
        scoped(fd) int pidfd = -1;
        siginfo_t si = {0};
        pid_t pid = spawn_clone(&s, &pidfd);

        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if ((t->namespaces & ISOLATION_NS_USER) && spawn_map_user(uid, gid) < 0)
                        _exit(errno & 0x7f);
                _exit(t->run(t->arg));
        }
        if (pid < 0)
                return pid;
        while (waitid(P_PID, (id_t)pid, &si, WEXITED) < 0 && errno == EINTR)
                ;
        return si.si_code == CLD_EXITED ? si.si_status : -ECHILD;
}

/* ---- namespaces
 * --------------------------------------------------------------------------------*/

#define TREE_WORKS 0x81 /* above any errno, so that a mapping's failure is told apart */
#define PROC_WORKS 0x82

/* The one that clone can't make. */
static int try_cgroup(const void *arg)
{
        unsigned namespaces = *(const unsigned *)arg;

        if ((namespaces & ISOLATION_NS_CGROUP) && unshare(CLONE_NEWCGROUP) < 0)
                return errno & 0x7f;
        return TREE_WORKS;
}

static int try_tree(const void *arg)
{
        static const char *const no_options[] = {NULL};
        int usr, proc, root, r;

        r = try_cgroup(arg);
        if (r != TREE_WORKS)
                return r;
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return errno & 0x7f;
        usr = mount_tree_clone("/usr", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
        root = mount_tree_new("tmpfs", no_options, MOUNT_ATTR_NOSUID);
        if (usr < 0 || root < 0)
                return errno & 0x7f;
        proc = mount_tree_new("proc", no_options, MOUNT_ATTR_NOSUID);
        r = mount_tree_hang(root);
        if (r == 0)
                r = mount_tree_become_root(root);
        if (r < 0)
                return -r & 0x7f;
        return proc < 0 ? TREE_WORKS : PROC_WORKS;
}

static int try_spaces(const struct machine *m, unsigned namespaces)
{
        struct trial t = {.namespaces = namespaces,
                          .no_clone3 = m->no_clone3,
                          .run = namespaces & ISOLATION_NS_MOUNT ? try_tree : try_cgroup,
                          .arg = &namespaces};

        return try_out(&t);
}

static const enum isolation_namespace each_space[] = {
    ISOLATION_NS_PID, ISOLATION_NS_MOUNT, ISOLATION_NS_NET,
    ISOLATION_NS_IPC, ISOLATION_NS_UTS,   ISOLATION_NS_CGROUP,
};

/* All at once, as boxes do; one by one only when that fails, so that one missing kind does not cost
 * the others. Returns what the last failure said, 0 for none. */
static int find_spaces(struct machine *m, unsigned user, unsigned wanted)
{
        int r = try_spaces(m, user | wanted), failure = r;

        if (r >= TREE_WORKS) {
                m->namespaces = user | wanted;
                m->proc = r == PROC_WORKS;
                return 0;
        }
        for (size_t i = 0; i < ARRAY_LEN(each_space); i++) {
                unsigned with = m->namespaces | user | (wanted & each_space[i]);

                if (!(wanted & each_space[i]))
                        continue;
                r = try_spaces(m, with);
                if (r >= TREE_WORKS)
                        m->namespaces = with;
                if (with & ISOLATION_NS_MOUNT)
                        m->proc = r == PROC_WORKS;
        }
        return failure;
}

static void probe_spaces(const struct wall_switches *off, struct machine *m, struct isolation *why)
{
        static const struct {
                enum wall wall;
                unsigned bit;
        } kinds[] = {{WALL_PIDNS, ISOLATION_NS_PID}, {WALL_MOUNTNS, ISOLATION_NS_MOUNT},
                     {WALL_NETNS, ISOLATION_NS_NET}, {WALL_IPCNS, ISOLATION_NS_IPC},
                     {WALL_UTSNS, ISOLATION_NS_UTS}, {WALL_CGROUPNS, ISOLATION_NS_CGROUP}};
        unsigned wanted = ISOLATION_NS_CGROUP * 2 - 1 - ISOLATION_NS_USER;
        int r = -EPERM;

        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
                if (wall_is_missing(off, kinds[i].wall))
                        wanted &= ~kinds[i].bit;
        if (geteuid() == 0 && !wall_switch_is_set(off, WALL_SWITCH_ROOT))
                r = find_spaces(m, 0, wanted);
        if (!m->namespaces && !wall_switch_is_set(off, WALL_SWITCH_USERNS))
                r = find_spaces(m, ISOLATION_NS_USER, wanted);
        if (r != 0 && !m->namespaces)
                isolation_reason(why, "namespaces", "refused to this user: %s",
                                 strerrordesc_np(r < 0 ? -r : r));
        if ((m->namespaces & ISOLATION_NS_MOUNT) && !m->proc)
                isolation_reason(why, "proc", "can't be mounted; a few copies stand in for it");
}

/* ---- the other walls
 * ---------------------------------------------------------------------------*/

static int try_clone3(const void *arg unused_param)
{
        return 0;
}

static int try_user(const void *arg)
{
        uid_t uid = *(const uint32_t *)arg;

        /* Not through libc, which would have every thread of the host follow suit and wait for
         * threads that this child does not have. */
        return syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, uid, uid, uid) < 0 ||
               syscall(SYS_setresuid, uid, uid, uid) < 0;
}

/* Landlock may be compiled in and switched off, so it is entered and felt. */
static int try_landlock(const void *arg unused_param)
{
        struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_DIR};
        int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

        if (fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            syscall(SYS_landlock_restrict_self, fd, 0) < 0)
                return 1;
        return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0 || errno != EACCES;
}

struct program {
        void *code;
        size_t size;
};

static int try_seccomp(const void *arg)
{
        const struct program *p = arg;
        struct sock_fprog prog = {(unsigned short)(p->size / sizeof(struct sock_filter)), p->code};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0)
                return 1;
        return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0 || errno != EPERM;
}

static void probe_seccomp(struct machine *m, struct isolation *why)
{
        static const struct seccomp_variant plain = {.own_pids = true};
        struct err e = {.msg = "refused to this process"};
        struct program p = {NULL, 0};
        struct trial t = {.no_clone3 = m->no_clone3, .run = try_seccomp, .arg = &p};

        if (seccomp_program_compile(&plain, &p.code, &p.size, &e) == 0)
                m->seccomp = try_out(&t) == 0;
        if (!m->seccomp)
                isolation_reason(why, "seccomp", "%s", e.msg);
        free(p.code);
}

static void probe_landlock(struct machine *m)
{
        struct trial t = {.no_clone3 = m->no_clone3, .run = try_landlock};
        long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

        m->landlock_abi = abi > 0 && try_out(&t) == 0 ? (int)abi : 0;
}

static void probe_user(const struct wall_switches *off, uint32_t uid_first, struct machine *m,
                       struct isolation *why)
{
        struct trial t = {.no_clone3 = m->no_clone3, .run = try_user, .arg = &uid_first};

        if (geteuid() != 0 || wall_switch_is_set(off, WALL_SWITCH_ROOT) ||
            wall_is_missing(off, WALL_UID) || (m->namespaces & ISOLATION_NS_USER))
                return;
        m->own_user = try_out(&t) == 0;
        if (!m->own_user)
                isolation_reason(why, "uid", "can't become uid %u", uid_first);
}

/* Since 5.14 RLIMIT_NPROC is counted in each user namespace apart; before, or without one, a limit
 * would be shared with all else that the host's user runs. Root is never held by it. */
static bool nproc_counts_box(const struct machine *m)
{
        struct utsname u;
        int major = 0, minor = 0;

        if (m->own_user)
                return true;
        if (!(m->namespaces & ISOLATION_NS_USER) || geteuid() == 0 || uname(&u) < 0)
                return false;
        return sscanf(u.release, "%d.%d", &major, &minor) == 2 &&
               (major > 5 || (major == 5 && minor >= 14));
}

static uint64_t core_limit(void)
{
        scoped(free) char *pattern = NULL;
        size_t n;

        /* A core that goes into a pipe ignores a limit of 0, but takes 1 for a crash in the pipe's
         * reader and gives up. */
        return fd_read_file(AT_FDCWD, "/proc/sys/kernel/core_pattern", KIB(4), &pattern, &n,
                            NULL) == 0 &&
               pattern[0] == '|';
}

void probe_machine(const struct wall_switches *off, uint32_t uid_first, struct machine *ret,
                   struct isolation *why)
{
        struct trial clone3 = {.run = try_clone3};
        struct machine m = {0};

        m.no_clone3 = wall_switch_is_set(off, WALL_SWITCH_PIDFD) || try_out(&clone3) < 0;
        probe_spaces(off, &m, why);
        probe_user(off, uid_first, &m, why);
        if (!wall_is_missing(off, WALL_SECCOMP))
                probe_seccomp(&m, why);
        probe_landlock(&m);
        m.landlock_abi = MIN_OF(m.landlock_abi, off->landlock_abi);
        m.nproc = !wall_is_missing(off, WALL_NPROC) && nproc_counts_box(&m);
        m.core = core_limit();
        *ret = m;
}
