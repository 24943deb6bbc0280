/* A template and what happens while its copy is on the way: the template, real and boxed, follows a
 * script (fake_worker.c), and the pool is held where a test wants to look. */
#include <semaphore.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "host/instance_private.h"
#include "instance_stage.h"
#include "sandbox/sandbox_adopt.h"

/* A job in front of the move, which waits. */
struct hold {
        struct pool_job job;
        sem_t go;
};

static void hold_work(struct pool_job *job)
{
        struct hold *h = container_of(job, struct hold, job);

        while (sem_wait(&h->go) < 0)
                ;
}

static void hold_done(struct pool_job *job)
{
        (void)job;
}

static void hold_pool(struct instance_stage *s, struct hold *h)
{
        h->job = (struct pool_job){.work = hold_work, .done = hold_done};
        assert_int_equal(sem_init(&h->go, 0, 0), 0);
        pool_submit(s->pool, &h->job);
}

static void turn(struct instance_stage *s)
{
        struct err e;

        assert_int_equal(loop_turn(s->loop, &e), 0);
}

/* False: this machine has no means for it. */
static bool ask_to_fork(struct instance_stage *s)
{
        struct err e = {0};

        instance_stage_await(s, "template; ");
        if (instance_fork(s->instance, s->pool, &e) == 0)
                return true;
        print_message("# skipped: %s\n", e.msg);
        return false;
}

/* Forks one, which the pool is about to move. */
static bool fork_and_hold(struct instance_stage *s, struct hold *h)
{
        instance_stage_await(s, "template; ");
        hold_pool(s, h);
        if (!ask_to_fork(s)) {
                sem_post(&h->go);
                return false;
        }
        while (!s->instance->fork.unborn->fork.moving)
                turn(s);
        return true;
}

static void close_or_skip(struct instance_stage *s, bool skipped)
{
        instance_stage_done(s);
        if (skipped)
                skip();
}

static bool has_logged(const struct instance_stage *s, const char *text)
{
        const struct plugin_log_line *line;

        STAILQ_FOREACH (line, &s->log.lines, link)
                if (!strcmp(line->text, text))
                        return true;
        return false;
}

static void test_one_that_dies_while_it_is_moved_dies_of_its_own_signal(void **state)
{
        struct instance_stage s;
        struct hold h;
        bool can;

        (void)state;
        instance_stage_open_template(&s, "hello;load;fork;ended;log told;hang");
        can = fork_and_hold(&s, &h);
        if (can) {
                struct instance *copy = s.instance->fork.unborn;

                assert_int_equal(kill(sandbox_pid(copy->box), SIGSEGV), 0);
                while (!has_logged(&s, "told"))
                        turn(&s);
                assert_true(sandbox_end_is_told(copy->box));
                sem_post(&h.go);
                instance_stage_await(&s, "copy gone; ");
                assert_non_null(
                    strstr(s.trace.data, "copy; copy broke PluginCrashed; copy gone; "));
                assert_int_equal(s.outcome.signal, SIGSEGV);
                assert_int_equal(s.instance->state, INSTANCE_TEMPLATE);
        }
        close_or_skip(&s, !can);
}

/* It keeps the signal away by which it is asked where it is, so only the timer can end it. */
static void test_a_template_whose_time_is_over_during_a_move_ends(void **state)
{
        struct instance_stage s;
        struct hold h;
        bool can;

        (void)state;
        instance_stage_open_template(&s, "deaf;hello;load;fork;hang");
        s.instance->plugin_dir = strdup("/plugin");
        s.instance->folder = strdup("/folder");
        can = fork_and_hold(&s, &h);
        if (can) {
                struct loop_timer *late = &s.instance->deadline;

                assert_int_equal(instance_set_deadline(s.instance, clock_mono_ns()), 0);
                while (s.instance->state != INSTANCE_OVERDUE)
                        turn(&s);
                /* Not before the move has come back, however slow this machine is. */
                assert_int_equal(loop_timer_set(s.loop, late, clock_mono_ns() + 60 * NSEC_PER_SEC,
                                                late->fn, late->ctx),
                                 0);
                sem_post(&h.go);
                while (s.instance->fork.unborn)
                        turn(&s);
                assert_int_not_equal(late->slot, 0);
                assert_null(s.copy);
                assert_int_equal(loop_timer_set(s.loop, late, clock_mono_ns(), late->fn, late->ctx),
                                 0);
                instance_stage_await_end(
                    &s, "ready HELLO; meta {\"tools\":[{\"name\":\"t\"}]}; ready LOAD; template; "
                        "broke - TimeoutError; gone; ");
                assert_non_null(strstr(s.outcome.words, "within 20s (stage=template)"));
        }
        close_or_skip(&s, !can);
}

static void test_half_a_frame_from_before_a_fork_does_not_end_the_template(void **state)
{
        struct instance_stage s;
        bool can;

        (void)state;
        instance_stage_open_template(&s, "hello;load;fork;ended;half 10;hang");
        can = ask_to_fork(&s);
        if (can) {
                struct err e;

                instance_stage_await(&s, "copy; ");
                assert_int_equal(kill(sandbox_pid(s.copy->box), SIGKILL), 0);
                while (!s.instance->grace.slot)
                        turn(&s);
                assert_int_equal(instance_fork(s.instance, s.pool, &e), 0);
                assert_int_equal(s.instance->grace.slot, 0);
                assert_int_not_equal(s.instance->deadline.slot, 0);
        }
        close_or_skip(&s, !can);
}

static void test_one_that_refuses_and_leaves_has_the_time_of_leaving(void **state)
{
        struct instance_stage s;
        bool can;

        (void)state;
        instance_stage_open_template(&s, "hello;load;given;error 1;hang");
        can = ask_to_fork(&s);
        if (can) {
                instance_stage_await(&s, "refused; ");
                assert_int_equal(s.instance->state, INSTANCE_LEAVING);
                assert_int_equal(s.instance->deadline.slot, 0);
                assert_int_not_equal(s.instance->grace.slot, 0);
        }
        close_or_skip(&s, !can);
}

/* Whoever is being moved is the pool's then, and goes when that has done it. */
static void test_a_template_may_go_while_its_copy_is_moved(void **state)
{
        struct instance_stage s;
        struct hold h;
        bool can;

        (void)state;
        instance_stage_open_template(&s, "hello;load;fork;hang");
        can = fork_and_hold(&s, &h);
        if (can) {
                instance_free(s.instance);
                s.instance = NULL;
                sem_post(&h.go);
        }
        close_or_skip(&s, !can);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_one_that_dies_while_it_is_moved_dies_of_its_own_signal),
            cmocka_unit_test(test_a_template_whose_time_is_over_during_a_move_ends),
            cmocka_unit_test(test_half_a_frame_from_before_a_fork_does_not_end_the_template),
            cmocka_unit_test(test_one_that_refuses_and_leaves_has_the_time_of_leaving),
            cmocka_unit_test(test_a_template_may_go_while_its_copy_is_moved),
        };

        if (argc < 2)
                return 2;
        instance_stage_set_worker(argv[1]);
        return cmocka_run_group_tests_name("instance_fork", tests, NULL, NULL);
}
