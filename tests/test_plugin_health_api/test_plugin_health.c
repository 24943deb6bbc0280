/* GET /v1/plugins/{name}/health: one object, 200 or 404, whatever state the plugin is in. */
#include "support/test.h"

#include <math.h>
#include <stdio.h>

#include "test_plugin_health_api/health_fixture.h"

static const struct health_host host = {
    .mono_now_ns = FIXTURE_NOW, .uptime_ns = FIXTURE_NOW, .version = "0.1.0"};

static void expect(struct fixture *f, const char *path, int status, const char *expected)
{
        scoped(free) char *body = NULL;

        assert_int_equal(fixture_ask(f, &host, path, false, &body), status);
        assert_string_equal(body, expected);
}

static void test_unknown_values_are_null(void **state)
{
        struct fixture f = {0};

        (void)state;
        fixture_add(&f, "ocr", LIFECYCLE_LOADED);
        expect(&f, "/v1/plugins/ocr/health", 200,
               "{\"name\":\"ocr\",\"state\":\"LOADED\",\"reason\":null,\"version\":null,"
               "\"uptime_seconds\":null,\"last_used\":null,\"success_count\":0,\"error_count\":0,"
               "\"description\":null,\"last_execution_time_ms\":null,"
               "\"avg_execution_time_ms\":null,\"generation\":1,\"in_flight\":0,"
               "\"queue_depth\":0,\"instances\":[],\"prefork\":null,"
               "\"limits\":{\"timeout_seconds\":null,\"memory_bytes\":null},"
               "\"isolation\":null,\"last_failure\":null}");
}

static struct plugin_health *add_full(struct fixture *f)
{
        struct plugin_health *h = fixture_add(f, "yolo-tracker", LIFECYCLE_RUNNING);

        strcpy(h->version, "1.2.3");
        strcpy(h->description, "Tracks players");
        h->loaded_mono_ns = FIXTURE_NOW - 90 * NSEC_PER_SEC - NSEC_PER_SEC / 2;
        h->last_used_ns = INT64_C(1795340460123000000);
        h->success_count = 41;
        h->error_count = 2;
        h->last_execution_ms = 12.5;
        h->recent_ms[0] = 10;
        h->recent_ms[1] = 15;
        h->n_recent = 2;
        h->generation = 3;
        h->in_flight = 1;
        h->queue_depth = 4;
        h->timeout_seconds = 60;
        h->memory_bytes = UINT64_C(1) << 30;
        h->n_instances = 2;
        strcpy(h->prefork, "refused: it has started 1 thread");
        h->instances[0] = (struct health_instance){4711, 1048576, 2097152, 43};
        h->last_failure =
            (struct health_failure){.at_ns = INT64_C(1795340400000000000), .signal = 11};
        strcpy(h->last_failure.error_type, "PluginCrashed");
        strcpy(h->last_failure.error, "killed by signal 11");
        h->last_failure.peak_rss_bytes = 4194304;
        strcpy(h->last_failure.stderr_tail, "oh\nno");
        return h;
}

static void test_shows_every_field(void **state)
{
        struct fixture f = {0};

        (void)state;
        add_full(&f);
        expect(&f, "/v1/plugins/yolo-tracker/health", 200,
               "{\"name\":\"yolo-tracker\",\"state\":\"RUNNING\",\"reason\":null,"
               "\"version\":\"1.2.3\",\"uptime_seconds\":90.5,"
               "\"last_used\":\"2026-11-22T09:41:00.123Z\",\"success_count\":41,"
               "\"error_count\":2,\"description\":\"Tracks players\","
               "\"last_execution_time_ms\":12.5,\"avg_execution_time_ms\":12.5,"
               "\"generation\":3,\"in_flight\":1,\"queue_depth\":4,"
               "\"instances\":[{\"pid\":4711,\"rss_bytes\":1048576,"
               "\"peak_rss_bytes\":2097152,\"calls\":43},"
               "{\"pid\":null,\"rss_bytes\":null,\"peak_rss_bytes\":null,\"calls\":0}],"
               "\"prefork\":\"refused: it has started 1 thread\","
               "\"limits\":{\"timeout_seconds\":60.0,\"memory_bytes\":1073741824},"
               "\"isolation\":null,"
               "\"last_failure\":{\"at\":\"2026-11-22T09:40:00.000Z\","
               "\"error_type\":\"PluginCrashed\",\"error\":\"killed by signal 11\","
               "\"signal\":11,\"peak_rss_bytes\":4194304,\"stderr_tail\":\"oh\\nno\"}}");
}

static void test_alias_answers_the_same(void **state)
{
        struct fixture f = {0};
        scoped(free) char *health = NULL, *alias = NULL;

        (void)state;
        add_full(&f);
        assert_int_equal(fixture_ask(&f, &host, "/v1/plugins/yolo-tracker/health", false, &health),
                         200);
        assert_int_equal(fixture_ask(&f, &host, "/v1/plugins/yolo-tracker", false, &alias), 200);
        assert_string_equal(health, alias);
}

static void test_every_state_answers_200(void **state)
{
        (void)state;
        for (int s = 0; s < LIFECYCLE_N_STATES; s++) {
                struct fixture f = {0};
                scoped(free) char *body = NULL;
                char expected[64];

                fixture_add(&f, "ocr", (enum lifecycle_state)s);
                snprintf(expected, sizeof expected, "{\"name\":\"ocr\",\"state\":\"%s\"",
                         lifecycle_state_name((enum lifecycle_state)s));
                assert_int_equal(fixture_ask(&f, &host, "/v1/plugins/ocr/health", false, &body),
                                 200);
                assert_memory_equal(body, expected, strlen(expected));
        }
}

static json_t *health_of(const struct plugin_health *h)
{
        json_t *object = health_model_plugin(h, FIXTURE_NOW);

        assert_non_null(object);
        return object;
}

static void test_a_plugin_that_is_not_up_has_a_reason_and_no_uptime(void **state)
{
        struct fixture f = {0};
        struct plugin_health *h = add_full(&f);
        json_t *object;

        (void)state;
        h->state = LIFECYCLE_FAILED;
        strcpy(h->reason, "killed by signal 11");
        object = health_of(h);
        assert_true(json_is_null(json_object_get(object, "uptime_seconds")));
        assert_string_equal(json_string_value(json_object_get(object, "reason")),
                            "killed by signal 11");
        json_decref(object);
}

static void test_isolation_is_shown_as_in_force(void **state)
{
        struct fixture f = {0};
        struct plugin_health *h = add_full(&f);
        json_t *object, *isolation;

        (void)state;
        h->have_isolation = true;
        h->isolation = (struct isolation){.level = ISOLATION_FILTERED, .seccomp = true, .uid = 7};
        object = health_of(h);
        isolation = json_object_get(object, "isolation");
        assert_string_equal(json_string_value(json_object_get(isolation, "level")), "filtered");
        assert_true(json_is_true(json_object_get(isolation, "seccomp")));
        assert_int_equal(json_integer_value(json_object_get(isolation, "uid")), 7);
        json_decref(object);
}

static void test_strange_values_never_break_the_json(void **state)
{
        struct fixture f = {0};
        struct plugin_health *h = add_full(&f);
        json_t *object;
        char *text;

        (void)state;
        h->last_execution_ms = NAN;
        h->recent_ms[0] = INFINITY;
        h->timeout_seconds = NAN;
        h->loaded_mono_ns = FIXTURE_NOW * 2; /* in the future */
        h->success_count = UINT64_MAX;
        h->memory_bytes = UINT64_MAX;
        h->n_recent = 99;
        h->n_instances = 9999;
        memset(h->reason, '\xc3', sizeof h->reason); /* neither UTF-8 nor terminated */
        memset(h->name, 'n', sizeof h->name);
        object = health_of(h);
        text = json_dumps(object, JSON_COMPACT);
        assert_non_null(text);
        assert_true(json_real_value(json_object_get(object, "uptime_seconds")) == 0);
        assert_true(json_integer_value(json_object_get(object, "success_count")) == INT64_MAX);
        assert_int_equal(json_array_size(json_object_get(object, "instances")),
                         HEALTH_INSTANCES_MAX);
        free(text);
        json_decref(object);
}

static void test_unknown_plugin_is_404_with_the_names_there_are(void **state)
{
        struct fixture f = {0};

        (void)state;
        expect(&f, "/v1/plugins/ocr/health", 404,
               "{\"ok\":false,\"error\":\"No plugin named 'ocr'. There are none.\","
               "\"error_type\":\"PluginNotFound\"}");
        fixture_add(&f, "motion", LIFECYCLE_FAILED);
        fixture_add(&f, "yolo", LIFECYCLE_RUNNING);
        expect(&f, "/v1/plugins/ocr", 404,
               "{\"ok\":false,\"error\":\"No plugin named 'ocr'. There are: motion, yolo.\","
               "\"error_type\":\"PluginNotFound\"}");
        expect(&f, "/v1/plugins/\x1b[31m\"<\xff/health", 404,
               "{\"ok\":false,\"error\":\"No plugin named '\\\\x1b[31m\\\"<\xef\xbf\xbd'. "
               "There are: motion, yolo.\",\"error_type\":\"PluginNotFound\"}");
}

static void test_names_of_any_length_are_404(void **state)
{
        struct fixture f = {0};
        char path[5000] = "/v1/plugins/";
        char *body;

        (void)state;
        for (size_t n = strlen(path); n < sizeof path - 1; n++) {
                path[n] = 'a';
                if (n > 100 && n < 4900)
                        continue;
                assert_int_equal(fixture_ask(&f, &host, path, false, &body), 404);
                assert_true(strlen(body) < 300);
                free(body);
        }
}

static void test_other_paths_are_somebody_elses(void **state)
{
        static const char *const paths[] = {
            "",
            "/",
            "/v1/plugins/",
            "/v1/plugins//health",
            "/v1/plugins/ocr/",
            "/v1/plugins/ocr/manifest",
            "/v1/plugins/ocr/health/",
            "/v1/pluginsx",
            "/livez/",
            "/V1/plugins",
            "/v1/plugins/a/b/health",
            "v1/plugins",
        };
        struct fixture f = {0};
        char *body;

        (void)state;
        fixture_add(&f, "ocr", LIFECYCLE_LOADED);
        for (size_t i = 0; i < ARRAY_LEN(paths); i++)
                assert_int_equal(fixture_ask(&f, &host, paths[i], false, &body), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_unknown_values_are_null),
            cmocka_unit_test(test_shows_every_field),
            cmocka_unit_test(test_alias_answers_the_same),
            cmocka_unit_test(test_every_state_answers_200),
            cmocka_unit_test(test_a_plugin_that_is_not_up_has_a_reason_and_no_uptime),
            cmocka_unit_test(test_isolation_is_shown_as_in_force),
            cmocka_unit_test(test_strange_values_never_break_the_json),
            cmocka_unit_test(test_unknown_plugin_is_404_with_the_names_there_are),
            cmocka_unit_test(test_names_of_any_length_are_404),
            cmocka_unit_test(test_other_paths_are_somebody_elses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
