#include "test_box.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

static struct {
        char worker[4096];
        int children, fds;
} shared;

#define NOBODY 65534

static const char *become_nobody(void)
{
        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) < 0)
                return "only root can become somebody else";
        /* Else our own files in /proc would be root's. */
        prctl(PR_SET_DUMPABLE, 1);
        return access(shared.worker, X_OK) < 0 ? "nobody can't reach the worker program" : NULL;
}

bool test_box_prepare(int argc, char **argv)
{
        const char *why = argc < 2 ? "no worker program was given" : NULL;

        /* Meson names it relative to the build folder, the runner wants to find it from anywhere.
         */
        if (!why && !realpath(argv[1], shared.worker))
                why = "the worker program is not there";
        if (argc > 2 && !strcmp(argv[2], "nobody"))
                why = become_nobody();
        if (why)
                printf("1..0 # SKIP %s\n", why);
        return !why;
}

void test_box_skip(const char *why)
{
        print_message("%s\n", why);
        skip();
        abort(); /* not reached: skip() jumps away */
}

static void write_file(const char *path, const char *text)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
        close(fd);
}

void test_box_init(struct test_box *t, const char *fake_missing)
{
        struct sandbox_runner_options o = {.worker_path = shared.worker,
                                           .fake_missing = fake_missing};
        struct err e = {0};
        char path[128];

        memset(t, 0, sizeof *t);
        if (sandbox_runner_new(&o, &t->runner, &e) != 0)
                fail_msg("runner: %s", e.msg);
        snprintf(t->dir, sizeof t->dir, "/tmp/forgesyte-test-XXXXXX");
        assert_non_null(mkdtemp(t->dir));
        assert_int_equal(chmod(t->dir, 0755), 0);
        snprintf(path, sizeof path, "%s/file", t->dir);
        write_file(path, "hello");
        sandbox_policy_init(&t->policy);
        snprintf(t->policy.name, sizeof t->policy.name, "probe-%d", getpid());
        t->policy.min_level = ISOLATION_NONE;
        assert_int_equal(sandbox_policy_set_plugin_dir(&t->policy, t->dir), 0);
}

void test_box_start(struct test_box *t)
{
        struct err e = {0};

        if (sandbox_spawn(t->runner, &t->policy, &t->sandbox, &e) != 0)
                fail_msg("spawn: %s", e.msg);
}

void test_box_open(struct test_box *t, const char *fake_missing)
{
        test_box_init(t, fake_missing);
        test_box_start(t);
}

void test_box_stop(struct test_box *t)
{
        sandbox_free(t->sandbox);
        t->sandbox = NULL;
}

void test_box_remove_dir(const char *dir)
{
        char path[128];

        snprintf(path, sizeof path, "%s/file", dir);
        unlink(path);
        rmdir(dir);
}

void test_box_done(struct test_box *t)
{
        test_box_stop(t);
        sandbox_runner_free(t->runner);
        t->runner = NULL;
        sandbox_policy_done(&t->policy);
        test_box_remove_dir(t->dir);
}

/* ---- talking
 * -----------------------------------------------------------------------------------*/

void test_box_send(struct test_box *t, const char *command)
{
        char line[600];
        int n = snprintf(line, sizeof line, "%s\n", command);

        assert_int_equal(write(sandbox_channel(t->sandbox), line, (size_t)n), n);
}

static void drain_stderr(const struct test_box *t, char *buf, size_t size)
{
        ssize_t n = read(sandbox_stderr(t->sandbox), buf, size - 1);

        buf[n > 0 ? n : 0] = '\0';
}

static const char *read_line(struct test_box *t, const char *asked)
{
        struct pollfd p = {.fd = sandbox_channel(t->sandbox), .events = POLLIN};
        size_t n = 0;

        for (;;) {
                ssize_t r = read(p.fd, t->answer + n, 1);

                if (r == 1 && t->answer[n] == '\n')
                        break;
                if (r == 1 && n < sizeof t->answer - 1) {
                        n++;
                        continue;
                }
                if (r < 0 && errno == EAGAIN && poll(&p, 1, BOX_WAIT_MS) > 0)
                        continue;
                drain_stderr(t, t->answer, sizeof t->answer);
                fail_msg("no answer to \"%s\": %s", asked, t->answer);
        }
        t->answer[n] = '\0';
        return t->answer;
}

const char *test_box_ask(struct test_box *t, const char *fmt, ...)
{
        char command[512];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(command, sizeof command, fmt, ap);
        va_end(ap);
        test_box_send(t, command);
        return read_line(t, command);
}

long test_box_number(struct test_box *t, const char *fmt, ...)
{
        char command[512];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(command, sizeof command, fmt, ap);
        va_end(ap);
        test_box_send(t, command);
        return strtol(read_line(t, command), NULL, 10);
}

void test_box_wait_dead(struct test_box *t, struct obituary *ret)
{
        int64_t end = clock_mono_ns() + BOX_WAIT_MS * NSEC_PER_MSEC;
        int r;

        while ((r = sandbox_reap(t->sandbox, ret)) == 1) {
                struct pollfd p[] = {
                    {.fd = sandbox_pidfd(t->sandbox), .events = POLLIN},
                    {.fd = sandbox_oom_fd(t->sandbox), .events = POLLIN | POLLPRI},
                };
                int wait = sandbox_wants_watch(t->sandbox) ? MEMORY_WATCH_MS : 1000;

                if (clock_mono_ns() > end)
                        fail_msg("still alive");
                if (poll(p, 2, wait) == 0 || p[1].revents)
                        (void)sandbox_check_memory(t->sandbox);
        }
        assert_int_equal(r, 0);
}

void test_box_die_of(struct test_box *t, const char *command, struct obituary *ret)
{
        test_box_send(t, command);
        test_box_wait_dead(t, ret);
}

/* ---- what is left
 * ------------------------------------------------------------------------------*/

static int count_in(const char *dir_path, bool (*counts)(const char *name))
{
        DIR *dir = opendir(dir_path);
        const struct dirent *d;
        int n = 0;

        assert_non_null(dir);
        while ((d = readdir(dir)))
                n += counts(d->d_name);
        closedir(dir);
        return n;
}

static bool read_stat(const char *pid, char *ret_state, int *ret_parent)
{
        char path[300], text[1024], *p;
        int fd, n;

        snprintf(path, sizeof path, "/proc/%s/stat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : (int)read(fd, text, sizeof text - 1);
        fd_close(fd);
        if (n <= 0)
                return false;
        text[n] = '\0';
        p = strrchr(text, ')');
        return p && sscanf(p + 1, " %c %d", ret_state, ret_parent) == 2;
}

static bool is_mine(const char *pid)
{
        char state;
        int parent;

        return pid[0] >= '0' && pid[0] <= '9' && read_stat(pid, &state, &parent) &&
               parent == getpid();
}

int test_box_count_children(void)
{
        return count_in("/proc", is_mine);
}

static bool is_fd(const char *name)
{
        return name[0] != '.';
}

int test_box_count_fds(void)
{
        return count_in("/proc/self/fd", is_fd);
}

bool test_box_is_alive(pid_t pid)
{
        char name[16], state;
        int parent;

        snprintf(name, sizeof name, "%d", pid);
        return read_stat(name, &state, &parent) && state != 'Z' && state != 'X';
}

/* A box's processes show its name behind "--box". */
static bool is_of_box(const char *pid, const char *name)
{
        char path[300], text[512] = {0}, *p;
        int fd;
        ssize_t n;

        snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        fd_close(fd);
        p = n > 0 ? memmem(text, (size_t)n, "--box", sizeof "--box") : NULL;
        return p && !strcmp(p + sizeof "--box", name);
}

size_t test_box_named(const char *name, pid_t *ret, size_t n)
{
        DIR *dir = opendir("/proc");
        const struct dirent *d;
        size_t found = 0;

        assert_non_null(dir);
        while (found < n && (d = readdir(dir)))
                if (d->d_name[0] >= '0' && d->d_name[0] <= '9' && is_of_box(d->d_name, name))
                        ret[found++] = atoi(d->d_name);
        closedir(dir);
        return found;
}

void test_box_wait_gone(const pid_t *pids, size_t n)
{
        int64_t end = clock_mono_ns() + BOX_WAIT_MS * NSEC_PER_MSEC;

        for (size_t i = 0; i < n; i++)
                while (test_box_is_alive(pids[i])) {
                        if (clock_mono_ns() > end)
                                fail_msg("process %d lives on", pids[i]);
                        poll(NULL, 0, 1);
                }
}

void test_box_wait_command(pid_t pid, const char *command)
{
        int64_t end = clock_mono_ns() + BOX_WAIT_MS * NSEC_PER_MSEC;
        char path[64], text[64];

        snprintf(path, sizeof path, "/proc/%d/comm", pid);
        for (;;) {
                int fd = open(path, O_RDONLY | O_CLOEXEC);
                ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

                fd_close(fd);
                text[n > 0 ? n : 0] = '\0';
                if (!strncmp(text, command, strlen(command)))
                        return;
                if (clock_mono_ns() > end)
                        fail_msg("process %d is \"%s\", not %s", pid, text, command);
                poll(NULL, 0, 1);
        }
}

void test_box_mark_leaks(void)
{
        shared.children = test_box_count_children();
        shared.fds = test_box_count_fds();
}

void test_box_assert_no_leaks(void)
{
        assert_int_equal(test_box_count_children(), shared.children);
        assert_int_equal(test_box_count_fds(), shared.fds);
}
