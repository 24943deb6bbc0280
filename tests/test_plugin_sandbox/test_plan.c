/* What the host writes the box reads, whole or not at all; and policies refuse crooked paths. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "sandbox/plan.h"
#include "sandbox/sandbox_policy.h"
#include "support/test.h"

static void encode_sample(struct str *s)
{
        struct sandbox_bind binds[] = {{(char *)"/opt/m", NULL, false, true, false},
                                       {(char *)"/var/x", (char *)"/x", true, false, false},
                                       {(char *)"/bin/python", NULL, false, true, true}};
        struct plan p = {.memory_bytes = 12345,
                         .namespaces = 6,
                         .name = (char *)"ocr",
                         .plugin_dir = (char *)"/plugins/ocr",
                         .binds = binds,
                         .n_binds = 3,
                         .filter = (void *)"12345678",
                         .filter_size = 8};

        plan_encode(&p, s);
        assert_false(s->bad);
}

static void test_a_plan_arrives_as_it_was_sent(void **state)
{
        scoped(str) struct str s = {0};
        scoped(plan) struct plan p = {0};

        (void)state;
        encode_sample(&s);
        assert_int_equal(plan_decode(s.data, s.len, &p, NULL), 0);
        assert_true(p.memory_bytes == 12345 && p.namespaces == 6);
        assert_string_equal(p.name, "ocr");
        assert_string_equal(p.plugin_dir, "/plugins/ocr");
        assert_int_equal(p.n_binds, 3);
        assert_string_equal(p.binds[0].target, "/opt/m");
        assert_true(p.binds[0].optional && !p.binds[0].writable);
        assert_string_equal(p.binds[1].target, "/x");
        assert_true(p.binds[1].writable && !p.binds[1].link);
        assert_true(p.binds[2].link);
        assert_memory_equal(p.filter, "12345678", 8);
}

static void test_a_cut_or_lengthened_plan_is_refused(void **state)
{
        scoped(str) struct str s = {0};

        (void)state;
        encode_sample(&s);
        str_addc(&s, 'x');
        for (size_t n = 0; n <= s.len; n++) {
                scoped(plan) struct plan p = {0};
                int r = plan_decode(s.data, n, &p, NULL);

                assert_int_equal(r, n == s.len - 1 ? 0 : -EBADMSG);
        }
}

static void test_policies_refuse_paths_that_mean_another(void **state)
{
        static const char *const bad[] = {"",      "a",      "a/b",     "//",  "/a/",
                                          "/a//b", "/a/./b", "/a/../b", "/..", "/."};
        scoped(sandbox_policy) struct sandbox_policy p;

        (void)state;
        sandbox_policy_init(&p);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                assert_int_equal(sandbox_policy_set_plugin_dir(&p, bad[i]), -EINVAL);
                assert_int_equal(sandbox_policy_add_bind(&p, "/a", bad[i], false, false), -EINVAL);
                assert_int_equal(sandbox_policy_add_bind(&p, bad[i], NULL, false, false), -EINVAL);
        }
        assert_int_equal(sandbox_policy_set_plugin_dir(&p, "/a/b..c/.d"), 0);
        assert_int_equal(sandbox_policy_add_bind(&p, "/a", NULL, false, true), 0);
        assert_int_equal(p.n_binds, 1);
        assert_null(p.binds[0].target);
        assert_int_equal(sandbox_policy_add_env(&p, "A=B", "c"), -EINVAL);
        assert_int_equal(sandbox_policy_add_env(&p, "", "c"), -EINVAL);
        assert_int_equal(sandbox_policy_add_env(&p, "A", "b=c"), 0);
        assert_string_equal(p.env[0], "A=b=c");
        assert_null(p.env[1]);
}

static void test_a_policys_defaults_are_the_documented_ones(void **state)
{
        scoped(sandbox_policy) struct sandbox_policy p;

        (void)state;
        sandbox_policy_init(&p);
        assert_true(p.memory_bytes == UINT64_C(1) << 30);
        assert_int_equal(p.pids_max, 128);
        assert_int_equal(p.nofile, 256);
        assert_true(p.tmp_bytes == MIB(64));
        assert_int_equal(p.min_level, ISOLATION_FILTERED);
        assert_false(p.network || p.gpu);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_plan_arrives_as_it_was_sent),
            cmocka_unit_test(test_a_cut_or_lengthened_plan_is_refused),
            cmocka_unit_test(test_policies_refuse_paths_that_mean_another),
            cmocka_unit_test(test_a_policys_defaults_are_the_documented_ones),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
