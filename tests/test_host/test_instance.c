/* One worker from spawn to obituary: its events come once and in order, whatever it does on the
 * wire. The worker is real and boxed; what it says is scripted (fake_worker.c). */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include "host/instance_io.h"
#include "host/instance_share.h"
#include "instance_stage.h"

static void expect_words(const struct instance_stage *s, const char *words)
{
        if (!strstr(s->outcome.words, words))
                fail_msg("\"%s\" does not say \"%s\"", s->outcome.words, words);
}

/* --- booting --- */

static void test_boot_goes_step_by_step_and_leaving_ends_it_in_order(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot");
        assert_false(instance_is_free(s.instance));
        instance_stage_boot(&s);
        assert_string_equal(instance_stage(s.instance), "idle");
        instance_leave(s.instance);
        assert_false(instance_is_free(s.instance));
        instance_leave(s.instance);
        instance_stage_await_end(&s, "broke - Cancelled; gone; ");
        expect_words(&s, "ended");
        instance_stage_done(&s);
}

static void expect_boot_failure(const char *script, enum plugin_error error, const char *words)
{
        struct instance_stage s;

        instance_stage_open(&s, script);
        instance_stage_await(&s, "gone; ");
        assert_non_null(strstr(s.trace.data, "; broke -") ? s.trace.data
                                                          : strstr(s.trace.data, "broke -"));
        if (s.outcome.error != error)
                fail_msg("%s: %s: %s", script, plugin_error_name(s.outcome.error), s.outcome.words);
        expect_words(&s, words);
        instance_stage_done(&s);
}

static void test_each_stage_of_booting_may_fail_and_is_named(void **state)
{
        (void)state;
        expect_boot_failure("hello;read;error 3", PLUGIN_ERROR_IMPORT, "it said so");
        expect_boot_failure("hello;read;error 2", PLUGIN_ERROR_ABI_MISMATCH, "it said so");
        expect_boot_failure("hello;load;read;error 1", PLUGIN_ERROR_INIT, "it said so");
        expect_boot_failure("hello;load;ready;read;error 1", PLUGIN_ERROR_VALIDATION, "it said so");
        expect_boot_failure("hello;read;exit 4", PLUGIN_ERROR_IMPORT, "code 4");
        expect_boot_failure("hello;load;read;say last words;exit 5", PLUGIN_ERROR_CRASHED,
                            "exited 5 without reply (stage=init). Something in it called exit() or "
                            "_exit(). Last stderr: last words");
        expect_boot_failure("hello;load;ready;read;raise 11", PLUGIN_ERROR_CRASHED,
                            "SIGSEGV) (stage=validate)");
        expect_boot_failure("read;garbage 32", PLUGIN_ERROR_PROTOCOL, "(stage=load)");
        expect_boot_failure("hello;read;result {}", PLUGIN_ERROR_PROTOCOL, "RESULT in answer to");
        expect_boot_failure("hello;ready;ready", PLUGIN_ERROR_PROTOCOL, "before META");
}

static void test_a_boot_that_hangs_meets_its_deadline(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open_with(&s, "hello;read;say thinking;hang", 0.4);
        instance_stage_await_end(&s, "ready HELLO; broke - TimeoutError; gone; ");
        expect_words(&s, "did not finish loading within 0.4s (stage=load)");
        instance_stage_done(&s);
}

static void test_meta_that_the_owner_refuses_ends_the_boot(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot");
        s.refuse_meta = "no such tool";
        instance_stage_await_end(&s, "ready HELLO; meta {\"tools\":[{\"name\":\"t\"}]}; broke - "
                                     "ValidationError; gone; ");
        expect_words(&s, "no such tool");
        instance_stage_done(&s);
}

static void test_leaving_while_it_boots_ends_it_at_once(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot");
        s.leave_when_ready = true;
        instance_stage_await_end(&s, "ready HELLO; broke - Cancelled; gone; ");
        instance_stage_done(&s);
}

/* --- descriptors --- */

static unsigned count_descriptors(void)
{
        unsigned n = 0;

        for (int fd = 0; fd < 256; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void test_descriptors_go_with_one_request_and_leave_nothing_behind(void **state)
{
        struct instance_stage s;
        int fds[WIRE_MAX_DESCRIPTORS + 1] = {STDERR_FILENO, STDERR_FILENO, STDERR_FILENO,
                                             STDERR_FILENO};
        unsigned before;

        (void)state;
        instance_stage_open(&s, "boot;given;result {};given;result {}");
        instance_stage_boot(&s);
        before = count_descriptors();
        assert_int_equal(instance_io_attach(s.instance, fds, ARRAY_LEN(fds)), -E2BIG);
        assert_int_equal(instance_io_attach(s.instance, fds, 2), 0);
        assert_int_equal(instance_io_attach(s.instance, fds, 1), 0);
        instance_stage_call(&s, "{}", 10);
        instance_stage_await(&s, "result");
        assert_string_equal(STAILQ_FIRST(&s.log.lines)->text, "given 3");
        assert_int_equal(count_descriptors(), before);
        instance_stage_expect(&s, "result t 8; ");
        instance_stage_call(&s, "{}", 10);
        instance_stage_await(&s, "result");
        assert_string_equal(STAILQ_NEXT(STAILQ_FIRST(&s.log.lines), link)->text, "given 0");
        assert_int_equal(instance_io_attach(s.instance, (int[]){STDERR_FILENO, -1}, 2), -EBADF);
        assert_int_equal(count_descriptors(), before);
        instance_stage_done(&s);
}

/* --- calls --- */

static void test_calls_end_with_a_result_or_an_error_and_the_worker_goes_on(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(
            &s, "boot;read;progress 0.5;log hi;result \xff\xc0;read;error 0;read;error 1");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{\"a\":1}", 10);
        assert_string_equal(instance_stage(s.instance), "call");
        instance_stage_await(&s, "result"); /* whose text is looked at elsewhere */
        instance_stage_expect(&s, "progress t 0.5/1; result t 8; ");
        assert_string_equal(STAILQ_FIRST(&s.log.lines)->text, "hi");
        assert_int_equal(s.instance->deadline.slot, 0);
        instance_stage_call(&s, "{}", 10);
        instance_stage_await(&s, "error");
        instance_stage_expect(&s, "error t ToolError; ");
        instance_stage_call(&s, "{}", 10);
        instance_stage_await(&s, "error");
        instance_stage_expect(&s, "error t PluginError; ");
        assert_int_equal(s.instance->calls, 3);
        assert_true(instance_is_free(s.instance));
        instance_stage_done(&s);
}

static void test_a_call_that_takes_too_long_breaks_the_worker(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;hang");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{}", 0.25);
        instance_stage_await_end(&s, "broke t TimeoutError; gone; ");
        expect_words(&s, "timed out after 0.25s");
        instance_stage_done(&s);
}

/* The fake one is a Python worker whose runtime has not begun: it dies of the question. */
static void test_who_dies_of_being_asked_where_it_is_has_timed_out(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;hang");
        s.instance->plugin_dir = strdup("/plugin");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{}", 0.25);
        instance_stage_await_end(&s, "broke t TimeoutError; gone; ");
        expect_words(&s, "timed out after 0.25s. Increase timeout in manifest if needed.");
        assert_null(s.outcome.traceback);
        instance_stage_done(&s);
        instance_stage_open_with(&s, "hello;read;hang", 0.4);
        s.instance->plugin_dir = strdup("/plugin");
        instance_stage_await_end(&s, "ready HELLO; broke - TimeoutError; gone; ");
        expect_words(&s, "did not finish loading within 0.4s (stage=load)");
        instance_stage_done(&s);
}

static void test_a_call_may_be_forgotten_while_its_worker_is_asked(void **state)
{
        struct instance_stage s;
        struct err e;

        (void)state;
        instance_stage_open(&s, "boot;read;hang");
        s.instance->plugin_dir = strdup("/plugin");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{}", 0.25);
        while (s.instance->state == INSTANCE_BUSY)
                assert_true(loop_turn(s.loop, &e) >= 0);
        assert_int_equal(s.instance->state, INSTANCE_OVERDUE);
        instance_cancel(s.instance, true);
        instance_stage_drop_call(&s);
        instance_stage_await_end(&s, "broke - TimeoutError; gone; ");
        instance_stage_done(&s);
}

static void test_a_crash_in_a_call_brings_signal_and_last_words(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;say on the way;say out;raise 11");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{}", 10);
        instance_stage_await_end(&s, "broke t PluginCrashed; gone; ");
        expect_words(&s, "SIGSEGV) (stage=call). Last stderr: on the way\nout");
        assert_int_equal(s.outcome.signal, SIGSEGV);
        assert_string_equal(s.outcome.stderr_tail, "on the way\nout");
        instance_stage_done(&s);
}

static void test_a_reply_before_a_death_is_a_reply(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;result {};exit 0");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{}", 10);
        instance_stage_await_end(&s, "result t 8; broke - PluginCrashed; gone; ");
        expect_words(&s, "exited 0 without reply (stage=idle)");
        instance_stage_done(&s);
}

static void test_a_death_while_idle_is_told(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;raise 6");
        instance_stage_await(&s, "gone; ");
        assert_non_null(strstr(s.trace.data, "idle; broke - PluginCrashed; gone; "));
        expect_words(&s, "SIGABRT) (stage=idle)");
        instance_stage_done(&s);
}

static void test_arguments_over_the_limit_cost_no_worker(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;result {}");
        instance_stage_boot(&s);
        s.call.args.json = json_object();
        assert_int_equal(
            call_args_add_bytes(&s.call.args, "image", "", "", WIRE_MAX_CALL + 1, NULL), 0);
        assert_int_equal(instance_call(s.instance, &s.call, INT64_MAX), -E2BIG);
        assert_true(instance_is_free(s.instance));
        instance_stage_call(&s, "{}", 10);
        instance_stage_await(&s, "result t");
        instance_stage_done(&s);
}

static void test_bytes_larger_than_the_socket_are_sent_as_it_reads(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;result {}");
        instance_stage_boot(&s);
        instance_stage_call_bytes(&s, MIB(24));
        instance_stage_await(&s, "result t");
        instance_stage_done(&s);
}

/* --- bytes in shared memory --- */

static void call_shared(struct instance_stage *s, size_t size)
{
        s->call.views = true;
        instance_stage_call_bytes(s, size);
}

static void expect_given(struct instance_stage *s, size_t which, unsigned n)
{
        struct plugin_log_line *line = STAILQ_FIRST(&s->log.lines);
        char words[32];

        while (which-- > 0)
                line = STAILQ_NEXT(line, link);
        snprintf(words, sizeof words, "given %u", n);
        assert_string_equal(line->text, words);
}

static void test_large_bytes_come_with_one_descriptor_and_small_ones_without(void **state)
{
        static const struct {
                size_t size;
                unsigned given;
        } calls[] = {{INSTANCE_SHARE_MIN - INSTANCE_SHARE_ALIGN - 1, 0},
                     {INSTANCE_SHARE_MIN, 1},
                     {INSTANCE_SHARE_INLINE + 1, 1},
                     {MIB(24), 1},
                     {100, 0},
                     {INSTANCE_SHARE_MIN + 1, 1}};
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;given;result {};given;result {};given;result {};"
                                "given;result {};given;result {};given;result {}");
        instance_stage_boot(&s);
        for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
                call_shared(&s, calls[i].size);
                instance_stage_await(&s, "result t 8; ");
                instance_stage_expect(&s, "result t 8; ");
                expect_given(&s, i, calls[i].given);
                assert_int_equal(s.call.args.n_bytes, calls[i].given ? 0 : 1);
                call_args_done(&s.call.args);
        }
        assert_true(s.instance->area->ready <= MIB(24) + KIB(4));
        instance_stage_done(&s);
}

static void test_bytes_that_nobody_wants_to_look_at_take_the_socket(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;given;result {}");
        instance_stage_boot(&s);
        instance_stage_call_bytes(&s, MIB(4));
        instance_stage_await(&s, "result t");
        expect_given(&s, 0, 0);
        assert_null(s.instance->area);
        instance_stage_done(&s);
}

static void test_the_area_goes_when_it_is_not_used_for_a_while(void **state)
{
        struct instance_stage s;
        unsigned before;
        struct err e;

        (void)state;
        instance_stage_open(&s, "boot;given;result {};given;result {}");
        instance_stage_boot(&s);
        before = count_descriptors();
        call_shared(&s, MIB(4));
        instance_stage_await(&s, "result t");
        assert_non_null(s.instance->area);
        while (s.instance->area)
                assert_int_equal(loop_turn(s.loop, &e), 0);
        str_done(&s.trace);
        call_args_done(&s.call.args);
        call_shared(&s, MIB(4));
        instance_stage_await(&s, "result t");
        expect_given(&s, 1, 1);
        instance_stage_done(&s);
        assert_true(count_descriptors() <= before);
}

static void test_a_call_that_is_left_while_its_bytes_are_written_was_never_sent(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;given;result {}");
        instance_stage_boot(&s);
        for (int forget = 0; forget < 2; forget++) {
                call_shared(&s, MIB(24));
                assert_true(instance_share_is_filling(s.instance));
                instance_cancel(s.instance, forget);
                instance_cancel(s.instance, forget);
                if (forget)
                        instance_stage_drop_call(&s);
                instance_stage_await(&s, "error");
                instance_stage_expect(&s, forget ? "error - Cancelled; " : "error t Cancelled; ");
                assert_true(instance_is_free(s.instance));
                assert_int_equal(s.instance->grace.slot, 0);
                call_args_done(&s.call.args);
        }
        snprintf(s.call.tool, sizeof s.call.tool, "t");
        call_shared(&s, MIB(3));
        instance_stage_await(&s, "result t");
        expect_given(&s, 0, 1);
        instance_stage_done(&s);
}

static void test_it_may_break_or_go_while_bytes_are_written(void **state)
{
        struct instance_stage s;
        struct tool_outcome o = {0};

        (void)state;
        instance_stage_open(&s, "boot;given;result {}");
        instance_stage_boot(&s);
        call_shared(&s, MIB(24));
        tool_outcome_fail(&o, PLUGIN_ERROR_CANCELLED, "enough");
        instance_break(s.instance, &o);
        instance_stage_await_end(&s, "broke t Cancelled; gone; ");
        instance_stage_done(&s);

        instance_stage_open(&s, "boot;given;result {}");
        instance_stage_boot(&s);
        call_shared(&s, MIB(24));
        instance_stage_done(&s);
}

/* --- cancelling --- */

static void test_a_cancelled_call_ends_as_cancelled_whatever_is_answered(void **state)
{
        struct instance_stage s;

        (void)state;
        /* `read` takes the CANCEL. */
        instance_stage_open(&s, "boot;read;read;result {};read;read;error 1");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{}", 10);
        instance_cancel(s.instance, false);
        instance_cancel(s.instance, false);
        instance_stage_await(&s, "error");
        instance_stage_expect(&s, "error t Cancelled; ");
        assert_true(instance_is_free(s.instance));
        assert_int_equal(s.instance->grace.slot, 0);
        instance_stage_call(&s, "{}", 10);
        instance_cancel(s.instance, false);
        instance_stage_await(&s, "error");
        instance_stage_expect(&s, "error t Cancelled; ");
        instance_stage_done(&s);
}

static void test_a_forgotten_call_is_not_touched_again(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;read;progress 1;result {};read;read;error 1");
        instance_stage_boot(&s);
        for (int i = 0; i < 2; i++) {
                instance_stage_call(&s, "{}", 10);
                instance_cancel(s.instance, true);
                instance_stage_drop_call(&s);
                instance_stage_await(&s, "error");
                assert_memory_equal(s.trace.data, "error - ", 8);
                str_done(&s.trace);
                assert_true(instance_is_free(s.instance));
        }
        instance_stage_done(&s);
}

/* The client left first, then the call's own deadline freed it: the worker kept its address. */
static void test_a_cancelled_call_may_be_forgotten_later(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;read;hang");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{}", 10);
        instance_cancel(s.instance, false);
        instance_cancel(s.instance, true);
        instance_stage_drop_call(&s);
        instance_stage_await_end(&s, "broke - Cancelled; gone; ");
        expect_words(&s, "did not stop within 2 s");
        instance_stage_done(&s);
}

/* Its deadline passes within the grace: who was asked to stop is not blamed for being slow. */
static void test_who_ignores_a_cancel_is_killed_after_the_grace_and_not_for_time(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;hang");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{}", 0.25);
        instance_cancel(s.instance, false);
        instance_stage_await_end(&s, "broke t Cancelled; gone; ");
        instance_stage_done(&s);
}

static void test_forgetting_a_call_that_is_half_sent_ends_the_worker_at_once(void **state)
{
        struct instance_stage s;

        (void)state;
        for (int twice = 0; twice < 2; twice++) {
                instance_stage_open(&s, "boot;hang");
                instance_stage_boot(&s);
                instance_stage_call_bytes(&s, MIB(16));
                if (twice)
                        instance_cancel(s.instance, false);
                instance_cancel(s.instance, true);
                instance_stage_drop_call(&s);
                instance_stage_await_end(&s, "broke - Cancelled; gone; ");
                expect_words(&s, "did not read its call");
                instance_stage_done(&s);
        }
}

/* --- breaking the rules --- */

static void expect_violation(const char *script, bool call, const char *words)
{
        struct instance_stage s;

        instance_stage_open(&s, script);
        instance_stage_await(&s, "idle; ");
        if (call && !s.broke)
                instance_stage_call(&s, "{}", 10);
        instance_stage_await(&s, "gone; ");
        if (s.outcome.error != PLUGIN_ERROR_PROTOCOL || !strstr(s.outcome.words, words))
                fail_msg("%s: %s: %s", script, plugin_error_name(s.outcome.error), s.outcome.words);
        instance_stage_done(&s);
}

static void test_each_broken_rule_ends_the_worker(void **state)
{
        (void)state;
        expect_violation("boot;read;generation;hang", true, "LOG of generation 4, not 3");
        expect_violation("boot;read;sequence;hang", true, "sequence number");
        expect_violation("boot;read;stranger;hang", true, "another call's id");
        expect_violation("boot;read;garbage 100;hang", true, "bad magic");
        expect_violation("boot;result {};hang", false, "RESULT in answer to nothing");
        expect_violation("boot;read;result {};result {};hang", true, "RESULT in answer to nothing");
        expect_violation("boot;generation;hang", false, "(stage=idle)");
}

static void test_a_channel_that_is_closed_by_the_living_is_a_broken_rule(void **state)
{
        struct instance_stage s;

        (void)state;
        expect_violation("boot;read;close;hang", true,
                         "closed its channel and lives on (stage=call)");
        instance_stage_open(&s, "boot;close;hang");
        instance_stage_boot(&s);
        /* Nothing can be asked of it from the moment that its end is seen. */
        while (s.instance->channel.fd >= 0) {
                struct err e;

                assert_int_equal(loop_turn(s.loop, &e), 0);
        }
        assert_false(instance_is_free(s.instance));
        instance_stage_await_end(&s, "broke - ProtocolError; gone; ");
        expect_words(&s, "closed its channel and lives on (stage=idle)");
        instance_stage_done(&s);
}

static void test_an_answer_before_the_request_was_read_is_a_broken_rule(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;peek;result {};hang");
        instance_stage_boot(&s);
        instance_stage_call_bytes(&s, MIB(16));
        instance_stage_await_end(&s, "broke t ProtocolError; gone; ");
        expect_words(&s, "an answer before the request was read");
        instance_stage_done(&s);
}

static void await_half_frame(struct instance_stage *s)
{
        struct err e;

        while (!wire_parser_midframe(&s->instance->parser))
                assert_int_equal(loop_turn(s->loop, &e), 0);
}

static void test_half_a_frame_while_idle_has_a_second(void **state)
{
        static const char *const scripts[] = {"boot;half 7;hang", "boot;half 40;hang"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
                struct instance_stage s;

                instance_stage_open(&s, scripts[i]);
                instance_stage_boot(&s);
                await_half_frame(&s);
                instance_stage_await_end(&s, "broke - ProtocolError; gone; ");
                expect_words(&s, "left a frame unfinished (stage=idle)");
                instance_stage_done(&s);
        }
}

static void test_half_a_frame_that_is_finished_in_time_is_fine(void **state)
{
        struct instance_stage s;
        struct err e;

        (void)state;
        instance_stage_open(&s, "boot;half 40;sleep 100;rest");
        instance_stage_boot(&s);
        await_half_frame(&s);
        while (wire_parser_midframe(&s.instance->parser))
                assert_int_equal(loop_turn(s.loop, &e), 0);
        assert_string_equal(STAILQ_FIRST(&s.log.lines)->text, "in two halves");
        assert_int_equal(s.instance->grace.slot, 0);
        assert_true(instance_is_free(s.instance));
        instance_stage_done(&s);
}

/* The second of an idle worker must not go on counting when it is given a call. */
static void test_half_a_frame_from_before_a_call_does_not_end_the_call(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;half 40;read;rest;sleep 1300;result {}");
        instance_stage_boot(&s);
        await_half_frame(&s);
        instance_stage_call(&s, "{}", 10);
        instance_stage_await(&s, "; ");
        instance_stage_expect(&s, "result t 8; ");
        instance_stage_done(&s);
}

static void test_who_answers_in_another_format_is_killed(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;nonsense");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{}", 10);
        instance_stage_await_end(&s, "broke t ProtocolError; gone; ");
        expect_words(&s, "RESULT: ");
        instance_stage_done(&s);
}

static void test_a_flood_of_progress_is_not_passed_on(void **state)
{
        struct instance_stage s;
        unsigned n = 0;

        (void)state;
        instance_stage_open(&s, "boot;read;flood 20000;result {}");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{}", 60);
        instance_stage_await(&s, "result t 8; ");
        for (const char *p = s.trace.data; (p = strstr(p, "progress")); p++)
                n++;
        /* The bucket, and what has come in while it lasted: 1000 are 50 s. */
        assert_in_range(n, INSTANCE_PROGRESS_PER_S, 1000);
        instance_stage_done(&s);
}

/* --- the end --- */

static void test_who_does_not_end_when_asked_is_killed(void **state)
{
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;hang");
        instance_stage_boot(&s);
        instance_leave(s.instance);
        instance_stage_await_end(&s, "broke - Cancelled; gone; ");
        expect_words(&s, "did not end within 5 s and was killed");
        instance_stage_done(&s);
}

static void test_the_owner_may_break_it_once_with_its_own_words(void **state)
{
        struct tool_outcome o = {0}, late = {0};
        struct instance_stage s;

        (void)state;
        instance_stage_open(&s, "boot;read;hang");
        instance_stage_boot(&s);
        instance_stage_call(&s, "{}", 10);
        tool_outcome_fail(&o, PLUGIN_ERROR_PLUGIN_UNAVAILABLE, "closing time");
        tool_outcome_fail(&late, PLUGIN_ERROR_INTERNAL, "too late");
        instance_break(s.instance, &o);
        instance_stage_expect(&s, "broke t PluginUnavailable; ");
        instance_break(s.instance, &late);
        assert_null(late.words);
        instance_stage_await_end(&s, "gone; ");
        expect_words(&s, "closing time");
        instance_stage_done(&s);
}

static void test_it_may_be_freed_at_any_moment(void **state)
{
        static const char *const events[] = {"", "ready HELLO; ", "ready LOAD; ", "idle; "};
        struct instance_stage s;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(events); i++) {
                instance_stage_open(&s, "boot;hang");
                if (*events[i])
                        instance_stage_await(&s, events[i]);
                instance_stage_done(&s);
        }
        instance_stage_open(&s, "boot;hang");
        instance_stage_boot(&s);
        instance_stage_call_bytes(&s, MIB(16));
        instance_stage_done(&s);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_boot_goes_step_by_step_and_leaving_ends_it_in_order),
            cmocka_unit_test(test_each_stage_of_booting_may_fail_and_is_named),
            cmocka_unit_test(test_a_boot_that_hangs_meets_its_deadline),
            cmocka_unit_test(test_meta_that_the_owner_refuses_ends_the_boot),
            cmocka_unit_test(test_leaving_while_it_boots_ends_it_at_once),
            cmocka_unit_test(test_descriptors_go_with_one_request_and_leave_nothing_behind),
            cmocka_unit_test(test_calls_end_with_a_result_or_an_error_and_the_worker_goes_on),
            cmocka_unit_test(test_a_call_that_takes_too_long_breaks_the_worker),
            cmocka_unit_test(test_who_dies_of_being_asked_where_it_is_has_timed_out),
            cmocka_unit_test(test_a_call_may_be_forgotten_while_its_worker_is_asked),
            cmocka_unit_test(test_a_crash_in_a_call_brings_signal_and_last_words),
            cmocka_unit_test(test_a_reply_before_a_death_is_a_reply),
            cmocka_unit_test(test_a_death_while_idle_is_told),
            cmocka_unit_test(test_arguments_over_the_limit_cost_no_worker),
            cmocka_unit_test(test_bytes_larger_than_the_socket_are_sent_as_it_reads),
            cmocka_unit_test(test_large_bytes_come_with_one_descriptor_and_small_ones_without),
            cmocka_unit_test(test_bytes_that_nobody_wants_to_look_at_take_the_socket),
            cmocka_unit_test(test_the_area_goes_when_it_is_not_used_for_a_while),
            cmocka_unit_test(test_a_call_that_is_left_while_its_bytes_are_written_was_never_sent),
            cmocka_unit_test(test_it_may_break_or_go_while_bytes_are_written),
            cmocka_unit_test(test_a_cancelled_call_ends_as_cancelled_whatever_is_answered),
            cmocka_unit_test(test_a_forgotten_call_is_not_touched_again),
            cmocka_unit_test(test_a_cancelled_call_may_be_forgotten_later),
            cmocka_unit_test(test_who_ignores_a_cancel_is_killed_after_the_grace_and_not_for_time),
            cmocka_unit_test(test_forgetting_a_call_that_is_half_sent_ends_the_worker_at_once),
            cmocka_unit_test(test_each_broken_rule_ends_the_worker),
            cmocka_unit_test(test_a_channel_that_is_closed_by_the_living_is_a_broken_rule),
            cmocka_unit_test(test_an_answer_before_the_request_was_read_is_a_broken_rule),
            cmocka_unit_test(test_half_a_frame_while_idle_has_a_second),
            cmocka_unit_test(test_half_a_frame_that_is_finished_in_time_is_fine),
            cmocka_unit_test(test_half_a_frame_from_before_a_call_does_not_end_the_call),
            cmocka_unit_test(test_who_answers_in_another_format_is_killed),
            cmocka_unit_test(test_a_flood_of_progress_is_not_passed_on),
            cmocka_unit_test(test_who_does_not_end_when_asked_is_killed),
            cmocka_unit_test(test_the_owner_may_break_it_once_with_its_own_words),
            cmocka_unit_test(test_it_may_be_freed_at_any_moment),
        };

        if (argc < 2)
                return 2;
        instance_stage_set_worker(argv[1]);
        return cmocka_run_group_tests_name("instance", tests, NULL, NULL);
}
