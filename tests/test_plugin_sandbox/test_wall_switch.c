/* The names by which tests take walls away. */
#include <errno.h>
#include <string.h>

#include "sandbox/wall_switch.h"
#include "support/test.h"

static struct wall_switches parsed(const char *list)
{
        struct wall_switches s;
        struct err e = {0};

        if (wall_switches_parse(list, &s, &e) != 0)
                fail_msg("%s", e.msg);
        return s;
}

static void test_nothing_is_switched_by_nothing(void **state)
{
        static const char *const lists[] = {NULL, "", ","};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
                struct wall_switches s = parsed(lists[i]);
                struct isolation why = {0};

                assert_true(s.walls == 0 && s.others == 0 && s.landlock_abi > 7);
                assert_true(wall_switches_off(&s, &why) == 0);
                assert_false(why.weakened);
        }
}

static void test_names_are_found_whole(void **state)
{
        struct wall_switches s = parsed("userns,fds,landlock=3");

        (void)state;
        assert_true(s.walls == WALL_BIT(WALL_FDS));
        assert_int_equal(s.others, 1 << WALL_SWITCH_USERNS);
        assert_int_equal(s.landlock_abi, 3);
        assert_int_equal(parsed("landlock").landlock_abi, 0);
}

static void test_a_name_that_is_none_is_an_error(void **state)
{
        static const char *const lists[] = {
            "fd", "fdss", "landlock=", "landlock=10", "userns, fds", "seccomp=1"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
                struct wall_switches s;
                struct err e = {0};

                assert_int_equal(wall_switches_parse(lists[i], &s, &e), -EINVAL);
                assert_non_null(strstr(e.msg, "there is no wall"));
        }
}

static void test_what_no_machine_lacks_is_told_and_costs_the_level(void **state)
{
        struct wall_switches s = parsed("pidns,caps,cpu,core");
        struct isolation why = {0};

        (void)state;
        assert_true(wall_switches_off(&s, &why) == (WALL_BIT(WALL_CAPS) | WALL_BIT(WALL_CORE)));
        assert_true(why.weakened);
        assert_int_equal(why.n_reasons, 2);
        assert_string_equal(why.reasons[0], "core: switched off for a test");
        assert_string_equal(why.reasons[1], "caps: switched off for a test");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_nothing_is_switched_by_nothing),
            cmocka_unit_test(test_names_are_found_whole),
            cmocka_unit_test(test_a_name_that_is_none_is_an_error),
            cmocka_unit_test(test_what_no_machine_lacks_is_told_and_costs_the_level),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
