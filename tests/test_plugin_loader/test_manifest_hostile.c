/* Bad input and bad luck: no manifest breaks its parser, and no failed allocation does. */
#include "support/test.h"

#include <stdio.h>

#include "base/json.h"
#include "support/failing_malloc.h"
#include "test_plugin_loader/manifest_fixture.h"

static void test_sizes_are_bounded(void **state)
{
        scoped(str) struct str s = {0};

        (void)state;
        str_adds(&s, "{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"");
        for (int i = 0; i < 4097; i++)
                str_addc(&s, 'x');
        str_adds(&s, "\"}");
        expect_complaint_begins(s.data, s.len, "line 1: entrypoint: must be at most 4096 bytes");
        s.len = 0;
        str_adds(&s, "{\"version\":\"");
        for (int i = 0; i < 64; i++)
                str_addc(&s, '1');
        str_adds(&s, "\"}");
        expect_complaint_begins(s.data, s.len, "line 1: version: must be 1 to 63 bytes");
        s.len = 0;
        str_adds(&s, "{\"");
        for (int i = 0; i < 1000000; i++)
                str_addc(&s, '/');
        str_adds(&s, "\":1}");
        expect_complaint_begins(s.data, s.len, "line 1: unknown key \"//////");
        s.len = 0;
        str_adds(&s, "{\"tools\":[");
        for (int i = 0; i < 257; i++)
                str_adds(&s, i ? ",0" : "0");
        str_adds(&s, "]}");
        expect_complaint_begins(s.data, s.len, "line 1: tools: must have at most 256 items");
        while (s.len <= PLUGIN_MANIFEST_MAX)
                str_addc(&s, ' ');
        expect_complaint_begins(s.data, s.len, "is larger than 1048576 bytes");
}

static uint32_t next_random(uint32_t *seed)
{
        *seed = *seed * 1664525 + 1013904223;
        return *seed >> 8;
}

/* Changes, drops or doubles a few bytes; now and then swaps in something that means something. */
static size_t mutate(char *text, size_t n, uint32_t *seed)
{
        static const char bytes[] = "{}[]\",:\\0123456789-+.eE tfn\n\x7f\xc3\xa9\xff";
        unsigned changes = 1 + next_random(seed) % 4;

        while (changes--) {
                size_t at = next_random(seed) % n, len = 1 + next_random(seed) % 12;

                len = MIN_OF(len, n - at);
                switch (next_random(seed) % 3) {
                case 0:
                        text[at] = bytes[next_random(seed) % (sizeof bytes - 1)];
                        break;
                case 1:
                        memmove(text + at, text + at + len, n - at - len);
                        n -= len;
                        break;
                case 2:
                        memmove(text + at + len, text + at, n - at);
                        n += len;
                        break;
                }
                if (n == 0)
                        return 0;
        }
        return n;
}

static void test_no_mutation_breaks_the_parser(void **state)
{
        static char text[sizeof full + 64];
        uint32_t seed = 1;
        unsigned taken = 0;

        (void)state;
        for (int i = 0; i < 20000; i++) {
                size_t n = sizeof full - 1;
                struct plugin_manifest *m = NULL;
                struct err e = {0};
                char *exact;
                int r;

                memcpy(text, full, n);
                n = mutate(text, n, &seed);
                /* Exactly as large as it says, so that one byte too far is seen. */
                exact = malloc(MAX_OF(n, 1));
                assert_non_null(exact);
                memcpy(exact, text, n);
                r = plugin_manifest_parse(exact, n, &m, &e);
                free(exact);
                assert_true(r == 0 || r == -EINVAL);
                assert_int_equal(r == 0, m != NULL);
                if (r < 0)
                        assert_true(strlen(e.msg) > 0);
                taken += r == 0;
                plugin_manifest_free(m);
        }
        /* Some changes fall on words and do no harm: the parser was really reached. */
        assert_true(taken > 100);
}

/* --- the n-th allocation fails, for every n --- */

static void parse_full(void *ctx)
{
        struct plugin_manifest *m = NULL;
        struct err e = {0};
        int r = plugin_manifest_parse(full, sizeof full - 1, &m, &e);
        bool failed = failing_malloc_disarm();

        (void)ctx;
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(r == 0, m != NULL);
        plugin_manifest_free(m);
}

static void test_survives_every_failed_allocation(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(parse_full, NULL) > 200);
}

static const char meta[] = "{\"tools\":[{\"name\":\"a\",\"description\":\"d\","
                           "\"input_schema\":{\"type\":\"object\"}},{\"name\":\"b\"}]}";

static void merge_meta(void *ctx)
{
        struct plugin_manifest *m = ctx;
        int r = plugin_manifest_merge_meta(m, meta, sizeof meta - 1, NULL);
        bool failed = failing_malloc_disarm();

        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(m->n_tools, failed ? 0 : 2);
}

static void test_failed_allocation_in_meta_changes_nothing(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(MINIMAL);

        (void)state;
        assert_true(failing_malloc_each(merge_meta, m) > 40);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_sizes_are_bounded),
            cmocka_unit_test(test_no_mutation_breaks_the_parser),
            cmocka_unit_test(test_survives_every_failed_allocation),
            cmocka_unit_test(test_failed_allocation_in_meta_changes_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
