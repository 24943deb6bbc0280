/* box_init.c -- pid 1 of the box: it reaps, tells the host how the worker died, and takes
 * everything with it when it ends. The worker is never pid 1 itself: a pid 1's abort() shows as
 * SIGSEGV, and it is deaf to SIGTERM. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "sandbox/walls.h"

#if defined(__x86_64__)
#define INIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define INIT_ARCH AUDIT_ARCH_AARCH64
#else
#error "name this machine's AUDIT_ARCH"
#endif

#define INIT_ALLOW(nr)                                                                             \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1),                                           \
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* What a reaper needs and nothing else. */
static int filter_init(void)
{
        struct sock_filter code[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, INIT_ARCH, 1, 0),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            INIT_ALLOW(__NR_ppoll),
            INIT_ALLOW(__NR_wait4),
            INIT_ALLOW(__NR_waitid),
            INIT_ALLOW(__NR_write),
            INIT_ALLOW(__NR_getrusage),
            INIT_ALLOW(__NR_rt_sigreturn),
            INIT_ALLOW(__NR_exit_group),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        };
        struct sock_fprog prog = {ARRAY_LEN(code), code};

        /* Its own promise, whatever the worker's is. */
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0 ? -errno : 0;
}

static void on_child(int signo unused_param)
{
        /* Only there to interrupt ppoll. */
}

/* SIGCHLD stays blocked outside ppoll, so no death falls between looking and sleeping. */
static int listen_for_children(sigset_t *ret_while_polling)
{
        struct sigaction sa = {.sa_handler = on_child};
        sigset_t child;

        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigemptyset(ret_while_polling);
        if (sigprocmask(SIG_BLOCK, &child, NULL) < 0 || sigaction(SIGCHLD, &sa, NULL) < 0)
                return -errno;
        return 0;
}

static void report_death(const siginfo_t *si)
{
        struct box_status st = {.code = si->si_code, .status = si->si_status};
        struct rusage ru;

        if (getrusage(RUSAGE_CHILDREN, &ru) == 0)
                st.peak_bytes = (uint64_t)ru.ru_maxrss * 1024;
        /* Shorter than PIPE_BUF and the only writing ever: it can't block or be torn. */
        if (write(BOX_FD_STATUS, &st, sizeof st) < 0)
                _exit(70);
        _exit(0);
}

/* Reaps whoever is dead; does not return when the worker is among them. */
static void reap(pid_t worker)
{
        for (;;) {
                siginfo_t si = {0};

                if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
                        return;
                if (si.si_pid == worker)
                        report_death(&si);
        }
}

static void harden(struct box *b)
{
        struct err ignored;

        fds_close_from(BOX_FD_STATUS + 1);
        for (int fd = 0; fd < BOX_FD_STATUS; fd++)
                close(fd);
        prctl(PR_SET_NAME, "forgesyte-init");
        if (box_enter_walls(b, WALL_CAPS, WALL_NO_NEW_PRIVS, &ignored) < 0 ||
            prctl(PR_SET_DUMPABLE, 0) < 0 || filter_init() < 0)
                _exit(70);
}

static void __attribute__((noreturn)) run_init(struct box *b, pid_t worker, sigset_t polling)
{
        struct pollfd host = {.fd = BOX_FD_STATUS};

        harden(b);
        for (;;) {
                reap(worker);
                /* POLLERR: nobody reads the status any more. The kernel's own word for a dead host
                 * (PDEATHSIG) can be lost while identities change; this one can't. */
                if (ppoll(&host, 1, NULL, &polling) > 0)
                        _exit(0);
        }
}

int wall_init(struct box *b, struct err *e)
{
        sigset_t polling;
        pid_t worker;
        int r;

        if (setsid() < 0 && errno != EPERM) /* EPERM: it leads one already */
                return err_set_errno(e, -errno, "setsid");
        if (!(b->plan.namespaces & ISOLATION_NS_PID))
                return 1;
        r = listen_for_children(&polling);
        if (r < 0)
                return err_set_errno(e, r, "prepare for SIGCHLD");
        worker = fork();
        if (worker < 0)
                return err_set_errno(e, -errno, "fork the worker");
        if (worker > 0)
                run_init(b, worker, polling);
        if (signal(SIGCHLD, SIG_DFL) == SIG_ERR || sigprocmask(SIG_SETMASK, &polling, NULL) < 0 ||
            setsid() < 0)
                return err_set_errno(e, -errno, "give the worker its own session");
        return 0;
}
