#include "sandbox/cgroup_members.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/fd.h"
#include "sandbox/cgroup_files.h"

#define MEMBERS_TEXT_MAX KIB(256)
#define BATCH            32 /* descriptors held at a time */

void cgroup_members_done(struct cgroup_members *m)
{
        free(m->pids);
        *m = (struct cgroup_members){0};
}

bool cgroup_members_has(const struct cgroup_members *m, pid_t pid)
{
        for (size_t i = 0; i < m->n; i++)
                if (m->pids[i] == pid)
                        return true;
        return false;
}

int cgroup_members_parse(const char *text, struct cgroup_members *ret)
{
        scoped(cgroup_members) struct cgroup_members m = {0};
        size_t lines = 0;

        for (const char *p = text; *p; p++)
                lines += *p == '\n';
        m.pids = calloc(lines + 1, sizeof *m.pids);
        if (!m.pids)
                return -ENOMEM;
        while (*text) {
                char *end;
                long pid = strtol(text, &end, 10);

                if (end == text || *end != '\n' || pid <= 0 || pid > INT_MAX)
                        return -EBADMSG;
                m.pids[m.n++] = (pid_t)pid;
                text = end + 1;
        }
        *ret = m;
        m.pids = NULL;
        return 0;
}

pid_t cgroup_members_inner(const char *status)
{
        const char *line = strstr(status, "\nNSpid:"), *end, *last;

        if (!line)
                return 0;
        line += strlen("\nNSpid:");
        end = line + strcspn(line, "\n");
        for (last = end; last > line && last[-1] >= '0' && last[-1] <= '9';)
                last--;
        return last < end ? (pid_t)strtol(last, NULL, 10) : 0;
}

int cgroup_members_read(const struct cgroup_box *box, unsigned dir, struct cgroup_members *ret)
{
        scoped(free) char *text = NULL;
        size_t n = 0;
        int r;

        if (dir >= box->n)
                return -ENOENT;
        r = fd_read_file(box->dirs[dir], "cgroup.procs", MEMBERS_TEXT_MAX, &text, &n, NULL);
        return r < 0 ? r : cgroup_members_parse(text, ret);
}

int cgroup_members_open(const struct cgroup_box *box, pid_t pid)
{
        scoped(cgroup_members) struct cgroup_members now = {0};
        scoped(fd) int fd = pidfd_open(pid, 0);
        int r;

        if (fd < 0)
                return -errno;
        /* In this order: whoever has the number now, and lives, is whom the descriptor means. */
        r = cgroup_members_read(box, 0, &now);
        if (r < 0)
                return r;
        if (!cgroup_members_has(&now, pid) || pidfd_send_signal(fd, 0, NULL, 0) < 0)
                return -ESRCH;
        return take_fd(&fd);
}

/* Opens all, looks who is still there, kills those: as in cgroup_members_open. */
static void kill_batch(const struct cgroup_box *box, unsigned dir, const pid_t *pids, size_t n)
{
        scoped(cgroup_members) struct cgroup_members now = {0};
        int fds[BATCH];

        for (size_t i = 0; i < n; i++)
                fds[i] = pidfd_open(pids[i], 0);
        if (cgroup_members_read(box, dir, &now) == 0)
                for (size_t i = 0; i < n; i++)
                        if (fds[i] >= 0 && cgroup_members_has(&now, pids[i]))
                                (void)!pidfd_send_signal(fds[i], SIGKILL, NULL, 0);
        for (size_t i = 0; i < n; i++)
                fd_close(fds[i]);
}

void cgroup_members_end(const struct cgroup_box *box)
{
        for (unsigned d = 0; d < box->n; d++)
                if (box->controllers[d] & CGROUP_PIDS &&
                    cgroup_write(box->dirs[d], "pids.max", "0"))
                        continue; /* it is on its way out: nothing is left to forbid */
        cgroup_box_kill(box);
        for (unsigned d = 0; d < box->n; d++) {
                scoped(cgroup_members) struct cgroup_members m = {0};

                if (cgroup_members_read(box, d, &m) < 0)
                        continue;
                for (size_t at = 0; at < m.n; at += BATCH)
                        kill_batch(box, d, m.pids + at, MIN_OF(m.n - at, (size_t)BATCH));
        }
}
