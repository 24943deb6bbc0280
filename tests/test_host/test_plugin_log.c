/* The log of a plugin: bounded whatever it prints, and the same however its bytes were cut. */
#include <stdlib.h>
#include <string.h>

#include "../support/test.h"
#include "../support/failing_malloc.h"
#include "base/json.h"
#include "host/plugin_log.h"

struct printer {
        struct plugin_log log;
        struct plugin_log_writer out, err;
};

static void open_printer(struct printer *p)
{
        *p = (struct printer){0};
        plugin_log_init(&p->log);
}

static void close_printer(struct printer *p)
{
        plugin_log_writer_done(&p->out);
        plugin_log_writer_done(&p->err);
        plugin_log_done(&p->log);
}

static void print(struct printer *p, const char *text)
{
        plugin_log_write(&p->log, &p->out, PLUGIN_LOG_STDOUT, text, strlen(text), 1);
}

static void complain(struct printer *p, const char *text)
{
        plugin_log_write(&p->log, &p->err, PLUGIN_LOG_STDERR, text, strlen(text), 1);
}

/* All lines as one text, each in brackets. */
static char *lines_of(const struct printer *p)
{
        const struct plugin_log_line *line;
        struct str text = {0};

        STAILQ_FOREACH (line, &p->log.lines, link)
                str_addf(&text, "[%.*s]", (int)line->len, line->text);
        return str_take(&text);
}

static const struct plugin_log_line *last_line(const struct printer *p)
{
        const struct plugin_log_line *line, *last = NULL;

        STAILQ_FOREACH (line, &p->log.lines, link)
                last = line;
        return last;
}

static void expect_lines(const struct printer *p, const char *expected)
{
        scoped(free) char *lines = lines_of(p);

        assert_string_equal(lines, expected);
}

static void expect_tail(const struct printer *p, uint64_t from, size_t max, const char *expected)
{
        scoped(str) struct str tail = {0};

        plugin_log_tail(&p->log, from, max, &tail);
        assert_string_equal(tail.data ? tail.data : "", expected);
        assert_true(tail.len <= max);
}

/* --- lines --- */

static void test_lines_end_at_newlines_and_what_is_left_at_the_end(void **state)
{
        struct printer p;

        (void)state;
        open_printer(&p);
        print(&p, "one\ntw");
        expect_lines(&p, "[one]");
        print(&p, "o\n\nthree");
        expect_lines(&p, "[one][two][]");
        plugin_log_flush(&p.log, &p.out, PLUGIN_LOG_STDOUT, 1);
        plugin_log_flush(&p.log, &p.out, PLUGIN_LOG_STDOUT, 1);
        expect_lines(&p, "[one][two][][three]");
        assert_int_equal(STAILQ_FIRST(&p.log.lines)->number, 1);
        assert_int_equal(p.log.next_number, 5);
        close_printer(&p);
}

static void test_two_streams_do_not_mix_within_a_line(void **state)
{
        struct printer p;

        (void)state;
        open_printer(&p);
        print(&p, "o1");
        complain(&p, "e1");
        print(&p, "o2\n");
        complain(&p, "e2\n");
        expect_lines(&p, "[o1o2][e1e2]");
        assert_int_equal(STAILQ_FIRST(&p.log.lines)->stream, PLUGIN_LOG_STDOUT);
        close_printer(&p);
}

static void test_strange_bytes_are_made_fit_to_be_shown(void **state)
{
        struct printer p;

        (void)state;
        open_printer(&p);
        plugin_log_write(&p.log, &p.out, PLUGIN_LOG_STDOUT, "a\0b\xff\x1b[31mred\r\n", 14, 1);
        expect_lines(&p, "[a\\x00b\xef\xbf\xbd\\x1b[31mred\\x0d]");
        close_printer(&p);
}

static void test_binary_is_not_lost_by_being_made_printable(void **state)
{
        struct printer p;
        char bytes[3000];

        (void)state;
        open_printer(&p);
        memset(bytes, 1, sizeof bytes);
        plugin_log_write(&p.log, &p.out, PLUGIN_LOG_STDOUT, bytes, sizeof bytes, 1);
        plugin_log_flush(&p.log, &p.out, PLUGIN_LOG_STDOUT, 1);
        assert_int_equal(STAILQ_FIRST(&p.log.lines)->len, 4 * sizeof bytes);
        close_printer(&p);
}

/* --- long lines, and how bytes were cut on their way --- */

/* Everything at once must give the same lines as pieces of `step` bytes. */
static void expect_same_in_steps(const char *text, size_t n, size_t step)
{
        struct printer whole, cut;
        scoped(free) char *expected = NULL;

        open_printer(&whole);
        open_printer(&cut);
        plugin_log_write(&whole.log, &whole.out, PLUGIN_LOG_STDOUT, text, n, 1);
        for (size_t at = 0; at < n; at += step)
                plugin_log_write(&cut.log, &cut.out, PLUGIN_LOG_STDOUT, text + at,
                                 MIN_OF(step, n - at), 1);
        plugin_log_flush(&whole.log, &whole.out, PLUGIN_LOG_STDOUT, 1);
        plugin_log_flush(&cut.log, &cut.out, PLUGIN_LOG_STDOUT, 1);
        expected = lines_of(&whole);
        expect_lines(&cut, expected);
        close_printer(&whole);
        close_printer(&cut);
}

static void test_how_bytes_arrive_does_not_show(void **state)
{
        static const size_t lengths[] = {0,    1,    4094, 4095, 4096, 4097,
                                         8191, 8192, 8193, 9000, 12288};
        scoped(str) struct str text = {0};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
                for (size_t k = 0; k < lengths[i]; k++)
                        str_addc(&text, (char)('a' + (k % 26)));
                str_addc(&text, '\n');
        }
        for (size_t step = 1; step < 5000; step = step * 3 + 1)
                expect_same_in_steps(text.data, text.len, step);
        expect_same_in_steps(text.data, text.len, PLUGIN_LOG_LINE);
}

static void test_a_long_line_is_cut_without_loss_and_between_characters(void **state)
{
        struct printer p;
        scoped(str) struct str text = {0}, back = {0};
        const struct plugin_log_line *line;

        (void)state;
        open_printer(&p);
        str_addc(&text, 'x');
        while (text.len < 3 * PLUGIN_LOG_LINE)
                str_adds(&text, "\xe6\x97\xa5\xf0\x9f\x98\x80");
        plugin_log_write(&p.log, &p.out, PLUGIN_LOG_STDOUT, text.data, text.len, 1);
        plugin_log_flush(&p.log, &p.out, PLUGIN_LOG_STDOUT, 1);
        STAILQ_FOREACH (line, &p.log.lines, link) {
                assert_true(line->len <= PLUGIN_LOG_LINE);
                str_add(&back, line->text, line->len);
        }
        assert_string_equal(back.data, text.data);
        close_printer(&p);
}

static void test_a_long_frame_of_the_worker_is_cut_with_an_ellipsis(void **state)
{
        struct printer p;
        scoped(free) char *text = malloc(KIB(16));

        (void)state;
        open_printer(&p);
        memset(text, 'x', KIB(16));
        plugin_log_add(&p.log, PLUGIN_LOG_LOG, text, KIB(16), 1);
        assert_true(STAILQ_FIRST(&p.log.lines)->len <= PLUGIN_LOG_LINE);
        assert_non_null(strstr(STAILQ_FIRST(&p.log.lines)->text, "\xe2\x80\xa6"));
        close_printer(&p);
}

/* --- bounds --- */

static size_t memory_of(const struct printer *p)
{
        const struct plugin_log_line *line;
        size_t n = 0;

        STAILQ_FOREACH (line, &p->log.lines, link)
                n += sizeof *line + line->len + 1;
        return n;
}

static void test_a_flood_keeps_the_last_lines_only(void **state)
{
        struct printer p;
        char line[64];

        (void)state;
        open_printer(&p);
        for (int i = 0; i < 20000; i++) {
                snprintf(line, sizeof line, "line %d of many that nobody reads\n", i);
                print(&p, line);
        }
        assert_true(memory_of(&p) <= PLUGIN_LOG_BYTES);
        assert_true(memory_of(&p) > PLUGIN_LOG_BYTES / 2);
        assert_true(p.log.dropped_bytes > 0);
        assert_int_equal(p.log.next_number, 20001);
        assert_string_equal(last_line(&p)->text, "line 19999 of many that nobody reads");
        close_printer(&p);
}

static void test_empty_lines_are_bounded_too(void **state)
{
        struct printer p;
        char newlines[4096];

        (void)state;
        open_printer(&p);
        memset(newlines, '\n', sizeof newlines);
        for (int i = 0; i < 50; i++)
                plugin_log_write(&p.log, &p.out, PLUGIN_LOG_STDOUT, newlines, sizeof newlines, 1);
        assert_true(memory_of(&p) <= PLUGIN_LOG_BYTES);
        close_printer(&p);
}

static void test_without_memory_lines_are_dropped_and_counted(void **state)
{
        for (int nth = 1; nth < 6; nth++) {
                struct printer p;

                open_printer(&p);
                failing_malloc_arm(nth);
                print(&p, "some words\nothers\n");
                failing_malloc_disarm();
                print(&p, "after\n");
                assert_string_equal(last_line(&p)->text, "after");
                close_printer(&p);
        }
        (void)state;
}

/* --- who listens --- */

static void on_line(void *ctx, const struct plugin_log *log, const struct plugin_log_line *line)
{
        (void)log;
        str_addf(ctx, "%s;", line->text);
}

static void test_each_line_is_told_once(void **state)
{
        struct printer p;
        scoped(str) struct str heard = {0};

        (void)state;
        open_printer(&p);
        p.log.on_line = on_line;
        p.log.ctx = &heard;
        print(&p, "a\nb\nc");
        plugin_log_flush(&p.log, &p.out, PLUGIN_LOG_STDOUT, 1);
        assert_string_equal(heard.data, "a;b;c;");
        close_printer(&p);
}

static void test_a_line_as_json_is_json(void **state)
{
        struct printer p;
        scoped(str) struct str text = {0};
        scoped(json_decref) json_t *value = NULL;
        struct err e;

        (void)state;
        open_printer(&p);
        complain(&p, "say \"hi\"\\\t\x01\n");
        plugin_log_line_to_json(STAILQ_FIRST(&p.log.lines), &text);
        assert_int_equal(json_parse(text.data, text.len, &value, &e), 0);
        assert_string_equal(json_string_value(json_object_get(value, "text")),
                            "say \"hi\"\\\t\\x01");
        assert_string_equal(json_string_value(json_object_get(value, "stream")), "stderr");
        assert_int_equal(json_integer_value(json_object_get(value, "number")), 1);
        close_printer(&p);
}

/* --- the tail --- */

static void test_the_tail_is_whole_lines_of_stderr_from_a_number_on(void **state)
{
        struct printer p;

        (void)state;
        open_printer(&p);
        expect_tail(&p, 0, 100, "");
        complain(&p, "of the one before\n");
        print(&p, "not stderr\n");
        complain(&p, "first\nsecond\nthird\n");
        expect_tail(&p, 2, 100, "first\nsecond\nthird");
        expect_tail(&p, 4, 100, "second\nthird");
        expect_tail(&p, 2, 13, "second\nthird");
        expect_tail(&p, 2, 12, "third");
        expect_tail(&p, 9, 100, "");
        close_printer(&p);
}

static void test_a_last_line_that_is_too_long_gives_its_end(void **state)
{
        struct printer p;

        (void)state;
        open_printer(&p);
        complain(&p, "before\nabcdefgh\xe6\x97\xa5\n");
        expect_tail(&p, 0, 6, "fgh\xe6\x97\xa5");
        expect_tail(&p, 0, 4, "h\xe6\x97\xa5");
        expect_tail(&p, 0, 3, "\xe6\x97\xa5");
        expect_tail(&p, 0, 2, "");
        close_printer(&p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_lines_end_at_newlines_and_what_is_left_at_the_end),
            cmocka_unit_test(test_two_streams_do_not_mix_within_a_line),
            cmocka_unit_test(test_strange_bytes_are_made_fit_to_be_shown),
            cmocka_unit_test(test_binary_is_not_lost_by_being_made_printable),
            cmocka_unit_test(test_how_bytes_arrive_does_not_show),
            cmocka_unit_test(test_a_long_line_is_cut_without_loss_and_between_characters),
            cmocka_unit_test(test_a_long_frame_of_the_worker_is_cut_with_an_ellipsis),
            cmocka_unit_test(test_a_flood_keeps_the_last_lines_only),
            cmocka_unit_test(test_empty_lines_are_bounded_too),
            cmocka_unit_test(test_without_memory_lines_are_dropped_and_counted),
            cmocka_unit_test(test_each_line_is_told_once),
            cmocka_unit_test(test_a_line_as_json_is_json),
            cmocka_unit_test(test_the_tail_is_whole_lines_of_stderr_from_a_number_on),
            cmocka_unit_test(test_a_last_line_that_is_too_long_gives_its_end),
        };

        return cmocka_run_group_tests_name("plugin_log", tests, NULL, NULL);
}
