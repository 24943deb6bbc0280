/* The box as its owner sees it: how workers die, and that nothing of them is left. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "test_box.h"

static void test_a_worker_answers_from_inside(void **state)
{
        struct test_box t;

        (void)state;
        test_box_open(&t, NULL);
        assert_string_equal(test_box_ask(&t, "read /plugin/file"), "0 hello");
        print_message("# %s\n", test_box_ask(&t, "ping"));
        test_box_done(&t);
}

static void test_segv(void **state)
{
        struct obituary o;
        struct test_box t;

        (void)state;
        test_box_open(&t, NULL);
        test_box_die_of(&t, "segv", &o);
        assert_int_equal(o.cause, OBITUARY_SIGNAL);
        assert_int_equal(o.signal, SIGSEGV);
        test_box_done(&t);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_worker_answers_from_inside),
            cmocka_unit_test(test_segv),
        };

        if (argc < 2)
                return 2;
        test_box_set_worker(argv[1]);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
