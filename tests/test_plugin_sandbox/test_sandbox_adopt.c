/* Boxes within a box: what a worker forks is limited, watched and ended by itself. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/cgroup_members.h"
#include "sandbox/sandbox_adopt.h"
#include "sandbox/sandbox_private.h"
#include "test_box.h"

/* t.sandbox is the parent; the copy obeys its command when it is let go. */
struct family {
        struct test_box t;
        struct sandbox *copy;
};

static void open_family(struct family *f)
{
        struct err e = {0};

        test_box_init(&f->t, NULL);
        f->t.policy.forks = 3;
        f->t.policy.pids_max = 64;
        f->t.policy.memory_bytes = MIB(64);
        test_box_start(&f->t);
        (void)test_box_ask(&f->t, "ping");
        if (sandbox_can_fork(f->t.sandbox, &e) == 0)
                return;
        test_box_done(&f->t);
        test_box_skip(e.msg);
}

static void close_family(struct family *f)
{
        sandbox_free(f->copy);
        test_box_done(&f->t);
}

static struct sandbox *expect(struct family *f)
{
        struct sandbox *s = NULL;
        struct err e = {0};
        int theirs[SANDBOX_ADOPT_FDS];

        if (sandbox_expect(f->t.sandbox, &s, theirs, &e) != 0)
                fail_msg("expect: %s", e.msg);
        for (int i = 0; i < SANDBOX_ADOPT_FDS; i++)
                fd_close(theirs[i]);
        return s;
}

/* A copy that will do that, adopted. */
static void adopt(struct family *f, const char *command)
{
        struct err e = {0};
        pid_t inner;
        int moved;

        f->copy = expect(f);
        inner = (pid_t)test_box_number(&f->t, "copy %s", command);
        if (sandbox_adopt_find(f->copy, f->t.sandbox, inner, &e) != 0)
                fail_msg("find: %s", e.msg);
        moved = sandbox_adopt_move(f->copy);
        if (sandbox_adopt_finish(f->copy, f->t.sandbox, moved, &e) != 0)
                fail_msg("finish: %s", e.msg);
}

static void let_go(struct family *f)
{
        assert_int_equal(sandbox_signal(f->copy, SIGUSR1), 0);
}

static void wait_dead(struct sandbox *s)
{
        struct pollfd p = {.fd = sandbox_pidfd(s), .events = POLLIN};

        assert_int_equal(poll(&p, 1, BOX_WAIT_MS), 1);
}

/* The limit's event, or the death. */
static void wait_memory(struct family *f)
{
        bool file = sandbox_isolation(f->copy)->memory == ISOLATION_MEMORY_CGROUP2;

        for (int looks = 0; sandbox_check_memory(f->copy) == 0; looks++) {
                struct pollfd p = {.fd = sandbox_oom_fd(f->copy),
                                   .events = file ? POLLPRI : POLLIN};

                assert_in_range(looks, 0, BOX_WAIT_MS / 100);
                assert_true(poll(&p, 1, 100) >= 0);
        }
}

static size_t members(const struct sandbox *s, pid_t *ret, size_t max)
{
        scoped(cgroup_members) struct cgroup_members m = {0};

        assert_int_equal(cgroup_members_read(&s->cgroup, 0, &m), 0);
        assert_true(m.n <= max);
        memcpy(ret, m.pids, m.n * sizeof *ret);
        return m.n;
}

static void assert_parent_is_well(struct family *f)
{
        scoped(cgroup_members) struct cgroup_members m = {0};
        struct obituary o;

        (void)test_box_ask(&f->t, "ping");
        assert_int_equal(sandbox_reap(f->t.sandbox, &o), 1);
        assert_int_equal(cgroup_members_read(&f->t.sandbox->cgroup, 0, &m), 0);
        assert_int_equal(m.n, 2);
}

/* ---- the end of one
 * ----------------------------------------------------------------------------*/

static void test_a_copy_has_its_own_pid_memory_and_end(void **state)
{
        struct sandbox_usage u;
        struct family f = {0};
        struct obituary o;

        (void)state;
        open_family(&f);
        adopt(&f, "ping");
        assert_int_not_equal(sandbox_pid(f.copy), sandbox_pid(f.t.sandbox));
        assert_true(test_box_is_alive(sandbox_pid(f.copy)));
        sandbox_usage(f.copy, &u);
        assert_in_range(u.peak_rss_bytes, 0, MIB(8));
        assert_int_equal(sandbox_reap(f.copy, &o), 1);
        sandbox_kill(f.copy);
        sandbox_kill(f.copy);
        wait_dead(f.copy);
        assert_int_equal(sandbox_reap(f.copy, &o), 0);
        assert_int_equal(o.cause, OBITUARY_KILLED);
        assert_parent_is_well(&f);
        close_family(&f);
}

static void test_its_parent_tells_how_it_ended(void **state)
{
        static const struct {
                int code, status;
                enum obituary_cause cause;
        } rows[] = {{CLD_EXITED, 3, OBITUARY_EXITED},
                    {CLD_KILLED, SIGSEGV, OBITUARY_SIGNAL},
                    {CLD_KILLED, SIGSYS, OBITUARY_SYSCALL}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct family f = {0};
                struct obituary o;

                open_family(&f);
                adopt(&f, "exit 3");
                assert_false(sandbox_end_is_told(f.copy));
                let_go(&f);
                wait_dead(f.copy);
                sandbox_tell_end(f.copy, rows[i].code, rows[i].status, MIB(1));
                sandbox_tell_end(f.copy, CLD_EXITED, 77, 0); /* said once */
                assert_true(sandbox_end_is_told(f.copy));
                assert_int_equal(sandbox_reap(f.copy, &o), 0);
                assert_int_equal(o.cause, rows[i].cause);
                assert_int_equal(o.cause == OBITUARY_EXITED ? o.exit_code : o.signal,
                                 rows[i].status);
                close_family(&f);
        }
}

static void test_an_end_of_which_nobody_tells_is_a_death_all_the_same(void **state)
{
        struct family f = {0};
        struct obituary o;

        (void)state;
        open_family(&f);
        adopt(&f, "segv");
        let_go(&f);
        wait_dead(f.copy);
        assert_int_equal(sandbox_reap(f.copy, &o), 0);
        assert_int_equal(o.cause, OBITUARY_SIGNAL);
        close_family(&f);
}

static void test_a_word_about_one_that_lives_ends_nothing(void **state)
{
        struct family f = {0};
        struct obituary o;

        (void)state;
        open_family(&f);
        adopt(&f, "ping");
        sandbox_tell_end(f.copy, CLD_EXITED, 0, 0);
        assert_int_equal(sandbox_reap(f.copy, &o), 1);
        assert_true(test_box_is_alive(sandbox_pid(f.copy)));
        close_family(&f);
}

static void test_the_memory_limit_is_its_own(void **state)
{
        struct family f = {0};
        struct obituary o;

        (void)state;
        open_family(&f);
        adopt(&f, "eat 268435456");
        let_go(&f);
        wait_memory(&f);
        wait_dead(f.copy);
        assert_int_equal(sandbox_reap(f.copy, &o), 0);
        assert_int_equal(o.cause, OBITUARY_MEMORY);
        assert_true(o.peak_bytes >= MIB(60));
        assert_parent_is_well(&f);
        close_family(&f);
}

static void test_what_it_started_ends_with_it(void **state)
{
        static const char *const commands[] = {"fork 20", "bomb"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
                struct family f = {0};
                pid_t pids[128];
                size_t n = 0;

                open_family(&f);
                adopt(&f, commands[i]);
                let_go(&f);
                while (n < 15)
                        n = members(f.copy, pids, ARRAY_LEN(pids));
                sandbox_kill(f.copy);
                sandbox_free(f.copy);
                f.copy = NULL;
                test_box_wait_gone(pids, n);
                sandbox_free(f.t.sandbox);
                f.t.sandbox = NULL;
                close_family(&f);
        }
}

static void test_daemons_of_one_that_died_by_itself_end_too(void **state)
{
        struct family f = {0};
        struct obituary o;
        pid_t pids[128];
        size_t n = 0;

        (void)state;
        open_family(&f);
        adopt(&f, "fork 9");
        let_go(&f);
        while (n < 10)
                n = members(f.copy, pids, ARRAY_LEN(pids));
        assert_int_equal(sandbox_signal(f.copy, SIGSEGV), 0);
        wait_dead(f.copy);
        assert_int_equal(sandbox_reap(f.copy, &o), 0);
        test_box_wait_gone(pids, n);
        close_family(&f);
}

/* They share a uid, by which that limit counts: no instance may meet it before its cgroup's. */
static void test_there_is_room_for_the_processes_of_all(void **state)
{
        struct family f = {0};

        (void)state;
        open_family(&f);
        if (f.t.runner->machine.nproc)
                assert_true(test_box_number(&f.t, "limit %d", RLIMIT_NPROC) >= 4 * 64);
        close_family(&f);
}

static void test_it_ends_with_its_parent(void **state)
{
        struct family f = {0};
        struct obituary o;

        (void)state;
        open_family(&f);
        adopt(&f, "ping");
        sandbox_kill(f.t.sandbox);
        wait_dead(f.copy);
        assert_int_equal(sandbox_reap(f.copy, &o), 0);
        close_family(&f);
}

/* ---- who is taken for it
 * -----------------------------------------------------------------------*/

static void test_a_worker_with_other_processes_may_not_fork(void **state)
{
        struct family f = {0};
        struct err e = {0};

        (void)state;
        open_family(&f);
        (void)test_box_ask(&f.t, "fork 2");
        assert_int_equal(sandbox_can_fork(f.t.sandbox, &e), 1);
        assert_string_equal(e.msg, "it has started 2 processes when it was imported");
        close_family(&f);
}

static void test_none_of_several_is_taken_and_all_end(void **state)
{
        struct family f = {0};
        struct err e = {0};
        pid_t pids[8];
        size_t n;
        long inner;

        (void)state;
        open_family(&f);
        f.copy = expect(&f);
        inner = test_box_number(&f.t, "copy ping");
        (void)test_box_number(&f.t, "copy ping");
        n = members(f.t.sandbox, pids, ARRAY_LEN(pids));
        assert_int_equal(n, 4);
        assert_int_equal(sandbox_adopt_find(f.copy, f.t.sandbox, (pid_t)inner, &e), 1);
        assert_string_equal(e.msg, "it starts processes when it is forked");
        for (size_t i = 0; i < n; i++)
                if (pids[i] != f.t.sandbox->pid && pids[i] != f.t.sandbox->worker)
                        test_box_wait_gone(&pids[i], 1);
        assert_parent_is_well(&f);
        close_family(&f);
}

static void test_one_that_came_between_is_found_after_the_move(void **state)
{
        struct family f = {0};
        struct err e = {0};
        long inner;

        (void)state;
        open_family(&f);
        f.copy = expect(&f);
        inner = test_box_number(&f.t, "copy ping");
        assert_int_equal(sandbox_adopt_find(f.copy, f.t.sandbox, (pid_t)inner, &e), 0);
        (void)test_box_number(&f.t, "copy ping");
        assert_int_equal(sandbox_adopt_move(f.copy), 0);
        assert_int_equal(sandbox_adopt_finish(f.copy, f.t.sandbox, 0, &e), 1);
        assert_string_equal(e.msg, "it starts processes when it is forked");
        wait_dead(f.copy);
        close_family(&f);
}

static void test_another_number_than_the_parents_is_refused(void **state)
{
        struct family f = {0};
        struct err e = {0};
        long inner;

        (void)state;
        open_family(&f);
        f.copy = expect(&f);
        inner = test_box_number(&f.t, "copy ping");
        assert_int_equal(sandbox_adopt_find(f.copy, f.t.sandbox, (pid_t)inner + 1, &e), -EBADMSG);
        wait_dead(f.copy);
        close_family(&f);
}

static void test_one_that_is_gone_is_told_so(void **state)
{
        struct family f = {0};
        struct err e = {0};

        (void)state;
        open_family(&f);
        f.copy = expect(&f);
        assert_int_equal(sandbox_adopt_find(f.copy, f.t.sandbox, 5, &e), -ESRCH);
        close_family(&f);
}

/* A process of our own with that number, which is free; 0: there was none to be had. */
static pid_t take_number(pid_t wanted)
{
        for (int tries = 0; tries < 50; tries++) {
                FILE *f = fopen("/proc/sys/kernel/ns_last_pid", "w");
                pid_t pid;

                if (!f)
                        return 0;
                fprintf(f, "%d", wanted - 1);
                if (fclose(f) != 0)
                        return 0;
                pid = fork();
                if (pid == 0)
                        for (;;)
                                pause();
                if (pid == wanted)
                        return pid;
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
        }
        return 0;
}

static void test_nobody_is_moved_who_has_got_its_number(void **state)
{
        struct family f = {0};
        struct err e = {0};
        pid_t stranger, inner;

        (void)state;
        open_family(&f);
        f.copy = expect(&f);
        inner = (pid_t)test_box_number(&f.t, "copy ping");
        assert_int_equal(sandbox_adopt_find(f.copy, f.t.sandbox, inner, &e), 0);
        assert_int_equal(kill(f.copy->pid, SIGKILL), 0);
        (void)test_box_ask(&f.t, "reap %d", inner);
        stranger = take_number(f.copy->pid);
        if (!stranger) {
                close_family(&f);
                test_box_skip("nobody gets a number that was another's here");
        }
        assert_int_equal(sandbox_adopt_move(f.copy), -ESRCH);
        close_family(&f);
        assert_int_equal(waitpid(stranger, NULL, WNOHANG), 0);
        kill(stranger, SIGKILL);
        waitpid(stranger, NULL, 0);
}

static void test_without_the_means_it_is_refused(void **state)
{
        static const struct {
                const char *missing, *words;
        } rows[] = {{"cgroup", "there is no cgroup"},
                    {"userns,pidns,mountns,netns,root", "no pid namespace"}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct err e = {0};
                struct test_box t;

                test_box_open(&t, rows[i].missing);
                (void)test_box_ask(&t, "ping");
                assert_int_equal(sandbox_can_fork(t.sandbox, &e), 1);
                if (!strstr(e.msg, rows[i].words) && !strstr(e.msg, "no pid namespace"))
                        fail_msg("%s", e.msg);
                test_box_done(&t);
        }
}

static void test_nothing_is_left(void **state)
{
        struct family f = {0};

        (void)state;
        test_box_mark_leaks();
        for (int i = 0; i < 3; i++) {
                f = (struct family){0};
                open_family(&f);
                adopt(&f, "fork 3");
                let_go(&f);
                close_family(&f);
                f = (struct family){0};
                open_family(&f);
                f.copy = expect(&f); /* and nothing comes */
                close_family(&f);
        }
        test_box_assert_no_leaks();
}

/* ---- texts of the kernel
 * -----------------------------------------------------------------------*/

static void test_lists_of_processes_are_read_strictly(void **state)
{
        static const char *const wrong[] = {"x\n", "12", "0\n", "-4\n", "12 13\n", "99999999999\n"};
        struct cgroup_members m = {0};

        (void)state;
        assert_int_equal(cgroup_members_parse("12\n4711\n", &m), 0);
        assert_int_equal(m.n, 2);
        assert_true(cgroup_members_has(&m, 4711));
        assert_false(cgroup_members_has(&m, 4));
        cgroup_members_done(&m);
        assert_int_equal(cgroup_members_parse("", &m), 0);
        assert_int_equal(m.n, 0);
        cgroup_members_done(&m);
        for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
                assert_int_equal(cgroup_members_parse(wrong[i], &m), -EBADMSG);
        assert_int_equal(cgroup_members_inner("Name:\tx\nNSpid:\t4711\t12\t7\nNSsid:\t1\n"), 7);
        assert_int_equal(cgroup_members_inner("Name:\tx\nNSpid:\t4711\n"), 4711);
        assert_int_equal(cgroup_members_inner("Name:\tx\n"), 0);
        assert_int_equal(cgroup_members_inner("Name:\tx\nNSpid:\t\n"), 0);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_copy_has_its_own_pid_memory_and_end),
            cmocka_unit_test(test_its_parent_tells_how_it_ended),
            cmocka_unit_test(test_an_end_of_which_nobody_tells_is_a_death_all_the_same),
            cmocka_unit_test(test_a_word_about_one_that_lives_ends_nothing),
            cmocka_unit_test(test_the_memory_limit_is_its_own),
            cmocka_unit_test(test_what_it_started_ends_with_it),
            cmocka_unit_test(test_daemons_of_one_that_died_by_itself_end_too),
            cmocka_unit_test(test_there_is_room_for_the_processes_of_all),
            cmocka_unit_test(test_it_ends_with_its_parent),
            cmocka_unit_test(test_a_worker_with_other_processes_may_not_fork),
            cmocka_unit_test(test_none_of_several_is_taken_and_all_end),
            cmocka_unit_test(test_one_that_came_between_is_found_after_the_move),
            cmocka_unit_test(test_another_number_than_the_parents_is_refused),
            cmocka_unit_test(test_one_that_is_gone_is_told_so),
            cmocka_unit_test(test_nobody_is_moved_who_has_got_its_number),
            cmocka_unit_test(test_without_the_means_it_is_refused),
            cmocka_unit_test(test_nothing_is_left),
            cmocka_unit_test(test_lists_of_processes_are_read_strictly),
        };

        if (!test_box_prepare(argc, argv))
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
