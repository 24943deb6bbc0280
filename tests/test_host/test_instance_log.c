/* What one worker prints, and when it is in the log: before its answer, a part in each turn, and
 * its last lines when it dies. The worker is real and boxed; what it says is scripted
 * (fake_worker.c). */
#include <string.h>

#include "instance_stage.h"

static void expect_last_line(const struct instance_stage *s, const char *text)
{
        const struct plugin_log_line *line, *last = NULL;

        STAILQ_FOREACH (line, &s->log.lines, link)
                last = line;
        assert_non_null(last);
        assert_string_equal(last->text, text);
}

/* The kernel may tell of the answer first: here it never tells of the pipes. */
static void test_what_is_printed_before_an_answer_is_in_the_log_before_it(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s,
                            "boot;read;say in the call;result {};read;say of the error;error 0");
        instance_stage_boot(&s);
        loop_unwatch(s.loop, &s.instance->out);
        loop_unwatch(s.loop, &s.instance->err);
        instance_stage_call(&s, "{}", 10);
        instance_stage_await(&s, "result");
        expect_last_line(&s, "in the call");
        instance_stage_call(&s, "{}", 10);
        instance_stage_await(&s, "error");
        expect_last_line(&s, "of the error");
        instance_stage_done(&s);
}

static size_t count_lines(const struct instance_stage *s)
{
        const struct plugin_log_line *line;
        size_t n = 0;

        STAILQ_FOREACH (line, &s->log.lines, link)
                n++;
        return n;
}

static void stop_counting(void *ctx, unused_param const struct plugin_log *log,
                          unused_param const struct plugin_log_line *line)
{
        loop_stop(ctx);
}

/* Eight floods at once must not hold up a ninth's answer: what one turn of the loop takes is
 * bounded by lines, too, and the rest waits in the pipe. */
static void test_a_turn_takes_a_part_of_a_flood_of_lines(void **state)
{
        struct instance_stage s;
        struct err e;

        (void)state;
        instance_stage_open(&s, "boot;read;lines 5000;hang");
        instance_stage_boot(&s);
        s.log.on_line = stop_counting;
        s.log.ctx = s.loop;
        instance_stage_call(&s, "{}", 10);
        assert_int_equal(loop_run(s.loop, &e), 0);
        assert_in_range(count_lines(&s), 1, 1000);
        while (count_lines(&s) < 5000)
                assert_int_equal(loop_turn(s.loop, &e), 0);
        expect_last_line(&s, "line 5000");
        instance_stage_done(&s);
}

/* ... and so are a death's last words, however much its pipe holds: the last lines are kept. */
static void test_last_words_are_the_last_lines(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;lines 5000;exit 3");
        instance_stage_boot(&s);
        loop_unwatch(s.loop, &s.instance->err);
        instance_stage_call(&s, "{}", 10);
        instance_stage_await_end(&s, "broke t PluginCrashed; gone; ");
        assert_string_equal(STAILQ_FIRST(&s.log.lines)->text, "line 4001");
        assert_int_equal(count_lines(&s), 1000);
        expect_last_line(&s, "line 5000");
        assert_int_equal(s.log.dropped_bytes,
                         strlen("line \n") * 4000 + 9 + 90 * 2 + 900 * 3 + 3001 * 4);
        assert_non_null(strstr(s.outcome.words, "line 5000"));
        instance_stage_done(&s);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_what_is_printed_before_an_answer_is_in_the_log_before_it),
            cmocka_unit_test(test_a_turn_takes_a_part_of_a_flood_of_lines),
            cmocka_unit_test(test_last_words_are_the_last_lines),
        };

        if (argc < 2)
                return 2;
        instance_stage_set_worker(argv[1]);
        return cmocka_run_group_tests_name("instance_log", tests, NULL, NULL);
}
