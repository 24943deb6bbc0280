/* One call from queue to accounting: ends once, is counted once, and is refused with reasons. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../support/test.h"
#include "toolrunner/tool_json.h"
#include "toolrunner/tool_runner.h"

#define NAME "p"

struct desk {
        struct plugin_registry *registry;
        struct tool_queue queue;
        struct str ends;         /* "name=Error; " in the order of their ends */
        struct tool_call *again; /* queued by the next end */
};

static int set_up(void **state)
{
        static struct desk d;
        uint32_t generation;

        d = (struct desk){0};
        if (plugin_registry_new(&d.registry, NULL) < 0 ||
            plugin_registry_begin(d.registry, NAME, &generation, NULL) < 0 ||
            plugin_registry_register(d.registry, NAME, 1) != 0 ||
            plugin_registry_mark_initialized(d.registry, NAME) != 0)
                return -1;
        tool_queue_init(&d.queue, d.registry, NAME);
        *state = &d;
        return 0;
}

static int tear_down(void **state)
{
        struct desk *d = *state;

        plugin_registry_free(d->registry);
        str_done(&d->ends);
        return 0;
}

static void on_end(void *ctx, struct tool_call *call, struct tool_outcome *o)
{
        struct desk *d = ctx;
        const char *error = o->error ? plugin_error_name(o->error) : "ok";
        struct tool_call *again = take_ptr(d->again);

        assert_int_equal(call->state, TOOL_CALL_ENDED);
        str_addf(&d->ends, "%s=%s; ", call->tool, error);
        if (again)
                (void)!tool_runner_run(&d->queue, again, 1, 5);
}

static struct tool_call new_call(struct desk *d, const char *name)
{
        struct tool_call call = {.on_end = on_end, .ctx = d};

        snprintf(call.tool, sizeof call.tool, "%s", name);
        return call;
}

static void expect_ends(struct desk *d, const char *expected)
{
        assert_string_equal(d->ends.data ? d->ends.data : "", expected);
        str_done(&d->ends);
}

static struct plugin_health health(struct desk *d)
{
        struct plugin_health h = {0};

        assert_int_equal(plugin_registry_get_status(d->registry, NAME, &h), 0);
        return h;
}

static int finish(struct tool_call *call, enum plugin_error error, int64_t now)
{
        scoped(tool_outcome) struct tool_outcome o = {0};

        if (error)
                tool_outcome_fail(&o, error, "words");
        return tool_runner_finish(call, true, &o, now);
}

/* --- the queue --- */

static void test_calls_run_in_the_order_they_came(void **state)
{
        struct desk *d = *state;
        struct tool_call a = new_call(d, "a"), b = new_call(d, "b");

        assert_null(tool_runner_next(&d->queue, 1, 1));
        assert_int_equal(tool_runner_run(&d->queue, &a, 1, 10), 0);
        assert_int_equal(tool_runner_run(&d->queue, &b, 1, 11), 0);
        assert_int_equal(a.accepted_ns, 10);
        assert_int_equal(health(d).queue_depth, 2);
        assert_ptr_equal(tool_runner_peek(&d->queue), &a);
        assert_ptr_equal(tool_runner_next(&d->queue, 20, 1000), &a);
        assert_int_equal(health(d).state, LIFECYCLE_RUNNING);
        assert_int_equal(health(d).in_flight, 1);
        assert_int_equal(health(d).last_used_ns, 1000);
        assert_int_equal(health(d).queue_depth, 1);
        assert_int_equal(finish(&a, PLUGIN_ERROR_NONE, 20 + 2500000), 0);
        assert_int_equal(health(d).state, LIFECYCLE_INITIALIZED);
        assert_true(health(d).last_execution_ms == 2.5);
        assert_ptr_equal(tool_runner_next(&d->queue, 30, 2000), &b);
        assert_int_equal(finish(&b, PLUGIN_ERROR_NONE, 40), 0);
        expect_ends(d, "a=ok; b=ok; ");
        assert_int_equal(health(d).success_count, 2);
}

static void test_the_queue_is_bounded_and_running_calls_do_not_count(void **state)
{
        struct desk *d = *state;
        struct tool_call calls[4];
        static const char names[] = "abcd";

        d->queue.max = 2;
        for (int i = 0; i < 4; i++)
                calls[i] = new_call(d, (char[]){names[i], 0});
        assert_int_equal(tool_runner_run(&d->queue, &calls[0], 1, 1), 0);
        assert_ptr_equal(tool_runner_next(&d->queue, 1, 1), &calls[0]);
        assert_int_equal(tool_runner_run(&d->queue, &calls[1], 1, 1), 0);
        assert_int_equal(tool_runner_run(&d->queue, &calls[2], 1, 1), 0);
        assert_int_equal(tool_runner_run(&d->queue, &calls[3], 1, 1), 1);
        expect_ends(d, "d=PluginBusy; ");
        /* Neither its error nor its success. */
        assert_int_equal(health(d).error_count, 0);
        assert_int_equal(finish(&calls[1], PLUGIN_ERROR_CANCELLED, 2), 0);
        assert_int_equal(d->queue.n, 1);
        assert_int_equal(finish(&calls[2], PLUGIN_ERROR_TIMEOUT, 2), 0);
        assert_int_equal(finish(&calls[0], PLUGIN_ERROR_NONE, 2), 0);
        expect_ends(d, "b=Cancelled; c=TimeoutError; a=ok; ");
        assert_int_equal(health(d).error_count,
                         0); /* a call that never ran costs the plugin nothing */
        assert_int_equal(health(d).queue_depth, 0);
}

static void test_a_plugin_that_is_not_available_refuses_with_its_reason(void **state)
{
        struct desk *d = *state;
        struct tool_call a = new_call(d, "a");
        struct tool_queue stranger;

        assert_int_equal(plugin_registry_mark_failed(d->registry, NAME, "it fell over"), 0);
        assert_int_equal(tool_runner_run(&d->queue, &a, 1, 1), 1);
        tool_queue_init(&stranger, d->registry, "unknown");
        a = new_call(d, "b");
        assert_int_equal(tool_runner_run(&stranger, &a, 1, 1), 1);
        expect_ends(d, "a=PluginUnavailable; b=PluginUnavailable; ");
}

static void on_words(void *ctx, struct tool_call *call, struct tool_outcome *o)
{
        (void)call;
        str_addf(ctx, "%s|%d; ", o->words, o->ms < 0);
}

static void test_refusals_say_why(void **state)
{
        struct desk *d = *state;
        scoped(str) struct str words = {0};
        struct tool_call a = {.on_end = on_words, .ctx = &words, .tool = "a"}, b = a, c = a;

        d->queue.max = 1;
        assert_int_equal(tool_runner_run(&d->queue, &a, 1, 1), 0);
        assert_int_equal(tool_runner_run(&d->queue, &b, 1, 1), 1);
        assert_int_equal(plugin_registry_mark_failed(d->registry, NAME, "it fell over"), 0);
        tool_runner_fail_queued(&d->queue, "it fell over at once", 2);
        assert_int_equal(tool_runner_run(&d->queue, &c, 1, 1), 1);
        assert_string_equal(
            words.data, "plugin 'p' is busy: 1 calls are waiting, which is its limit; try again "
                        "later|1; it fell over at once|1; plugin 'p' is FAILED: it fell over|1; ");
}

static void test_failing_the_queue_ends_all_in_order_and_nothing_that_comes_meanwhile(void **state)
{
        struct desk *d = *state;
        struct tool_call a = new_call(d, "a"), b = new_call(d, "b"), c = new_call(d, "c");

        assert_int_equal(tool_runner_run(&d->queue, &a, 1, 1), 0);
        assert_int_equal(tool_runner_run(&d->queue, &b, 1, 1), 0);
        assert_int_equal(plugin_registry_mark_failed(d->registry, NAME, "broke"), 0);
        d->again = &c;
        tool_runner_fail_queued(&d->queue, "broke", 2);
        expect_ends(d, "a=PluginUnavailable; c=PluginUnavailable; b=PluginUnavailable; ");
        assert_int_equal(d->queue.n, 0);
        assert_int_equal(health(d).error_count, 0);
}

/* --- the end --- */

static void test_a_call_ends_once(void **state)
{
        struct desk *d = *state;
        struct tool_call a = new_call(d, "a");

        assert_int_equal(tool_runner_run(&d->queue, &a, 1, 1), 0);
        assert_non_null(tool_runner_next(&d->queue, 1, 1));
        assert_int_equal(finish(&a, PLUGIN_ERROR_CRASHED, 2), 0);
        assert_int_equal(finish(&a, PLUGIN_ERROR_NONE, 3), 1);
        assert_int_equal(finish(&a, PLUGIN_ERROR_TIMEOUT, 3), 1);
        expect_ends(d, "a=PluginCrashed; ");
        assert_int_equal(health(d).error_count, 1);
        assert_int_equal(health(d).success_count, 0);
        assert_int_equal(health(d).in_flight, 0);
}

static void test_a_cancelled_run_is_nobodys_success_and_nobodys_fault(void **state)
{
        struct desk *d = *state;
        struct tool_call a = new_call(d, "a");

        assert_int_equal(tool_runner_run(&d->queue, &a, 1, 1), 0);
        assert_non_null(tool_runner_next(&d->queue, 1, 1));
        assert_int_equal(finish(&a, PLUGIN_ERROR_CANCELLED, 2), 0);
        assert_int_equal(health(d).error_count, 0);
        assert_int_equal(health(d).success_count, 0);
        assert_int_equal(health(d).state, LIFECYCLE_INITIALIZED);
        expect_ends(d, "a=Cancelled; ");
}

/* docs/LIFECYCLE.md: while the next generation is being checked, the old one goes on. */
static void test_a_call_ends_in_the_generation_that_ran_it(void **state)
{
        struct desk *d = *state;
        struct tool_call a = new_call(d, "a"), b = new_call(d, "b");
        uint32_t generation;

        assert_int_equal(tool_runner_run(&d->queue, &a, 1, 1), 0);
        assert_int_equal(tool_runner_run(&d->queue, &b, 1, 1), 0);
        assert_non_null(tool_runner_next(&d->queue, 1, 1));
        assert_non_null(tool_runner_next(&d->queue, 1, 1));
        assert_int_equal(plugin_registry_begin(d->registry, NAME, &generation, NULL), 0);
        assert_int_equal(generation, 2);
        assert_int_equal(finish(&a, PLUGIN_ERROR_NONE, 2), 0);
        assert_int_equal(health(d).in_flight, 1);
        assert_int_equal(health(d).generation, 1);
        assert_int_equal(plugin_registry_register(d->registry, NAME, 1), 0);
        assert_int_equal(plugin_registry_mark_initialized(d->registry, NAME), 0);
        /* Too late for the old one's state, in time for the counters. */
        assert_int_equal(finish(&b, PLUGIN_ERROR_NONE, 2), 0);
        assert_int_equal(health(d).state, LIFECYCLE_INITIALIZED);
        assert_int_equal(health(d).in_flight, 0);
        assert_int_equal(health(d).success_count, 2);
        expect_ends(d, "a=ok; b=ok; ");
}

/* Its folder vanished, and another plugin came under its name. */
static void test_a_call_of_an_unknown_plugin_counts_for_nobody(void **state)
{
        struct desk *d = *state;
        struct tool_call a = new_call(d, "a");
        struct tool_outcome o = {0};
        uint32_t generation;

        assert_int_equal(tool_runner_run(&d->queue, &a, 1, 1), 0);
        assert_non_null(tool_runner_next(&d->queue, 1, 1));
        assert_int_equal(plugin_registry_remove(d->registry, NAME), 0);
        assert_int_equal(plugin_registry_begin(d->registry, NAME, &generation, NULL), 0);
        assert_int_equal(plugin_registry_register(d->registry, NAME, 1), 0);
        assert_int_equal(plugin_registry_mark_initialized(d->registry, NAME), 0);
        assert_int_equal(plugin_registry_mark_running(d->registry, NAME, 1), 0);
        assert_int_equal(tool_runner_finish(&a, false, &o, 2), 0);
        assert_int_equal(health(d).in_flight, 1);
        assert_int_equal(health(d).success_count, 0);
        expect_ends(d, "a=ok; ");
}

/* --- checks --- */

static const char manifest_text[] =
    "{\"name\":\"p\",\"version\":\"1\",\"runtime\":\"native\",\"entrypoint\":\"p.so\",\"tools\":["
    "{\"name\":\"look\",\"input_schema\":{\"type\":\"object\",\"properties\":{"
    "\"image\":{\"type\":\"string\",\"contentEncoding\":\"base64\",\"minLength\":4,\"maxLength\":8}"
    ","
    "\"n\":{\"type\":\"integer\",\"maximum\":9}},\"required\":[\"image\"],"
    "\"additionalProperties\":false}},{\"name\":\"free\"}]}";

/* "" when it may run, else its error and words. */
static void check_call(const char *tool, const char *json, long bytes, const char *expected)
{
        static const char data[16];
        struct plugin_manifest *m = NULL;
        struct call_args args = {.json = json_loads(json, 0, NULL)};
        scoped(tool_outcome) struct tool_outcome o = {0};
        scoped(str) struct str found = {0};
        struct err e;
        int r;

        assert_int_equal(plugin_manifest_parse(manifest_text, sizeof manifest_text - 1, &m, &e), 0);
        if (bytes >= 0)
                assert_int_equal(call_args_add_bytes(&args, "image", "", data, (size_t)bytes, NULL),
                                 0);
        r = tool_runner_check(TOOL_CHECK_WHOLE, m, tool, &args, &o);
        str_adds(&found, "");
        if (r)
                str_addf(&found, "%s: %s", plugin_error_name(o.error), o.words);
        if (*expected ? !strstr(found.data, expected) : found.len > 0)
                fail_msg("%s %s %ld: \"%s\", not \"%s\"", tool, json, bytes, found.data, expected);
        call_args_done(&args);
        plugin_manifest_free(m);
}

static void test_arguments_are_checked_against_the_tools_schema(void **state)
{
        (void)state;
        check_call("look", "{\"image\":\"\",\"n\":9}", 6, "");
        check_call("look", "{\"image\":\"\",\"n\":10}", 6, "InvalidArguments: /n");
        check_call("look", "{\"image\":\"\",\"m\":1}", 6, "InvalidArguments: ");
        check_call("look", "{}", -1, "image");
        check_call("free", "{\"anything\":[1]}", -1, "");
        check_call("looks", "{}", -1,
                   "ToolNotFound: plugin 'p' has no tool 'looks'; it has: look, "
                   "free");
}

/* The length rules speak of the base64 text: 3 bytes are 4 characters, 4 bytes are 8. */
static void test_length_rules_of_bytes_are_those_of_their_base64(void **state)
{
        (void)state;
        check_call("look", "{\"image\":\"\"}", 0, "fewer than minLength permits (minLength)");
        check_call("look", "{\"image\":\"\"}", 1, "");
        check_call("look", "{\"image\":\"\"}", 3, "");
        check_call("look", "{\"image\":\"\"}", 6, "");
        check_call("look", "{\"image\":\"\"}", 7, "/image: 7 bytes are more than maxLength");
}

/* --- outcomes as text --- */

static void expect_envelope(struct tool_outcome *o, const char *expected)
{
        size_t n;
        scoped(free) char *text = tool_outcome_take_envelope(o, &n);

        assert_string_equal(text, expected);
        assert_int_equal(n, strlen(expected));
}

/* A list of `n` times `item`. */
static struct str list_of(const char *item, size_t n)
{
        struct str text = {0};

        str_addc(&text, '[');
        for (size_t i = 0; i < n; i++)
                str_addf(&text, "%s%s", i ? "," : "", item);
        str_addc(&text, ']');
        assert_false(text.bad);
        return text;
}

/* A pattern that a short text sends back and forth for ever. */
static const char endless_text[] =
    "{\"name\":\"p\",\"version\":\"1\",\"entrypoint\":\"p.so\",\"tools\":[{\"name\":\"t\","
    "\"input_schema\":{\"properties\":{\"a\":{\"pattern\":\"^(a+)+$\"}}},"
    "\"output_schema\":{\"properties\":{\"a\":{\"pattern\":\"^(a+)+$\"}}}}]}";

static void test_a_brief_check_leaves_what_takes_long_to_others(unused_param void **state)
{
        static const char bad[] = "{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"}";
        static const char good[] = "{\"a\":\"aaaa\"}";
        scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
        struct call_args args = {.json = json_loads(bad, 0, NULL)};
        scoped(tool_outcome) struct tool_outcome o = {0};
        const struct manifest_tool *tool;
        struct err e;

        assert_int_equal(plugin_manifest_parse(endless_text, sizeof endless_text - 1, &m, &e), 0);
        tool = plugin_manifest_tool(m, "t");
        assert_int_equal(tool_runner_check(TOOL_CHECK_BRIEF, m, "t", &args, &o), -EAGAIN);
        assert_int_equal(tool_runner_check_result(TOOL_CHECK_BRIEF, tool, bad, sizeof bad - 1, &o),
                         -EAGAIN);
        assert_int_equal(o.error, PLUGIN_ERROR_NONE);
        assert_int_equal(
            tool_runner_check_result(TOOL_CHECK_BRIEF, tool, good, sizeof good - 1, &o), 0);
        assert_int_equal(tool_runner_check(TOOL_CHECK_WHOLE, m, "t", &args, &o), 1);
        assert_int_equal(o.error, PLUGIN_ERROR_INVALID_ARGUMENTS);
        assert_non_null(strstr(o.words, "too much work"));
        call_args_done(&args);
}

static void test_text_whose_values_outgrow_the_host_is_refused_unparsed(unused_param void **state)
{
        static const char *const items[] = {"{}", "[]", "0", "\"\"", "{\"\":0}"};

        for (size_t i = 0; i < ARRAY_LEN(items); i++) {
                struct str text = list_of(items[i], MIB(32) / (strlen(items[i]) + 1));
                struct tool_outcome o = {0};
                json_t *value = NULL;
                struct err e;

                assert_int_equal(tool_json_parse(text.data, text.len, &value, &e), -EBADMSG);
                assert_non_null(strstr(e.msg, "more than 256 MiB"));
                assert_int_equal(
                    tool_runner_check_result(TOOL_CHECK_WHOLE, NULL, text.data, text.len, &o), 1);
                assert_int_equal(o.error, PLUGIN_ERROR_INVALID_OUTPUT);
                tool_outcome_done(&o);
                str_done(&text);
        }
}

static void test_large_texts_of_few_values_are_parsed(unused_param void **state)
{
        struct str numbers = list_of("0.123456789", 1000000), text = {0};
        json_t *value = NULL;
        struct err e;

        assert_int_equal(tool_json_parse(numbers.data, numbers.len, &value, &e), 0);
        assert_int_equal(json_array_size(value), 1000000);
        json_decref(value);
        str_done(&numbers);
        /* What a string holds is no structure, and its end is found behind escapes. */
        str_addc(&text, '"');
        for (size_t i = 0; i < MIB(4); i++)
                str_adds(&text, "{[,:\\\"");
        str_addc(&text, '"');
        assert_true(tool_json_cost(text.data, text.len, SIZE_MAX) < text.len + 4096);
        assert_true(tool_json_cost("\"\\", 2, SIZE_MAX) > 0);
        str_done(&text);
}

static void test_arguments_are_written_without_bytes_and_stay_as_they_are(unused_param void **state)
{
        scoped(json_decref) json_t *before = json_pack("{s:i,s:s}", "n", 1, "image", "");
        struct call_args args = {.json = json_incref(before)};

        assert_int_equal(call_args_add_bytes(&args, "image", "", "x", 1, NULL), 0);
        for (int again = 0; again < 2; again++) {
                assert_int_equal(call_args_write(&args), 0);
                assert_string_equal(args.text.data, "{\"n\":1}");
                assert_int_equal(json_object_size(args.json), 2);
        }
        call_args_done(&args);
}

/* Wherever it stood in the text that it was made of. */
static void test_an_envelope_carries_the_result_as_it_is(void **state)
{
        static const char json[] = "{ \"a\": 0.1 }";
        static const size_t froms[] = {0, 4, 19, 20, 21, 500};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(froms); i++) {
                size_t from = froms[i], n = sizeof json - 1;
                char *text = calloc(1, from + n);
                struct tool_outcome o = {.ms = 1.5};

                memcpy(text + from, json, n);
                assert_int_equal(tool_outcome_succeed(&o, text, from, n), 0);
                assert_string_equal(o.result, json);
                assert_int_equal(o.result_size, n);
                expect_envelope(
                    &o, "{\"ok\":true,\"result\":{ \"a\": 0.1 },\"execution_time_ms\":1.500}");
                tool_outcome_done(&o);
        }
}

static void test_an_envelope_of_an_error_names_the_plugins_own_type(void **state)
{
        struct tool_outcome o = {.error = PLUGIN_ERROR_EXCEPTION, .type = "ValueError"};

        (void)state;
        expect_envelope(&o, "{\"ok\":false,\"error\":\"the host is out of memory\","
                            "\"error_type\":\"ValueError\"}");
        o.words = (char[]){"bad\x01"};
        o.type[0] = '\0';
        expect_envelope(&o,
                        "{\"ok\":false,\"error\":\"bad\\\\x01\",\"error_type\":\"PluginError\"}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
            TEST(test_calls_run_in_the_order_they_came),
            TEST(test_the_queue_is_bounded_and_running_calls_do_not_count),
            TEST(test_a_plugin_that_is_not_available_refuses_with_its_reason),
            TEST(test_refusals_say_why),
            TEST(test_failing_the_queue_ends_all_in_order_and_nothing_that_comes_meanwhile),
            TEST(test_a_call_ends_once),
            TEST(test_a_cancelled_run_is_nobodys_success_and_nobodys_fault),
            TEST(test_a_call_ends_in_the_generation_that_ran_it),
            TEST(test_a_call_of_an_unknown_plugin_counts_for_nobody),
#undef TEST
            cmocka_unit_test(test_arguments_are_checked_against_the_tools_schema),
            cmocka_unit_test(test_length_rules_of_bytes_are_those_of_their_base64),
            cmocka_unit_test(test_text_whose_values_outgrow_the_host_is_refused_unparsed),
            cmocka_unit_test(test_large_texts_of_few_values_are_parsed),
            cmocka_unit_test(test_a_brief_check_leaves_what_takes_long_to_others),
            cmocka_unit_test(test_arguments_are_written_without_bytes_and_stay_as_they_are),
            cmocka_unit_test(test_an_envelope_carries_the_result_as_it_is),
            cmocka_unit_test(test_an_envelope_of_an_error_names_the_plugins_own_type),
        };

        return cmocka_run_group_tests_name("tool_runner", tests, NULL, NULL);
}
