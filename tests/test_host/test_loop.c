/* The loop: whatever a callback does to watches and timers, nobody who has gone is called. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "../support/test.h"
#include "../support/failing_malloc.h"
#include "base/clock.h"
#include "host/loop.h"

static struct loop *new_loop(void)
{
        struct loop *l = NULL;
        struct err e;

        assert_int_equal(loop_new(&l, &e), 0);
        return l;
}

static void turn(struct loop *l)
{
        struct err e;

        assert_int_equal(loop_turn(l, &e), 0);
}

/* --- watches --- */

#define WATCHES 8

struct crowd {
        struct loop *loop;
        struct member {
                struct crowd *crowd;
                struct loop_watch watch;
                int fd, called;
        } * members[WATCHES];
        bool frees;
};

static void remove_member(struct crowd *c, int i)
{
        if (!c->members[i])
                return;
        loop_unwatch(c->loop, &c->members[i]->watch);
        if (c->frees) {
                close(c->members[i]->fd);
                free(take_ptr(c->members[i]));
        }
}

/* Removes everybody else: in a batch of many, only the first may be called. */
static void remove_others(void *ctx, unused_param uint32_t events)
{
        struct member *me = ctx;
        struct crowd *c = me->crowd;

        me->called++;
        for (int i = 0; i < WATCHES; i++)
                if (c->members[i] != me)
                        remove_member(c, i);
}

/* Removes all, itself included. */
static void remove_all(void *ctx, unused_param uint32_t events)
{
        struct member *me = ctx;
        struct crowd *c = me->crowd;

        me->called++;
        for (int i = 0; i < WATCHES; i++)
                remove_member(c, i);
}

static void gather(struct crowd *c, void (*fn)(void *ctx, uint32_t events), bool frees)
{
        *c = (struct crowd){.loop = new_loop(), .frees = frees};
        for (int i = 0; i < WATCHES; i++) {
                struct member *m = calloc(1, sizeof *m);

                m->crowd = c;
                m->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
                assert_int_equal(loop_watch(c->loop, &m->watch, m->fd, EPOLLIN, fn, m), 0);
                c->members[i] = m;
        }
}

static void disperse(struct crowd *c)
{
        c->frees = true;
        for (int i = 0; i < WATCHES; i++)
                remove_member(c, i);
        loop_free(c->loop);
}

static void test_removed_in_the_same_batch_is_not_called(void **state)
{
        struct crowd c;
        int called = 0;

        (void)state;
        gather(&c, remove_others, false);
        turn(c.loop);
        for (int i = 0; i < WATCHES; i++)
                called += c.members[i]->called;
        assert_int_equal(called, 1);
        disperse(&c);
}

static void test_freed_in_the_same_batch_is_not_touched(void **state)
{
        struct crowd c;

        (void)state;
        gather(&c, remove_all, true);
        turn(c.loop);
        for (int i = 0; i < WATCHES; i++)
                assert_null(c.members[i]);
        disperse(&c);
}

struct swap {
        struct loop *loop;
        struct loop_watch first, second;
        int calm, calls;
};

/* Gives the other's watch, whose event was already fetched, to a descriptor that has none. */
static void give_away(void *ctx, unused_param uint32_t events);

static void give_away(void *ctx, unused_param uint32_t events)
{
        struct swap *s = ctx;

        s->calls++;
        loop_unwatch(s->loop, &s->first);
        loop_unwatch(s->loop, &s->second);
        assert_int_equal(loop_watch(s->loop, &s->second, s->calm, EPOLLIN, give_away, s), 0);
}

static void test_event_of_a_watch_that_moved_on_is_dropped(void **state)
{
        struct swap s = {.loop = new_loop(), .calm = eventfd(0, EFD_CLOEXEC)};
        int a = eventfd(1, EFD_CLOEXEC), b = eventfd(1, EFD_CLOEXEC);

        (void)state;
        assert_int_equal(loop_watch(s.loop, &s.first, a, EPOLLIN, give_away, &s), 0);
        assert_int_equal(loop_watch(s.loop, &s.second, b, EPOLLIN, give_away, &s), 0);
        turn(s.loop);
        assert_int_equal(s.calls, 1);
        loop_unwatch(s.loop, &s.second);
        loop_free(s.loop);
        close(a), close(b), close(s.calm);
}

static void test_what_cannot_be_watched_says_so_and_unwatches_to_nothing(void **state)
{
        struct loop *l = new_loop();
        struct loop_watch w, unused = {0};
        int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

        (void)state;
        assert_int_equal(loop_watch(l, &w, file, EPOLLIN, give_away, NULL), -EPERM);
        assert_int_equal(w.fd, -1);
        loop_unwatch(l, &w);
        loop_unwatch(l, &w);
        loop_unwatch(l, &unused);
        close(file);
        loop_free(l);
}

/* --- timers --- */

#define TIMERS 200

struct clockwork {
        struct loop *loop;
        struct loop_timer timers[TIMERS];
        int64_t model[TIMERS]; /* 0: unset */
        int64_t last;
        int fired;
};
struct tick {
        struct clockwork *w;
        int i;
};

static void on_tick(void *ctx)
{
        struct tick *t = ctx;
        struct clockwork *w = t->w;

        assert_true(w->model[t->i] != 0);
        assert_true(w->model[t->i] >= w->last);
        assert_int_equal(w->timers[t->i].slot, 0);
        w->last = w->model[t->i];
        w->model[t->i] = 0;
        w->fired++;
}

static unsigned draw(unsigned *seed, unsigned below)
{
        *seed = *seed * 1103515245 + 12345;
        return (*seed >> 8) % below;
}

static void test_timers_fire_in_order_whatever_was_set_moved_and_unset(void **state)
{
        struct clockwork w = {.loop = new_loop()};
        struct tick ticks[TIMERS];
        unsigned seed = 1;

        (void)state;
        for (int round = 0; round < 40; round++) {
                int expected = 0;

                for (int op = 0; op < 1500; op++) {
                        int i = (int)draw(&seed, TIMERS);

                        ticks[i] = (struct tick){&w, i};
                        w.model[i] = draw(&seed, 3) ? 1 + draw(&seed, 500) : 0;
                        if (w.model[i])
                                assert_int_equal(loop_timer_set(w.loop, &w.timers[i], w.model[i],
                                                                on_tick, &ticks[i]),
                                                 0);
                        else
                                loop_timer_unset(w.loop, &w.timers[i]);
                        assert_int_equal(w.timers[i].slot != 0, w.model[i] != 0);
                }
                for (int i = 0; i < TIMERS; i++)
                        expected += w.model[i] != 0;
                w.last = w.fired = 0;
                turn(w.loop);
                assert_int_equal(w.fired, expected);
        }
        loop_free(w.loop);
}

struct chain {
        struct loop *loop;
        struct loop_timer first, again, later, *victim;
        int n_again, n_later, n_victim;
};

static void on_again(void *ctx)
{
        ((struct chain *)ctx)->n_again++;
}

static void on_later(void *ctx)
{
        ((struct chain *)ctx)->n_later++;
}

static void on_victim(void *ctx)
{
        ((struct chain *)ctx)->n_victim++;
}

static void on_first(void *ctx)
{
        struct chain *c = ctx;
        int64_t now = clock_mono_ns();

        loop_timer_unset(c->loop, c->victim);
        free(take_ptr(c->victim));
        assert_int_equal(loop_timer_set(c->loop, &c->again, 1, on_again, c), 0);
        assert_int_equal(loop_timer_set(c->loop, &c->later, now + NSEC_PER_MSEC, on_later, c), 0);
}

static void test_timer_set_in_a_timer_waits_for_its_time(void **state)
{
        struct chain c = {.loop = new_loop(), .victim = calloc(1, sizeof(struct loop_timer))};

        (void)state;
        assert_int_equal(loop_timer_set(c.loop, &c.first, 1, on_first, &c), 0);
        assert_int_equal(loop_timer_set(c.loop, c.victim, 2, on_victim, &c), 0);
        turn(c.loop);
        assert_int_equal(c.n_again, 1);
        assert_int_equal(c.n_later, 0);
        assert_int_equal(c.n_victim, 0);
        turn(c.loop);
        assert_int_equal(c.n_later, 1);
        assert_true(loop_now(c.loop) >= c.later.at_ns);
        loop_free(c.loop);
}

static void test_never_is_no_time(void **state)
{
        struct chain c = {.loop = new_loop()};

        (void)state;
        assert_int_equal(loop_timer_set(c.loop, &c.again, INT64_MAX, on_again, &c), 0);
        assert_int_equal(c.again.slot, 0);
        assert_int_equal(loop_timer_set(c.loop, &c.again, 1, on_again, &c), 0);
        assert_int_equal(loop_timer_set(c.loop, &c.again, INT64_MAX, on_again, &c), 0);
        assert_int_equal(c.again.slot, 0);
        assert_int_equal(loop_timer_set(c.loop, &c.later, 1, on_later, &c), 0);
        turn(c.loop);
        assert_int_equal(c.n_again, 0);
        loop_free(c.loop);
}

static void test_timer_without_memory_stays_unset_and_moving_needs_none(void **state)
{
        struct chain c = {.loop = new_loop()};

        (void)state;
        failing_malloc_arm(1);
        assert_int_equal(loop_timer_set(c.loop, &c.again, 1, on_again, &c), -ENOMEM);
        assert_int_equal(c.again.slot, 0);
        assert_int_equal(loop_timer_set(c.loop, &c.again, 2, on_again, &c), 0);
        failing_malloc_arm(1);
        assert_int_equal(loop_timer_set(c.loop, &c.again, 1, on_again, &c), 0);
        failing_malloc_disarm();
        turn(c.loop);
        assert_int_equal(c.n_again, 1);
        loop_free(c.loop);
}

/* --- waiting --- */

static int64_t say(void *ctx)
{
        int64_t *answers = ctx;

        answers[0]++;
        return answers[1];
}

static void test_prepare_is_asked_before_each_wait_and_bounds_it(void **state)
{
        struct chain c = {.loop = new_loop()};
        int64_t answers[2] = {0, 0};

        (void)state;
        loop_set_prepare(c.loop, say, answers);
        turn(c.loop);
        assert_int_equal(answers[0], 1);
        answers[1] = 1; /* less than a millisecond is still some */
        turn(c.loop);
        assert_int_equal(answers[0], 2);
        /* A timer bounds the wait, too, when prepare does not care. */
        answers[1] = -1;
        assert_int_equal(
            loop_timer_set(c.loop, &c.later, clock_mono_ns() + NSEC_PER_MSEC, on_later, &c), 0);
        turn(c.loop);
        assert_int_equal(c.n_later, 1);
        loop_free(c.loop);
}

static void on_alarm(int signo)
{
        (void)signo;
}

static void test_a_signal_ends_the_turn_without_an_error(void **state)
{
        struct sigaction action = {.sa_handler = on_alarm}, before;
        struct itimerval often = {{0, 5000}, {0, 5000}}, none = {0};
        struct loop *l = new_loop();

        (void)state;
        sigaction(SIGALRM, &action, &before);
        setitimer(ITIMER_REAL, &often, NULL);
        turn(l);
        setitimer(ITIMER_REAL, &none, NULL);
        sigaction(SIGALRM, &before, NULL);
        loop_free(l);
}

static void on_stop(void *ctx)
{
        loop_stop(ctx);
}

static void test_stop_ends_the_run_and_a_new_run_begins_anew(void **state)
{
        struct loop *l = new_loop();
        struct loop_timer t = {0};
        struct err e;

        (void)state;
        for (int i = 0; i < 2; i++) {
                assert_int_equal(loop_timer_set(l, &t, 1, on_stop, l), 0);
                assert_int_equal(loop_run(l, &e), 0);
        }
        loop_free(l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_removed_in_the_same_batch_is_not_called),
            cmocka_unit_test(test_freed_in_the_same_batch_is_not_touched),
            cmocka_unit_test(test_event_of_a_watch_that_moved_on_is_dropped),
            cmocka_unit_test(test_what_cannot_be_watched_says_so_and_unwatches_to_nothing),
            cmocka_unit_test(test_timers_fire_in_order_whatever_was_set_moved_and_unset),
            cmocka_unit_test(test_timer_set_in_a_timer_waits_for_its_time),
            cmocka_unit_test(test_never_is_no_time),
            cmocka_unit_test(test_timer_without_memory_stays_unset_and_moving_needs_none),
            cmocka_unit_test(test_prepare_is_asked_before_each_wait_and_bounds_it),
            cmocka_unit_test(test_a_signal_ends_the_turn_without_an_error),
            cmocka_unit_test(test_stop_ends_the_run_and_a_new_run_begins_anew),
        };

        return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
