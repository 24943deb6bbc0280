/* Whichever allocation fails: the call ends once, and it is the host that lacked memory, never the
 * client or the plugin that did wrong. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../support/failing_malloc.h"
#include "../support/test.h"
#include "base/json.h"
#include "toolrunner/tool_json.h"
#include "toolrunner/tool_runner.h"

static const char manifest_text[] =
    "{\"name\":\"p\",\"version\":\"1\",\"runtime\":\"native\",\"entrypoint\":\"p.so\",\"tools\":["
    "{\"name\":\"t\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"image\":"
    "{\"type\":\"string\",\"contentEncoding\":\"base64\",\"maxLength\":8},\"list\":"
    "{\"uniqueItems\":true},\"word\":{\"pattern\":\"^(a|b)+$\"}},\"unevaluatedProperties\":false},"
    "\"output_schema\":{\"properties\":{\"n\":{\"type\":\"integer\"},\"list\":{\"uniqueItems\":"
    "true}},\"unevaluatedProperties\":false}}]}";
static const char arguments[] =
    "{\"image\":\"\",\"list\":[[1],[2],[3],[4],{\"a\":5},{\"a\":6}],\"word\":\"abab\"}";
static const char answer[] = "{\"n\":1,\"list\":[\"1\",2.5,null,{\"a\":[]},{\"a\":[0]}]}";

static struct plugin_manifest *manifest;

static int parse_manifest(void **state)
{
        (void)state;
        return plugin_manifest_parse(manifest_text, sizeof manifest_text - 1, &manifest, NULL);
}

static int free_manifest(void **state)
{
        (void)state;
        plugin_manifest_free(manifest);
        return 0;
}

/* Good input: it is taken, or the host had no memory. */
static void expect_the_host(int r, const struct tool_outcome *o)
{
        assert_true(r == 0 || r == 1);
        assert_int_equal(o->error, r ? PLUGIN_ERROR_INTERNAL : PLUGIN_ERROR_NONE);
}

/* --- checks --- */

static void check_arguments(void *args)
{
        scoped(tool_outcome) struct tool_outcome o = {0};
        int r = tool_runner_check(TOOL_CHECK_WHOLE, manifest, "t", args, &o);

        failing_malloc_disarm();
        expect_the_host(r, &o);
}

static void test_arguments_are_checked_or_the_host_says_that_it_could_not(void **state)
{
        struct call_args args = {0};

        (void)state;
        assert_int_equal(json_parse(arguments, sizeof arguments - 1, &args.json, NULL), 0);
        assert_int_equal(call_args_add_bytes(&args, "image", "", "abc", 3, NULL), 0);
        assert_true(failing_malloc_each(check_arguments, &args) > 2);
        call_args_done(&args);
}

static void check_unknown_tool(void *args)
{
        scoped(tool_outcome) struct tool_outcome o = {0};
        int r = tool_runner_check(TOOL_CHECK_WHOLE, manifest, "no", args, &o);
        bool failed = failing_malloc_disarm();

        assert_int_equal(r, 1);
        assert_int_equal(o.error, PLUGIN_ERROR_TOOL_NOT_FOUND);
        assert_true(failed || strstr(o.words, "it has: t"));
}

static void test_an_unknown_tool_is_unknown_without_words_too(void **state)
{
        struct call_args args = {0};

        (void)state;
        assert_true(failing_malloc_each(check_unknown_tool, &args) > 1);
}

static void check_answer(void *ctx)
{
        scoped(tool_outcome) struct tool_outcome o = {0};
        int r = tool_runner_check_result(TOOL_CHECK_WHOLE, plugin_manifest_tool(manifest, "t"),
                                         answer, sizeof answer - 1, &o);

        (void)ctx;
        failing_malloc_disarm();
        expect_the_host(r, &o);
}

static void test_the_hosts_missing_memory_fails_no_plugin(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(check_answer, NULL) > 10);
}

/* --- arguments and outcomes --- */

static void write_arguments(void *ctx)
{
        struct call_args args = {0};
        int r = json_parse(arguments, sizeof arguments - 1, &args.json, NULL);
        bool failed;

        (void)ctx;
        if (r == 0)
                r = call_args_add_bytes(&args, "image", "image/png", NULL, 0, strdup("own"));
        if (r == 0)
                r = call_args_write(&args);
        failed = failing_malloc_disarm();
        /* Without its own copy the argument is empty, and that is the caller's to see. */
        assert_true(r == 0 || (failed && r == -ENOMEM));
        if (r == 0)
                assert_string_equal(args.text.data, "{\"list\":[[1],[2],[3],[4],{\"a\":5},"
                                                    "{\"a\":6}],\"word\":\"abab\"}");
        else
                assert_int_equal(args.text.len, 0);
        call_args_done(&args);
}

static void test_arguments_are_written_whole_or_not(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(write_arguments, NULL) > 20);
}

static void make_envelopes(void *ctx)
{
        scoped(tool_outcome) struct tool_outcome bad = {0}, good = {0};
        scoped(free) char *bad_text = NULL, *good_text = NULL, *text = NULL;
        size_t n;
        bool failed;

        (void)ctx;
        text = strdup("{}");
        if (text && tool_outcome_succeed(&good, text, 0, 2) == 0)
                text = NULL; /* else it is still ours, and there is no result */
        assert_true(!good.result == !good.envelope);
        tool_outcome_fail(&bad, PLUGIN_ERROR_TIMEOUT, "after %d s", 60);
        bad_text = tool_outcome_take_envelope(&bad, &n);
        good_text = tool_outcome_take_envelope(&good, &n);
        failed = failing_malloc_disarm();
        assert_true(bad_text || failed);
        assert_true(good_text || failed);
        if (bad_text)
                assert_non_null(strstr(bad_text, bad.words ? "after 60 s" : "out of memory"));
        if (good_text)
                assert_non_null(strstr(good_text, "{\"ok\":true,\"result\":{},"));
}

static void test_an_envelope_is_whole_or_none(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(make_envelopes, NULL) > 3);
}

/* However large it is: what the loop does for it neither copies it nor needs memory. */
static void test_an_envelope_is_taken_without_a_copy_and_once(void **state)
{
        static const double times[] = {0, 0.0004, 59999.9996, (double)INT64_MAX / 1e6};
        const size_t size = MIB(4);

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(times); i++) {
                struct tool_outcome o = {.ms = times[i]};
                char *text = malloc(size), *envelope, *taken;
                scoped(str) struct str tail = {0};
                size_t n, before;

                memset(text, '7', size);
                assert_int_equal(tool_outcome_succeed(&o, text, 0, size), 0);
                envelope = o.envelope;
                before = failing_malloc_count();
                taken = tool_outcome_take_envelope(&o, &n);
                assert_int_equal(failing_malloc_count(), before);
                assert_ptr_equal(taken, envelope);
                str_addf(&tail, "7,\"execution_time_ms\":%.3f}", times[i]);
                assert_int_equal(n, strlen(taken));
                assert_string_equal(taken + n - tail.len, tail.data);
                assert_null(o.result);
                assert_null(tool_outcome_take_envelope(&o, &n));
                tool_outcome_done(&o);
                free(taken);
        }
}

/* --- the queue --- */

static void on_end(void *ends, struct tool_call *call, struct tool_outcome *o)
{
        (void)o;
        assert_int_equal(call->state, TOOL_CALL_ENDED);
        ++*(unsigned *)ends;
}

static void run_calls(void *ctx)
{
        struct plugin_registry *registry = ctx;
        unsigned ends = 0;
        struct tool_call run = {.tool = "a", .on_end = on_end, .ctx = &ends},
                         queued = {.tool = "b", .on_end = on_end, .ctx = &ends},
                         refused = {.tool = "c", .on_end = on_end, .ctx = &ends};
        struct tool_outcome o = {0};
        struct tool_queue q;

        tool_queue_init(&q, registry, "p");
        q.max = 1;
        assert_int_equal(tool_runner_run(&q, &run, 1, 1), 0);
        assert_ptr_equal(tool_runner_next(&q, 2, 2), &run);
        assert_int_equal(tool_runner_run(&q, &queued, 1, 3), 0);
        assert_int_equal(tool_runner_run(&q, &refused, 1, 3), 1);
        tool_runner_fail_queued(&q, "a reason", 4);
        assert_int_equal(tool_runner_finish(&run, true, &o, 5), 0);
        assert_int_equal(tool_runner_finish(&run, true, &o, 6), 1);
        failing_malloc_disarm();
        assert_int_equal(ends, 3);
        tool_outcome_done(&o);
}

static void test_every_call_ends_once(void **state)
{
        struct plugin_registry *registry;
        uint32_t generation;

        (void)state;
        assert_int_equal(plugin_registry_new(&registry, NULL), 0);
        assert_int_equal(plugin_registry_begin(registry, "p", &generation, NULL), 0);
        assert_int_equal(plugin_registry_register(registry, "p", 1), 0);
        assert_int_equal(plugin_registry_mark_initialized(registry, "p"), 0);
        failing_malloc_each(run_calls, registry);
        plugin_registry_free(registry);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_arguments_are_checked_or_the_host_says_that_it_could_not),
            cmocka_unit_test(test_an_unknown_tool_is_unknown_without_words_too),
            cmocka_unit_test(test_the_hosts_missing_memory_fails_no_plugin),
            cmocka_unit_test(test_arguments_are_written_whole_or_not),
            cmocka_unit_test(test_an_envelope_is_whole_or_none),
            cmocka_unit_test(test_an_envelope_is_taken_without_a_copy_and_once),
            cmocka_unit_test(test_every_call_ends_once),
        };

        return cmocka_run_group_tests_name("tool_runner_memory", tests, parse_manifest,
                                           free_manifest);
}
