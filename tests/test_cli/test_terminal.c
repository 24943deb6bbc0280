/* What a person sees: columns, colours only where they belong, no stranger's escapes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/terminal.h"
#include "support/test.h"

static char *table_text(const char *const *cells, size_t n, size_t columns, bool color)
{
        scoped(terminal_table) struct terminal_table t = {.columns = columns};
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        for (size_t i = 0; i < n; i++)
                terminal_table_add(&t, cells[i]);
        assert_false(t.bad);
        terminal_table_print(&t, to, 1, color);
        fclose(to);
        return text;
}

static void test_columns_are_aligned(void **state)
{
        static const char *const cells[] = {"NAME",        "STATE",   "WHY",
                                            "ocr",         "FAILED",  "z\xc3\xa4h\n\tx",
                                            "longer-name", "RUNNING", ""};
        scoped(free) char *text = table_text(cells, 9, 3, false);

        (void)state;
        assert_string_equal(text, "NAME         STATE    WHY\n"
                                  "ocr          FAILED   z\xc3\xa4h  x\n"
                                  "longer-name  RUNNING\n");
}

static void test_states_have_colours_and_alignment_stays(void **state)
{
        static const char *const cells[] = {"A", "STATE", "ok", "FAILED", "FAILED", "x"};
        scoped(free) char *text = table_text(cells, 6, 2, true);

        (void)state;
        assert_string_equal(text, "A       STATE\nok      \033[31mFAILED\033[0m\nFAILED  x\n");
}

static void test_a_strangers_escapes_are_shown_not_obeyed(void **state)
{
        static const char *const cells[] = {"a\033[31mb\xc2\x9bz\xff", "\r"};
        scoped(free) char *text = table_text(cells, 2, 2, false);

        (void)state;
        assert_string_equal(text, "a\\x1b[31mb\\x9bz\xef\xbf\xbd  \\x0d\n");
}

static void test_long_cells_are_cut(void **state)
{
        char cell[1000];
        const char *const cells[] = {cell};
        scoped(free) char *text = NULL;

        (void)state;
        memset(cell, 'x', sizeof cell - 1);
        cell[sizeof cell - 1] = '\0';
        text = table_text(cells, 1, 1, false);
        assert_true(strlen(text) <= TERMINAL_CELL_MAX + 1);
        assert_non_null(strstr(text, "\xe2\x80\xa6"));
}

/* A pseudo-terminal is one, a file is none; NO_COLOR and TERM=dumb rule it out. */
static void test_colour_only_where_it_is_wanted(void **state)
{
        int master = posix_openpt(O_RDWR | O_NOCTTY);
        FILE *tty, *file = tmpfile();

        (void)state;
        if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
                skip();
        tty = fopen(ptsname(master), "w");
        assert_non_null(tty);
        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
        assert_true(terminal_has_color(tty));
        assert_false(terminal_has_color(file));
        setenv("NO_COLOR", "", 1);
        assert_true(terminal_has_color(tty));
        setenv("NO_COLOR", "1", 1);
        assert_false(terminal_has_color(tty));
        unsetenv("NO_COLOR");
        setenv("TERM", "dumb", 1);
        assert_false(terminal_has_color(tty));
        assert_true(terminal_is(tty));
        fclose(tty);
        fclose(file);
        close(master);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_columns_are_aligned),
            cmocka_unit_test(test_states_have_colours_and_alignment_stays),
            cmocka_unit_test(test_a_strangers_escapes_are_shown_not_obeyed),
            cmocka_unit_test(test_long_cells_are_cut),
            cmocka_unit_test(test_colour_only_where_it_is_wanted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
