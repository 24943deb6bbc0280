/* A level is earned wall by wall, and what is missing is said. */
#include <string.h>

#include "base/json.h"
#include "sandbox/isolation.h"
#include "support/test.h"

#define ALL_SPACES                                                                                 \
        (ISOLATION_NS_PID | ISOLATION_NS_MOUNT | ISOLATION_NS_NET | ISOLATION_NS_IPC |             \
         ISOLATION_NS_UTS | ISOLATION_NS_CGROUP)

static struct isolation full(void)
{
        return (struct isolation){.namespaces = ALL_SPACES,
                                  .seccomp = true,
                                  .landlock_abi = 4,
                                  .memory = ISOLATION_MEMORY_CGROUP1,
                                  .pids = true,
                                  .cpu = true,
                                  .uid = 7000};
}

static enum isolation_level judged(struct isolation i, unsigned *ret_reasons)
{
        isolation_judge(&i, 0);
        if (ret_reasons)
                *ret_reasons = i.n_reasons;
        return i.level;
}

static void test_full_has_nothing_to_explain(void **state)
{
        unsigned reasons;

        (void)state;
        assert_int_equal(judged(full(), &reasons), ISOLATION_FULL);
        assert_int_equal(reasons, 0);
}

static void test_each_missing_wall_costs_full_and_gives_one_reason(void **state)
{
        unsigned reasons;

        (void)state;
        for (int wall = 0; wall < 8; wall++) {
                struct isolation i = full();

                if (wall == 0)
                        i.namespaces &= ~(unsigned)ISOLATION_NS_NET;
                if (wall == 1)
                        i.namespaces &= ~(unsigned)ISOLATION_NS_IPC;
                if (wall == 2)
                        i.memory = ISOLATION_MEMORY_RLIMIT;
                if (wall == 3)
                        i.pids = false;
                if (wall == 4)
                        i.uid = 0;
                if (wall == 5)
                        i.namespaces &= ~(unsigned)ISOLATION_NS_UTS;
                if (wall == 6)
                        i.memory = ISOLATION_MEMORY_NONE;
                if (wall == 7)
                        i.cpu = false;
                assert_int_equal(judged(i, &reasons), ISOLATION_NAMESPACES);
                assert_int_equal(reasons, 1);
        }
}

static void test_without_processes_or_files_of_its_own_it_is_filtered(void **state)
{
        struct isolation i = full();

        (void)state;
        i.namespaces &= ~(unsigned)ISOLATION_NS_PID;
        assert_int_equal(judged(i, NULL), ISOLATION_FILTERED);
        i = full();
        i.namespaces &= ~(unsigned)ISOLATION_NS_MOUNT;
        assert_int_equal(judged(i, NULL), ISOLATION_FILTERED);
}

static void test_without_the_filter_nothing_else_counts(void **state)
{
        struct isolation i = full();

        (void)state;
        i.seccomp = false;
        assert_int_equal(judged(i, NULL), ISOLATION_NONE);
}

static void test_what_a_test_has_switched_off_leaves_no_level(void **state)
{
        struct isolation i = full();

        (void)state;
        i.weakened = true;
        assert_int_equal(judged(i, NULL), ISOLATION_NONE);
}

static void test_the_hosts_own_user_is_not_a_uid_of_its_own(void **state)
{
        struct isolation i = full();

        (void)state;
        i.uid = 1000;
        isolation_judge(&i, 1000);
        assert_int_equal(i.level, ISOLATION_NAMESPACES);
}

static void test_levels_have_names(void **state)
{
        (void)state;
        assert_string_equal(isolation_level_name(ISOLATION_FILTERED), "filtered");
        assert_int_equal(isolation_level_from_name("full"), ISOLATION_FULL);
        assert_int_equal(isolation_level_from_name("none"), ISOLATION_NONE);
        assert_int_equal(isolation_level_from_name("fuller"), -1);
}

static void test_json_shows_every_field(void **state)
{
        struct isolation i = full();
        json_t *json;
        char *text;

        (void)state;
        i.memory = ISOLATION_MEMORY_RLIMIT;
        isolation_judge(&i, 0);
        json = isolation_to_json(&i);
        assert_non_null(json);
        text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(
            text,
            "{\"landlock_abi\":4,\"level\":\"namespaces\",\"memory\":\"rlimit\",\"namespaces\":["
            "\"pid\",\"mount\",\"net\",\"ipc\",\"uts\",\"cgroup\"],\"pids\":true,\"reasons\":["
            "\"memory: no cgroup: rlimits and a watch every 50 ms\"],\"seccomp\":true,"
            "\"uid\":7000}");
        free(text);
        json_decref(json);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_full_has_nothing_to_explain),
            cmocka_unit_test(test_each_missing_wall_costs_full_and_gives_one_reason),
            cmocka_unit_test(test_without_processes_or_files_of_its_own_it_is_filtered),
            cmocka_unit_test(test_without_the_filter_nothing_else_counts),
            cmocka_unit_test(test_what_a_test_has_switched_off_leaves_no_level),
            cmocka_unit_test(test_the_hosts_own_user_is_not_a_uid_of_its_own),
            cmocka_unit_test(test_levels_have_names),
            cmocka_unit_test(test_json_shows_every_field),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
