/* The validator's parts by themselves: URIs, numbers, and regular expressions as ECMA has them. */
#include "support/test.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "schema/schema_ecma.h"
#include "schema/schema_regex.h"
#include "schema/schema_uri.h"
#include "schema/schema_value.h"
#include "schema/schema_words.h"

/* --- URIs --- */

static void expect_uri(const char *base, const char *ref, const char *document,
                       const char *fragment)
{
        scoped(schema_uri) struct schema_uri uri = {0};

        assert_int_equal(schema_uri_resolve(base, ref, &uri), 0);
        assert_string_equal(uri.document, document);
        assert_string_equal(uri.fragment, fragment);
}

/* RFC 3986, section 5.4. */
static void test_uri_resolves_as_the_rfc_says(void **state unused_param)
{
        static const char *const examples[][2] = {
            {"g:h", "g:h"},
            {"g", "http://a/b/c/g"},
            {"./g", "http://a/b/c/g"},
            {"g/", "http://a/b/c/g/"},
            {"/g", "http://a/g"},
            {"//g", "http://g"},
            {"?y", "http://a/b/c/d;p?y"},
            {"g?y", "http://a/b/c/g?y"},
            {";x", "http://a/b/c/;x"},
            {"", "http://a/b/c/d;p?q"},
            {".", "http://a/b/c/"},
            {"./", "http://a/b/c/"},
            {"..", "http://a/b/"},
            {"../g", "http://a/b/g"},
            {"../..", "http://a/"},
            {"../../../g", "http://a/g"},
            {"/./g", "http://a/g"},
            {"/../g", "http://a/g"},
            {"g.", "http://a/b/c/g."},
            {"..g", "http://a/b/c/..g"},
            {"./../g", "http://a/b/g"},
            {"g/./h", "http://a/b/c/g/h"},
            {"g/../h", "http://a/b/c/h"},
        };

        for (size_t i = 0; i < ARRAY_LEN(examples); i++)
                expect_uri("http://a/b/c/d;p?q", examples[i][0], examples[i][1], "");
}

static void test_uri_fragment_is_decoded(void **state unused_param)
{
        expect_uri("", "#/a%25b%22", "", "/a%b\"");
        expect_uri("", "#%zz%0", "", "%zz%0");
        expect_uri("", "#a%00b", "", "a%00b");
        expect_uri("", "#%c3%a9", "", "\xc3\xa9");
        expect_uri("", "#%61%af", "", "%61%af");
        expect_uri("urn:uuid:1", "#x", "urn:uuid:1", "x");
        expect_uri("http://a", "b", "http://a/b", "");
}

static void test_uri_of_any_length_is_refused(void **state unused_param)
{
        scoped(schema_uri) struct schema_uri uri = {0};
        char text[SCHEMA_URI_MAX + 2];

        memset(text, 'a', sizeof text - 1);
        text[sizeof text - 1] = '\0';
        assert_int_equal(schema_uri_resolve("", text, &uri), -EINVAL);
        assert_int_equal(schema_uri_resolve(text, "", &uri), -EINVAL);
        assert_int_equal(schema_uri_resolve("", text + 1, &uri), 0);
}

/* --- values --- */

static json_t *json_of(const char *text)
{
        json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

        assert_non_null(value);
        return value;
}

static int compare(const char *x, const char *y)
{
        scoped(json_decref) json_t *a = json_of(x), *b = json_of(y);

        return schema_number_compare(a, b);
}

static void test_numbers_compare_exactly(void **state unused_param)
{
        assert_int_equal(compare("1", "1.0"), 0);
        assert_int_equal(compare("1", "1.5"), -1);
        assert_int_equal(compare("-1", "-1.5"), 1);
        assert_int_equal(compare("-0.0", "0"), 0);
        assert_int_equal(compare("9007199254740993", "9007199254740992.0"), 1);
        assert_int_equal(compare("9223372036854775807", "9223372036854775808.0"), -1);
        assert_int_equal(compare("-9223372036854775808", "-9223372036854775808.0"), 0);
        assert_int_equal(compare("1e300", "9223372036854775807"), 1);
        assert_int_equal(compare("-1e300", "-9223372036854775807"), -1);
}

static bool is_multiple(const char *number, const char *unit)
{
        scoped(json_decref) json_t *n = json_of(number), *u = json_of(unit);

        return schema_number_is_multiple(n, u);
}

static void test_multiples_are_decimal(void **state unused_param)
{
        assert_true(is_multiple("0.3", "0.1"));
        assert_true(is_multiple("19.99", "0.01"));
        assert_true(is_multiple("0.0075", "0.0001"));
        assert_false(is_multiple("0.00751", "0.0001"));
        assert_true(is_multiple("-9223372036854775808", "2"));
        assert_true(is_multiple("0", "0.7"));
        assert_true(is_multiple("1e308", "0.5"));
        assert_false(is_multiple("1e308", "3"));
        assert_false(is_multiple("1", "1e308"));
        assert_true(is_multiple("1e308", "1e-308"));
        assert_true(is_multiple("5", "5e-324"));
        assert_true(is_multiple("120", "1.2e1"));
        assert_true(is_multiple("1e2", "1e1"));
        assert_false(is_multiple("15", "1e1"));
        assert_false(is_multiple("9223372036854775807", "10.0"));
}

static void expect_equal(const char *x, const char *y, bool equal)
{
        scoped(json_decref) json_t *a = json_of(x), *b = json_of(y);
        struct schema_budget budget = {1000000};
        uint64_t hash_a, hash_b;

        assert_int_equal(schema_value_equal(&budget, a, b), equal);
        assert_int_equal(schema_value_hash(&budget, a, &hash_a), 0);
        assert_int_equal(schema_value_hash(&budget, b, &hash_b), 0);
        assert_int_equal(hash_a == hash_b, equal);
}

static void test_equality_is_of_values_not_spelling(void **state unused_param)
{
        expect_equal("{\"a\": 1, \"b\": [2.0]}", "{\"b\": [2], \"a\": 1.0}", true);
        expect_equal("0", "-0.0", true);
        expect_equal("0", "false", false);
        expect_equal("\"\"", "null", false);
        expect_equal("[[], {}]", "[{}, []]", false);
        expect_equal("{\"a\": \"b\"}", "{\"b\": \"a\"}", false);
        expect_equal("[1, 2]", "[2, 1]", false);
}

static void test_comparing_is_bounded(void **state unused_param)
{
        scoped(json_decref) json_t *a = json_of("[1, 2, 3]"), *b = json_of("[1, 2, 3]");
        struct schema_budget budget = {3 * SCHEMA_STEP};
        uint64_t hash;

        assert_int_equal(schema_value_equal(&budget, a, b), -E2BIG);
        assert_int_equal(schema_value_hash(&budget, a, &hash), -E2BIG);
}

/* --- regular expressions --- */

static int matches(const char *pattern, const char *text)
{
        scoped(schema_matcher_free) struct schema_matcher *matcher = NULL;
        scoped(schema_regex_free) struct schema_regex *regex = NULL;
        struct schema_budget budget = {1000000};
        struct err e;

        assert_int_equal(schema_matcher_new(&budget, &matcher), 0);
        assert_int_equal(schema_regex_compile(pattern, strlen(pattern), &regex, &e), 0);
        return schema_regex_search(regex, matcher, text, strlen(text));
}

static void test_patterns_mean_what_ecma_says(void **state unused_param)
{
        assert_int_equal(matches("^a$", "a\n"), 0); /* Perl's $ would */
        assert_int_equal(matches("^.$", "\u2028"), 0);
        assert_int_equal(matches("^.$", "\U0001f432"), 1);
        assert_int_equal(matches("^\\d$", "\u0967"), 0);
        assert_int_equal(matches("^\\w$", "\u00e9"), 0);
        assert_int_equal(matches("^\\s$", "\ufeff"), 1);
        assert_int_equal(matches("^\\S$", "\u00a0"), 0);
        assert_int_equal(matches("^[\\S]$", "\u00e9"), 1);
        assert_int_equal(matches("^[^\\s]$", " "), 0);
        assert_int_equal(matches("[]", "a"), 0);
        assert_int_equal(matches("^[^]$", "\n"), 1);
        assert_int_equal(matches("^\\cJ\\x41\\u0042\\u{43}$", "\nABC"), 1);
        assert_int_equal(matches("^\\ud83d\\udc32$", "\U0001f432"), 1);
        assert_int_equal(matches("^[\\b]$", "\b"), 1);
        assert_int_equal(
            matches("^\\p{Lu}\\p{Letter}\\p{Script=Greek}\\P{gc=digit}$", "A\u00e9\u03b1x"), 1);
        assert_int_equal(matches("^(?<q>['\"]).*\\k<q>$", "'a'"), 1);
        assert_int_equal(matches("^(a)?\\1b$", "b"), 1); /* an unset group matches nothing */
        assert_int_equal(matches("(?<!a)b(?=c)(?!cd)", "bce"), 1);
        assert_int_equal(matches("^a{2,3}?$", "aaa"), 1);
}

static void test_usual_looseness_is_taken_as_meant(void **state unused_param)
{
        assert_int_equal(matches("^[\\w-.]+$", "a-.b"), 1);
        assert_int_equal(matches("^[a\\-z]+$", "-"), 1);
        assert_int_equal(matches("^[+--]+$", ",-+"), 1);
        assert_int_equal(matches("^\\-\\@\\ $", "-@ "), 1);
        assert_int_equal(matches("^{a}{,2}]$", "{a}{,2}]"), 1);
        assert_int_equal(matches("^[[:alpha:]]$", "a]"), 1);
        assert_int_equal(matches("^#\t $", "#\t "), 1);
}

static void test_what_ecma_lacks_is_refused(void **state unused_param)
{
        static const char *const bad[] = {
            "(?R)",   "(?1)",      "(*FAIL)", "(?#c)",  "(?i)a",       "(?>a)",     "a++",
            "a**",    "\\Qa\\E",   "\\A",     "\\Z",    "\\K",         "\\C",       "\\G",
            "\\R",    "\\X",       "\\h",     "\\a",    "\\ud800",     "\\u12",     "\\x1",
            "\\c1",   "\\01",      "\\p{}",   "\\p",    "\\p{^L}",     "\\2(a)",    "[a",
            "[z-a]",  "(",         ")",       "\\",     "[\\",         "?",         "^*",
            "(?C1)",  "(?P<n>a)",  "(?<1>a)", "\\k<x>", "\\u{110000}", "(?(1)a|b)", "(?|a)",
            "a{2,1}", "\\p{Nope}",
        };

        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct schema_regex *regex = NULL;
                struct err e = {0};

                if (schema_regex_compile(bad[i], strlen(bad[i]), &regex, &e) != -EINVAL)
                        fail_msg("%s was taken", bad[i]);
                assert_true(strlen(e.msg) > 0);
        }
}

/* --- words --- */

static void test_words_are_cut_between_characters(void **state unused_param)
{
        char buf[12];
        struct schema_words w = schema_words_in(buf, sizeof buf);

        schema_words_addf(&w, "1234567");
        schema_words_addf(&w, "\u00e9\u00e9\u00e9");
        schema_words_addf(&w, "more");
        assert_string_equal(buf, "1234567...");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_uri_resolves_as_the_rfc_says),
            cmocka_unit_test(test_uri_fragment_is_decoded),
            cmocka_unit_test(test_uri_of_any_length_is_refused),
            cmocka_unit_test(test_numbers_compare_exactly),
            cmocka_unit_test(test_multiples_are_decimal),
            cmocka_unit_test(test_equality_is_of_values_not_spelling),
            cmocka_unit_test(test_comparing_is_bounded),
            cmocka_unit_test(test_patterns_mean_what_ecma_says),
            cmocka_unit_test(test_usual_looseness_is_taken_as_meant),
            cmocka_unit_test(test_what_ecma_lacks_is_refused),
            cmocka_unit_test(test_words_are_cut_between_characters),
        };

        return cmocka_run_group_tests_name("schema_parts", tests, NULL, NULL);
}
