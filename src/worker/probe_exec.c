#include "worker/probe_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define OUTPUT_MAX KIB(256)
/* How often a child that closed its stdout, or whose grandchild keeps it open, is looked at. */
#define TICK_MS 20

/* Becomes the program; the errno of what failed goes into `report`, which a success closes. */
static _Noreturn void become(const char *path, const char *const *argv, int out, int report)
{
        int r;

        /* A group of its own, so that its children can be ended with it; and where the box permits
         * no signals, it at least ends with the probe. */
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(out, STDOUT_FILENO) >= 0)
                execve(path, (char *const *)(uintptr_t)argv, environ);
        r = errno;
        if (write(report, &r, sizeof r) != (ssize_t)sizeof r)
                _exit(126);
        _exit(127);
}

/* 0 or an errno. */
static int spawn(const char *path, const char *const *argv, int out, pid_t *ret)
{
        scoped(fd) int in = -1;
        scoped(fd) int report = -1;
        int ends[2], failed = 0;
        ssize_t n;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return errno;
        in = ends[0];
        report = ends[1];
        *ret = fork();
        if (*ret < 0)
                return errno;
        if (*ret == 0)
                become(path, argv, out, report);
        report = fd_close(report);
        do {
                n = read(in, &failed, sizeof failed);
        } while (n < 0 && errno == EINTR);
        if (n == (ssize_t)sizeof failed)
                waitpid(*ret, NULL, 0);
        return n == (ssize_t)sizeof failed ? failed : 0;
}

/* Takes what is there; false at its end. */
static bool drain(int fd, struct str *to)
{
        char buf[4096];
        ssize_t n;

        while ((n = read(fd, buf, sizeof buf)) > 0)
                if (to->len + (size_t)n <= OUTPUT_MAX)
                        str_add(to, buf, (size_t)n);
        return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void take_status(struct probe_exec *x, int status)
{
        x->end = WIFSIGNALED(status) ? PROBE_EXEC_SIGNALLED : PROBE_EXEC_EXITED;
        x->code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void await(pid_t pid, int out, int64_t deadline, struct probe_exec *x)
{
        bool open = true;
        int status;

        for (;;) {
                struct pollfd p = {.fd = open ? out : -1, .events = POLLIN};
                pid_t r;

                poll(&p, 1, TICK_MS);
                open = open && drain(out, &x->output);
                r = waitpid(pid, &status, WNOHANG);
                if (r == pid)
                        break;
                if (clock_mono_ns() < deadline && r == 0)
                        continue;
                x->end = PROBE_EXEC_TIMED_OUT;
                kill(-pid, SIGKILL);
                if (kill(pid, SIGKILL) == 0) /* else it goes when the probe goes */
                        waitpid(pid, &status, 0);
                return;
        }
        if (open)
                drain(out, &x->output);
        take_status(x, status);
}

void probe_exec_run(const char *path, const char *const *argv, int seconds, struct probe_exec *ret)
{
        int64_t deadline = clock_mono_ns() + seconds * NSEC_PER_SEC;
        scoped(fd) int in = -1;
        scoped(fd) int out = -1;
        int ends[2];
        pid_t pid = -1;
        int r;

        *ret = (struct probe_exec){.end = PROBE_EXEC_NOT_STARTED};
        if (pipe2(ends, O_CLOEXEC) < 0) {
                ret->code = errno;
                return;
        }
        in = ends[0];
        out = ends[1];
        r = fd_set_nonblock(in);
        r = r < 0 ? -r : spawn(path, argv, out, &pid);
        out = fd_close(out);
        if (r)
                ret->code = r;
        else
                await(pid, in, deadline, ret);
}

void probe_exec_done(struct probe_exec *x)
{
        str_done(&x->output);
}

void probe_exec_words(const struct probe_exec *x, int seconds, char *buf, size_t size)
{
        char why[96];

        switch (x->end) {
        case PROBE_EXEC_EXITED:
                snprintf(buf, size, "exited with code %d", x->code);
                return;
        case PROBE_EXEC_SIGNALLED:
                snprintf(buf, size, "died by signal %d", x->code);
                return;
        case PROBE_EXEC_TIMED_OUT:
                snprintf(buf, size, "did not end within %d s", seconds);
                return;
        case PROBE_EXEC_NOT_STARTED:
                snprintf(buf, size, "could not be started: %s",
                         strerror_r(x->code, why, sizeof why));
                return;
        }
}
