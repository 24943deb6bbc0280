#include "sandbox/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

static uint64_t clone_flags(unsigned namespaces)
{
        static const struct {
                enum isolation_namespace bit;
                uint64_t flag;
        } map[] = {
            {ISOLATION_NS_USER, CLONE_NEWUSER}, {ISOLATION_NS_PID, CLONE_NEWPID},
            {ISOLATION_NS_MOUNT, CLONE_NEWNS},  {ISOLATION_NS_NET, CLONE_NEWNET},
            {ISOLATION_NS_IPC, CLONE_NEWIPC},   {ISOLATION_NS_UTS, CLONE_NEWUTS},
        };
        uint64_t flags = 0;

        for (size_t i = 0; i < ARRAY_LEN(map); i++)
                if (namespaces & map[i].bit)
                        flags |= map[i].flag;
        return flags;
}

pid_t spawn_clone(const struct spawn *s, int *ret_pidfd)
{
        uint64_t flags = clone_flags(s->namespaces) | CLONE_PIDFD;
        struct clone_args args = {
            .flags = flags, .pidfd = (uint64_t)(uintptr_t)ret_pidfd, .exit_signal = SIGCHLD};
        long pid;

        if (s->into_cgroup >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t)s->into_cgroup;
        }
        if (s->no_clone3)
                pid = syscall(SYS_clone, flags | SIGCHLD, NULL, ret_pidfd, NULL, NULL);
        else
                pid = syscall(SYS_clone3, &args, sizeof args);
        return pid < 0 ? -errno : (pid_t)pid;
}

static int write_text(const char *path, const char *text)
{
        scoped(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
        ssize_t n = (ssize_t)strlen(text);

        return fd >= 0 && write(fd, text, (size_t)n) == n ? 0 : -1;
}

/* snprintf is not on the list of what is safe here. */
static void map_line(char *to, unsigned inside, unsigned outside)
{
        const unsigned numbers[] = {inside, outside, 1};

        for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
                char digits[12];
                size_t n = 0;

                for (unsigned v = numbers[i]; v || n == 0; v /= 10)
                        digits[n++] = (char)('0' + v % 10);
                while (n > 0)
                        *to++ = digits[--n];
                *to++ = ' ';
        }
        *to = '\0';
}

/* Capabilities in the new user namespace would be lost at execve by a user who is not root in it;
 * ambient ones are kept. The box gives them away when it stands. */
static int keep_capabilities(void)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

        if (syscall(SYS_capget, &head, caps) < 0)
                return -1;
        for (size_t i = 0; i < ARRAY_LEN(caps); i++)
                caps[i].inheritable = caps[i].permitted;
        if (syscall(SYS_capset, &head, caps) < 0)
                return -1;
        for (unsigned long cap = 0; cap < 64; cap++)
                if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0 && errno == EINVAL)
                        break;
        return 0;
}

int spawn_map_user(uid_t host_uid, gid_t host_gid)
{
        char uids[40], gids[40];

        map_line(uids, SPAWN_INNER_ID, host_uid);
        map_line(gids, SPAWN_INNER_ID, host_gid);
        /* The host can't be looked into, and this copy of it inherited that: then its files in
         * /proc are root's. */
        if (prctl(PR_SET_DUMPABLE, 1) < 0 || write_text("/proc/self/uid_map", uids) < 0)
                return -1;
        if (write_text("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
                return -1;
        return write_text("/proc/self/gid_map", gids) < 0 ? -1 : keep_capabilities();
}

static void __attribute__((noreturn)) die(int setup, const char *step)
{
        struct box_message m = {.kind = BOX_CLONE, .number = errno};

        for (size_t i = 0; step[i] && i < sizeof m.text - 1; i++)
                m.text[i] = step[i];
        if (write(setup, &m, sizeof m) < 0)
                _exit(71);
        _exit(70);
}

static void reset_signals(void)
{
        struct sigaction dfl = {.sa_handler = SIG_DFL};
        sigset_t none;

        for (int signo = 1; signo < 65; signo++)
                sigaction(signo, &dfl, NULL); /* refused for SIGKILL, SIGSTOP, libc's own */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In a pid namespace the parent has no number; but a pipe that nobody reads tells as much. */
static bool host_is_gone(const struct spawn *s, pid_t host)
{
        struct pollfd status = {.fd = s->fds[BOX_FD_STATUS]};

        if (!(s->namespaces & ISOLATION_NS_PID))
                return getppid() != host;
        return poll(&status, 1, 0) > 0;
}

/* First above all that will be taken, then down to their places. Returns where setup went. */
static int arrange_fds(const struct spawn *s)
{
        int lifted[BOX_FD_COUNT];

        for (int i = 0; i < BOX_FD_COUNT; i++) {
                if (s->fds[i] < 0) {
                        lifted[i] = -1;
                        continue;
                }
                lifted[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, BOX_FD_COUNT);
                if (lifted[i] < 0)
                        die(s->fds[BOX_FD_SETUP], "copy a descriptor");
        }
        for (int i = 0; i < BOX_FD_COUNT; i++)
                if (lifted[i] < 0)
                        close(i);
                else if (dup2(lifted[i], i) < 0)
                        die(lifted[BOX_FD_SETUP], "place a descriptor");
        /* Ours all close at execve anyway; a library's may not. The box looks again. */
        if (!s->leaves_fds)
                (void)!close_range(BOX_FD_COUNT, ~0u, CLOSE_RANGE_CLOEXEC);
        return lifted[BOX_FD_SETUP];
}

static void __attribute__((noreturn))
become_worker(const struct spawn *s, pid_t host, uid_t uid, gid_t gid)
{
        int setup = s->fds[BOX_FD_SETUP];

        if (!s->outlives && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                die(setup, "ask to die with the host");
        if (!s->outlives && host_is_gone(s, host))
                _exit(70);
        for (unsigned i = 0; i < s->n_procs; i++)
                if (write(s->procs[i], "0", 1) < 0)
                        die(setup, "enter the cgroup");
        if ((s->namespaces & ISOLATION_NS_USER) && spawn_map_user(uid, gid) < 0)
                die(setup, "map the user");
        setup = arrange_fds(s);
        reset_signals();
        execve(s->path, s->argv, s->envp);
        die(setup, "start the worker program");
}

int spawn_worker(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd, struct err *e)
{
        pid_t host = getpid(), pid;
        uid_t uid = geteuid();
        gid_t gid = getegid();
        sigset_t all, before;
        int pidfd = -1;

        /* None of the host's handlers may run in the child. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pid = spawn_clone(s, &pidfd);
        if (pid == 0)
                become_worker(s, host, uid, gid);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (pid < 0)
                return err_set_errno(e, pid, "make the worker's process");
        *ret_pid = pid;
        *ret_pidfd = pidfd;
        return 0;
}
