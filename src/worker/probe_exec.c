#include "worker/probe_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define OUTPUT_MAX KIB(256)
/* How often a child that closed its stdout, or whose grandchild keeps it open, is looked at. */
#define TICK_MS 20

/* 0 or an errno. The child leads a process group, so that its own children can be ended with it. */
static int spawn(const char *path, const char *const *argv, int out, pid_t *ret)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        int r;

        r = posix_spawn_file_actions_init(&actions);
        if (r)
                return r;
        r = posix_spawnattr_init(&attr);
        if (r == 0) {
                posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
                r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
                if (r == 0)
                        r = posix_spawn(ret, path, &actions, &attr, (char *const *)(uintptr_t)argv,
                                        environ);
                posix_spawnattr_destroy(&attr);
        }
        posix_spawn_file_actions_destroy(&actions);
        return r;
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
                kill(-pid, SIGKILL);
                kill(pid, SIGKILL);
                x->end = PROBE_EXEC_TIMED_OUT;
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
        pid_t pid;
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
