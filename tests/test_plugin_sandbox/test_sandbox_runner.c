/* The box as its owner sees it: how workers die, that nothing of them is left, what is refused. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/cgroup_files.h"
#include "sandbox/sandbox_private.h"
#include "test_box.h"

/* Every promise about life and death holds in each of these machines: with all that there is, in a
 * user namespace, and where namespaces are denied. */
#define USER_SPACES "root"
#define NO_SPACES   "userns,pidns,mountns,netns,root"

static const char *const machines[] = {NULL, USER_SPACES, NO_SPACES, NO_SPACES ",cgroup"};

/* ---- causes of death
 * ---------------------------------------------------------------------------*/

static void test_causes_of_death_are_told_apart(void **state)
{
        static const struct {
                const char *command;
                enum obituary_cause cause;
                int number;
        } rows[] = {
                {"segv", OBITUARY_SIGNAL, SIGSEGV},
                {"abort", OBITUARY_SIGNAL, SIGABRT},
                {"raise 9", OBITUARY_SIGNAL, SIGKILL},
                {"raise 15", OBITUARY_SIGNAL, SIGTERM},
                {"raise 14", OBITUARY_SIGNAL, SIGALRM},
                {"raise 13", OBITUARY_SIGNAL, SIGPIPE},
                {"raise 8", OBITUARY_SIGNAL, SIGFPE},
                {"exit 0", OBITUARY_EXITED, 0},
                {"exit 3", OBITUARY_EXITED, 3},
#if defined(__x86_64__)
                {"int80", OBITUARY_SYSCALL, SIGSYS},
                {"sys 0x40000027", OBITUARY_SYSCALL, SIGSYS}, /* x32's getpid */
#endif
        };

        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
                struct test_box t;

                test_box_init(&t, machines[m]);
                for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                        struct obituary o;

                        test_box_start(&t);
                        test_box_die_of(&t, rows[i].command, &o);
                        if (o.cause != rows[i].cause)
                                print_message("# %s: %s\n", rows[i].command, o.setup);
                        assert_int_equal(o.cause, rows[i].cause);
                        assert_int_equal(o.cause == OBITUARY_EXITED ? o.exit_code : o.signal,
                                         rows[i].number);
                        assert_false(o.core_dumped);
                        test_box_stop(&t);
                }
                test_box_done(&t);
        }
}

static void test_the_hosts_kill_is_told_as_such(void **state)
{
        static const char *const stuck[] = {"ping", "stop"};

        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++)
                for (size_t i = 0; i < ARRAY_LEN(stuck); i++) {
                        struct obituary o;
                        struct test_box t;

                        test_box_open(&t, machines[m]);
                        (void)test_box_ask(&t, "ping");
                        test_box_send(&t, stuck[i]);
                        sandbox_kill(t.sandbox);
                        sandbox_kill(t.sandbox);
                        test_box_wait_dead(&t, &o);
                        assert_int_equal(o.cause, OBITUARY_KILLED);
                        assert_int_equal(sandbox_reap(t.sandbox, &o), 0);
                        assert_int_equal(o.cause, OBITUARY_KILLED);
                        test_box_done(&t);
                }
}

static void test_a_box_that_is_alive_is_not_reaped(void **state)
{
        struct obituary o = {.exit_code = 77};
        struct test_box t;

        (void)state;
        test_box_open(&t, NULL);
        assert_int_equal(sandbox_reap(t.sandbox, &o), 1);
        assert_int_equal(o.exit_code, 77);
        test_box_done(&t);
}

static void test_the_workers_pid_is_the_hosts_number_for_it(void **state)
{
        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
                struct obituary o;
                struct test_box t;

                test_box_open(&t, machines[m]);
                (void)test_box_ask(&t, "ping");
                assert_int_equal(kill(sandbox_pid(t.sandbox), SIGUSR1), 0);
                test_box_wait_dead(&t, &o);
                assert_int_equal(o.signal, SIGUSR1);
                test_box_done(&t);
        }
}

/* ---- nothing is left
 * ---------------------------------------------------------------------------*/

static void test_nothing_is_left_whenever_it_is_freed(void **state)
{
        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
                struct test_box t;

                test_box_mark_leaks();
                for (int when = 0; when < 12; when++) {
                        test_box_init(&t, machines[m]);
                        test_box_start(&t);
                        /* At once, while it is being built, when it stands, when it is dead. */
                        if (when < 8)
                                poll(NULL, 0, when);
                        else
                                (void)test_box_ask(&t, "ping");
                        if (when >= 10)
                                sandbox_kill(t.sandbox);
                        test_box_done(&t);
                }
                test_box_assert_no_leaks();
        }
}

static void test_a_runner_ends_the_boxes_it_still_has(void **state)
{
        struct test_box t;
        pid_t pid;

        (void)state;
        test_box_mark_leaks();
        test_box_open(&t, NULL);
        (void)test_box_ask(&t, "ping");
        pid = sandbox_pid(t.sandbox);
        t.sandbox = NULL;
        test_box_done(&t);
        assert_false(test_box_is_alive(pid));
        test_box_assert_no_leaks();
}

static bool may_fork(struct test_box *t)
{
        return sandbox_isolation(t->sandbox)->namespaces & ISOLATION_NS_PID;
}

/* Another process in each cgroup of the box, that leaves when the box's own patience has ended. */
static pid_t crowd(const struct test_box *t)
{
        const struct timespec more_than_a_free_waits = {.tv_sec = 4};
        pid_t pid = fork();

        if (pid == 0) {
                for (unsigned i = 0; i < t->sandbox->cgroup.n; i++) {
                        scoped(fd) int procs = openat(t->sandbox->cgroup.dirs[i], "cgroup.procs",
                                                      O_WRONLY | O_CLOEXEC);

                        if (procs < 0 || write(procs, "0", 1) != 1)
                                _exit(1);
                }
                raise(SIGSTOP);
                nanosleep(&more_than_a_free_waits, NULL);
                _exit(0);
        }
        return pid;
}

static void test_a_runner_waits_for_cgroups_that_stay_busy(void **state)
{
        char paths[CGROUP_CONTROLLERS][PATH_MAX];
        struct test_box t;
        unsigned n;
        int status = 0;
        pid_t pid;

        (void)state;
        test_box_open(&t, NULL);
        (void)test_box_ask(&t, "ping");
        n = t.sandbox->cgroup.n;
        if (!t.sandbox->has_cgroup) {
                test_box_done(&t);
                test_box_skip("no cgroup can be had here");
        }
        for (unsigned i = 0; i < n; i++)
                strcpy(paths[i], t.runner->cgroups.places[i].path);
        pid = crowd(&t);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        assert_int_equal(kill(pid, SIGCONT), 0);
        test_box_done(&t); /* frees the box, and then the runner */
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(access(paths[i], F_OK), -1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void test_children_in_sessions_of_their_own_die_too(void **state)
{
        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
                struct obituary o;
                struct test_box t;
                pid_t pids[128];
                size_t n;

                test_box_open(&t, machines[m]);
                assert_string_equal(test_box_ask(&t, "fork 50"), may_fork(&t) ? "50 0" : "0 1");
                n = test_box_named(t.policy.name, pids, ARRAY_LEN(pids));
                assert_int_equal(n, may_fork(&t) ? 52 : 1);
                sandbox_kill(t.sandbox);
                test_box_wait_dead(&t, &o);
                for (size_t i = 0; i < n; i++)
                        assert_false(test_box_is_alive(pids[i]));
                test_box_done(&t);
        }
}

static void test_children_die_with_a_worker_that_crashes(void **state)
{
        struct obituary o;
        struct test_box t;
        pid_t pids[128];
        size_t n;

        (void)state;
        test_box_open(&t, USER_SPACES);
        if (!(sandbox_isolation(t.sandbox)->namespaces & ISOLATION_NS_PID)) {
                assert_string_equal(test_box_ask(&t, "fork 20"), "0 1"); /* EPERM */
                test_box_done(&t);
                return;
        }
        assert_string_equal(test_box_ask(&t, "fork 20"), "20 0");
        n = test_box_named(t.policy.name, pids, ARRAY_LEN(pids));
        test_box_die_of(&t, "segv", &o);
        assert_int_equal(o.signal, SIGSEGV);
        for (size_t i = 0; i < n; i++)
                assert_false(test_box_is_alive(pids[i]));
        test_box_done(&t);
}

static uint64_t process_limit(struct test_box *t)
{
        for (unsigned i = 0; t->sandbox->has_cgroup && i < t->sandbox->cgroup.n; i++)
                if (t->sandbox->cgroup.controllers[i] & CGROUP_PIDS)
                        return cgroup_read_number(t->sandbox->cgroup.dirs[i], "pids.max");
        return (uint64_t)test_box_number(t, "limit 6"); /* RLIMIT_NPROC */
}

/* Only where a limit was seen to be in force: without one this would take the machine down. */
static void bomb(const char *fake_missing)
{
        struct obituary o;
        struct test_box t;
        pid_t pids[128];
        bool counted;
        size_t n;

        test_box_init(&t, fake_missing);
        t.policy.pids_max = 60;
        test_box_start(&t);
        (void)test_box_ask(&t, "ping");
        if (!sandbox_isolation(t.sandbox)->pids || process_limit(&t) == 0 ||
            process_limit(&t) > 62) {
                test_box_done(&t);
                test_box_skip("no process limit can be had here");
        }
        counted = t.sandbox->has_cgroup && t.runner->cgroups.pids;
        assert_string_equal(test_box_ask(&t, "bomb"), "bombing");
        do
                n = test_box_named(t.policy.name, pids, ARRAY_LEN(pids));
        while (n < 40 || (counted && cgroup_box_pids_events(&t.sandbox->cgroup) == 0));
        assert_true(n <= 61);
        sandbox_kill(t.sandbox);
        test_box_wait_dead(&t, &o);
        assert_int_equal(o.cause, OBITUARY_KILLED);
        assert_int_equal(test_box_named(t.policy.name, pids, ARRAY_LEN(pids)), 0);
        assert_int_equal(o.pids_limit, counted);
        test_box_done(&t);
}

static void test_a_fork_bomb_is_held_and_cleaned_up(void **state)
{
        (void)state;
        bomb(NULL);
}

static void test_a_fork_bomb_is_held_without_cgroups(void **state)
{
        (void)state;
        bomb("cgroup");
}

struct host_news {
        pid_t worker;
        char dir[64];
};

/* What the test's own child does: it is a host, and its worker has been told `command`. */
static void __attribute__((noreturn)) be_host(const char *fake_missing, const char *command, int fd)
{
        struct host_news news;
        struct test_box t;

        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that failed must not leave a host behind */
        test_box_open(&t, fake_missing);
        (void)test_box_ask(&t, "fork 10");
        news.worker = sandbox_pid(t.sandbox);
        memcpy(news.dir, t.dir, sizeof news.dir);
        test_box_send(&t, command);
        (void)!write(fd, &news, sizeof news);
        for (;;)
                pause();
}

/* A host that is killed takes its boxes along, whatever they have become. */
static void host_is_killed(const char *fake_missing, const char *command)
{
        struct host_news news;
        pid_t pids[64], host;
        char name[65];
        int ready[2];
        size_t n;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        host = fork();
        if (host == 0)
                be_host(fake_missing, command, ready[1]);
        close(ready[1]);
        assert_int_equal(read(ready[0], &news, sizeof news), sizeof news);
        pids[0] = news.worker;
        snprintf(name, sizeof name, "probe-%d", host);
        n = test_box_named(name, pids + 1, ARRAY_LEN(pids) - 1) + 1;
        if (strstr(command, "exec")) /* on its way there it looks like a zombie for a moment */
                test_box_wait_command(pids[0], "sleep");
        assert_true(test_box_is_alive(pids[0]));
        assert_int_equal(kill(host, SIGKILL), 0);
        assert_int_equal(waitpid(host, NULL, 0), host);
        test_box_wait_gone(pids, n);
        test_box_remove_dir(news.dir);
        close(ready[0]);
}

static void test_kill_9_of_the_host_leaves_nothing(void **state)
{
        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
                host_is_killed(machines[m], "stop");
                host_is_killed(machines[m], "exec_in_thread");
        }
}

static void test_a_lost_keeper_is_replaced(void **state)
{
        struct obituary o;
        struct test_box t;

        (void)state;
        test_box_mark_leaks();
        test_box_open(&t, NO_SPACES);
        test_box_stop(&t);
        assert_int_equal(pidfd_send_signal(t.runner->keeper.pidfd, SIGKILL, NULL, 0), 0);
        assert_int_equal(
            poll(&(struct pollfd){.fd = t.runner->keeper.pidfd, .events = POLLIN}, 1, BOX_WAIT_MS),
            1);
        test_box_start(&t);
        (void)test_box_ask(&t, "ping");
        keeper_stop(&t.runner->keeper); /* it kills what it was given */
        test_box_wait_dead(&t, &o);
        assert_int_equal(o.signal, SIGKILL);
        test_box_done(&t);
        test_box_assert_no_leaks();
}

/* ---- what does not come to life
 * ----------------------------------------------------------------*/

static void expect_setup_error(struct test_box *t, const char *words)
{
        struct obituary o;

        test_box_start(t);
        test_box_wait_dead(t, &o);
        assert_int_equal(o.cause, OBITUARY_SETUP);
        if (!strstr(o.setup, words))
                fail_msg("\"%s\" does not say \"%s\"", o.setup, words);
        test_box_done(t);
}

static void test_a_plugin_folder_that_is_not_there_is_named(void **state)
{
        struct test_box t;

        (void)state;
        test_box_init(&t, NULL);
        assert_int_equal(sandbox_policy_set_plugin_dir(&t.policy, "/nowhere/at/all"), 0);
        expect_setup_error(&t, "/nowhere/at/all");
}

static void test_a_plugin_folder_that_only_root_reads_is_explained(void **state)
{
        struct test_box t;

        (void)state;
        test_box_init(&t, NULL);
        if (!t.runner->machine.own_user) {
                test_box_done(&t);
                test_box_skip("workers have no uid of their own here");
        }
        assert_int_equal(chmod(t.dir, 0700), 0);
        expect_setup_error(&t, "chmod o+rx");
}

static void test_a_missing_folder_of_the_policy_fails_unless_optional(void **state)
{
        struct test_box t;

        (void)state;
        test_box_init(&t, NULL);
        assert_int_equal(sandbox_policy_add_bind(&t.policy, "/nowhere", NULL, false, true), 0);
        test_box_start(&t);
        (void)test_box_ask(&t, "ping");
        test_box_stop(&t);
        assert_int_equal(sandbox_policy_add_bind(&t.policy, "/nowhere2", NULL, false, false), 0);
        expect_setup_error(&t, "/nowhere2");
}

/* Whoever resolved a path has looked at where it led: what is a link by now is somebody's doing. */
static void test_a_folder_of_the_policy_that_has_become_a_link_is_not_followed(void **state)
{
        const char *const ways[] = {"", "/in"};
        char outside[64] = "/tmp/forgesyte-bind-XXXXXX", link[80], path[100];

        (void)state;
        assert_non_null(mkdtemp(outside));
        snprintf(path, sizeof path, "%s/in", outside);
        assert_int_equal(chmod(outside, 0755) | mkdir(path, 0755), 0);
        snprintf(link, sizeof link, "%s-link", outside);
        assert_int_equal(symlink(outside, link), 0);
        for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
                struct test_box t;

                test_box_init(&t, NULL);
                snprintf(path, sizeof path, "%s%s", link, ways[i]);
                assert_int_equal(sandbox_policy_add_bind(&t.policy, path, NULL, false, true), 0);
                expect_setup_error(&t, path);
        }
        unlink(link);
        snprintf(path, sizeof path, "%s/in", outside);
        assert_int_equal(rmdir(path) | rmdir(outside), 0);
}

static void test_a_worker_program_that_can_not_run_is_told(void **state)
{
        struct test_box t;
        char *path;

        (void)state;
        test_box_init(&t, NULL);
        path = t.runner->worker_path;
        t.runner->worker_path = t.dir; /* a folder is executable to access(), not to execve() */
        test_box_start(&t);
        t.runner->worker_path = path;
        struct obituary o;
        test_box_wait_dead(&t, &o);
        assert_int_equal(o.cause, OBITUARY_SETUP);
        assert_non_null(strstr(o.setup, "start the worker program"));
        test_box_done(&t);
}

static void test_a_runner_needs_a_worker_program(void **state)
{
        const struct sandbox_runner_options none = {.worker_path = "/nowhere/forgesyte-worker"};
        const struct sandbox_runner_options relative = {.worker_path = "forgesyte-worker"};
        struct sandbox_runner *r = NULL;
        struct err e = {0};

        (void)state;
        assert_int_equal(sandbox_runner_new(&none, &r, &e), -ENOENT);
        assert_int_equal(sandbox_runner_new(&relative, &r, &e), -EINVAL);
        assert_null(r);
}

static void test_a_weaker_box_than_demanded_is_refused(void **state)
{
        static const struct {
                const char *fakes;
                enum isolation_level reached;
        } rows[] = {
            {NO_SPACES, ISOLATION_FILTERED},
            {"seccomp", ISOLATION_NONE},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                for (int wanted = ISOLATION_NONE; wanted <= ISOLATION_FULL; wanted++) {
                        struct err e = {0};
                        struct test_box t;
                        int r;

                        test_box_init(&t, rows[i].fakes);
                        t.policy.min_level = (enum isolation_level)wanted;
                        r = sandbox_spawn(t.runner, &t.policy, &t.sandbox, &e);
                        assert_int_equal(r, wanted > (int)rows[i].reached);
                        if (r == 1)
                                assert_non_null(
                                    strstr(e.msg, isolation_level_name(rows[i].reached)));
                        test_box_done(&t);
                }
}

static void test_the_network_lowers_the_level(void **state)
{
        struct err e = {0};
        struct test_box t;

        (void)state;
        test_box_init(&t, NULL);
        t.policy.network = true;
        t.policy.min_level = ISOLATION_FULL;
        assert_int_equal(sandbox_spawn(t.runner, &t.policy, &t.sandbox, &e), 1);
        test_box_done(&t);
}

/* ---- the host itself
 * ---------------------------------------------------------------------------*/

static void test_the_host_can_not_be_looked_into(void **state)
{
        int before = prctl(PR_GET_DUMPABLE);
        struct test_box t;

        (void)state;
        test_box_init(&t, NULL);
        assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
        test_box_done(&t);
        assert_int_equal(prctl(PR_GET_DUMPABLE), before);
}

static void test_many_boxes_live_beside_each_other(void **state)
{
        enum { MANY = 12 };
        struct sandbox *boxes[MANY];
        struct test_box t;
        struct err e = {0};

        (void)state;
        test_box_mark_leaks();
        test_box_init(&t, NULL);
        for (int i = 0; i < MANY; i++)
                assert_int_equal(sandbox_spawn(t.runner, &t.policy, &boxes[i], &e), 0);
        for (int i = 0; i < MANY; i++) {
                t.sandbox = boxes[i];
                (void)test_box_ask(&t, "ping");
                for (int j = 0; j < i && t.runner->machine.own_user; j++)
                        assert_int_not_equal(sandbox_isolation(boxes[i])->uid,
                                             sandbox_isolation(boxes[j])->uid);
        }
        t.sandbox = NULL;
        for (int i = 0; i < MANY; i++)
                sandbox_free(boxes[i]);
        test_box_done(&t);
        test_box_assert_no_leaks();
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_causes_of_death_are_told_apart),
            cmocka_unit_test(test_the_hosts_kill_is_told_as_such),
            cmocka_unit_test(test_a_box_that_is_alive_is_not_reaped),
            cmocka_unit_test(test_the_workers_pid_is_the_hosts_number_for_it),
            cmocka_unit_test(test_nothing_is_left_whenever_it_is_freed),
            cmocka_unit_test(test_a_runner_ends_the_boxes_it_still_has),
            cmocka_unit_test(test_a_runner_waits_for_cgroups_that_stay_busy),
            cmocka_unit_test(test_children_in_sessions_of_their_own_die_too),
            cmocka_unit_test(test_children_die_with_a_worker_that_crashes),
            cmocka_unit_test(test_a_fork_bomb_is_held_and_cleaned_up),
            cmocka_unit_test(test_a_fork_bomb_is_held_without_cgroups),
            cmocka_unit_test(test_kill_9_of_the_host_leaves_nothing),
            cmocka_unit_test(test_a_lost_keeper_is_replaced),
            cmocka_unit_test(test_a_plugin_folder_that_is_not_there_is_named),
            cmocka_unit_test(test_a_plugin_folder_that_only_root_reads_is_explained),
            cmocka_unit_test(test_a_missing_folder_of_the_policy_fails_unless_optional),
            cmocka_unit_test(test_a_folder_of_the_policy_that_has_become_a_link_is_not_followed),
            cmocka_unit_test(test_a_worker_program_that_can_not_run_is_told),
            cmocka_unit_test(test_a_runner_needs_a_worker_program),
            cmocka_unit_test(test_a_weaker_box_than_demanded_is_refused),
            cmocka_unit_test(test_the_network_lowers_the_level),
            cmocka_unit_test(test_the_host_can_not_be_looked_into),
            cmocka_unit_test(test_many_boxes_live_beside_each_other),
        };

        if (!test_box_prepare(argc, argv))
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
