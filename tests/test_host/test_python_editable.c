/* Where packages lie that were installed as editable: out of what pip and setuptools leave, and out
 * of what they never would. */
#include <string.h>

#include "../support/test.h"
#include "base/str.h"
#include "host/python_editable.h"

static void reads(const char *given, bool pth, const char *want)
{
        scoped(free) char *text = strdup(given);
        scoped(str) struct str got = {0};
        char *rest = text, *found;

        while ((found = python_editable_next(&rest, pth)))
                str_addf(&got, "%s|", found);
        str_adds(&got, "");
        assert_string_equal(got.data, want);
}

static void test_lines_of_a_path_file(void **state)
{
        (void)state;
        reads("", true, "");
        reads("/a/b\n# no\nimport sys; sys.path\n/c d\r\nrelative\n\n/e", true, "/a/b|/c d|/e|");
}

static void test_strings_of_a_finders_tables(void **state)
{
        (void)state;
        reads("MAPPING: dict[str, str] = {'pkg': '/p/src/pkg', \"b\": \"/q/it's\"}\n", false,
              "/p/src/pkg|/q/it's|");
        reads("NAMESPACES: dict[str, list[str]] = {'n': ['/p/n', '/q/n']}", false, "/p/n|/q/n|");
        reads("{'a': '/with \\'quote\\' and \\\\ in it'}", false, "/with 'quote' and \\ in it|");
}

static void test_tables_that_are_cut_or_crooked_end(void **state)
{
        (void)state;
        reads("{'a': '/unfinished", false, "");
        reads("{'a': '/unfinished\\", false, "");
        reads("'", false, "");
        reads("''", false, "");
        reads("'\\''\"", false, "");
        reads("'/'", false, "/|");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_lines_of_a_path_file),
            cmocka_unit_test(test_strings_of_a_finders_tables),
            cmocka_unit_test(test_tables_that_are_cut_or_crooked_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
