#include "sandbox/sandbox_adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "sandbox/cgroup_files.h"
#include "sandbox/cgroup_members.h"
#include "sandbox/sandbox_private.h"

/* ---- before the fork --------------------------------------------------------------------------*/

/* Whoever is in the parent's cgroup but its init and its worker. 0 or -errno. */
static int read_strays(const struct sandbox *parent, struct cgroup_members *ret)
{
        struct cgroup_members m = {0};
        size_t kept = 0;
        int r = cgroup_members_read(&parent->cgroup, 0, &m);

        if (r < 0)
                return r;
        for (size_t i = 0; i < m.n; i++)
                if (m.pids[i] != parent->pid && m.pids[i] != parent->worker)
                        m.pids[kept++] = m.pids[i];
        m.n = kept;
        *ret = m;
        return 0;
}

int sandbox_can_fork(struct sandbox *parent, struct err *e)
{
        scoped(cgroup_members) struct cgroup_members strays = {0};
        const struct cgroup_root *cgroups = &parent->runner->cgroups;

        sandbox_hear(parent);
        if (!(parent->isolation.namespaces & ISOLATION_NS_PID))
                return err_set(e, 1,
                               "its box has no pid namespace, which would end what is forked");
        if (!parent->has_cgroup || cgroups->kind == ISOLATION_MEMORY_RLIMIT)
                return err_set(e, 1, "there is no cgroup that would limit each instance's memory");
        if (!cgroups->pids)
                return err_set(e, 1,
                               "there is no cgroup that would limit each instance's processes");
        if (!parent->ready || parent->worker <= 0)
                return err_set(e, 1, "its box did not say which process is the plugin's");
        if (read_strays(parent, &strays) < 0)
                return err_set(e, 1, "the processes of its box cannot be listed");
        if (strays.n > 0)
                return err_set(e, 1, "it has started %zu process%s when it was imported", strays.n,
                               strays.n == 1 ? "" : "es");
        return 0;
}

static int make_fds(struct sandbox *s, int theirs[SANDBOX_ADOPT_FDS])
{
        int r = sandbox_make_sockets(SOCK_STREAM, &s->channel, &theirs[0]);

        if (r == 0)
                r = sandbox_make_pipe(&s->out, &theirs[1]);
        return r == 0 ? sandbox_make_pipe(&s->err, &theirs[2]) : r;
}

static int make_cgroup(struct sandbox *s, const struct sandbox *parent, struct err *e)
{
        const struct cgroup_limits limits = {parent->memory_bytes, parent->pids_max};
        const char *label = strchr(parent->cgroup.name, '-');
        char name[sizeof parent->cgroup.name];
        int r;

        snprintf(name, sizeof name, "%u%s", s->runner->serial++, label ? label : "");
        r = cgroup_box_make(&s->runner->cgroups, name, &limits, &s->cgroup, e);
        s->has_cgroup = r == 0;
        return r;
}

int sandbox_expect(struct sandbox *parent, struct sandbox **ret, int ret_theirs[SANDBOX_ADOPT_FDS],
                   struct err *e)
{
        scoped(sandbox_free) struct sandbox *s = NULL;
        int theirs[SANDBOX_ADOPT_FDS] = {-1, -1, -1}, r;

        sandbox_runner_tidy(parent->runner);
        s = sandbox_alloc(parent->runner);
        if (!s)
                return err_set_errno(e, -ENOMEM, "make a box");
        s->adopted = s->ready = true;
        s->memory_bytes = parent->memory_bytes;
        s->pids_max = parent->pids_max;
        s->isolation = parent->isolation;
        r = make_fds(s, theirs);
        if (r < 0)
                err_set_errno(e, r, "make the instance's descriptors");
        else
                r = make_cgroup(s, parent, e);
        for (int i = 0; r < 0 && i < SANDBOX_ADOPT_FDS; i++)
                fd_close(theirs[i]);
        if (r < 0)
                return r;
        memcpy(ret_theirs, theirs, sizeof theirs);
        *ret = take_ptr(s);
        return 0;
}

/* ---- after it ---------------------------------------------------------------------------------*/

/* They are not limited by themselves, so they may not live. */
static void kill_strays(const struct sandbox *parent, const struct cgroup_members *strays)
{
        for (size_t i = 0; i < strays->n; i++) {
                scoped(fd) int fd = cgroup_members_open(&parent->cgroup, strays->pids[i]);

                if (fd >= 0)
                        (void)!pidfd_send_signal(fd, SIGKILL, NULL, 0);
        }
}

static pid_t inner_pid(pid_t pid)
{
        scoped(free) char *text = NULL;
        char path[64];
        size_t n;

        snprintf(path, sizeof path, "/proc/%d/status", pid);
        return fd_read_file(AT_FDCWD, path, KIB(16), &text, &n, NULL) < 0
                   ? 0
                   : cgroup_members_inner(text);
}

int sandbox_adopt_find(struct sandbox *s, struct sandbox *parent, pid_t inner, struct err *e)
{
        scoped(cgroup_members) struct cgroup_members strays = {0};
        int r = read_strays(parent, &strays);

        if (r < 0)
                return err_set_errno(e, r, "list the processes of its box");
        if (strays.n == 0)
                return err_set(e, -ESRCH, "the process that was forked is gone");
        if (strays.n > 1) {
                kill_strays(parent, &strays);
                return err_set(e, 1, "it starts processes when it is forked");
        }
        s->pid = s->worker = strays.pids[0];
        s->pidfd = cgroup_members_open(&parent->cgroup, s->pid);
        if (s->pidfd < 0) {
                r = s->pidfd;
                s->pidfd = -1;
                return err_set_errno(e, r, "the process that was forked");
        }
        if (inner_pid(s->pid) != inner) {
                kill_strays(parent, &strays);
                return err_set(e, -EBADMSG, "the process that was forked is another");
        }
        return 0;
}

int sandbox_adopt_move(struct sandbox *s)
{
        char pid[16];
        int n = snprintf(pid, sizeof pid, "%d", s->pid);

        /* Where the pool is busy it may long be dead, and its number another's: who is moved is
         * killed with the box. */
        for (unsigned i = 0; i < s->cgroup.n; i++)
                if (pidfd_send_signal(s->pidfd, 0, NULL, 0) < 0 ||
                    write(s->cgroup.procs[i], pid, (size_t)n) < 0)
                        return -errno;
        return 0;
}

int sandbox_adopt_finish(struct sandbox *s, struct sandbox *parent, int moved, struct err *e)
{
        scoped(cgroup_members) struct cgroup_members strays = {0};
        int r;

        cgroup_box_born(&s->cgroup);
        s->dead = false;
        r = read_strays(parent, &strays);
        /* One that died on the way dies its own death. */
        if (r == 0 && strays.n == 0 && (moved == 0 || moved == -ESRCH))
                return 0;
        sandbox_kill(s);
        if (r < 0)
                return err_set_errno(e, r, "list the processes of its box");
        kill_strays(parent, &strays);
        if (moved < 0 && moved != -ESRCH)
                return err_set_errno(e, moved, "move the process that was forked");
        return err_set(e, 1, "it starts processes when it is forked");
}

/* ---- its end ----------------------------------------------------------------------------------*/

void sandbox_tell_end(struct sandbox *s, int code, int status, uint64_t peak_bytes)
{
        if (!s->adopted || s->told)
                return;
        s->told = true;
        s->told_code = code;
        s->told_status = status;
        s->peak_bytes = MAX_OF(s->peak_bytes, peak_bytes);
}

bool sandbox_end_is_told(const struct sandbox *s)
{
        return !s->adopted || s->told || s->host_killed;
}
