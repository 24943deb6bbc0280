/* Plugins over their generations, with real boxes, real workers and a real plugin (crashtest). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "host/unit.h"
#include "supervisor_stage.h"

#define LIMITS(text) ",\"limits\":{" text "}"
/* Named in the manifest, so that calls are queued while it loads instead of waiting for META. */
#define TOOLS ",\"tools\":[{\"name\":\"echo\"},{\"name\":\"sleep\"},{\"name\":\"hang\"}]"

static void expect_words(const struct stage_call *c, const char *words)
{
        if (!strstr(c->words, words))
                fail_msg("%s: \"%s\" does not say \"%s\"", c->name, c->words, words);
}

/* --- one plugin, one worker --- */

static void test_a_plugin_loads_and_answers(void **state)
{
        struct supervisor_stage s;
        struct stage_call *c;
        struct plugin_health h;

        (void)state;
        supervisor_stage_open(&s, "");
        c = supervisor_stage_call(&s, "a", "echo", "{\"x\":[1,0.1]}");
        supervisor_stage_expect(&s, "p RUNNING; ");
        supervisor_stage_await_call(c, PLUGIN_ERROR_NONE);
        assert_string_equal(c->result, "{\"x\":[1,0.10000000000000001]}");
        assert_true(c->ms >= 0);
        supervisor_stage_expect(&s, "p INITIALIZED; a=ok; ");
        h = supervisor_stage_health(&s, "p");
        assert_int_equal(h.success_count, 1);
        assert_int_equal(h.n_instances, 1);
        assert_int_equal(h.instances[0].calls, 1);
        assert_true(h.instances[0].pid > 0);
        assert_true(h.have_isolation);
        supervisor_stage_done(&s);
}

static void test_unknown_plugins_and_tools_are_named_with_those_there_are(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, "");
        expect_words(supervisor_stage_call_of(&s, "q", "a", "echo", "{}"), "there are: p");
        expect_words(supervisor_stage_call(&s, "b", "ecko", "{}"), "has no tool 'ecko'; it has: ");
        supervisor_stage_expect(&s, "a=PluginNotFound; b=ToolNotFound; ");
        supervisor_stage_done(&s);
}

static void test_large_bodies_and_answers_go_through_the_pool(void **state)
{
        struct supervisor_stage s;
        scoped(str) struct str body = {0};
        struct stage_call *c;

        (void)state;
        supervisor_stage_open(&s, "");
        str_adds(&body, "{\"x\":\"");
        while (body.len < KIB(300))
                str_adds(&body, "words ");
        str_adds(&body, "\"}");
        c = supervisor_stage_call(&s, "a", "echo", body.data);
        supervisor_stage_expect(&s, "");
        supervisor_stage_await_call(c, PLUGIN_ERROR_NONE);
        c = supervisor_stage_call(&s, "b", "echo", body.data);
        supervisor_stage_cancel(c);
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_await(&s, "c=ok; ");
        body.data[body.len - 1] = ' ';
        c = supervisor_stage_call(&s, "d", "echo", body.data);
        supervisor_stage_await_call(c, PLUGIN_ERROR_BAD_REQUEST);
        supervisor_stage_done(&s);
}

static void test_the_queue_is_bounded(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, LIMITS("\"queue\":1"));
        s.quiet = true;
        supervisor_stage_call(&s, "a", "sleep", "{\"ms\":100}");
        supervisor_stage_call(&s, "b", "echo", "{}");
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_expect(&s, "c=PluginBusy; ");
        supervisor_stage_await(&s, "b=ok; ");
        supervisor_stage_expect(&s, "a=ok; b=ok; ");
        supervisor_stage_done(&s);
}

static void test_several_instances_run_side_by_side(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, LIMITS("\"instances\":3"));
        s.quiet = true;
        supervisor_stage_call(&s, "a", "sleep", "{\"ms\":3000}");
        supervisor_stage_call(&s, "b", "sleep", "{\"ms\":3000}");
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_await(&s, "b=ok; ");
        assert_memory_equal(s.trace.data, "c=ok; ", 6);
        assert_int_equal(supervisor_stage_health(&s, "p").n_instances, 3);
        supervisor_stage_done(&s);
}

/* --- while it loads --- */

static void test_calls_wait_for_the_load_with_and_without_known_tools(void **state)
{
        static const char *const members[] = {"", TOOLS};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(members); i++) {
                struct supervisor_stage s;
                size_t n;
                char **pending;

                supervisor_stage_init(&s);
                supervisor_stage_add(&s, "p", "p", members[i]);
                supervisor_stage_start(&s);
                s.quiet = true;
                pending = supervisor_pending(s.supervisor, &n);
                assert_int_equal(n, 1);
                assert_string_equal(pending[0], "p: importing");
                free(pending);
                supervisor_stage_call(&s, "a", "echo", "{}");
                supervisor_stage_call(&s, "b", "echo", "{}");
                supervisor_stage_cancel(supervisor_stage_call(&s, "c", "echo", "{}"));
                supervisor_stage_await(&s, "b=");
                supervisor_stage_expect(&s, "p LOADED; a=ok; b=ok; ");
                supervisor_stage_done(&s);
        }
}

static void test_calls_that_wait_for_a_load_that_fails_hear_why(void **state)
{
        static const char *const members[] = {"",
                                              ",\"tools\":[{\"name\":\"echo\"},{\"name\":\"no\"}]"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(members); i++) {
                struct supervisor_stage s;
                struct stage_call *a, *b;

                supervisor_stage_init(&s);
                supervisor_stage_add(&s, "p", "p", members[i]);
                if (i == 0)
                        supervisor_stage_write(&s, "p",
                                               "{\"name\":\"p\",\"version\":\"1\",\"runtime\":"
                                               "\"native\",\"entrypoint\":\"manifest.json\"}");
                supervisor_stage_start(&s);
                a = supervisor_stage_call(&s, "a", "echo", "{}");
                b = supervisor_stage_call(&s, "b", "echo", "{}");
                supervisor_stage_await_call(b, PLUGIN_ERROR_PLUGIN_UNAVAILABLE);
                supervisor_stage_expect(
                    &s, "p LOADED; p FAILED; a=PluginUnavailable; b=PluginUnavailable; ");
                expect_words(a, i == 0 ? "ImportError" : "it has no tool \"no\"");
                assert_int_equal(supervisor_stage_health(&s, "p").error_count, 0);
                supervisor_stage_done(&s);
        }
}

static void test_a_call_that_waits_too_long_for_its_plugin_times_out_alone(void **state)
{
        struct supervisor_stage s;
        struct stage_call *b;

        (void)state;
        supervisor_stage_open(&s, LIMITS("\"timeout_seconds\":2"));
        s.quiet = true;
        supervisor_stage_call(&s, "a", "sleep", "{\"ms\":1500}");
        b = supervisor_stage_call(&s, "b", "sleep", "{\"ms\":5000}");
        supervisor_stage_await_call(b, PLUGIN_ERROR_TIMEOUT);
        supervisor_stage_expect(&s, "a=ok; b=TimeoutError; ");
        /* It got a tenth of a second, and is not to blame: it goes on as soon as it has stopped. */
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_await(&s, "c=ok; ");
        assert_int_equal(supervisor_stage_health(&s, "p").error_count, 1);
        supervisor_stage_done(&s);
}

static void cancel_last(struct supervisor_stage *s)
{
        supervisor_stage_cancel(&s->calls[s->n_calls - 1]);
}

/* The one that is served first takes the last out of the list that is being served. */
static void test_an_end_may_cancel_another_call_that_waits(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_init(&s);
        supervisor_stage_add(&s, "p", "p", "");
        supervisor_stage_start(&s);
        s.quiet = true;
        supervisor_stage_call(&s, "a", "unknown", "{}")->then = cancel_last;
        supervisor_stage_call(&s, "b", "echo", "{}");
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_await(&s, "b=ok; ");
        supervisor_stage_expect(&s, "p LOADED; a=ToolNotFound; b=ok; ");
        assert_int_equal(s.calls[2].ends, 0);
        /* The list is whole: others can wait in it. */
        assert_int_equal(supervisor_reload(s.supervisor, "p", supervisor_stage_on_done, &s), 0);
        supervisor_stage_call(&s, "d", "echo", "{}");
        supervisor_stage_await(&s, "d=ok; ");
        supervisor_stage_expect(&s, "done; d=ok; ");
        supervisor_stage_done(&s);
}

static void reload_p(struct supervisor_stage *s)
{
        assert_int_equal(supervisor_reload(s->supervisor, "p", supervisor_stage_on_done, s), 0);
}

static void test_an_end_may_begin_the_next_load_and_the_others_wait_for_that(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_init(&s);
        supervisor_stage_add(&s, "p", "p", "");
        supervisor_stage_start(&s);
        s.quiet = true;
        supervisor_stage_call(&s, "a", "unknown", "{}")->then = reload_p;
        supervisor_stage_call(&s, "b", "echo", "{}");
        supervisor_stage_await(&s, "b=ok; ");
        supervisor_stage_expect(&s, "p LOADED; a=ToolNotFound; done; b=ok; ");
        assert_int_equal(supervisor_stage_health(&s, "p").generation, 2);
        supervisor_stage_done(&s);
}

/* --- failing --- */

static void test_whatever_fails_the_plugin_ends_what_is_queued(void **state)
{
        static const struct {
                const char *tool, *error;
        } cases[] = {
            {"fail", "PluginError"}, {"segfault", "PluginCrashed"}, {"hang", "TimeoutError"}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct supervisor_stage s;
                struct stage_call *b;
                char expected[200];

                supervisor_stage_open(&s, LIMITS("\"timeout_seconds\":0.5"));
                supervisor_stage_call(&s, "a", cases[i].tool, "{}");
                b = supervisor_stage_call(&s, "b", "echo", "{}");
                supervisor_stage_call(&s, "c", "echo", "{}");
                supervisor_stage_await(&s, "c=");
                snprintf(expected, sizeof expected,
                         "p RUNNING; p FAILED; a=%s; b=PluginUnavailable; c=PluginUnavailable; ",
                         cases[i].error);
                supervisor_stage_expect(&s, expected);
                expect_words(b, "plugin 'p' is not available: ");
                assert_int_equal(supervisor_stage_health(&s, "p").error_count, 1);
                assert_int_equal(supervisor_stage_health(&s, "p").in_flight, 0);
                supervisor_stage_call(&s, "d", "echo", "{}");
                supervisor_stage_expect(&s, "d=PluginUnavailable; ");
                supervisor_stage_done(&s);
        }
}

static void test_a_failed_plugins_other_workers_end_their_calls_normally(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, LIMITS("\"instances\":2"));
        s.quiet = true;
        supervisor_stage_call(&s, "w1", "sleep", "{\"ms\":50}");
        supervisor_stage_call(&s, "w2", "sleep", "{\"ms\":50}");
        supervisor_stage_await(&s, "w2=ok; ");
        str_done(&s.trace);
        supervisor_stage_call(&s, "a", "sleep", "{\"ms\":3000}");
        supervisor_stage_call(&s, "b", "fail", "{}");
        supervisor_stage_await(&s, "a=");
        supervisor_stage_expect(&s, "b=PluginError; a=ok; ");
        assert_int_equal(supervisor_stage_health(&s, "p").state, LIFECYCLE_FAILED);
        assert_int_equal(supervisor_stage_health(&s, "p").in_flight, 0);
        supervisor_stage_done(&s);
}

static void test_declared_errors_and_bad_arguments_fail_nothing(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, "");
        s.quiet = true;
        supervisor_stage_call(&s, "a", "error", "{}");
        supervisor_stage_await(&s, "a=ToolError; ");
        supervisor_stage_call(&s, "b", "echo", "[]");
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_await(&s, "c=ok; ");
        supervisor_stage_done(&s);
}

static void test_keep_replaces_the_worker_and_keeps_the_plugin(void **state)
{
        struct supervisor_stage s;
        int64_t began;

        (void)state;
        supervisor_stage_open(&s, ",\"on_error\":\"keep\"");
        supervisor_stage_call(&s, "a", "fail", "{}");
        supervisor_stage_await(&s, "a=PluginError; ");
        assert_int_equal(supervisor_stage_health(&s, "p").n_instances, 1);
        supervisor_stage_call(&s, "b", "segfault", "{}");
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_await(&s, "b=PluginCrashed; ");
        began = clock_mono_ns();
        supervisor_stage_await(&s, "c=ok; ");
        assert_true(clock_mono_ns() - began >= NSEC_PER_SEC * 9 / 10);
        assert_null(strstr(s.trace.data, "FAILED"));
        assert_int_equal(supervisor_stage_health(&s, "p").generation, 1);
        assert_int_equal(supervisor_stage_health(&s, "p").error_count, 2);
        supervisor_stage_done(&s);
}

static void test_restart_on_failure_begins_a_generation_after_a_second(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, ",\"restart\":\"on-failure\"");
        supervisor_stage_call(&s, "a", "segfault", "{}");
        supervisor_stage_await(&s, "p INITIALIZED; ");
        supervisor_stage_expect(&s,
                                "p RUNNING; p FAILED; a=PluginCrashed; p LOADED; p INITIALIZED; ");
        assert_int_equal(supervisor_stage_health(&s, "p").generation, 2);
        assert_int_equal(supervisor_stage_health(&s, "p").error_count, 1);
        supervisor_stage_done(&s);
}

/* --- cancelling --- */

static void test_a_client_that_leaves_frees_the_worker_and_hears_nothing(void **state)
{
        struct supervisor_stage s;
        struct stage_call *a, *b;

        (void)state;
        supervisor_stage_open(&s, "");
        s.quiet = true;
        a = supervisor_stage_call(&s, "a", "sleep", "{\"ms\":60000}");
        b = supervisor_stage_call(&s, "b", "echo", "{}");
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_cancel(b);
        supervisor_stage_cancel(a);
        supervisor_stage_await(&s, "c=ok; ");
        supervisor_stage_expect(&s, "c=ok; ");
        assert_int_equal(supervisor_stage_health(&s, "p").error_count, 0);
        assert_int_equal(supervisor_stage_health(&s, "p").success_count, 1);
        assert_int_equal(supervisor_stage_health(&s, "p").instances[0].calls, 2);
        supervisor_stage_done(&s);
}

static void test_a_client_that_leaves_a_hanging_plugin_costs_only_the_worker(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, "");
        s.quiet = true;
        supervisor_stage_cancel(supervisor_stage_call(&s, "a", "hang", "{}"));
        supervisor_stage_call(&s, "b", "echo", "{}");
        supervisor_stage_await(&s, "b=ok; ");
        assert_int_equal(supervisor_stage_health(&s, "p").generation, 1);
        assert_int_equal(supervisor_stage_health(&s, "p").error_count, 0);
        supervisor_stage_done(&s);
}

/* It waited, so it has a deadline of its own; it is cancelled; then the deadline passes before the
 * worker has answered for it. */
static void test_the_deadline_of_a_call_that_was_cancelled_frees_it_once(void **state)
{
        struct supervisor_stage s;
        struct stage_call *b;

        (void)state;
        supervisor_stage_open(&s, LIMITS("\"timeout_seconds\":2"));
        s.quiet = true;
        supervisor_stage_call(&s, "a", "sleep", "{\"ms\":1200}");
        b = supervisor_stage_call(&s, "b", "hang", "{}");
        supervisor_stage_await(&s, "a=ok; ");
        supervisor_stage_cancel(b);
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_await(&s, "c=");
        supervisor_stage_call(&s, "d", "echo", "{}");
        supervisor_stage_await(&s, "d=ok; ");
        assert_int_equal(b->ends, 0);
        assert_int_equal(supervisor_stage_health(&s, "p").in_flight, 0);
        assert_int_equal(supervisor_stage_health(&s, "p").state, LIFECYCLE_INITIALIZED);
        supervisor_stage_done(&s);
}

/* --- generations --- */

static void test_a_reload_lets_calls_end_and_begins_anew(void **state)
{
        struct supervisor_stage s;
        struct plugin_health h;

        (void)state;
        supervisor_stage_open(&s, "");
        supervisor_stage_call(&s, "a", "sleep", "{\"ms\":4000}");
        supervisor_stage_call(&s, "b", "echo", "{}");
        str_done(&s.trace);
        reload_p(&s);
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_await(&s, "a=");
        s.quiet = true;
        /* b and c did not wait for the old worker. */
        supervisor_stage_expect(&s,
                                "p LOADED; p INITIALIZED; done; p RUNNING; p INITIALIZED; b=ok; "
                                "p RUNNING; p INITIALIZED; c=ok; a=ok; ");
        h = supervisor_stage_health(&s, "p");
        assert_int_equal(h.generation, 2);
        assert_int_equal(h.success_count, 3);
        assert_int_equal(h.in_flight, 0);
        assert_int_equal(h.state, LIFECYCLE_INITIALIZED);
        supervisor_stage_done(&s);
}

static void test_a_reload_during_a_reload_takes_its_place(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, "");
        s.quiet = true;
        reload_p(&s);
        supervisor_stage_turn(&s);
        reload_p(&s);
        supervisor_stage_call(&s, "a", "echo", "{}");
        reload_p(&s);
        supervisor_stage_await(&s, "a=ok; ");
        supervisor_stage_expect(&s, "done; done; done; a=ok; ");
        assert_int_equal(supervisor_stage_health(&s, "p").generation, 4);
        assert_int_equal(supervisor_stage_health(&s, "p").n_instances, 1);
        supervisor_stage_done(&s);
}

static void test_queued_calls_are_checked_against_the_new_generation(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, TOOLS);
        s.quiet = true;
        supervisor_stage_call(&s, "a", "sleep", "{\"ms\":60000}");
        supervisor_stage_call(&s, "b", "hang", "{}");
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_add(&s, "p", "p", ",\"tools\":[{\"name\":\"echo\"}]");
        reload_p(&s);
        supervisor_stage_await(&s, "c=ok; ");
        supervisor_stage_expect(&s, "done; b=ToolNotFound; c=ok; ");
        supervisor_stage_done(&s);
}

static void test_a_reload_to_a_bad_manifest_fails_with_its_words(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, "");
        supervisor_stage_write(&s, "p", "{\"name\":\"p\",\"version\":1}");
        reload_p(&s);
        supervisor_stage_call(&s, "a", "echo", "{}");
        supervisor_stage_expect(&s, "p FAILED; done; a=PluginUnavailable; ");
        assert_non_null(strstr(supervisor_stage_health(&s, "p").reason, "ManifestError: "));
        supervisor_stage_write(&s, "p",
                               "{\"name\":\"q\",\"version\":\"1\",\"runtime\":\"native\","
                               "\"entrypoint\":\"p.so\"}");
        reload_p(&s);
        assert_non_null(strstr(supervisor_stage_health(&s, "p").reason, "not 'p'"));
        assert_int_equal(supervisor_reload(s.supervisor, "z", supervisor_stage_on_done, &s), 1);
        supervisor_stage_done(&s);
}

static void reload_all(struct supervisor_stage *s)
{
        struct err e;

        assert_int_equal(supervisor_reload_all(s->supervisor, supervisor_stage_on_done, s, &e), 0);
}

static void test_a_plugin_may_vanish_in_a_call_and_come_back_as_another(void **state)
{
        struct supervisor_stage s;
        struct plugin_health h;

        (void)state;
        supervisor_stage_open(&s, "");
        s.quiet = true;
        supervisor_stage_call(&s, "a", "sleep", "{\"ms\":1500}");
        supervisor_stage_call(&s, "b", "echo", "{}");
        supervisor_stage_remove(&s, "p");
        reload_all(&s);
        supervisor_stage_expect(&s, "b=PluginUnavailable; done; ");
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_expect(&s, "c=PluginNotFound; ");
        supervisor_stage_add(&s, "elsewhere", "p", "");
        reload_all(&s);
        supervisor_stage_await(&s, "done; ");
        supervisor_stage_call(&s, "d", "sleep", "{\"ms\":60000}");
        supervisor_stage_await(&s, "a=ok; ");
        /* The old one's end is not the new one's. */
        h = supervisor_stage_health(&s, "p");
        assert_int_equal(h.generation, 1);
        assert_int_equal(h.in_flight, 1);
        assert_int_equal(h.success_count, 0);
        assert_int_equal(h.n_instances, 1);
        supervisor_stage_cancel(&s.calls[s.n_calls - 1]);
        supervisor_stage_call(&s, "e", "echo", "{}");
        supervisor_stage_await(&s, "e=ok; ");
        supervisor_stage_done(&s);
}

static void test_vanished_plugins_are_freed_with_their_last_process(void **state)
{
        int64_t give_up = clock_mono_ns() + 20 * NSEC_PER_SEC;
        struct supervisor_stage s;
        struct err e;

        (void)state;
        supervisor_stage_open(&s, "");
        s.quiet = true;
        supervisor_stage_call(&s, "a", "sleep", "{\"ms\":300}");
        supervisor_stage_remove(&s, "p");
        reload_all(&s);
        supervisor_stage_await(&s, "a=ok; ");
        while (!TAILQ_EMPTY(&s.supervisor->units) && clock_mono_ns() < give_up)
                assert_int_equal(loop_turn(s.loop, &e), 0);
        assert_true(TAILQ_EMPTY(&s.supervisor->units));
        supervisor_stage_done(&s);
}

/* --- several plugins --- */

static void test_plugins_load_and_fail_independently(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_init(&s);
        supervisor_stage_add(&s, "one", "one", "");
        supervisor_stage_add(&s, "two", "two", "");
        supervisor_stage_add(&s, "zwei", "two", "");
        supervisor_stage_write(&s, "Bad Name", "{");
        supervisor_stage_start(&s);
        supervisor_stage_await(&s, "one INITIALIZED; ");
        supervisor_stage_await(&s, "two INITIALIZED; ");
        s.quiet = true;
        str_done(&s.trace);
        assert_non_null(strstr(supervisor_stage_health(&s, "bad-name").reason, "ManifestError"));
        assert_non_null(strstr(supervisor_stage_health(&s, "zwei").reason,
                               "the name 'two' is taken by the plugin in "));
        supervisor_stage_call_of(&s, "one", "a", "segfault", "{}");
        supervisor_stage_await(&s, "a=PluginCrashed; ");
        supervisor_stage_call_of(&s, "two", "b", "echo", "{}");
        supervisor_stage_await(&s, "b=ok; ");
        supervisor_stage_done(&s);
}

static void test_only_one_is_loaded_when_only_one_is_wanted(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_init(&s);
        supervisor_stage_add(&s, "one", "one", "");
        supervisor_stage_add(&s, "two", "two", "");
        s.only = "two";
        supervisor_stage_start(&s);
        supervisor_stage_call_of(&s, "one", "a", "echo", "{}");
        supervisor_stage_await(&s, "two INITIALIZED; ");
        supervisor_stage_expect(&s, "two LOADED; a=PluginNotFound; two INITIALIZED; ");
        supervisor_stage_done(&s);
}

static void test_check_only_stops_before_any_plugin_code(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_init(&s);
        supervisor_stage_add(&s, "fine", "fine", "");
        supervisor_stage_add(&s, "needy", "needy",
                             ",\"dependencies\":{\"libraries\":[\"libnosuch.so.9\"]}");
        s.check_only = true;
        supervisor_stage_start(&s);
        assert_int_equal(supervisor_when_settled(s.supervisor, supervisor_stage_on_done, &s), 0);
        supervisor_stage_await(&s, "done; ");
        supervisor_stage_expect(&s, "fine LOADED; needy UNAVAILABLE; done; ");
        assert_non_null(strstr(supervisor_stage_health(&s, "needy").reason, "libnosuch.so.9"));
        assert_int_equal(supervisor_stage_health(&s, "fine").n_instances, 0);
        supervisor_stage_done(&s);
}

static void test_who_has_left_is_not_told_that_it_is_done(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, "");
        s.quiet = true;
        reload_p(&s);
        reload_all(&s);
        supervisor_forget(s.supervisor, &s);
        supervisor_stage_call(&s, "a", "echo", "{}");
        supervisor_stage_await(&s, "a=ok; ");
        supervisor_stage_expect(&s, "a=ok; ");
        supervisor_stage_done(&s);
}

/* --- the end --- */

static void test_draining_refuses_new_calls_and_waits_for_the_others(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, "");
        s.quiet = true;
        supervisor_stage_call(&s, "a", "sleep", "{\"ms\":200}");
        supervisor_drain(s.supervisor);
        assert_false(supervisor_is_drained(s.supervisor));
        supervisor_stage_call(&s, "b", "echo", "{}");
        supervisor_stage_expect(&s, "b=PluginUnavailable; ");
        supervisor_stage_await(&s, "a=ok; ");
        assert_true(supervisor_is_drained(s.supervisor));
        supervisor_stage_done(&s);
}

static void test_closing_answers_everybody(void **state)
{
        struct supervisor_stage s;

        (void)state;
        supervisor_stage_open(&s, "");
        s.quiet = true;
        supervisor_stage_call(&s, "a", "hang", "{}");
        reload_p(&s);
        reload_all(&s);
        supervisor_stage_call(&s, "b", "echo", "{}");
        pool_free(take_ptr(s.pool));
        supervisor_close(s.supervisor);
        supervisor_close(s.supervisor);
        assert_int_equal(s.calls[0].error, PLUGIN_ERROR_PLUGIN_UNAVAILABLE);
        assert_int_equal(s.calls[1].error, PLUGIN_ERROR_PLUGIN_UNAVAILABLE);
        supervisor_stage_call(&s, "c", "echo", "{}");
        supervisor_stage_expect(
            &s, "done; b=PluginUnavailable; a=PluginUnavailable; done; c=PluginUnavailable; ");
        supervisor_stage_done(&s);
}

/* One more turn of the loop each time, until all has happened. */
static void test_it_may_be_freed_at_every_moment(void **state)
{
        bool over = false;

        (void)state;
        for (int turns = 0; !over && turns < 400; turns = turns < 40 ? turns + 1 : turns * 5 / 4) {
                scoped(str) struct str body = {0};
                struct supervisor_stage s;

                supervisor_stage_init(&s);
                supervisor_stage_add(&s, "p", "p", TOOLS LIMITS("\"instances\":2"));
                supervisor_stage_start(&s);
                str_adds(&body, "{\"x\":\"");
                while (body.len < KIB(80))
                        str_adds(&body, "words ");
                str_adds(&body, "\"}");
                supervisor_stage_call(&s, "a", "echo", "{}");
                supervisor_stage_call(&s, "b", "echo", body.data);
                supervisor_stage_call(&s, "c", "sleep", "{\"ms\":1}");
                supervisor_stage_cancel(supervisor_stage_call(&s, "d", "sleep", "{\"ms\":5000}"));
                for (int i = 0; i < turns && !over; i++) {
                        supervisor_stage_turn(&s);
                        if (i == turns / 2)
                                reload_p(&s);
                        over = s.calls[0].ends + s.calls[1].ends + s.calls[2].ends == 3 &&
                               strstr(s.trace.data, "done; ");
                }
                supervisor_stage_stop(&s);
                for (unsigned i = 0; i < 3; i++)
                        assert_int_equal(s.calls[i].ends, 1);
                assert_int_equal(s.calls[3].ends, 0);
                supervisor_stage_done(&s);
        }
        assert_true(over);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_plugin_loads_and_answers),
            cmocka_unit_test(test_unknown_plugins_and_tools_are_named_with_those_there_are),
            cmocka_unit_test(test_large_bodies_and_answers_go_through_the_pool),
            cmocka_unit_test(test_the_queue_is_bounded),
            cmocka_unit_test(test_several_instances_run_side_by_side),
            cmocka_unit_test(test_calls_wait_for_the_load_with_and_without_known_tools),
            cmocka_unit_test(test_calls_that_wait_for_a_load_that_fails_hear_why),
            cmocka_unit_test(test_a_call_that_waits_too_long_for_its_plugin_times_out_alone),
            cmocka_unit_test(test_an_end_may_cancel_another_call_that_waits),
            cmocka_unit_test(test_an_end_may_begin_the_next_load_and_the_others_wait_for_that),
            cmocka_unit_test(test_whatever_fails_the_plugin_ends_what_is_queued),
            cmocka_unit_test(test_a_failed_plugins_other_workers_end_their_calls_normally),
            cmocka_unit_test(test_declared_errors_and_bad_arguments_fail_nothing),
            cmocka_unit_test(test_keep_replaces_the_worker_and_keeps_the_plugin),
            cmocka_unit_test(test_restart_on_failure_begins_a_generation_after_a_second),
            cmocka_unit_test(test_a_client_that_leaves_frees_the_worker_and_hears_nothing),
            cmocka_unit_test(test_a_client_that_leaves_a_hanging_plugin_costs_only_the_worker),
            cmocka_unit_test(test_the_deadline_of_a_call_that_was_cancelled_frees_it_once),
            cmocka_unit_test(test_a_reload_lets_calls_end_and_begins_anew),
            cmocka_unit_test(test_a_reload_during_a_reload_takes_its_place),
            cmocka_unit_test(test_queued_calls_are_checked_against_the_new_generation),
            cmocka_unit_test(test_a_reload_to_a_bad_manifest_fails_with_its_words),
            cmocka_unit_test(test_a_plugin_may_vanish_in_a_call_and_come_back_as_another),
            cmocka_unit_test(test_vanished_plugins_are_freed_with_their_last_process),
            cmocka_unit_test(test_plugins_load_and_fail_independently),
            cmocka_unit_test(test_only_one_is_loaded_when_only_one_is_wanted),
            cmocka_unit_test(test_check_only_stops_before_any_plugin_code),
            cmocka_unit_test(test_who_has_left_is_not_told_that_it_is_done),
            cmocka_unit_test(test_draining_refuses_new_calls_and_waits_for_the_others),
            cmocka_unit_test(test_closing_answers_everybody),
            cmocka_unit_test(test_it_may_be_freed_at_every_moment),
        };

        if (argc < 3)
                return 2;
        supervisor_stage_set(argv[1], argv[2]);
        return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
