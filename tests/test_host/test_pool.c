/* The pool: work anywhere, done in the loop, and nothing is lost when it goes. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../support/test.h"
#include "host/pool.h"

#define JOBS 500

struct yard {
        struct loop *loop;
        struct pool *pool;
        pthread_t home;
        unsigned done, strangers; /* worked on outside of the loop's thread */
        unsigned more;            /* jobs that done submits again */
};
struct job {
        struct pool_job job;
        struct yard *yard;
        unsigned number, result;
        pthread_t worker;
};

static void work(struct pool_job *pool_job)
{
        struct job *j = container_of(pool_job, struct job, job);

        j->result = j->number * 3;
        j->worker = pthread_self();
}

static void done(struct pool_job *pool_job)
{
        struct job *j = container_of(pool_job, struct job, job);
        struct yard *y = j->yard;

        assert_true(pthread_equal(pthread_self(), y->home));
        assert_int_equal(j->result, j->number * 3);
        y->strangers += !pthread_equal(j->worker, y->home);
        y->done++;
        if (y->more > 0) {
                y->more--;
                j->result = 0;
                pool_submit(y->pool, &j->job);
                return;
        }
        free(j);
}

static void open_yard(struct yard *y, unsigned threads)
{
        struct err e;

        *y = (struct yard){.home = pthread_self()};
        assert_int_equal(loop_new(&y->loop, &e), 0);
        assert_int_equal(pool_new(y->loop, threads, &y->pool, &e), 0);
}

static void submit(struct yard *y, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                struct job *j = calloc(1, sizeof *j);

                j->job = (struct pool_job){.work = work, .done = done};
                j->yard = y;
                j->number = i;
                pool_submit(y->pool, &j->job);
        }
}

static void test_jobs_are_worked_on_elsewhere_and_done_in_the_loop(void **state)
{
        struct yard y;
        struct err e;

        (void)state;
        open_yard(&y, 3);
        submit(&y, JOBS);
        while (y.done < JOBS)
                assert_int_equal(loop_turn(y.loop, &e), 0);
        assert_int_equal(y.strangers, JOBS);
        pool_free(y.pool);
        assert_int_equal(y.done, JOBS);
        loop_free(y.loop);
}

static void test_a_job_may_be_submitted_again_by_its_own_done(void **state)
{
        struct yard y;
        struct err e;

        (void)state;
        open_yard(&y, 2);
        y.more = 100;
        submit(&y, 1);
        while (y.done < 101)
                assert_int_equal(loop_turn(y.loop, &e), 0);
        pool_free(y.pool);
        loop_free(y.loop);
}

static void test_free_waits_and_delivers_everything(void **state)
{
        struct yard y;

        (void)state;
        open_yard(&y, 2);
        submit(&y, JOBS);
        pool_free(y.pool);
        assert_int_equal(y.done, JOBS);
        loop_free(y.loop);
}

static void test_free_delivers_what_its_own_deliveries_submit(void **state)
{
        struct yard y;

        (void)state;
        open_yard(&y, 2);
        y.more = 7;
        submit(&y, 3);
        pool_free(y.pool);
        assert_int_equal(y.done, 10);
        assert_int_equal(y.more, 0);
        loop_free(y.loop);
}

static void test_an_idle_pool_goes_at_once(void **state)
{
        struct yard y;

        (void)state;
        open_yard(&y, 4);
        pool_free(y.pool);
        pool_free(NULL);
        loop_free(y.loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_jobs_are_worked_on_elsewhere_and_done_in_the_loop),
            cmocka_unit_test(test_a_job_may_be_submitted_again_by_its_own_done),
            cmocka_unit_test(test_free_waits_and_delivers_everything),
            cmocka_unit_test(test_free_delivers_what_its_own_deliveries_submit),
            cmocka_unit_test(test_an_idle_pool_goes_at_once),
        };

        return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
