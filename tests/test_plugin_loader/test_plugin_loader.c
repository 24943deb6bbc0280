/* The seven steps, as traces: what the loader asks for next, and what readers see meanwhile. */
#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "loader/plugin_loader.h"

#define NAME "p"

static const char plain[] = "{\"name\":\"p\",\"version\":\"1\",\"runtime\":\"native\","
                            "\"entrypoint\":\"p.so\",\"description\":\"words\"}";
static const char needy[] = "{\"name\":\"p\",\"version\":\"2\",\"runtime\":\"native\","
                            "\"entrypoint\":\"p.so\",\"requires_gpu\":true,"
                            "\"dependencies\":{\"libraries\":[\"libx.so.1\"]}}";

struct stage {
        struct plugin_registry *registry;
        struct plugin_loader loader;
        struct plugin_manifest *manifest;
        struct str trace;
        int64_t now;
};

static const char *const nexts[] = {"PROBE", "SPAWN", "INIT", "SELFTEST", "READY", "OVER"};

/* Adds "NEXT STATE[: reason]; ". */
static void note(struct stage *s, int next)
{
        struct plugin_health h;

        str_adds(&s->trace, next < 0 ? "error" : nexts[next]);
        if (plugin_registry_get_status(s->registry, NAME, &h) != 0)
                str_adds(&s->trace, " -");
        else
                str_addf(&s->trace, " %s%s%s", lifecycle_state_name(h.state),
                         h.reason[0] ? ": " : "", h.reason);
        str_adds(&s->trace, "; ");
}

static int set_up(void **state)
{
        static struct stage s;

        s = (struct stage){.now = NSEC_PER_SEC};
        if (plugin_registry_new(&s.registry, NULL) < 0)
                return -1;
        plugin_loader_init(&s.loader, s.registry, NAME);
        *state = &s;
        return 0;
}

static int tear_down(void **state)
{
        struct stage *s = *state;

        plugin_loader_done(&s->loader);
        plugin_registry_free(s->registry);
        plugin_manifest_free(s->manifest);
        str_done(&s->trace);
        return 0;
}

static void load(struct stage *s, const char *manifest, enum plugin_error error,
                 const char *refusal)
{
        struct err e = {0};

        plugin_manifest_free(s->manifest);
        s->manifest = NULL;
        if (manifest && plugin_manifest_parse(manifest, strlen(manifest), &s->manifest, &e) < 0)
                fail_msg("%s", e.msg);
        note(s, plugin_loader_load(&s->loader, s->manifest, error, refusal, "/plugin", NULL, s->now,
                                   &e));
}

static void advance(struct stage *s)
{
        note(s, plugin_loader_advance(&s->loader, s->now));
}

static void expect_trace(struct stage *s, const char *expected)
{
        assert_string_equal(s->trace.data ? s->trace.data : "", expected);
        str_done(&s->trace);
}

/* A report with these statuses for the plan. */
static void report(struct stage *s, const uint8_t *statuses, uint16_t n)
{
        struct wire_verdict verdicts[8] = {{0}};
        struct wire_report r = {verdicts, n};

        for (uint16_t i = 0; i < n; i++)
                verdicts[i] = (struct wire_verdict){statuses[i], {"", 0}};
        note(s, plugin_loader_checked(&s->loader, &r, s->now));
}

static void test_a_plugin_without_needs_takes_the_five_steps_that_are_left(void **state)
{
        struct stage *s = *state;
        struct plugin_health h;

        assert_false(plugin_loader_is_loading(&s->loader));
        load(s, plain, PLUGIN_ERROR_NONE, NULL);
        assert_true(plugin_loader_is_loading(&s->loader));
        advance(s);
        advance(s);
        assert_true(plugin_loader_is_loading(&s->loader));
        advance(s);
        assert_false(plugin_loader_is_loading(&s->loader));
        expect_trace(s, "SPAWN LOADED; INIT LOADED; SELFTEST LOADED; READY INITIALIZED; ");
        assert_int_equal(plugin_registry_get_status(s->registry, NAME, &h), 0);
        assert_string_equal(h.description, "words");
        assert_int_equal(h.generation, 1);
        assert_int_equal(h.loaded_mono_ns, NSEC_PER_SEC);
}

static void test_nothing_is_shown_before_the_checks_are_back(void **state)
{
        const uint8_t fine[] = {0, 0, 0};
        struct stage *s = *state;

        load(s, needy, PLUGIN_ERROR_NONE, NULL);
        assert_int_equal(s->loader.plan.n, 3);
        report(s, fine, 3);
        expect_trace(s, "PROBE -; SPAWN LOADED; ");
}

static void test_what_is_missing_makes_it_unavailable_and_all_of_it_is_named(void **state)
{
        const uint8_t missing[] = {WIRE_CHECK_MISSING, WIRE_CHECK_MISSING, WIRE_CHECK_MISSING};
        struct stage *s = *state;

        load(s, needy, PLUGIN_ERROR_NONE, NULL);
        report(s, missing, 3);
        assert_non_null(strstr(s->trace.data, "PROBE -; OVER UNAVAILABLE: "));
        assert_non_null(strstr(s->trace.data, "libx.so.1"));
        assert_non_null(strstr(s->trace.data, "GPU"));
        assert_false(plugin_loader_is_loading(&s->loader));
}

static void test_a_report_that_does_not_fit_is_the_probes_fault(void **state)
{
        const uint8_t fine[] = {0, 0};
        struct stage *s = *state;

        load(s, needy, PLUGIN_ERROR_NONE, NULL);
        report(s, fine, 2);
        assert_non_null(strstr(s->trace.data, "OVER FAILED: ProtocolError: "));
}

static void test_a_refused_manifest_leaves_a_failed_entry(void **state)
{
        struct stage *s = *state;

        load(s, NULL, PLUGIN_ERROR_MANIFEST, "manifest.json: line 1: no");
        expect_trace(s, "OVER FAILED: ManifestError: manifest.json: line 1: no; ");
}

static void test_a_weak_box_is_something_missing(void **state)
{
        struct stage *s = *state;

        load(s, plain, PLUGIN_ERROR_ISOLATION_UNAVAILABLE, "too weak");
        expect_trace(s, "OVER UNAVAILABLE: IsolationUnavailable: too weak; ");
}

static void test_each_step_may_fail_once_and_names_its_error_once(void **state)
{
        static const struct {
                int steps;
                enum plugin_error error;
                const char *words, *shown;
        } cases[] = {
            {0, PLUGIN_ERROR_IMPORT, "no such symbol", "FAILED: ImportError: no such symbol"},
            {0, PLUGIN_ERROR_IMPORT, "ImportError: x", "FAILED: ImportError: x"},
            {1, PLUGIN_ERROR_INIT, "", "FAILED: InitError: "},
            {2, PLUGIN_ERROR_VALIDATION, "no", "FAILED: ValidationError: no"},
            {2, PLUGIN_ERROR_ISOLATION_UNAVAILABLE, "no", "FAILED: IsolationUnavailable: no"},
        };
        struct stage *s = *state;

        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                load(s, plain, PLUGIN_ERROR_NONE, NULL);
                for (int k = 0; k < cases[i].steps; k++)
                        advance(s);
                str_done(&s->trace);
                plugin_loader_fail(&s->loader, cases[i].error, cases[i].words, s->now);
                note(s, PLUGIN_LOADER_OVER);
                assert_memory_equal(s->trace.data + strlen("OVER "), cases[i].shown,
                                    strlen(cases[i].shown));
                /* A second failure is late news. */
                plugin_loader_fail(&s->loader, PLUGIN_ERROR_CRASHED, "again", s->now);
                advance(s);
                assert_null(strstr(s->trace.data, "again"));
                assert_int_equal(s->loader.step, PLUGIN_LOADER_AT_ENDED);
                str_done(&s->trace);
        }
}

static void test_what_is_told_out_of_turn_moves_nothing(void **state)
{
        struct stage *s = *state;

        advance(s);
        plugin_loader_fail(&s->loader, PLUGIN_ERROR_CRASHED, "early", s->now);
        expect_trace(s, "OVER -; ");
        load(s, plain, PLUGIN_ERROR_NONE, NULL);
        for (int i = 0; i < 3; i++)
                advance(s);
        str_done(&s->trace);
        advance(s);
        plugin_loader_fail(&s->loader, PLUGIN_ERROR_CRASHED, "late", s->now);
        note(s, PLUGIN_LOADER_OVER);
        expect_trace(s, "OVER INITIALIZED; OVER INITIALIZED; ");
}

static void test_readers_see_the_old_generation_until_the_new_one_moves(void **state)
{
        const uint8_t fine[] = {0, 0, 0};
        struct stage *s = *state;

        load(s, plain, PLUGIN_ERROR_NONE, NULL);
        for (int i = 0; i < 3; i++)
                advance(s);
        str_done(&s->trace);
        load(s, needy, PLUGIN_ERROR_NONE, NULL);
        assert_int_equal(s->loader.generation, 2);
        report(s, fine, 3);
        expect_trace(s, "PROBE INITIALIZED; SPAWN LOADED; ");
        /* Given up in the middle of a load for the next. */
        load(s, plain, PLUGIN_ERROR_NONE, NULL);
        assert_int_equal(s->loader.generation, 3);
        advance(s);
        load(s, NULL, PLUGIN_ERROR_MANIFEST, "gone");
        expect_trace(s, "SPAWN LOADED; INIT LOADED; OVER FAILED: ManifestError: gone; ");
}

static void test_without_its_entry_a_load_is_over(void **state)
{
        const uint8_t fine[] = {0, 0, 0};
        struct stage *s = *state;

        load(s, needy, PLUGIN_ERROR_NONE, NULL);
        assert_int_equal(plugin_registry_remove(s->registry, NAME), 0);
        report(s, fine, 3);
        assert_false(plugin_loader_is_loading(&s->loader));
        load(s, plain, PLUGIN_ERROR_NONE, NULL);
        advance(s);
        advance(s);
        assert_int_equal(plugin_registry_remove(s->registry, NAME), 0);
        advance(s);
        expect_trace(s, "PROBE -; OVER -; SPAWN LOADED; INIT LOADED; SELFTEST LOADED; OVER -; ");
        assert_false(plugin_loader_is_loading(&s->loader));
}

static void test_every_step_has_words(void **state)
{
        (void)state;
        for (int i = PLUGIN_LOADER_AT_NONE; i <= PLUGIN_LOADER_AT_ENDED; i++)
                assert_true(strlen(plugin_loader_step_words((enum plugin_loader_step)i)) > 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
            TEST(test_a_plugin_without_needs_takes_the_five_steps_that_are_left),
            TEST(test_nothing_is_shown_before_the_checks_are_back),
            TEST(test_what_is_missing_makes_it_unavailable_and_all_of_it_is_named),
            TEST(test_a_report_that_does_not_fit_is_the_probes_fault),
            TEST(test_a_refused_manifest_leaves_a_failed_entry),
            TEST(test_a_weak_box_is_something_missing),
            TEST(test_each_step_may_fail_once_and_names_its_error_once),
            TEST(test_what_is_told_out_of_turn_moves_nothing),
            TEST(test_readers_see_the_old_generation_until_the_new_one_moves),
            TEST(test_without_its_entry_a_load_is_over),
            TEST(test_every_step_has_words),
#undef TEST
        };

        return cmocka_run_group_tests_name("plugin_loader", tests, NULL, NULL);
}
