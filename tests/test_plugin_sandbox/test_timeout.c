/* Deadlines saturate, and the sentence names the real limit. */
#include "sandbox/timeout.h"
#include "support/test.h"

static void test_a_deadline_is_now_plus_the_limit(void **state)
{
        (void)state;
        assert_true(timeout_deadline(5, 60) == 60000000005LL);
        assert_true(timeout_deadline(0, 0.5) == 500000000LL);
}

static void test_no_time_at_all_is_now(void **state)
{
        (void)state;
        assert_true(timeout_deadline(7, 0) == 7);
        assert_true(timeout_deadline(7, -1) == 7);
        assert_true(timeout_deadline(7, 0.0 / 0.0) == 7);
}

static void test_a_deadline_never_wraps_around(void **state)
{
        (void)state;
        assert_true(timeout_deadline(1000, 1e18) == TIMEOUT_NEVER);
        assert_true(timeout_deadline(1000, 1.0 / 0.0) == TIMEOUT_NEVER);
        assert_true(timeout_deadline(TIMEOUT_NEVER - 1, 1) == TIMEOUT_NEVER);
        assert_true(timeout_deadline(TIMEOUT_NEVER, 1) == TIMEOUT_NEVER);
}

static void test_the_sentence_names_the_limit(void **state)
{
        char buf[128];

        (void)state;
        timeout_sentence(60, buf, sizeof buf);
        assert_string_equal(
            buf, "Plugin execution timed out after 60s. Increase timeout in manifest if needed.");
        timeout_sentence(0.25, buf, sizeof buf);
        assert_string_equal(
            buf, "Plugin execution timed out after 0.25s. Increase timeout in manifest if needed.");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_deadline_is_now_plus_the_limit),
            cmocka_unit_test(test_no_time_at_all_is_now),
            cmocka_unit_test(test_a_deadline_never_wraps_around),
            cmocka_unit_test(test_the_sentence_names_the_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
