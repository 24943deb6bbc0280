/* sandbox.c -- one box after its birth: hearing of it, ending it, saying how it died. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/macro.h"
#include "sandbox/cgroup_members.h"
#include "sandbox/process_tree.h"
#include "sandbox/sandbox_private.h"

int sandbox_pidfd(const struct sandbox *s)
{
        return s->pidfd;
}

int sandbox_channel(const struct sandbox *s)
{
        return s->channel;
}

int sandbox_stdout(const struct sandbox *s)
{
        return s->out;
}

int sandbox_stderr(const struct sandbox *s)
{
        return s->err;
}

int sandbox_oom_fd(const struct sandbox *s)
{
        return s->has_cgroup ? s->cgroup.oom : -1;
}

/* ---- the box's own words
 * -----------------------------------------------------------------------*/

static void hear_message(struct sandbox *s, const struct box_message *m, pid_t sender)
{
        const int text = (int)sizeof m->text - 1;

        switch ((enum box_message_kind)m->kind) {
        case BOX_READY:
                s->ready = true;
                s->worker = sender;
                s->isolation.landlock_abi = (int)m->landlock_abi;
                s->isolation.seccomp = m->seccomp;
                break;
        case BOX_FAILED:
                snprintf(s->setup_error, sizeof s->setup_error, "%.*s", text, m->text);
                break;
        case BOX_CLONE:
                snprintf(s->setup_error, sizeof s->setup_error, "%.*s: %s", text, m->text,
                         strerrordesc_np(m->number));
                break;
        }
}

static pid_t sender_of(struct msghdr *mh)
{
        struct cmsghdr *c = CMSG_FIRSTHDR(mh);
        struct ucred who;

        if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
                return 0;
        memcpy(&who, CMSG_DATA(c), sizeof who);
        return who.pid;
}

/* Only our own code speaks here, and it hangs up before the plugin is loaded. */
void sandbox_hear(struct sandbox *s)
{
        while (s->setup >= 0) {
                union {
                        char buf[CMSG_SPACE(sizeof(struct ucred))];
                        struct cmsghdr align;
                } control;
                struct box_message m;
                struct iovec iov = {&m, sizeof m};
                struct msghdr mh = {.msg_iov = &iov,
                                    .msg_iovlen = 1,
                                    .msg_control = control.buf,
                                    .msg_controllen = sizeof control.buf};
                ssize_t n = recvmsg(s->setup, &mh, MSG_CMSG_CLOEXEC);

                if (n < 0 && (errno == EAGAIN || errno == EINTR))
                        return;
                if (n == sizeof m)
                        hear_message(s, &m, sender_of(&mh));
                if (n != sizeof m || s->ready)
                        s->setup = fd_close(s->setup);
        }
}

/* What the box says of itself comes in its own time; asking looks whether there is news. The caller
 * sees a value that does not change under it, so its pointer may be const. */
static struct sandbox *with_news(const struct sandbox *s)
{
        struct sandbox *known = (struct sandbox *)s;

        sandbox_hear(known);
        return known;
}

pid_t sandbox_pid(const struct sandbox *s)
{
        const struct sandbox *now = with_news(s);

        return now->worker > 0 ? now->worker : now->pid;
}

const struct isolation *sandbox_isolation(const struct sandbox *s)
{
        return &with_news(s)->isolation;
}

/* ---- memory
 * ------------------------------------------------------------------------------------*/

static bool memory_by_cgroup(const struct sandbox *s)
{
        return s->isolation.memory >= ISOLATION_MEMORY_CGROUP1;
}

bool sandbox_wants_watch(const struct sandbox *s)
{
        return !memory_by_cgroup(s);
}

/* Without a tree of its own the filter lets it change no modes. */
bool sandbox_writes_uncounted(const struct sandbox *s)
{
        return !memory_by_cgroup(s) && s->isolation.uid == geteuid() &&
               (s->isolation.namespaces & ISOLATION_NS_MOUNT);
}

int64_t sandbox_next_look(const struct sandbox *s, int64_t now_ns)
{
        return MAX_OF(s->watch.next_ns, now_ns + MEMORY_WATCH_MS * NSEC_PER_MSEC);
}

/* What it writes into the files that it was given is seen here, whoever has them mapped, open, or
 * on their way through a socket. */
static uint64_t held_by_files(const struct sandbox *s)
{
        uint64_t sum = 0;
        struct stat st;

        for (size_t i = 0; i < ARRAY_LEN(s->files); i++)
                if (s->files[i] >= 0 && fstat(s->files[i], &st) == 0)
                        sum += (uint64_t)st.st_blocks * 512;
        return sum;
}

/* True: it has too much memory. */
static bool watch_looks(struct sandbox *s)
{
        const struct process_tree_look look = {
            .pid = s->pid,
            .most_bytes = s->memory_bytes,
            .most_threads = s->isolation.pids ? UINT_MAX : s->pids_max,
            .files = held_by_files(s),
            .descriptors = s->makes_files,
        };
        int64_t began = clock_mono_ns();
        struct process_tree_sum sum;

        process_tree_sum_up(&look, &sum);
        memory_watch_looked(&s->watch, sum.bytes, began, clock_mono_ns());
        s->peak_bytes = MAX_OF(s->peak_bytes, sum.bytes);
        if (sum.bytes > s->memory_bytes)
                return true;
        if (sum.threads > look.most_threads) {
                s->crowded = true;
                sandbox_kill(s);
        }
        return false;
}

int sandbox_check_memory(struct sandbox *s)
{
        if (s->dead)
                return s->obituary.cause == OBITUARY_MEMORY;
        if (memory_by_cgroup(s) ? cgroup_box_hit(&s->cgroup, s->runner->cgroups.version2)
                                : watch_looks(s)) {
                s->watch_fired = true;
                sandbox_kill(s);
        }
        return s->watch_fired;
}

bool sandbox_hit_own_limit(const struct sandbox *s)
{
        return !memory_by_cgroup(s) || cgroup_box_was_full(&s->cgroup, s->runner->cgroups.version2);
}

void sandbox_usage(const struct sandbox *s, struct sandbox_usage *ret)
{
        struct sandbox_usage u = {.peak_rss_bytes = s->peak_bytes};

        if (s->dead) {
                u.peak_rss_bytes = s->obituary.peak_bytes;
        } else if (memory_by_cgroup(s)) {
                u.rss_bytes = cgroup_box_rss(&s->cgroup, s->runner->cgroups.version2);
                u.peak_rss_bytes = cgroup_box_peak(&s->cgroup, s->runner->cgroups.version2);
        } else {
                u.rss_bytes = s->watch.bytes;
        }
        u.peak_rss_bytes = MAX_OF(u.peak_rss_bytes, u.rss_bytes);
        *ret = u;
}

/* ---- a question
 * ----------------------------------------------------------------------------------*/

/* The worker is a child of init, which the host holds: init's pid has no new owner before it is
 * reaped. So what is a child of init after the pidfd was opened is of this box, and if its pid had
 * another owner before, the pidfd leads to a dead process. */
static int open_worker(const struct sandbox *s, int *ret)
{
        scoped(fd) int fd = pidfd_open(s->worker, 0);

        if (fd < 0)
                return -errno;
        if (process_tree_parent(s->worker) != s->pid)
                return -ESRCH;
        *ret = take_fd(&fd);
        return 0;
}

int sandbox_signal(struct sandbox *s, int signo)
{
        scoped(fd) int fd = -1;
        int r;

        sandbox_hear(s);
        if (s->dead || s->worker <= 0)
                return -ESRCH;
        if (s->worker == s->pid) /* no pid namespace, no init */
                return pidfd_send_signal(s->pidfd, signo, NULL, 0) < 0 ? -errno : 0;
        r = open_worker(s, &fd);
        if (r < 0)
                return r;
        return pidfd_send_signal(fd, signo, NULL, 0) < 0 ? -errno : 0;
}

/* ---- the end
 * -----------------------------------------------------------------------------------*/

void sandbox_kill(struct sandbox *s)
{
        if (s->dead)
                return;
        s->host_killed = true;
        (void)!pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
        if (s->adopted)
                cgroup_members_end(&s->cgroup);
        else if (s->has_cgroup)
                cgroup_box_kill(&s->cgroup);
}

/* The raw call gives the resource usage, too. 1: it lives. A forked instance is its parent's to
 * wait for. */
static int wait_pidfd(const struct sandbox *s, siginfo_t *si, struct rusage *ru)
{
        struct pollfd p = {.fd = s->pidfd, .events = POLLIN};
        long r;

        if (s->adopted)
                return poll(&p, 1, 0) > 0 ? 0 : 1;
        do
                r = syscall(SYS_waitid, P_PIDFD, s->pidfd, si, WEXITED | WNOHANG, ru);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        return si->si_pid == 0 ? 1 : 0;
}

static void learn_told_status(const struct sandbox *s, struct obituary_facts *f)
{
        f->have_status = s->told;
        f->code = s->told_code;
        f->status = s->told_status;
}

/* Init's words about the worker; where the worker is the child itself, the kernel's. */
static void learn_status(struct sandbox *s, const siginfo_t *si, const struct rusage *ru,
                         struct obituary_facts *f)
{
        struct box_status told;
        ssize_t n = read(s->status, &told, sizeof told);

        f->have_status = true;
        f->code = si->si_code;
        f->status = si->si_status;
        s->peak_bytes = MAX_OF(s->peak_bytes, (uint64_t)ru->ru_maxrss * 1024);
        if (n == sizeof told) {
                f->code = told.code;
                f->status = told.status;
                s->peak_bytes = MAX_OF(s->peak_bytes, told.peak_bytes);
        }
}

static void compose(struct sandbox *s, const siginfo_t *si, const struct rusage *ru)
{
        struct obituary_facts f = {.host_killed = s->host_killed,
                                   .watch_fired = s->watch_fired,
                                   .pids_events = s->crowded};
        struct crash_record crash;
        char silent[64];

        sandbox_hear(s);
        if (s->adopted)
                learn_told_status(s, &f);
        else
                learn_status(s, si, ru, &f);
        if (f.code != CLD_EXITED && crash_record_read(s->crash, f.status, &crash))
                f.crash = &crash;
        if (s->has_cgroup) {
                uint64_t peak = cgroup_box_peak(&s->cgroup, s->runner->cgroups.version2);

                f.oom_kills = cgroup_box_oom_kills(&s->cgroup);
                f.pids_events = cgroup_box_pids_events(&s->cgroup);
                s->peak_bytes = peak ? peak : s->peak_bytes;
        }
        f.peak_bytes = s->peak_bytes;
        if (s->setup_error[0]) {
                f.setup_error = s->setup_error;
        } else if (!s->ready && !s->host_killed) {
                snprintf(silent, sizeof silent, "it died while it was built (%s %d)",
                         f.code == CLD_EXITED ? "exit code" : "signal", f.status);
                f.setup_error = silent;
        }
        obituary_compose(&f, &s->obituary);
}

int sandbox_reap(struct sandbox *s, struct obituary *ret)
{
        siginfo_t si = {0};
        struct rusage ru = {0};

        if (!s->dead) {
                int r = wait_pidfd(s, &si, &ru);

                if (r != 0)
                        return r;
                compose(s, &si, &ru);
                s->dead = true;
                if (s->adopted)
                        cgroup_members_end(&s->cgroup);
        }
        *ret = s->obituary;
        return 0;
}

static void close_fds(struct sandbox *s)
{
        s->channel = fd_close(s->channel);
        s->out = fd_close(s->out);
        s->err = fd_close(s->err);
        s->setup = fd_close(s->setup);
        s->status = fd_close(s->status);
        s->crash = fd_close(s->crash);
        for (size_t i = 0; i < ARRAY_LEN(s->files); i++)
                s->files[i] = fd_close(s->files[i]);
}

bool sandbox_let_go(struct sandbox *s)
{
        struct rusage ru;
        siginfo_t si = {0};

        if (!s->dead) {
                if (wait_pidfd(s, &si, &ru) == 1)
                        return false;
                s->dead = true;
        }
        if (s->adopted && s->has_cgroup)
                cgroup_members_end(&s->cgroup); /* who was being forked when it was ended */
        if (s->has_cgroup && cgroup_box_remove(&s->runner->cgroups, &s->cgroup) == -EBUSY)
                return false;
        if (s->slot >= 0)
                s->runner->slots[s->slot] = false;
        fd_close(s->pidfd);
        free(s);
        return true;
}

static void unlink_box(struct sandbox *s)
{
        struct sandbox **at = &s->runner->boxes;

        while (*at && *at != s)
                at = &(*at)->next;
        if (*at)
                *at = s->next;
        s->next = NULL;
}

/* How long a freeing waits for the kernel. A process of a sick driver can stay for much longer. */
#define FREE_WAIT_MS 3000

void sandbox_free(struct sandbox *s)
{
        struct sandbox_runner *r;
        int64_t end = clock_mono_ns() + FREE_WAIT_MS * NSEC_PER_MSEC;

        if (!s)
                return;
        r = s->runner;
        sandbox_kill(s);
        close_fds(s);
        unlink_box(s);
        if (!s->dead) {
                struct pollfd p = {.fd = s->pidfd, .events = POLLIN};

                while (poll(&p, 1, FREE_WAIT_MS) < 0 && errno == EINTR)
                        ;
        }
        while (!sandbox_let_go(s)) {
                if (clock_mono_ns() > end) {
                        s->next = r->lingering;
                        r->lingering = s;
                        return;
                }
                poll(NULL, 0, 1); /* an emptied cgroup stays busy for a moment */
        }
}
