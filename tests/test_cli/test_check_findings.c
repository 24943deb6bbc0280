/* What a probe told of a plugin's source: read whatever it says, shown to people and programs. */
#include <string.h>

#include "base/json.h"
#include "cli/check_findings.h"
#include "support/test.h"

static struct check_findings parse(const char *text)
{
        struct check_findings f;

        assert_int_equal(check_findings_parse(text, "/v/bin/python", &f), 0);
        return f;
}

static void said(const struct check_findings *f, size_t i, const char *want)
{
        scoped(str) struct str s = {0};

        check_findings_say(f, &f->list[i], &s);
        assert_string_equal(s.data, want);
}

static void test_findings_become_sentences(void **state)
{
        scoped(check_findings) struct check_findings f =
            parse("problem\tplugin.py:1\tNo module named 'cv2'\topencv-python\n"
                  "note\tsub/a.py\tit is too large\t\n"
                  "problem\tpython\tit is gone\n");
        scoped(str) struct str reason = {0};

        (void)state;
        assert_int_equal(f.n, 3);
        assert_int_equal(f.problems, 2);
        said(&f, 0,
             "plugin.py:1: No module named 'cv2'. Install with: /v/bin/python -m pip install "
             "opencv-python");
        said(&f, 1, "sub/a.py: it is too large");
        said(&f, 2, "python: it is gone");
        check_findings_reason(&f, &reason);
        assert_string_equal(reason.data,
                            "plugin.py:1: No module named 'cv2'. Install with: /v/bin/python -m "
                            "pip install opencv-python; python: it is gone");
}

static void is_json(const struct check_findings *f, bool problems, const char *want)
{
        scoped(json_decref) json_t *list = check_findings_to_json(f, problems);
        scoped(str) struct str s = {0};

        str_add_json(&s, list);
        assert_string_equal(s.data, want);
}

static void test_findings_become_json(void **state)
{
        scoped(check_findings) struct check_findings f =
            parse("note\ta.py:2\twords\tx\nproblem\tb.py\tothers\t\n");

        (void)state;
        is_json(&f, true, "[{\"place\":\"b.py\",\"words\":\"others\",\"install\":null}]");
        is_json(&f, false,
                "[{\"place\":\"a.py:2\",\"words\":\"words\",\"install\":\"/v/bin/python -m pip "
                "install x\"}]");
}

static void test_no_text_is_no_finding(void **state)
{
        scoped(check_findings) struct check_findings none = parse(NULL), empty = parse("");

        (void)state;
        assert_int_equal(none.n + empty.n, 0);
        is_json(&none, true, "[]");
}

static void test_lines_that_are_none_of_ours_are_passed_over(void **state)
{
        scoped(check_findings) struct check_findings f =
            parse("\n\t\t\t\nproblem\nproblem\tx\nworse\tx\ty\tz\nproblem\ta\tb\tc\td\n"
                  "note\tlast\tone, without a newline");

        (void)state;
        assert_int_equal(f.n, 1);
        assert_int_equal(f.problems, 0);
        said(&f, 0, "last: one, without a newline");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_findings_become_sentences),
            cmocka_unit_test(test_findings_become_json),
            cmocka_unit_test(test_no_text_is_no_finding),
            cmocka_unit_test(test_lines_that_are_none_of_ours_are_passed_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
