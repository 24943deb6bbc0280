/* The table of moves, read from outside: every pair of state and event is tried and the printed
 * trace is compared, once with the text below and once with docs/LIFECYCLE.md. */
#include "support/test.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "lifecycle/lifecycle_manager.h"

static const char *const action_names[] = {
    "start worker", "announce", "stop workers", "fail queued", "consider restart",
};

/* In the order the document lists them, which is not that of the bits. */
static const unsigned action_order[] = {1, 0, 2, 3, 4};

static void print_actions(struct str *s, unsigned actions)
{
        const char *comma = "";

        for (size_t i = 0; i < ARRAY_LEN(action_order); i++) {
                if (!(actions & 1u << action_order[i]))
                        continue;
                str_addf(s, "%s%s", comma, action_names[action_order[i]]);
                comma = ", ";
        }
}

/* Tries one pair with each number of calls in flight that tells rows apart; adds the moves made. */
static void trace_pair(struct str *s, enum lifecycle_state from, enum lifecycle_event event)
{
        for (unsigned in_flight = 0; in_flight <= 2; in_flight++) {
                struct lifecycle l = {from, in_flight};
                unsigned actions = 0xdead;
                int r = lifecycle_step(&l, event, &actions);

                if (r < 0) {
                        assert_int_equal(r, -EINVAL);
                        assert_int_equal(l.state, from);
                        assert_int_equal(l.in_flight, in_flight);
                        assert_int_equal(actions, 0xdead);
                        continue;
                }
                str_addf(s, "%s/%u %s -> %s/%u: ", lifecycle_state_name(from), in_flight,
                         lifecycle_event_name(event), lifecycle_state_name(l.state), l.in_flight);
                print_actions(s, actions);
                str_addc(s, '\n');
        }
}

static void test_makes_the_listed_moves_only(void **state)
{
        static const char expected[] =
            "absent/0 DEPENDENCIES_MISSING -> UNAVAILABLE/0: announce, fail queued\n"
            "absent/1 DEPENDENCIES_MISSING -> UNAVAILABLE/1: announce, fail queued\n"
            "absent/2 DEPENDENCIES_MISSING -> UNAVAILABLE/2: announce, fail queued\n"
            "absent/0 REFUSED -> FAILED/0: announce, fail queued\n"
            "absent/1 REFUSED -> FAILED/1: announce, fail queued\n"
            "absent/2 REFUSED -> FAILED/2: announce, fail queued\n"
            "absent/0 REGISTERED -> LOADED/0: announce, start worker\n"
            "absent/1 REGISTERED -> LOADED/1: announce, start worker\n"
            "absent/2 REGISTERED -> LOADED/2: announce, start worker\n"
            "LOADED/0 VALIDATED -> INITIALIZED/0: announce\n"
            "LOADED/1 VALIDATED -> INITIALIZED/1: announce\n"
            "LOADED/2 VALIDATED -> INITIALIZED/2: announce\n"
            "LOADED/0 LOAD_FAILED -> FAILED/0: "
            "announce, stop workers, fail queued, consider restart\n"
            "LOADED/1 LOAD_FAILED -> FAILED/1: "
            "announce, stop workers, fail queued, consider restart\n"
            "LOADED/2 LOAD_FAILED -> FAILED/2: "
            "announce, stop workers, fail queued, consider restart\n"
            "INITIALIZED/0 CALL_STARTED -> RUNNING/1: announce\n"
            "INITIALIZED/1 CALL_STARTED -> RUNNING/2: announce\n"
            "INITIALIZED/2 CALL_STARTED -> RUNNING/3: announce\n"
            "INITIALIZED/0 BROKE -> FAILED/0: "
            "announce, stop workers, fail queued, consider restart\n"
            "INITIALIZED/1 BROKE -> FAILED/1: "
            "announce, stop workers, fail queued, consider restart\n"
            "INITIALIZED/2 BROKE -> FAILED/2: "
            "announce, stop workers, fail queued, consider restart\n"
            "RUNNING/0 CALL_STARTED -> RUNNING/1: \n"
            "RUNNING/1 CALL_STARTED -> RUNNING/2: \n"
            "RUNNING/2 CALL_STARTED -> RUNNING/3: \n"
            "RUNNING/1 CALL_ENDED -> INITIALIZED/0: announce\n"
            "RUNNING/2 CALL_ENDED -> RUNNING/1: \n"
            "RUNNING/0 BROKE -> FAILED/0: announce, stop workers, fail queued, consider restart\n"
            "RUNNING/1 BROKE -> FAILED/1: announce, stop workers, fail queued, consider restart\n"
            "RUNNING/2 BROKE -> FAILED/2: announce, stop workers, fail queued, consider restart\n"
            "FAILED/1 CALL_ENDED -> FAILED/0: \n"
            "FAILED/2 CALL_ENDED -> FAILED/1: \n";
        scoped(str) struct str trace = {0};

        (void)state;
        for (int s = 0; s < LIFECYCLE_N_STATES; s++)
                for (int e = 0; e < LIFECYCLE_N_EVENTS; e++)
                        trace_pair(&trace, (enum lifecycle_state)s, (enum lifecycle_event)e);
        assert_false(trace.bad);
        assert_string_equal(trace.data, expected);
}

/* The document's row for a move, or nothing. */
static void document_row(struct str *s, enum lifecycle_state from, unsigned in_flight,
                         enum lifecycle_event event, const char *when)
{
        struct lifecycle l = {from, in_flight};
        unsigned actions;

        if (lifecycle_step(&l, event, &actions) < 0)
                return;
        str_addf(s, "| %s | %s%s | %s | ", lifecycle_state_name(from), lifecycle_event_name(event),
                 when, lifecycle_state_name(l.state));
        print_actions(s, actions);
        str_adds(s, actions ? " |\n" : "|\n");
}

static void document_rows(struct str *s)
{
        for (int from = 0; from < LIFECYCLE_N_STATES; from++)
                for (int e = 0; e < LIFECYCLE_N_EVENTS; e++) {
                        enum lifecycle_state state = (enum lifecycle_state)from;
                        enum lifecycle_event event = (enum lifecycle_event)e;

                        if (event != LIFECYCLE_EVENT_CALL_ENDED) {
                                document_row(s, state, 0, event, "");
                        } else if (state == LIFECYCLE_RUNNING) {
                                document_row(s, state, 2, event, ", others in flight");
                                document_row(s, state, 1, event, ", the last one");
                        } else {
                                document_row(s, state, 1, event, ", some in flight");
                        }
                }
}

static void test_document_lists_exactly_these_moves(void **state)
{
        static const char head[] = "| from | event | to | the caller does |\n|---|---|---|---|\n";
        scoped(free) char *text = NULL;
        scoped(str) struct str rows = {0};
        size_t size;
        char *table, *end;

        (void)state;
        assert_int_equal(fd_read_file(-1, LIFECYCLE_MD, MIB(1), &text, &size, NULL), 0);
        table = strstr(text, head);
        assert_non_null(table);
        table += strlen(head);
        end = strstr(table, "\n\n");
        assert_non_null(end);
        end[1] = '\0';
        document_rows(&rows);
        assert_false(rows.bad);
        assert_string_equal(rows.data, table);
}

/* Steps through `events`, adding each state with its calls in flight; '!' marks a refusal. */
static void walk(struct str *s, struct lifecycle *l, const enum lifecycle_event *events, size_t n)
{
        unsigned actions;

        str_adds(s, lifecycle_state_name(l->state));
        for (size_t i = 0; i < n; i++) {
                int r = lifecycle_step(l, events[i], &actions);

                str_addf(s, " %s%s/%u", r < 0 ? "!" : "", lifecycle_state_name(l->state),
                         l->in_flight);
        }
        assert_false(s->bad);
}

#define EV(id) LIFECYCLE_EVENT_##id

static void expect_walk(const enum lifecycle_event *events, size_t n, const char *expected)
{
        scoped(str) struct str trace = {0};
        struct lifecycle l = {LIFECYCLE_ABSENT, 0};

        walk(&trace, &l, events, n);
        assert_string_equal(trace.data, expected);
}

static void test_loads_runs_and_idles(void **state)
{
        static const enum lifecycle_event events[] = {EV(REGISTERED),   EV(VALIDATED),
                                                      EV(CALL_STARTED), EV(CALL_ENDED),
                                                      EV(CALL_STARTED), EV(CALL_ENDED)};

        (void)state;
        expect_walk(events, ARRAY_LEN(events),
                    "absent LOADED/0 INITIALIZED/0 RUNNING/1 INITIALIZED/0 RUNNING/1 "
                    "INITIALIZED/0");
}

static void test_runs_until_the_last_of_several_calls_ended(void **state)
{
        static const enum lifecycle_event events[] = {
            EV(REGISTERED),   EV(VALIDATED),  EV(CALL_STARTED), EV(CALL_STARTED),
            EV(CALL_STARTED), EV(CALL_ENDED), EV(CALL_ENDED),   EV(CALL_STARTED),
            EV(CALL_ENDED),   EV(CALL_ENDED), EV(CALL_ENDED)};

        (void)state;
        expect_walk(events, ARRAY_LEN(events),
                    "absent LOADED/0 INITIALIZED/0 RUNNING/1 RUNNING/2 RUNNING/3 RUNNING/2 "
                    "RUNNING/1 RUNNING/2 RUNNING/1 INITIALIZED/0 !INITIALIZED/0");
}

static void test_calls_of_other_instances_end_after_a_failure(void **state)
{
        static const enum lifecycle_event events[] = {
            EV(REGISTERED), EV(VALIDATED),  EV(CALL_STARTED), EV(CALL_STARTED), EV(BROKE),
            EV(CALL_ENDED), EV(CALL_ENDED), EV(CALL_ENDED),   EV(CALL_STARTED), EV(BROKE)};

        (void)state;
        expect_walk(events, ARRAY_LEN(events),
                    "absent LOADED/0 INITIALIZED/0 RUNNING/1 RUNNING/2 FAILED/2 FAILED/1 FAILED/0 "
                    "!FAILED/0 !FAILED/0 !FAILED/0");
}

static void test_nothing_leaves_a_terminal_state(void **state)
{
        static const enum lifecycle_state terminal[] = {LIFECYCLE_FAILED, LIFECYCLE_UNAVAILABLE};

        (void)state;
        for (size_t t = 0; t < ARRAY_LEN(terminal); t++)
                for (int e = 0; e < LIFECYCLE_N_EVENTS; e++)
                        for (unsigned in_flight = 0; in_flight < 4; in_flight++) {
                                struct lifecycle l = {terminal[t], in_flight};
                                unsigned actions = 0;

                                if (lifecycle_step(&l, (enum lifecycle_event)e, &actions) == 0)
                                        assert_int_equal(actions, LIFECYCLE_DO_NOTHING);
                                assert_int_equal(l.state, terminal[t]);
                        }
}

static void test_calls_in_flight_do_not_wrap(void **state)
{
        struct lifecycle l = {LIFECYCLE_RUNNING, UINT_MAX};
        unsigned actions;

        (void)state;
        assert_int_equal(lifecycle_step(&l, LIFECYCLE_EVENT_CALL_STARTED, &actions), -EINVAL);
        assert_int_equal(l.in_flight, UINT_MAX);
}

static void test_values_out_of_range_are_refused(void **state)
{
        struct lifecycle l = {LIFECYCLE_LOADED, 0};
        unsigned actions;

        (void)state;
        assert_int_equal(lifecycle_step(&l, (enum lifecycle_event)99, &actions), -EINVAL);
        l.state = (enum lifecycle_state)99;
        assert_int_equal(lifecycle_step(&l, LIFECYCLE_EVENT_BROKE, &actions), -EINVAL);
        assert_string_equal(lifecycle_state_name((enum lifecycle_state)99), "?");
        assert_string_equal(lifecycle_event_name((enum lifecycle_event)99), "?");
}

static void test_available_and_terminal_split_the_visible_states(void **state)
{
        (void)state;
        for (int s = 0; s < LIFECYCLE_N_STATES; s++) {
                enum lifecycle_state st = (enum lifecycle_state)s;
                int both = lifecycle_state_is_available(st) + lifecycle_state_is_terminal(st);

                assert_int_equal(both, st != LIFECYCLE_ABSENT);
        }
}

static uint32_t xorshift(uint32_t *seed)
{
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        return *seed;
}

/* A million random events: RUNNING has calls in flight and idle states have none, calls started
 * minus calls ended is what is counted, a terminal state stays, each change of state is announced.
 */
static void test_random_events_keep_the_invariants(void **state)
{
        uint32_t seed = 20261122;
        struct lifecycle l = {LIFECYCLE_ABSENT, 0};
        unsigned in_flight = 0;

        (void)state;
        for (int i = 0; i < 1000000; i++) {
                enum lifecycle_event event =
                    (enum lifecycle_event)(xorshift(&seed) % LIFECYCLE_N_EVENTS);
                enum lifecycle_state before = l.state;
                unsigned actions = 0;
                int r = lifecycle_step(&l, event, &actions);

                if (r == 0)
                        in_flight = in_flight + (event == LIFECYCLE_EVENT_CALL_STARTED) -
                                    (event == LIFECYCLE_EVENT_CALL_ENDED);
                assert_int_equal(l.in_flight, in_flight);
                assert_int_equal(!!(actions & LIFECYCLE_DO_ANNOUNCE), before != l.state);
                if (lifecycle_state_is_terminal(before))
                        assert_int_equal(l.state, before);
                if (l.state == LIFECYCLE_RUNNING)
                        assert_true(in_flight > 0);
                else if (l.state != LIFECYCLE_FAILED)
                        assert_int_equal(in_flight, 0);
                if (lifecycle_state_is_terminal(l.state) && xorshift(&seed) % 8 == 0) {
                        l = (struct lifecycle){LIFECYCLE_ABSENT, 0};
                        in_flight = 0;
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_makes_the_listed_moves_only),
            cmocka_unit_test(test_document_lists_exactly_these_moves),
            cmocka_unit_test(test_loads_runs_and_idles),
            cmocka_unit_test(test_runs_until_the_last_of_several_calls_ended),
            cmocka_unit_test(test_calls_of_other_instances_end_after_a_failure),
            cmocka_unit_test(test_nothing_leaves_a_terminal_state),
            cmocka_unit_test(test_calls_in_flight_do_not_wrap),
            cmocka_unit_test(test_values_out_of_range_are_refused),
            cmocka_unit_test(test_available_and_terminal_split_the_visible_states),
            cmocka_unit_test(test_random_events_keep_the_invariants),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
