/* JSON as text: members cut out, and the layout for people. */
#include <string.h>

#include "base/json.h"
#include "cli/json_text.h"
#include "support/test.h"

static void member_is(const char *text, const char *key, const char *want)
{
        const char *at = NULL;
        size_t n = 0;
        bool found = json_text_member(text, strlen(text), key, &at, &n);

        assert_true(found == (want != NULL));
        if (!want)
                return;
        assert_int_equal(n, strlen(want));
        assert_memory_equal(at, want, n);
}

static void test_members_come_out_as_written(void **state)
{
        (void)state;
        member_is("{\"ok\":true,\"result\":0.10}", "result", "0.10");
        member_is(" { \"a\\\"}\" : [ {\"result\":1} , \"]\" ] ,\n\"result\" : 1E400 \n} ", "result",
                  "1E400");
        member_is("{\"result\":{\"a\":[{}]},\"x\":1}", "result", "{\"a\":[{}]}");
        member_is("{\"result\":\"a,\\\"}\"}", "result", "\"a,\\\"}\"");
        member_is("{\"resul\":1,\"results\":2}", "result", NULL);
        member_is("{}", "result", NULL);
        member_is("[\"result\",1]", "result", NULL);
        member_is("\"result\"", "result", NULL);
}

static void laid_out(const char *text, size_t max, const char *want)
{
        scoped(str) struct str s = {0};

        json_text_pretty(&s, text, strlen(text), max);
        assert_string_equal(s.data, want);
}

static void test_layout_for_people(void **state)
{
        (void)state;
        laid_out("{\"a\":[1,2.50,{\"b\":\"x:,[\"}],\"c\":{ },\"d\":[]}", 99,
                 "{\n  \"a\": [\n    1,\n    2.50,\n    {\n      \"b\": \"x:,[\"\n    }\n  ],\n"
                 "  \"c\": {},\n  \"d\": []\n}");
        laid_out(" true ", 99, "true");
        laid_out("\"aaaaaaaaaaaaaaaaaaaa\"", 10, "\"aaaaaaaaa\xe2\x80\xa6\" (20 bytes)");
        laid_out("\"aaaaaaa\xc3\xa4zzzzzzzzzz\"", 9, "\"aaaaaaa\xe2\x80\xa6\" (19 bytes)");
        laid_out("\"aaaaa\\u00e4zzzzzzzz\"", 9, "\"aaaaa\xe2\x80\xa6\" (19 bytes)");
}

/* Whatever is cut off the end, nothing outside the text is touched. */
static void test_a_cut_text_is_no_danger(void **state)
{
        static const char text[] = "{\"a\":[\"x\\\"\",{\"result\":[1,2]}],\"result\":\"\\u0041\"}";

        (void)state;
        for (size_t n = 0; n < sizeof text - 1; n++) {
                scoped(free) char *copy = malloc(n ? n : 1);
                scoped(str) struct str s = {0};
                const char *at;
                size_t size;

                memcpy(copy, text, n);
                if (json_text_member(copy, n, "result", &at, &size))
                        assert_true(at + size <= copy + n);
                json_text_pretty(&s, copy, n, 4);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_members_come_out_as_written),
            cmocka_unit_test(test_layout_for_people),
            cmocka_unit_test(test_a_cut_text_is_no_danger),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
