/* The restart policy on virtual time: each trace is the list of restarts' beginnings in seconds. */
#include "support/test.h"

#include "base/macro.h"
#include "base/str.h"
#include "lifecycle/lifecycle_manager.h"

#define SEC NSEC_PER_SEC

/* Asks at `now`, adds the answer as seconds, and returns it. */
static int64_t ask(struct str *s, struct restart_policy *p, int64_t now)
{
        int64_t when = restart_policy_grant(p, now);

        if (when < 0)
                str_adds(s, "no ");
        else
                str_addf(s, "%lld ", (long long)(when / SEC));
        return when;
}

/* It dies `lives` seconds after each start, n times over. */
static void expect_restarts(int64_t lives, int n, const char *expected)
{
        scoped(str) struct str trace = {0};
        struct restart_policy p = {0};
        int64_t now = 0;

        for (int i = 0; i < n; i++) {
                int64_t when = ask(&trace, &p, now);

                now = (when < 0 ? now : when) + lives * SEC;
        }
        assert_false(trace.bad);
        assert_string_equal(trace.data, expected);
}

static void test_backs_off_and_stops_at_the_cap(void **state)
{
        (void)state;
        /* Dies at once: waits of 1, 2, 4, 8, 16 s, then no more. */
        expect_restarts(0, 7, "1 3 7 15 31 no no ");
}

static void test_backoff_doubles_up_to_a_minute(void **state)
{
        (void)state;
        /* Lives two minutes, so the cap is not reached: 1, 2, 4, 8, 16, 32, 60, 60 s. */
        expect_restarts(120, 8, "1 123 247 375 511 663 843 1023 ");
}

static void test_stable_run_resets_the_backoff(void **state)
{
        (void)state;
        expect_restarts(600, 3, "1 602 1203 ");
        expect_restarts(599, 3, "1 602 1205 ");
}

static void test_success_resets_the_backoff_but_not_the_cap(void **state)
{
        scoped(str) struct str trace = {0};
        struct restart_policy p = {0};
        int64_t now = 0;

        (void)state;
        for (int i = 0; i < 6; i++) {
                int64_t when = ask(&trace, &p, now);

                restart_policy_success(&p);
                now = when < 0 ? now : when;
        }
        assert_string_equal(trace.data, "1 2 3 4 5 no ");
}

static void test_refusal_changes_nothing(void **state)
{
        scoped(str) struct str trace = {0};
        struct restart_policy p = {0};

        (void)state;
        for (int i = 0; i < 5; i++) {
                ask(&trace, &p, 0);
                restart_policy_success(&p);
        }
        for (int i = 0; i < 100; i++)
                assert_int_equal(restart_policy_grant(&p, i * SEC), -1);
        /* The five began at 1 s: the next may begin at 601 s, when 600 s have passed. */
        assert_int_equal(restart_policy_grant(&p, 599 * SEC), -1);
        assert_int_equal(restart_policy_grant(&p, 600 * SEC), 601 * SEC);
}

/* However often and whenever it asks, no window of ten minutes holds more than five beginnings, and
 * none is in the past. */
static void test_cap_holds_over_any_window(void **state)
{
        static int64_t granted[20000];
        struct restart_policy p = {0};
        uint32_t seed = 7;
        int64_t now = 1;
        size_t n = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(granted); i++) {
                int64_t when = restart_policy_grant(&p, now);

                assert_true(when == -1 || (when > now && when <= now + 60 * SEC));
                if (when >= 0)
                        granted[n++] = now = when;
                if (n > 5 && when >= 0)
                        assert_true(granted[n - 1] - granted[n - 6] >= 600 * SEC);
                seed = seed * 1664525 + 1013904223;
                if (seed >> 28 == 0)
                        restart_policy_success(&p);
                now += (int64_t)(seed >> 8) % (200 * SEC / 1000) * 1000;
        }
        assert_true(n > 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_backs_off_and_stops_at_the_cap),
            cmocka_unit_test(test_backoff_doubles_up_to_a_minute),
            cmocka_unit_test(test_stable_run_resets_the_backoff),
            cmocka_unit_test(test_success_resets_the_backoff_but_not_the_cap),
            cmocka_unit_test(test_refusal_changes_nothing),
            cmocka_unit_test(test_cap_holds_over_any_window),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
