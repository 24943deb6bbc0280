#include "sandbox/seccomp_program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/plan.h"
#include "sandbox/syscall_table.h"

enum row_when { ALWAYS, OWN_PIDS, OWN_TREE, GUARDED, COUNTED, NOT_THERE };

static const struct {
        const char *name;
        enum row_when when;
} rows[] = {
#define X(name, when, reason) {#name, when},
    SYSCALLS(X)
#undef X
};

/* A filter being built: the first failure sticks. */
struct build {
        scmp_filter_ctx ctx;
        const struct seccomp_variant *v;
        int bad;
};

#define LOW32(arg, mask, value) SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, (mask), (value))

static void add(struct build *b, uint32_t action, const char *name, unsigned n,
                const struct scmp_arg_cmp *conditions)
{
        int nr = seccomp_syscall_resolve_name(name);

        if (b->bad || nr < 0) /* negative: this architecture has no such call */
                return;
        b->bad = seccomp_rule_add_array(b->ctx, action, nr, n, conditions);
}

static void allow(struct build *b, const char *name)
{
        add(b, SCMP_ACT_ALLOW, name, 0, NULL);
}

/* Allowed when the low 32 bits of an argument, masked, are this: the kernel looks at no more of an
 * int, so a filter that compared all 64 could be led past (CVE-2019-7303). */
static void allow_int(struct build *b, const char *name, unsigned arg, uint32_t mask,
                      uint32_t value)
{
        add(b, SCMP_ACT_ALLOW, name, 1, (struct scmp_arg_cmp[]){LOW32(arg, mask, value)});
}

static void add_row(struct build *b, const char *name, enum row_when when)
{
        switch (when) {
        case ALWAYS:
                allow(b, name);
                break;
        case OWN_PIDS:
                if (b->v->own_pids || (b->v->may_fork && strstr(name, "fork")))
                        allow(b, name);
                break;
        case OWN_TREE:
                if (b->v->own_tree)
                        allow(b, name);
                break;
        case GUARDED:
                if (b->v->own_tree || b->v->landlock)
                        allow(b, name);
                break;
        case COUNTED:
                if (!b->v->watched)
                        allow(b, name);
                break;
        case NOT_THERE:
                add(b, SCMP_ACT_ERRNO(ENOSYS), name, 0, NULL);
                break;
        }
}

static void add_table(struct build *b)
{
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                add_row(b, rows[i].name, rows[i].when);
        for (int nr = SYSCALLS_NEWER_FIRST; !b->bad && nr <= SYSCALLS_NEWER_LAST; nr++)
                b->bad = seccomp_rule_add_array(b->ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0, NULL);
}

/* The watch sees what is mapped, and pages of shared memory stay when they are unmapped. So what is
 * shared must have a file, whose file system bounds it. MAP_SHARED_VALIDATE has MAP_SHARED's bit.
 */
static void add_memory(struct build *b)
{
        if (!b->v->watched)
                return;
        allow_int(b, "mmap", 3, MAP_SHARED, 0);
        allow_int(b, "mmap", 3, MAP_SHARED | MAP_ANONYMOUS, MAP_SHARED);
}

/* Threads always; processes only where killing the box's init ends them; namespaces never. */
static void add_clone(struct build *b)
{
        const uint32_t spaces = 0x7e020080; /* CLONE_NEW* of all kinds, NEWTIME too */

        if (b->v->own_pids || b->v->may_fork)
                allow_int(b, "clone", 0, spaces, 0);
        else
                allow_int(b, "clone", 0, spaces | CLONE_THREAD, CLONE_THREAD);
}

static const struct {
        const char *name;
        unsigned signal; /* which argument */
        bool by_pid;     /* the first argument is whom it goes to */
} signals[] = {
    {"kill", 1, true},
    {"tkill", 1, false}, /* old libraries' raise() */
    {"tgkill", 2, true}, /* raise(), abort(), pthread_kill() */
    {"rt_sigqueueinfo", 1, true},
    {"rt_tgsigqueueinfo", 2, true},
    {"pidfd_send_signal", 1, false}, /* asyncio's child watcher */
};

/* Any signal but SIGSYS, so that a death of that is the filter's own doing: 31 is the number whose
 * low five bits are all set, and the sixth is not. */
static void allow_signal(struct build *b, const char *name, unsigned arg, bool own_only)
{
        struct scmp_arg_cmp both[2] = {{0}, LOW32(0, UINT32_MAX, PLAN_FILTER_PID)};

        for (uint32_t bit = 1; bit <= 32; bit *= 2) {
                both[0] = LOW32(arg, bit, bit == 32 ? 32 : 0);
                add(b, SCMP_ACT_ALLOW, name, own_only ? 2 : 1, both);
        }
}

/* Without a pid namespace a signal may go to nobody but itself, by whatever road. */
static void add_signals(struct build *b)
{
        for (size_t i = 0; i < ARRAY_LEN(signals); i++)
                if (b->v->own_pids || signals[i].by_pid)
                        allow_signal(b, signals[i].name, signals[i].signal, !b->v->own_pids);
        if (!b->v->own_pids) {
                allow_int(b, "sched_setaffinity", 0, UINT32_MAX, 0);
                allow_int(b, "sched_setaffinity", 0, UINT32_MAX, PLAN_FILTER_PID);
        }
}

/* No lease, which would hold up everybody else who opens the file, and no watch of a folder; where
 * there are others, no signal to them either. */
static void add_fcntl(struct build *b)
{
        static const unsigned commands[] = {
            F_DUPFD,     F_GETFD,     F_SETFD,      F_GETFL,      F_SETFL,      F_GETLK,
            F_SETLK,     F_SETLKW,    F_OFD_GETLK,  F_OFD_SETLK,  F_OFD_SETLKW, F_DUPFD_CLOEXEC,
            F_ADD_SEALS, F_GET_SEALS, F_SETPIPE_SZ, F_GETPIPE_SZ,
        };

        for (size_t i = 0; i < ARRAY_LEN(commands); i++)
                allow_int(b, "fcntl", 1, UINT32_MAX, commands[i]);
        if (b->v->own_pids) {
                allow_int(b, "fcntl", 1, UINT32_MAX, F_SETOWN);
                allow_int(b, "fcntl", 1, UINT32_MAX, F_GETOWN);
        }
}

/* The host's tree with nobody to guard it: what the host's user may read can be read, and that is
 * all. */
static void add_files(struct build *b)
{
        const uint32_t changes = O_ACCMODE | O_CREAT | O_TRUNC | O_TMPFILE;

        if (b->v->own_tree || b->v->landlock) {
                allow_int(b, "mknod", 1, S_IFMT, S_IFIFO);
                allow_int(b, "mknodat", 2, S_IFMT, S_IFIFO);
                return;
        }
        allow_int(b, "open", 1, changes & ~(uint32_t)O_DIRECTORY, O_RDONLY);
        allow_int(b, "openat", 2, changes & ~(uint32_t)O_DIRECTORY, O_RDONLY);
        add(b, SCMP_ACT_ERRNO(ENOSYS), "openat2", 0, NULL); /* its flags lie in memory */
}

static void add_self(struct build *b)
{
        static const unsigned harmless[] = {
            PR_SET_NAME,
            PR_GET_NAME,
            PR_GET_DUMPABLE,
            PR_GET_PDEATHSIG,
            PR_SET_TIMERSLACK,
            PR_GET_TIMERSLACK,
            PR_SET_THP_DISABLE,
            PR_GET_THP_DISABLE,
            PR_SET_NO_NEW_PRIVS,
            PR_GET_NO_NEW_PRIVS,
            PR_CAPBSET_READ,
            PR_GET_SECCOMP,
            PR_GET_CHILD_SUBREAPER,
            PR_GET_KEEPCAPS,
            PR_GET_SPECULATION_CTRL,
            0x53564d41 /* PR_SET_VMA: names for anonymous memory */,
        };

        for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
                allow_int(b, "prctl", 0, UINT32_MAX, harmless[i]);
        if (b->v->own_pids) { /* elsewhere it is what ends the worker with its host */
                allow_int(b, "prctl", 0, UINT32_MAX, PR_SET_PDEATHSIG);
                allow_int(b, "prctl", 0, UINT32_MAX, PR_SET_CHILD_SUBREAPER);
        }
        if (b->v->may_fork) /* ends its children with it */
                add(b, SCMP_ACT_ALLOW, "prctl", 2,
                    (struct scmp_arg_cmp[]){LOW32(0, UINT32_MAX, PR_SET_PDEATHSIG),
                                            LOW32(1, UINT32_MAX, SIGKILL)});
        allow_int(b, "prlimit64", 0, UINT32_MAX, 0);            /* itself */
        allow_int(b, "personality", 0, UINT32_MAX, UINT32_MAX); /* only asks */
}

/* Nothing that types into a terminal (TIOCSTI, TIOCLINUX) or drives a device that is not its. */
static void add_ioctl(struct build *b)
{
        static const unsigned asks[] = {TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX};

        for (size_t i = 0; i < ARRAY_LEN(asks); i++)
                allow_int(b, "ioctl", 1, UINT32_MAX, asks[i]);
        if (!b->v->gpu)
                return;
        allow_int(b, "ioctl", 1, 0xff00, 'F' << 8);       /* nvidiactl, nvidia0 */
        allow_int(b, "ioctl", 1, 0xffffff00, 0);          /* nvidia-uvm numbers them from 0 */
        allow_int(b, "ioctl", 1, UINT32_MAX, 0x30000001); /* UVM_INITIALIZE */
        allow_int(b, "ioctl", 1, UINT32_MAX, 0x30000002); /* UVM_DEINITIALIZE */
}

static void add_sockets(struct build *b)
{
        const uint32_t no_family = SCMP_ACT_ERRNO(EAFNOSUPPORT);
        uint64_t highest = b->v->unix_sockets ? AF_UNIX : AF_UNSPEC;

        allow_int(b, "socketpair", 0, UINT32_MAX, AF_UNIX);
        if (b->v->unix_sockets)
                allow_int(b, "socket", 0, UINT32_MAX, AF_UNIX);
        if (b->v->network) {
                allow_int(b, "socket", 0, UINT32_MAX, AF_INET);
                allow_int(b, "socket", 0, UINT32_MAX, AF_INET6);
                add(b, SCMP_ACT_ALLOW, "socket", 2,
                    (struct scmp_arg_cmp[]){LOW32(0, UINT32_MAX, AF_NETLINK),
                                            LOW32(2, UINT32_MAX, NETLINK_ROUTE)});
                return;
        }
        /* The errno for which libraries have another way. */
        add(b, no_family, "socket", 1,
            (struct scmp_arg_cmp[]){SCMP_CMP64(0, SCMP_CMP_GT, highest, 0)});
}

static int export_program(scmp_filter_ctx ctx, void **ret, size_t *ret_size, struct err *e)
{
        scoped(fd) int fd = memfd_create("filter", MFD_CLOEXEC);
        scoped(free) void *code = NULL;
        off_t size;
        int r;

        if (fd < 0)
                return err_set_errno(e, -errno, "make room for the filter");
        r = seccomp_export_bpf(ctx, fd);
        if (r < 0)
                return err_set_errno(e, r, "compile the filter");
        size = lseek(fd, 0, SEEK_END);
        code = malloc((size_t)size + 1);
        if (!code)
                return err_set_errno(e, -ENOMEM, "read the filter");
        if (pread(fd, code, (size_t)size, 0) != size)
                return err_set(e, -EIO, "read the filter");
        *ret = take_ptr(code);
        *ret_size = (size_t)size;
        return 0;
}

int seccomp_program_compile(const struct seccomp_variant *v, void **ret, size_t *ret_size,
                            struct err *e)
{
        struct build b = {.ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM)), .v = v};
        int r;

        if (!b.ctx)
                return err_set_errno(e, -ENOMEM, "begin the filter");
        /* int 0x80 and x32 number their calls otherwise: nobody uses them by accident. */
        b.bad = seccomp_attr_set(b.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        if (!b.bad)
                b.bad = seccomp_attr_set(b.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        add_table(&b);
        add_memory(&b);
        add_clone(&b);
        add_signals(&b);
        add_fcntl(&b);
        add_files(&b);
        add_self(&b);
        add_ioctl(&b);
        add_sockets(&b);
        r = b.bad ? err_set_errno(e, b.bad, "build the filter")
                  : export_program(b.ctx, ret, ret_size, e);
        seccomp_release(b.ctx);
        return r;
}
