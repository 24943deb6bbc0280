/* Whichever allocation fails, a policy and a plan are whole or -ENOMEM. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "sandbox/plan.h"
#include "sandbox/sandbox_policy.h"
#include "support/failing_malloc.h"
#include "support/test.h"

static void fill_policy(void *ctx)
{
        scoped(sandbox_policy) struct sandbox_policy p;
        bool failed;
        int r;

        (void)ctx;
        sandbox_policy_init(&p);
        r = sandbox_policy_set_plugin_dir(&p, "/plugins/a");
        if (r == 0)
                r = sandbox_policy_set_plugin_dir(&p, "/plugins/ocr");
        if (r == 0)
                r = sandbox_policy_add_bind(&p, "/usr/share/x", NULL, false, true);
        if (r == 0)
                r = sandbox_policy_add_bind(&p, "/var/x", "/x", true, false);
        if (r == 0)
                r = sandbox_policy_add_link(&p, "/etc/alternatives/y");
        if (r == 0)
                r = sandbox_policy_add_env(&p, "A", "b");
        if (r == 0)
                r = sandbox_policy_add_env(&p, "C", "d");
        failed = failing_malloc_disarm();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        for (size_t i = 0; i < p.n_binds; i++)
                assert_non_null(p.binds[i].source);
        if (r == 0) {
                assert_int_equal(p.n_binds, 3);
                assert_string_equal(p.env[1], "C=d");
                assert_null(p.env[2]);
        }
}

static void test_a_policy_takes_an_item_wholly_or_not(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(fill_policy, NULL) > 8);
}

static void send_plan(void *ctx)
{
        struct sandbox_bind binds[] = {{.source = (char *)"/opt/m", .optional = true},
                                       {.source = (char *)"/v", .target = (char *)"/x"}};
        struct plan sent = {.memory_bytes = 12345,
                            .name = (char *)"ocr",
                            .plugin_dir = (char *)"/plugins/ocr",
                            .binds = binds,
                            .n_binds = 2,
                            .filter = (void *)"12345678",
                            .filter_size = 8};
        scoped(plan) struct plan p = {0};
        scoped(str) struct str s = {0};
        struct err e = {0};
        bool failed;
        int r;

        (void)ctx;
        plan_encode(&sent, &s);
        r = s.bad ? -ENOMEM : plan_decode(s.data, s.len, &p, &e);
        failed = failing_malloc_disarm();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (r == 0)
                assert_string_equal(p.binds[1].target, "/x");
        else
                assert_null(p.name);
}

static void test_a_plan_arrives_whole_or_is_known_not_to(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(send_plan, NULL) > 8);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_policy_takes_an_item_wholly_or_not),
            cmocka_unit_test(test_a_plan_arrives_whole_or_is_known_not_to),
        };

        return cmocka_run_group_tests_name("policy_memory", tests, NULL, NULL);
}
