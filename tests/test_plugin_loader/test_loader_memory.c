/* Whichever allocation fails while a plugin is loaded, the load goes on or fails for want of memory
 * and says so: readers see no half of a plugin or of a reason, and the next load has all of it. */
#include "support/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loader/plugin_loader.h"
#include "support/failing_malloc.h"
#include "test_plugin_loader/manifest_fixture.h"

#define NAME     "p"
#define CHECKS   7
#define FINDINGS "unused\tplugin.py:1\tthe import of a module that nothing here wants, so it may go"

static const char needy[] =
    "{\"name\":\"p\",\"version\":\"2\",\"runtime\":\"python\",\"entrypoint\":\"plugin:Plugin\","
    "\"description\":\"words\",\"python\":\".venv/bin/python\",\"requires_gpu\":true,"
    "\"dependencies\":{\"packages\":[\"numpy\"],\"libraries\":[\"libx.so.1\"],"
    "\"commands\":[\"ffmpeg\"]},\"models\":{\"eng\":\"models/eng\"}}";
static const char source_only[] = "{\"name\":\"p\",\"version\":\"3\",\"runtime\":\"python\","
                                  "\"entrypoint\":\"plugin:Plugin\"}";

/* The plugin's loader as its unit has it: one after the other takes a load, however they end. */
struct stage {
        struct plugin_registry *registry;
        struct plugin_loader loader;
        struct plugin_manifest *manifest;
        int status; /* of each check but the source's */
};

static void open_stage(struct stage *s, const char *manifest, int status)
{
        *s = (struct stage){.manifest = parse(manifest), .status = status};
        assert_int_equal(plugin_registry_new(&s->registry, NULL), 0);
        plugin_loader_init(&s->loader, s->registry, NAME);
        s->loader.look_inside = true;
}

static void close_stage(struct stage *s)
{
        plugin_loader_done(&s->loader);
        plugin_registry_free(s->registry);
        plugin_manifest_free(s->manifest);
}

static struct plugin_health seen(const struct stage *s)
{
        struct plugin_health h = {0};

        assert_int_equal(plugin_registry_get_status(s->registry, NAME, &h), 0);
        return h;
}

/* --- a load, as the supervisor goes through it --- */

static int answer_checks(struct stage *s)
{
        struct wire_verdict v[CHECKS];
        struct wire_report report = {v, (uint16_t)s->loader.plan.n};

        assert_in_range(report.n_verdicts, 1, CHECKS);
        for (size_t i = 0; i + 1 < report.n_verdicts; i++)
                v[i] = (struct wire_verdict){(uint8_t)s->status, wire_str_of("as it was found")};
        v[report.n_verdicts - 1] =
            (struct wire_verdict){WIRE_CHECK_BROKEN, wire_str_of(FINDINGS "\n")};
        return plugin_loader_checked(&s->loader, &report, 1);
}

/* An enum plugin_loader_next that ends a load, or -ENOMEM. */
static int load(struct stage *s, const char *refusal)
{
        struct err e = {0};
        int next = plugin_loader_load(&s->loader, refusal ? NULL : s->manifest,
                                      refusal ? PLUGIN_ERROR_MANIFEST : PLUGIN_ERROR_NONE, refusal,
                                      "/plugin", NULL, 1, &e);

        if (next < 0) {
                assert_non_null(strstr(e.msg, "Cannot allocate memory"));
                plugin_loader_fail(&s->loader, PLUGIN_ERROR_INTERNAL, e.msg, 1);
                return next;
        }
        if (next == PLUGIN_LOADER_PROBE)
                next = answer_checks(s);
        while (next == PLUGIN_LOADER_SPAWN || next == PLUGIN_LOADER_INIT ||
               next == PLUGIN_LOADER_SELFTEST)
                next = plugin_loader_advance(&s->loader, 1);
        return next;
}

/* --- what is expected of it --- */

struct trial {
        const char *manifest, *refusal;
        int status;
        bool reload; /* a plugin that was loaded well before */
        enum lifecycle_state state;
        const char *version, *reason; /* the reason's end */
        bool findings;
};

static bool ends_with(const char *text, const char *end)
{
        size_t n = strlen(text), len = strlen(end);

        return n >= len && !strcmp(text + n - len, end);
}

static void expect_whole(const struct stage *s, const struct trial *t)
{
        struct plugin_health h = seen(s);

        assert_int_equal(h.state, t->state);
        assert_string_equal(h.version, t->version);
        if (!ends_with(h.reason, t->reason) || (t->reason[0] == '\0' && h.reason[0]))
                fail_msg("\"%s\" does not end with \"%s\"", h.reason, t->reason);
        assert_false(plugin_loader_is_loading(&s->loader));
        if (t->findings)
                assert_string_equal(s->loader.findings, FINDINGS "\n");
        else
                assert_null(s->loader.findings);
}

/* No plugin yet, the old one, or one that failed, and of what; else all as without a failure. */
static void expect_known(const struct stage *s, const struct trial *t, int next)
{
        struct plugin_health h;

        if (plugin_registry_get_status(s->registry, NAME, &h) != 0) {
                assert_int_equal(next, -ENOMEM);
                assert_false(t->reload);
        } else if (t->reload && h.generation == 1) {
                assert_int_equal(next, -ENOMEM);
                assert_int_equal(h.state, LIFECYCLE_INITIALIZED);
        } else if (strstr(h.reason, "Cannot allocate memory")) {
                assert_int_equal(h.state, LIFECYCLE_FAILED);
                assert_int_equal(strncmp(h.reason, "InternalError: ", 15), 0);
        } else {
                expect_whole(s, t);
        }
}

static bool survives_nth(const struct trial *t, size_t nth)
{
        struct stage s;
        bool failed;
        int next;

        open_stage(&s, t->manifest, WIRE_CHECK_OK);
        if (t->reload)
                assert_int_equal(load(&s, NULL), PLUGIN_LOADER_READY);
        s.status = t->status;
        failing_malloc_arm(nth);
        next = load(&s, t->refusal);
        failed = failing_malloc_disarm();
        if (failed)
                expect_known(&s, t, next);
        else
                expect_whole(&s, t);
        (void)load(&s, t->refusal);
        expect_whole(&s, t);
        s.status = WIRE_CHECK_OK;
        assert_int_equal(load(&s, NULL), PLUGIN_LOADER_READY);
        close_stage(&s);
        return failed;
}

/* Returns how many allocations were made to fail. */
static size_t survive_each(const struct trial *t)
{
        size_t nth = 1;

        while (survives_nth(t, nth))
                nth++;
        return nth - 1;
}

static void test_a_plugin_is_loaded_whole_or_not(void **state)
{
        const struct trial needs = {.manifest = needy,
                                    .state = LIFECYCLE_INITIALIZED,
                                    .version = "2",
                                    .reason = "",
                                    .findings = true},
                           none = {.manifest = source_only,
                                   .state = LIFECYCLE_INITIALIZED,
                                   .version = "3",
                                   .reason = "",
                                   .findings = true};

        (void)state;
        assert_true(survive_each(&needs) > 20);
        assert_true(survive_each(&none) > 8);
}

static void test_a_reload_leaves_the_old_one_or_says_what_it_lacked(void **state)
{
        const struct trial t = {.manifest = source_only,
                                .reload = true,
                                .state = LIFECYCLE_INITIALIZED,
                                .version = "3",
                                .reason = "",
                                .findings = true};

        (void)state;
        assert_true(survive_each(&t) > 8);
}

static void test_what_is_missing_is_named_wholly_or_not(void **state)
{
        const struct trial t = {.manifest = needy,
                                .status = WIRE_CHECK_BROKEN,
                                .state = LIFECYCLE_UNAVAILABLE,
                                .version = "2",
                                .reason = "Model file truncated or corrupted: models/eng. "
                                          "Re-download. (as it was found)",
                                .findings = true};

        (void)state;
        assert_true(survive_each(&t) > 20);
}

static void test_a_refusal_is_never_shown_without_its_words(void **state)
{
        const struct trial t = {.manifest = source_only,
                                .refusal = "manifest.json: line 3: limits.memory_mb: 0 is less "
                                           "than 1, and a plugin needs some memory",
                                .state = LIFECYCLE_FAILED,
                                .version = "",
                                .reason = "manifest.json: line 3: limits.memory_mb: 0 is less "
                                          "than 1, and a plugin needs some memory"};

        (void)state;
        assert_true(survive_each(&t) > 2);
}

/* --- the plan alone --- */

static void plan_with_source(void *ctx)
{
        struct dependency_plan p = {0};
        bool failed;
        int r = dependency_checker_plan(ctx, "/plugin", "/opt/venv/bin/python", &p);

        if (r == 0)
                r = dependency_checker_plan_source(&p, ctx, "/plugin", "/opt/venv/bin/python");
        failed = failing_malloc_disarm();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (r == 0) {
                assert_string_equal(p.interpreter, "/opt/venv/bin/python");
                assert_int_equal(p.checks[p.n - 1].kind, WIRE_CHECK_SOURCE);
        }
        dependency_plan_done(&p);
}

static void test_a_plan_with_a_look_into_the_source_is_whole_or_not(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(source_only);

        (void)state;
        assert_true(failing_malloc_each(plan_with_source, m) > 6);
}

/* --- the registry --- */

#define PLUGINS 40

/* Each begins at the first or the second or the third try: the list grows on the way. */
static void test_the_registry_takes_every_plugin_in_the_end(void **state)
{
        struct plugin_registry *r = NULL;
        scoped(free) struct plugin_health *list = NULL;
        uint32_t generation;
        size_t n = 0, failures = 0;
        char name[8];

        (void)state;
        assert_int_equal(plugin_registry_new(&r, NULL), 0);
        for (unsigned i = 0; i < PLUGINS; i++) {
                unsigned actions;

                snprintf(name, sizeof name, "p%02u", i * 7 % PLUGINS);
                for (size_t nth = 1;; nth++) {
                        int code;

                        failing_malloc_arm(nth);
                        code = plugin_registry_begin(r, name, &generation, NULL);
                        if (!failing_malloc_disarm()) {
                                assert_int_equal(code, 0);
                                break;
                        }
                        failures++;
                        assert_int_equal(code, -ENOMEM);
                        assert_int_equal(plugin_registry_remove(r, name), 1);
                }
                assert_int_equal(generation, 1);
                assert_int_equal(
                    plugin_registry_step(r, name, LIFECYCLE_EVENT_REGISTERED, NULL, 1, &actions),
                    0);
        }
        assert_true(failures > PLUGINS);
        assert_int_equal(plugin_registry_list_all(r, &list, &n), 0);
        assert_int_equal(n, PLUGINS);
        for (unsigned i = 0; i < PLUGINS; i++) {
                snprintf(name, sizeof name, "p%02u", i);
                assert_string_equal(list[i].name, name);
        }
        plugin_registry_free(r);
}

/* What is told of a plugin that fails must not need what has run out. */
static void test_what_happens_to_a_plugin_is_recorded_without_memory(void **state)
{
        static const struct health_failure failure = {
            .at_ns = 1, .error_type = "PluginCrashed", .error = "it died", .signal = 11};
        static const struct health_instance instances[] = {{.pid = 1}, {.pid = 2}};
        static const struct isolation isolation = {0};
        struct plugin_health h;
        struct stage s;

        (void)state;
        open_stage(&s, source_only, WIRE_CHECK_OK);
        assert_int_equal(load(&s, NULL), PLUGIN_LOADER_READY);
        failing_malloc_arm(1);
        assert_int_equal(plugin_registry_set_instances(s.registry, NAME, instances, 2), 0);
        assert_int_equal(plugin_registry_set_queue_depth(s.registry, NAME, 3), 0);
        assert_int_equal(plugin_registry_set_prefork(s.registry, NAME, "active"), 0);
        assert_int_equal(plugin_registry_set_isolation(s.registry, NAME, &isolation), 0);
        assert_int_equal(plugin_registry_mark_running(s.registry, NAME, 1), 0);
        assert_int_equal(plugin_registry_record_error(s.registry, NAME, 2.5), 0);
        assert_int_equal(plugin_registry_record_failure(s.registry, NAME, &failure), 0);
        assert_int_equal(plugin_registry_mark_failed(s.registry, NAME, "it died"), 0);
        h = seen(&s);
        assert_false(failing_malloc_disarm());
        assert_int_equal(failing_malloc_count(), 0);
        assert_int_equal(h.n_instances, 2);
        assert_int_equal(h.instances[1].pid, 2);
        assert_int_equal(h.state, LIFECYCLE_FAILED);
        assert_string_equal(h.reason, "it died");
        assert_string_equal(h.last_failure.error_type, "PluginCrashed");
        failing_malloc_arm(1);
        assert_int_equal(plugin_registry_remove(s.registry, NAME), 0);
        assert_int_equal(plugin_registry_get_status(s.registry, NAME, &h), 1);
        assert_false(failing_malloc_disarm());
        close_stage(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_plugin_is_loaded_whole_or_not),
            cmocka_unit_test(test_a_reload_leaves_the_old_one_or_says_what_it_lacked),
            cmocka_unit_test(test_what_is_missing_is_named_wholly_or_not),
            cmocka_unit_test(test_a_refusal_is_never_shown_without_its_words),
            cmocka_unit_test(test_a_plan_with_a_look_into_the_source_is_whole_or_not),
            cmocka_unit_test(test_the_registry_takes_every_plugin_in_the_end),
            cmocka_unit_test(test_what_happens_to_a_plugin_is_recorded_without_memory),
        };

        return cmocka_run_group_tests_name("loader_memory", tests, NULL, NULL);
}
