/* Text that is cut: within its bound, and never in the middle of a character. */
#include "support/test.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"

static void expect_printable(const char *text, size_t max, const char *expected)
{
        scoped(str) struct str s = {0};

        str_add_printable(&s, text, strlen(text), max);
        assert_string_equal(s.data ? s.data : "", expected);
}

static void test_printable_text_stays_within_its_bound(void **state)
{
        (void)state;
        expect_printable("abcdef", 8, "abcdef");
        expect_printable("abcdef", 7, "abcd\xe2\x80\xa6");
        expect_printable("abc\x01", 7, "abc\\x01");
        expect_printable("abc\x01", 6, "abc\xe2\x80\xa6");
        expect_printable("\x01", 3, "\xe2\x80\xa6");
        expect_printable("\x01", 0, "");
        expect_printable("ab", 1, "");
}

static void test_printable_text_is_within_any_bound(void **state)
{
        static const char text[] = "a\x01\xff\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\n\xc2\x9b";

        (void)state;
        for (size_t n = 0; n < sizeof text; n++)
                for (size_t max = 0; max < 40; max++) {
                        scoped(str) struct str s = {0};

                        str_add_printable(&s, text, n, max);
                        assert_true(s.len <= max);
                        assert_true(!s.len || utf8_valid_prefix(s.data, s.len) == s.len);
                }
}

static void test_a_cut_sentence_ends_with_a_whole_character(void **state)
{
        char text[ERR_MSG_MAX + 8];

        (void)state;
        for (size_t at = 0; at < 8; at++) {
                struct err e, wrapped;

                memset(text, 'x', sizeof text);
                for (size_t i = at; i + 4 < sizeof text; i += 4)
                        memcpy(text + i, "\xf0\x9f\x98\x80", 4);
                text[sizeof text - 1] = '\0';
                err_set(&e, -1, "%s", text);
                assert_int_equal(utf8_valid_prefix(e.msg, strlen(e.msg)), strlen(e.msg));
                assert_true(strlen(e.msg) >= ERR_MSG_MAX - 4);
                wrapped = e;
                err_wrap(&wrapped, -1, "w%.*s", (int)at, "xxxxxxxx");
                assert_int_equal(utf8_valid_prefix(wrapped.msg, strlen(wrapped.msg)),
                                 strlen(wrapped.msg));
                err_set_errno(&e, -1, "%s", text);
                assert_int_equal(utf8_valid_prefix(e.msg, strlen(e.msg)), strlen(e.msg));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_printable_text_stays_within_its_bound),
            cmocka_unit_test(test_printable_text_is_within_any_bound),
            cmocka_unit_test(test_a_cut_sentence_ends_with_a_whole_character),
        };

        return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
