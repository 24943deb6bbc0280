/* JSON is read strictly, and what is none is refused with its place. */
#include "support/test.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

static void refuse_bytes(const char *text, size_t n, const char *words)
{
        json_t *value = NULL;
        struct err e = {0};

        assert_int_equal(json_parse(text, n, &value, &e), -EBADMSG);
        assert_null(value);
        assert_string_equal(e.msg, words);
}

static void refuse(const char *text, const char *words)
{
        refuse_bytes(text, strlen(text), words);
}

static void expect(const char *text, const char *compact)
{
        scoped(json_decref) json_t *value = NULL;
        scoped(str) struct str s = {0};
        struct err e = {0};

        if (json_parse(text, strlen(text), &value, &e) < 0)
                fail_msg("%s", e.msg);
        str_add_json(&s, value);
        assert_string_equal(s.data, compact);
}

static void test_values_are_read_as_they_are_written(void **state)
{
        (void)state;
        expect(" { \"a\" : [ 1 , -2.5e1 , true , false , null , \"\" ] , \"\" : { } }\r\n\t",
               "{\"a\":[1,-25.0,true,false,null,\"\"],\"\":{}}");
        expect("9223372036854775807", "9223372036854775807");
        expect("-9223372036854775808", "-9223372036854775808");
        expect("[0,-0,0.0,-0.0,1E+2,1e-400]", "[0,0,0.0,-0.0,100.0,0.0]");
        expect("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00x\"",
               "\"\\\"\\\\/\\b\\f\\n\\r\\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80x\"");
        expect("{\"\\u0061\":{\"b\\n\":1},\"c\":2}", "{\"a\":{\"b\\n\":1},\"c\":2}");
}

static void test_what_is_no_json_is_refused_with_its_place(void **state)
{
        (void)state;
        refuse("", "empty text is not JSON");
        refuse("  ", "line 1, column 2: unexpected token near end of file");
        refuse("{", "line 1, column 1: string or '}' expected near end of file");
        refuse("{\"a\":1,}", "line 1, column 8: string or '}' expected near '}'");
        refuse("{\"a\" 1}", "line 1, column 6: ':' expected near '1'");
        refuse("{\"a\":1 \"b\":2}", "line 1, column 8: '}' expected near '\"'");
        refuse("[1,\n 2 nul]", "line 2, column 6: ']' expected near 'nul'");
        refuse("[1,]", "line 1, column 4: unexpected token near ']'");
        refuse("{\"a\":1,\"a\":2}", "line 1, column 10: duplicate object key near '\"a\"'");
        refuse("{\"a\":1,\"\\u0061\":2}",
               "line 1, column 15: duplicate object key near '\"\\u0061\"'");
        refuse("nulll", "line 1, column 5: invalid token near 'nulll'");
        refuse("'a'", "line 1, column 1: invalid token near '''");
        refuse("{} x", "line 1, column 4: end of file expected near 'x'");
        refuse("\xc3\xa9", "line 1, column 1: invalid token near '\xc3\xa9'");
        refuse("\xef\xbb\xbf{}", "line 1, column 1: invalid token near '\xef\xbb\xbf'");
        refuse("[\"\xc3\xa9\", x]", "line 1, column 7: invalid token near 'x'");
}

static void test_bad_numbers_are_refused(void **state)
{
        (void)state;
        refuse("01", "line 1, column 1: invalid token near '0'");
        refuse("-", "line 1, column 1: invalid token near '-'");
        refuse("1.", "line 1, column 2: invalid token near '1.'");
        refuse("1e+", "line 1, column 3: invalid token near '1e+'");
        refuse("9223372036854775808", "line 1, column 19: too big integer near "
                                      "'9223372036854775808'");
        refuse("-9223372036854775809", "line 1, column 20: too big negative integer near "
                                       "'-9223372036854775809'");
        refuse("1e400", "line 1, column 5: real number overflow near '1e400'");
}

static void test_bad_strings_are_refused(void **state)
{
        (void)state;
        refuse("\"a", "line 1, column 2: premature end of input near end of file");
        refuse("\"a\\", "line 1, column 3: invalid escape near '\"a\\'");
        refuse("\"\\x\"", "line 1, column 3: invalid escape near '\"\\x'");
        /* Two bytes of one character: the words hold it wholly or not at all. */
        refuse("\"\\\xc2\x84\"", "line 1, column 3: invalid escape near '\"\\'");
        refuse("\"\\u12g4\"", "line 1, column 5: invalid escape near '\"\\u12'");
        refuse("\"\\ud800\"", "line 1, column 7: invalid Unicode: half of a surrogate pair near "
                              "'\"\\ud800'");
        refuse("\"\\ude00\\ud83d\"", "line 1, column 7: invalid Unicode: half of a surrogate pair "
                                     "near '\"\\ude00'");
        refuse("\"\\ud83d\\u0041\"", "line 1, column 13: invalid Unicode: half of a surrogate pair "
                                     "near '\"\\ud83d\\u0041'");
        refuse("\"\\u0000\"", "line 1, column 7: \\u0000 is not allowed near '\"\\u0000'");
        refuse("\"a\nb\"", "line 1, column 2: unexpected newline near '\"a'");
        refuse("\"a\x01\"", "line 1, column 2: control character 0x1 near '\"a'");
        refuse("\"\xc3(\"", "line 1, column 2: invalid UTF-8 at byte 1");
}

static void test_a_nul_ends_no_text(void **state)
{
        (void)state;
        refuse_bytes("2\0", 2, "line 1, column 2: end of file expected near ''");
        refuse_bytes("{}\0{}", 5, "line 1, column 3: end of file expected near ''");
        refuse_bytes("[\0]", 3, "line 1, column 2: unexpected token near ''");
        refuse_bytes("\"a\0b\"", 5, "line 1, column 2: control character 0x0 near '\"a'");
}

static void test_depth_is_bounded_and_nothing_else(void **state)
{
        char text[2 * (JSON_DEPTH_MAX + 1) + 1] = "";
        struct err e = {0};

        (void)state;
        for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
                scoped(json_decref) json_t *value = NULL;

                memset(text, '[', depth);
                memset(text + depth, ']', depth);
                assert_int_equal(json_parse(text, 2 * depth, &value, &e),
                                 depth > JSON_DEPTH_MAX ? -EBADMSG : 0);
        }
        assert_string_equal(e.msg, "line 1, column 65: nested deeper than 64");
        expect("[[[]],[[]],[[[]]]]", "[[[]],[[]],[[[]]]]");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_values_are_read_as_they_are_written),
            cmocka_unit_test(test_what_is_no_json_is_refused_with_its_place),
            cmocka_unit_test(test_bad_numbers_are_refused),
            cmocka_unit_test(test_bad_strings_are_refused),
            cmocka_unit_test(test_a_nul_ends_no_text),
            cmocka_unit_test(test_depth_is_bounded_and_nothing_else),
        };

        return cmocka_run_group_tests_name("json_parse", tests, NULL, NULL);
}
