/* The registry: the diagrams' names over the lifecycle, what readers see during a reload, counters
 * that add up and copies that are never torn while many threads read and write. */
#include "support/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/str.h"
#include "loader/plugin_registry.h"
#include "support/failing_malloc.h"

#define SEC NSEC_PER_SEC

static int set_up(void **state)
{
        struct plugin_registry *r;

        if (plugin_registry_new(&r, NULL) < 0)
                return -1;
        *state = r;
        return 0;
}

static int tear_down(void **state)
{
        plugin_registry_free(*state);
        return 0;
}

static uint32_t begin(struct plugin_registry *r, const char *name)
{
        uint32_t generation = 0;

        assert_int_equal(plugin_registry_begin(r, name, &generation, NULL), 0);
        return generation;
}

/* Brings a plugin to INITIALIZED. */
static void bring_up(struct plugin_registry *r, const char *name)
{
        begin(r, name);
        assert_int_equal(plugin_registry_register(r, name, SEC), 0);
        assert_int_equal(plugin_registry_mark_initialized(r, name), 0);
}

static struct plugin_health get(struct plugin_registry *r, const char *name)
{
        struct plugin_health h = {0};

        assert_int_equal(plugin_registry_get_status(r, name, &h), 0);
        return h;
}

static int end_call(struct plugin_registry *r, const char *name)
{
        unsigned actions;

        return plugin_registry_step(r, name, LIFECYCLE_EVENT_CALL_ENDED, NULL, 0, &actions);
}

/* "a b c" */
static void expect_names(struct plugin_registry *r, const char *expected)
{
        scoped(free) struct plugin_health *list = NULL;
        scoped(str) struct str names = {0};
        size_t n;

        assert_int_equal(plugin_registry_list_all(r, &list, &n), 0);
        str_adds(&names, "");
        for (size_t i = 0; i < n; i++)
                str_addf(&names, "%s%s", i ? " " : "", list[i].name);
        assert_string_equal(names.data, expected);
}

static void test_unknown_names_are_a_named_outcome(void **state)
{
        struct plugin_registry *r = *state;
        struct plugin_health h;
        unsigned actions;

        assert_int_equal(plugin_registry_get_status(r, "x", &h), 1);
        assert_false(plugin_registry_is_available(r, "x"));
        assert_int_equal(plugin_registry_describe(r, "x", "1", "", 1, 1), 1);
        assert_int_equal(
            plugin_registry_step(r, "x", LIFECYCLE_EVENT_REGISTERED, NULL, 0, &actions), 1);
        assert_int_equal(plugin_registry_register(r, "x", 0), 1);
        assert_int_equal(plugin_registry_mark_initialized(r, "x"), 1);
        assert_int_equal(plugin_registry_mark_running(r, "x", 0), 1);
        assert_int_equal(plugin_registry_mark_failed(r, "x", "r"), 1);
        assert_int_equal(plugin_registry_mark_unavailable(r, "x", "r"), 1);
        assert_int_equal(plugin_registry_record_success(r, "x", 1), 1);
        assert_int_equal(plugin_registry_record_error(r, "x", 1), 1);
        assert_int_equal(plugin_registry_record_failure(r, "x", &h.last_failure), 1);
        assert_int_equal(plugin_registry_set_instances(r, "x", NULL, 0), 1);
        assert_int_equal(plugin_registry_set_queue_depth(r, "x", 0), 1);
        assert_int_equal(plugin_registry_set_isolation(r, "x", NULL), 1);
        assert_int_equal(plugin_registry_remove(r, "x"), 1);
        expect_names(r, "");
}

static void test_names_are_checked(void **state)
{
        static const char *const bad[] = {"", "../x", "A", "a b", "a/b", "\xc3\xa9"};
        struct err e = {0};
        uint32_t generation;

        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_int_equal(plugin_registry_begin(*state, bad[i], &generation, &e), -EINVAL);
        expect_names(*state, "");
}

static void test_absent_plugins_are_not_shown(void **state)
{
        struct plugin_registry *r = *state;
        struct plugin_health h;

        assert_int_equal(begin(r, "ocr"), 1);
        assert_int_equal(plugin_registry_get_status(r, "ocr", &h), 1);
        assert_false(plugin_registry_is_available(r, "ocr"));
        expect_names(r, "");
        assert_int_equal(plugin_registry_register(r, "ocr", 7 * SEC), 0);
        assert_int_equal(get(r, "ocr").loaded_mono_ns, 7 * SEC);
        assert_int_equal(get(r, "ocr").generation, 1);
        assert_true(plugin_registry_is_available(r, "ocr"));
        expect_names(r, "ocr");
}

static void test_list_is_sorted_by_name(void **state)
{
        static const char *const names[] = {"yolo", "ocr", "a-b", "a_b", "motion", "a", "0", "zz"};

        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                bring_up(*state, names[i]);
        expect_names(*state, "0 a a-b a_b motion ocr yolo zz");
        assert_int_equal(plugin_registry_remove(*state, "motion"), 0);
        assert_int_equal(plugin_registry_remove(*state, "0"), 0);
        assert_int_equal(plugin_registry_remove(*state, "zz"), 0);
        expect_names(*state, "a a-b a_b ocr yolo");
}

static void test_follows_the_diagrams_from_load_to_call(void **state)
{
        struct plugin_registry *r = *state;

        bring_up(r, "ocr");
        assert_int_equal(get(r, "ocr").state, LIFECYCLE_INITIALIZED);
        assert_int_equal(plugin_registry_mark_running(r, "ocr", 99), 0);
        assert_int_equal(get(r, "ocr").state, LIFECYCLE_RUNNING);
        assert_int_equal(get(r, "ocr").last_used_ns, 99);
        assert_int_equal(get(r, "ocr").in_flight, 1);
        assert_true(plugin_registry_is_available(r, "ocr"));
        assert_int_equal(plugin_registry_record_success(r, "ocr", 12.5), 0);
        assert_int_equal(end_call(r, "ocr"), 0);
        assert_int_equal(get(r, "ocr").state, LIFECYCLE_INITIALIZED);
        assert_int_equal(get(r, "ocr").success_count, 1);
        assert_int_equal(get(r, "ocr").error_count, 0);
        assert_true(get(r, "ocr").last_execution_ms == 12.5);
}

static void test_fails_from_every_stage_and_stays_failed(void **state)
{
        struct plugin_registry *r = *state;

        begin(r, "a");
        begin(r, "b");
        assert_int_equal(plugin_registry_register(r, "b", 1), 0);
        bring_up(r, "c");
        bring_up(r, "d");
        assert_int_equal(plugin_registry_mark_running(r, "d", 1), 0);
        for (const char *name = "abcd"; *name; name++) {
                char one[2] = {*name, 0};

                assert_int_equal(plugin_registry_mark_failed(r, one, "broke"), 0);
                assert_int_equal(get(r, one).state, LIFECYCLE_FAILED);
                assert_string_equal(get(r, one).reason, "broke");
                assert_false(plugin_registry_is_available(r, one));
                assert_int_equal(plugin_registry_mark_failed(r, one, "again"), -EINVAL);
                assert_int_equal(plugin_registry_mark_running(r, one, 5), -EINVAL);
                assert_int_equal(plugin_registry_mark_unavailable(r, one, "x"), -EINVAL);
                assert_string_equal(get(r, one).reason, "broke");
                assert_int_equal(get(r, one).error_count, 0);
        }
        /* The call that was in flight still ends, and takes the reason nowhere. */
        assert_int_equal(end_call(r, "d"), 0);
        assert_int_equal(get(r, "d").in_flight, 0);
        assert_string_equal(get(r, "d").reason, "broke");
}

static void test_unavailable_keeps_its_reason(void **state)
{
        struct plugin_registry *r = *state;

        begin(r, "yolo");
        assert_int_equal(plugin_registry_mark_unavailable(r, "yolo", "no GPU"), 0);
        assert_int_equal(get(r, "yolo").state, LIFECYCLE_UNAVAILABLE);
        assert_string_equal(get(r, "yolo").reason, "no GPU");
        assert_false(plugin_registry_is_available(r, "yolo"));
}

static void test_each_call_is_counted_once(void **state)
{
        struct plugin_registry *r = *state;
        struct health_failure f = {.at_ns = 5, .signal = 11, .error_type = "PluginCrashed"};

        bring_up(r, "ocr");
        assert_int_equal(plugin_registry_mark_running(r, "ocr", 1), 0);
        assert_int_equal(plugin_registry_record_error(r, "ocr", 3), 0);
        assert_int_equal(plugin_registry_record_failure(r, "ocr", &f), 0);
        assert_int_equal(plugin_registry_mark_failed(r, "ocr", "died"), 0);
        assert_int_equal(end_call(r, "ocr"), 0);
        assert_int_equal(get(r, "ocr").error_count, 1);
        assert_int_equal(get(r, "ocr").last_failure.signal, 11);
        assert_string_equal(get(r, "ocr").last_failure.error_type, "PluginCrashed");
}

static void test_run_times_keep_the_last_ten(void **state)
{
        struct plugin_registry *r = *state;
        struct plugin_health h;
        double sum = 0;

        bring_up(r, "ocr");
        assert_true(get(r, "ocr").last_execution_ms < 0);
        for (int i = 1; i <= 25; i++)
                assert_int_equal(plugin_registry_record_success(r, "ocr", i), 0);
        assert_int_equal(plugin_registry_record_error(r, "ocr", -1), 0);
        h = get(r, "ocr");
        assert_int_equal(h.n_recent, 10);
        for (unsigned i = 0; i < h.n_recent; i++)
                sum += h.recent_ms[i];
        assert_true(sum == 16 + 17 + 18 + 19 + 20 + 21 + 22 + 23 + 24 + 25);
        assert_true(h.last_execution_ms == 25);
        assert_int_equal(h.success_count, 25);
        assert_int_equal(h.error_count, 1);
}

static void test_reload_shows_the_old_generation_until_the_new_one_moves(void **state)
{
        struct plugin_registry *r = *state;
        unsigned actions;

        bring_up(r, "ocr");
        assert_int_equal(plugin_registry_describe(r, "ocr", "1.0", "old", 60, 1024), 0);
        assert_int_equal(plugin_registry_mark_running(r, "ocr", 42), 0);
        assert_int_equal(begin(r, "ocr"), 2);
        assert_int_equal(plugin_registry_describe(r, "ocr", "2.0", "new", 30, 2048), 0);

        assert_int_equal(get(r, "ocr").generation, 1);
        assert_string_equal(get(r, "ocr").version, "1.0");
        assert_int_equal(get(r, "ocr").state, LIFECYCLE_RUNNING);
        assert_true(plugin_registry_is_available(r, "ocr"));
        /* Its call ends meanwhile, and is counted. */
        assert_int_equal(plugin_registry_record_success(r, "ocr", 5), 0);
        assert_int_equal(
            plugin_registry_step_of(r, "ocr", 1, LIFECYCLE_EVENT_CALL_ENDED, NULL, 0, &actions), 0);
        assert_int_equal(get(r, "ocr").state, LIFECYCLE_INITIALIZED);
        assert_int_equal(get(r, "ocr").success_count, 1);

        assert_int_equal(plugin_registry_register(r, "ocr", 9 * SEC), 0);
        assert_int_equal(get(r, "ocr").generation, 2);
        assert_string_equal(get(r, "ocr").version, "2.0");
        assert_int_equal(get(r, "ocr").state, LIFECYCLE_LOADED);
        assert_int_equal(get(r, "ocr").success_count, 1);
        assert_int_equal(get(r, "ocr").last_used_ns, 42);
        assert_int_equal(get(r, "ocr").loaded_mono_ns, 9 * SEC);
        /* What arrives late from the old one moves nothing. */
        assert_int_equal(
            plugin_registry_step_of(r, "ocr", 1, LIFECYCLE_EVENT_BROKE, "late", 0, &actions), 1);
        assert_int_equal(get(r, "ocr").state, LIFECYCLE_LOADED);
}

static void test_reload_brings_a_failed_plugin_back(void **state)
{
        struct plugin_registry *r = *state;

        bring_up(r, "ocr");
        assert_int_equal(plugin_registry_record_error(r, "ocr", 1), 0);
        assert_int_equal(plugin_registry_mark_failed(r, "ocr", "broke"), 0);
        assert_int_equal(begin(r, "ocr"), 2);
        assert_int_equal(get(r, "ocr").state, LIFECYCLE_FAILED);
        assert_string_equal(get(r, "ocr").reason, "broke");
        assert_false(plugin_registry_is_available(r, "ocr"));
        /* Begun again before it moved: still the old one, one generation further. */
        assert_int_equal(begin(r, "ocr"), 3);
        assert_int_equal(get(r, "ocr").generation, 1);
        assert_int_equal(plugin_registry_register(r, "ocr", SEC), 0);
        assert_int_equal(get(r, "ocr").state, LIFECYCLE_LOADED);
        assert_string_equal(get(r, "ocr").reason, "");
        assert_int_equal(get(r, "ocr").error_count, 1);
        assert_int_equal(get(r, "ocr").generation, 3);
}

static void test_supervisors_view_is_bounded_and_copied(void **state)
{
        struct plugin_registry *r = *state;
        struct health_instance many[HEALTH_INSTANCES_MAX + 3] = {{.pid = 7}};
        struct isolation i = {.level = ISOLATION_FULL, .uid = 1234};

        bring_up(r, "ocr");
        assert_int_equal(plugin_registry_set_instances(r, "ocr", many, ARRAY_LEN(many)), 0);
        assert_int_equal(get(r, "ocr").n_instances, HEALTH_INSTANCES_MAX);
        assert_int_equal(get(r, "ocr").instances[0].pid, 7);
        assert_int_equal(plugin_registry_set_instances(r, "ocr", NULL, 2), 0);
        assert_int_equal(get(r, "ocr").n_instances, HEALTH_INSTANCES_MAX);
        assert_int_equal(plugin_registry_set_instances(r, "ocr", NULL, 0), 0);
        assert_int_equal(get(r, "ocr").n_instances, 0);
        assert_int_equal(plugin_registry_set_queue_depth(r, "ocr", 5), 0);
        assert_int_equal(get(r, "ocr").queue_depth, 5);
        assert_false(get(r, "ocr").have_isolation);
        assert_int_equal(plugin_registry_set_isolation(r, "ocr", &i), 0);
        assert_true(get(r, "ocr").have_isolation);
        assert_int_equal(get(r, "ocr").isolation.uid, 1234);
}

static void test_long_and_broken_texts_stay_valid(void **state)
{
        struct plugin_registry *r = *state;
        char text[HEALTH_TEXT_SIZE * 2];
        struct plugin_health h;

        memset(text, 'x', sizeof text);
        text[HEALTH_TEXT_SIZE - 2] = '\xc3'; /* a character that the cut would divide */
        text[HEALTH_TEXT_SIZE - 1] = '\xa9';
        text[sizeof text - 1] = '\0';
        bring_up(r, "ocr");
        assert_int_equal(plugin_registry_mark_failed(r, "ocr", text), 0);
        h = get(r, "ocr");
        assert_int_equal(strlen(h.reason), HEALTH_TEXT_SIZE - 2);
        assert_int_equal(utf8_valid_prefix(h.reason, strlen(h.reason)), strlen(h.reason));
}

static void test_failed_allocation_changes_nothing(void **state)
{
        struct plugin_registry *r = *state;
        struct plugin_health *list;
        uint32_t generation;
        size_t n_list;

        bring_up(r, "ocr");
        failing_malloc_arm(1);
        assert_int_equal(plugin_registry_begin(r, "yolo", &generation, NULL), -ENOMEM);
        failing_malloc_arm(1);
        assert_int_equal(plugin_registry_begin(r, "ocr", &generation, NULL), -ENOMEM);
        failing_malloc_arm(1);
        assert_int_equal(plugin_registry_list_all(r, &list, &n_list), -ENOMEM);
        failing_malloc_disarm();
        expect_names(r, "ocr");
        assert_int_equal(get(r, "ocr").generation, 1);
        assert_int_equal(get(r, "ocr").state, LIFECYCLE_INITIALIZED);
        failing_malloc_arm(1);
        assert_int_equal(plugin_registry_new(&r, NULL), -ENOMEM);
        failing_malloc_disarm();
}

/* --- threads --- */

#define ROUNDS  2000
#define WRITERS 4
#define READERS 4

struct shared {
        struct plugin_registry *r;
        bool counted, read; /* atomic: those threads are done */
};

static bool is_set(const bool *flag)
{
        return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

/* Reloads one plugin for ever, failing it with a reason that names the generation. */
static void *reload_and_fail(void *arg)
{
        struct shared *s = arg;
        char reason[64], version[32];
        uint32_t generation;

        while (!is_set(&s->read)) {
                if (plugin_registry_begin(s->r, "flaky", &generation, NULL) != 0)
                        return (void *)1;
                snprintf(version, sizeof version, "%u", generation);
                snprintf(reason, sizeof reason, "generation %u broke", generation);
                if (plugin_registry_describe(s->r, "flaky", version, reason, generation,
                                             generation) != 0 ||
                    plugin_registry_register(s->r, "flaky", generation) != 0 ||
                    plugin_registry_mark_initialized(s->r, "flaky") != 0 ||
                    plugin_registry_mark_running(s->r, "flaky", generation) != 0 ||
                    plugin_registry_mark_failed(s->r, "flaky", reason) != 0)
                        return (void *)1;
        }
        return NULL;
}

/* Counts on a plugin that others count on too. */
static void *count_calls(void *arg)
{
        struct shared *s = arg;
        unsigned actions;

        for (int i = 0; i < ROUNDS; i++) {
                if (plugin_registry_mark_running(s->r, "busy", i + 1) != 0)
                        return (void *)1;
                if (i % 4 == 0 ? plugin_registry_record_error(s->r, "busy", 1)
                               : plugin_registry_record_success(s->r, "busy", 1))
                        return (void *)1;
                if (plugin_registry_step(s->r, "busy", LIFECYCLE_EVENT_CALL_ENDED, NULL, 0,
                                         &actions) != 0)
                        return (void *)1;
        }
        return NULL;
}

/* Everything that one copy says must have been true at one moment. */
static bool is_whole(const struct plugin_health *h)
{
        char expected[64];

        if (strcmp(h->name, "busy") == 0)
                return (h->state == LIFECYCLE_RUNNING) == (h->in_flight > 0) &&
                       h->in_flight <= WRITERS;
        snprintf(expected, sizeof expected, "generation %u broke", h->generation);
        if (strcmp(h->reason, h->state == LIFECYCLE_FAILED ? expected : "") != 0)
                return false;
        return strcmp(h->description, expected) == 0 && h->memory_bytes == h->generation &&
               h->loaded_mono_ns == h->generation &&
               (uint32_t)strtoul(h->version, NULL, 10) == h->generation;
}

static void *read_all(void *arg)
{
        struct shared *s = arg;
        uint32_t generation = 0;

        for (int reads = 0; reads < 200 || !is_set(&s->counted); reads++) {
                scoped(free) struct plugin_health *list = NULL;
                struct plugin_health h;
                size_t n;

                if (plugin_registry_list_all(s->r, &list, &n) != 0)
                        return (void *)1;
                for (size_t i = 0; i < n; i++)
                        if (!is_whole(&list[i]))
                                return (void *)1;
                if (plugin_registry_get_status(s->r, "flaky", &h) == 0) {
                        if (!is_whole(&h) || h.generation < generation)
                                return (void *)1;
                        generation = h.generation;
                }
                plugin_registry_is_available(s->r, "busy");
        }
        return NULL;
}

static void test_readers_see_whole_plugins_while_writers_count_exactly(void **state)
{
        struct shared s = {*state, false, false};
        pthread_t writers[WRITERS], readers[READERS], reloader;
        void *bad;

        bring_up(s.r, "busy");
        assert_int_equal(pthread_create(&reloader, NULL, reload_and_fail, &s), 0);
        for (int i = 0; i < READERS; i++)
                assert_int_equal(pthread_create(&readers[i], NULL, read_all, &s), 0);
        for (int i = 0; i < WRITERS; i++)
                assert_int_equal(pthread_create(&writers[i], NULL, count_calls, &s), 0);
        for (int i = 0; i < WRITERS; i++) {
                pthread_join(writers[i], &bad);
                assert_null(bad);
        }
        __atomic_store_n(&s.counted, true, __ATOMIC_RELAXED);
        for (int i = 0; i < READERS; i++) {
                pthread_join(readers[i], &bad);
                assert_null(bad);
        }
        __atomic_store_n(&s.read, true, __ATOMIC_RELAXED);
        pthread_join(reloader, &bad);
        assert_null(bad);
        assert_int_equal(get(s.r, "busy").success_count, WRITERS * ROUNDS * 3 / 4);
        assert_int_equal(get(s.r, "busy").error_count, WRITERS * ROUNDS / 4);
        assert_int_equal(get(s.r, "busy").in_flight, 0);
        assert_int_equal(get(s.r, "busy").state, LIFECYCLE_INITIALIZED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(test_unknown_names_are_a_named_outcome),
            TEST(test_names_are_checked),
            TEST(test_absent_plugins_are_not_shown),
            TEST(test_list_is_sorted_by_name),
            TEST(test_follows_the_diagrams_from_load_to_call),
            TEST(test_fails_from_every_stage_and_stays_failed),
            TEST(test_unavailable_keeps_its_reason),
            TEST(test_each_call_is_counted_once),
            TEST(test_run_times_keep_the_last_ten),
            TEST(test_reload_shows_the_old_generation_until_the_new_one_moves),
            TEST(test_reload_brings_a_failed_plugin_back),
            TEST(test_supervisors_view_is_bounded_and_copied),
            TEST(test_long_and_broken_texts_stay_valid),
            TEST(test_failed_allocation_changes_nothing),
            TEST(test_readers_see_whole_plugins_while_writers_count_exactly),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
