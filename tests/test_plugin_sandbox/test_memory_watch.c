/* When the watch looks again, and that it looks no further than it must. */
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "sandbox/memory_watch.h"
#include "sandbox/process_tree.h"
#include "support/test.h"

static int64_t pause_after_ms(int64_t took_us)
{
        struct memory_watch w = {0};
        int64_t began = 7 * NSEC_PER_SEC, ended = began + took_us * 1000;

        memory_watch_looked(&w, 4711, began, ended);
        assert_int_equal(w.bytes, 4711);
        return (w.next_ns - ended) / NSEC_PER_MSEC;
}

static void test_a_cheap_look_is_taken_every_50_ms(void **state)
{
        (void)state;
        assert_int_equal(pause_after_ms(0), 50);
        assert_int_equal(pause_after_ms(100), 50);
        assert_int_equal(pause_after_ms(1000), 50);
}

static void test_a_dear_one_is_taken_more_seldom(void **state)
{
        (void)state;
        assert_int_equal(pause_after_ms(2000), 100);
        assert_int_equal(pause_after_ms(10000), 500);
}

static void test_one_that_was_held_up_does_not_blind_the_watch(void **state)
{
        (void)state;
        assert_int_equal(pause_after_ms(20000), 1000);
        assert_int_equal(pause_after_ms(3600 * INT64_C(1000000)), 1000);
}

#define CHILDREN 4

static void have_children(pid_t pids[CHILDREN])
{
        for (int i = 0; i < CHILDREN; i++) {
                pids[i] = fork();
                assert_true(pids[i] >= 0);
                if (pids[i] == 0)
                        for (;;)
                                pause();
        }
}

static void lose_children(const pid_t pids[CHILDREN])
{
        for (int i = 0; i < CHILDREN; i++) {
                kill(pids[i], SIGKILL);
                assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
        }
}

static void test_a_sum_ends_where_a_bound_is_exceeded(void **state)
{
        struct process_tree_look look = {getpid(), UINT64_MAX, UINT_MAX, 0, false};
        struct process_tree_sum all, some;
        pid_t pids[CHILDREN];

        (void)state;
        have_children(pids);
        process_tree_sum_up(&look, &all);
        assert_int_equal(all.threads, 1 + CHILDREN);
        look.most_threads = 2;
        process_tree_sum_up(&look, &some);
        assert_int_equal(some.threads, 3);
        look.most_threads = UINT_MAX;
        look.most_bytes = 1;
        process_tree_sum_up(&look, &some);
        assert_int_equal(some.threads, 1);
        assert_true(some.bytes > 1 && some.bytes < all.bytes);
        lose_children(pids);
}

static void test_files_that_the_caller_knows_of_count(void **state)
{
        struct process_tree_look look = {getpid(), UINT64_MAX, UINT_MAX, MIB(1024), false};
        struct process_tree_sum sum;

        (void)state;
        process_tree_sum_up(&look, &sum);
        assert_true(sum.bytes > MIB(1024));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_cheap_look_is_taken_every_50_ms),
            cmocka_unit_test(test_a_dear_one_is_taken_more_seldom),
            cmocka_unit_test(test_one_that_was_held_up_does_not_blind_the_watch),
            cmocka_unit_test(test_a_sum_ends_where_a_bound_is_exceeded),
            cmocka_unit_test(test_files_that_the_caller_knows_of_count),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
