/* GET /v1/plugins, and the routes about the host itself: always an answer, in whatever state. */
#include "support/test.h"

#include "support/failing_malloc.h"
#include "test_plugin_health_api/health_fixture.h"

static struct health_host host_with(size_t n_pending, const char *const *pending, bool draining)
{
        return (struct health_host){.mono_now_ns = FIXTURE_NOW,
                                    .uptime_ns = 5 * NSEC_PER_SEC / 2,
                                    .version = "0.1.0",
                                    .draining = draining,
                                    .pending = pending,
                                    .n_pending = n_pending};
}

static void expect(struct fixture *f, const struct health_host *host, const char *path,
                   bool verbose, int status, const char *expected)
{
        scoped(free) char *body = NULL;

        assert_int_equal(fixture_ask(f, host, path, verbose, &body), status);
        if (expected)
                assert_string_equal(body, expected);
        else
                assert_null(body);
}

static void add_one_of_each(struct fixture *f)
{
        fixture_add(f, "a", LIFECYCLE_LOADED);
        fixture_add(f, "b", LIFECYCLE_INITIALIZED);
        fixture_add(f, "c", LIFECYCLE_RUNNING);
        fixture_add(f, "d", LIFECYCLE_FAILED);
        fixture_add(f, "e", LIFECYCLE_UNAVAILABLE);
}

static void test_empty_list_is_200(void **state)
{
        struct health_host host = host_with(0, NULL, false);
        struct fixture f = {0};

        (void)state;
        expect(&f, &host, "/v1/plugins", false, 200,
               "{\"plugins\":[],\"total\":0,\"available\":0,\"failed\":0,\"unavailable\":0}");
}

static void test_list_counts_each_state(void **state)
{
        struct health_host host = host_with(0, NULL, true);
        struct fixture f = {0};
        scoped(free) char *body = NULL;
        scoped(json_decref) json_t *object = NULL;
        json_t *plugins;

        (void)state;
        add_one_of_each(&f);
        assert_int_equal(fixture_ask(&f, &host, "/v1/plugins", false, &body), 200);
        assert_int_equal(json_parse(body, strlen(body), &object, NULL), 0);
        assert_int_equal(json_integer_value(json_object_get(object, "total")), 5);
        assert_int_equal(json_integer_value(json_object_get(object, "available")), 3);
        assert_int_equal(json_integer_value(json_object_get(object, "failed")), 1);
        assert_int_equal(json_integer_value(json_object_get(object, "unavailable")), 1);
        plugins = json_object_get(object, "plugins");
        assert_int_equal(json_array_size(plugins), 5);
        for (size_t i = 0; i < 5; i++) {
                json_t *one = health_model_plugin(&f.list[i], FIXTURE_NOW);

                assert_true(json_equal(json_array_get(plugins, i), one));
                json_decref(one);
        }
}

static void test_livez_answers_in_every_state(void **state)
{
        static const char *const pending[] = {"ocr"};
        struct health_host loading = host_with(1, pending, false);
        struct health_host draining = host_with(1, pending, true);
        struct fixture f = {.fail = -ENOMEM};

        (void)state;
        expect(&f, &loading, "/livez", false, 200, "{\"status\":\"alive\"}");
        expect(&f, &draining, "/livez", true, 200, "{\"status\":\"alive\"}");
}

static void test_readyz_waits_for_pending_plugins_only(void **state)
{
        static const char *const pending[] = {"motion", "ocr"};
        struct health_host ready = host_with(0, NULL, false);
        struct health_host loading = host_with(2, pending, false);
        struct health_host draining = host_with(2, pending, true);
        struct fixture f = {0};

        (void)state;
        add_one_of_each(&f); /* a failed and an unavailable one among them */
        expect(&f, &ready, "/readyz", false, 200, "{\"status\":\"ready\"}");
        expect(&f, &loading, "/readyz", false, 503, "{\"status\":\"loading\"}");
        expect(&f, &draining, "/readyz", false, 503, "{\"status\":\"draining\"}");
        expect(&f, &ready, "/readyz", true, 200,
               "{\"status\":\"ready\",\"pending\":[],\"plugins\":{\"a\":\"LOADED\","
               "\"b\":\"INITIALIZED\",\"c\":\"RUNNING\",\"d\":\"FAILED\","
               "\"e\":\"UNAVAILABLE\"}}");
        f.n = 0;
        expect(&f, &loading, "/readyz", true, 503,
               "{\"status\":\"loading\",\"pending\":[\"motion\",\"ocr\"],\"plugins\":{}}");
}

static void test_summary_is_always_200(void **state)
{
        static const char *const pending[] = {"ocr"};
        struct health_host ready = host_with(0, NULL, false);
        struct health_host loading = host_with(1, pending, false);
        struct health_host draining = host_with(0, NULL, true);
        struct fixture f = {0};

        (void)state;
        add_one_of_each(&f);
        expect(&f, &ready, "/healthz", false, 200,
               "{\"status\":\"ready\",\"version\":\"0.1.0\",\"uptime_seconds\":2.5,"
               "\"plugins\":{\"total\":5,\"available\":3,\"failed\":1,\"unavailable\":1}}");
        f.n = 0;
        expect(&f, &loading, "/v1/health", false, 200,
               "{\"status\":\"loading\",\"version\":\"0.1.0\",\"uptime_seconds\":2.5,"
               "\"plugins\":{\"total\":0,\"available\":0,\"failed\":0,\"unavailable\":0}}");
        expect(&f, &draining, "/v1/health", false, 200,
               "{\"status\":\"draining\",\"version\":\"0.1.0\",\"uptime_seconds\":2.5,"
               "\"plugins\":{\"total\":0,\"available\":0,\"failed\":0,\"unavailable\":0}}");
}

static void test_no_memory_is_500_without_a_body(void **state)
{
        struct health_host host = host_with(0, NULL, false);
        struct fixture f = {.fail = -ENOMEM};

        (void)state;
        expect(&f, &host, "/v1/plugins", false, 500, NULL);
        expect(&f, &host, "/v1/plugins/x/health", false, 500, NULL);
        expect(&f, &host, "/readyz", true, 500, NULL);
        expect(&f, &host, "/healthz", false, 500, NULL);
}

/* --- the n-th allocation fails, for every n --- */

struct question {
        const char *path;
        const struct health_source *source;
        const struct health_host *host;
};

static void ask(void *ctx)
{
        const struct question *q = ctx;
        struct health_answer answer = {0};
        int r = health_router_answer(q->path, true, q->source, q->host, &answer);
        bool failed = failing_malloc_disarm();

        assert_int_equal(r, 0);
        assert_int_equal(answer.status == 500, failed);
        assert_int_equal(answer.body == NULL, failed);
        json_decref(answer.body);
}

static void test_survives_every_failed_allocation(void **state)
{
        static const char *const paths[] = {"/v1/plugins",      "/v1/plugins/d/health",
                                            "/v1/plugins/none", "/livez",
                                            "/readyz",          "/healthz"};
        static const char *const pending[] = {"ocr"};
        struct health_host host = host_with(1, pending, false);
        struct fixture f = {0};
        struct health_source source = {&f, fixture_get, fixture_list};

        (void)state;
        add_one_of_each(&f);
        f.list[3].last_failure.at_ns = 1;
        f.list[3].n_instances = 2;
        f.list[3].have_isolation = true;
        strcpy(f.list[3].reason, "broke");
        for (size_t p = 0; p < ARRAY_LEN(paths); p++)
                assert_true(failing_malloc_each(ask, &(struct question){paths[p], &source, &host}) >
                            2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_empty_list_is_200),
            cmocka_unit_test(test_list_counts_each_state),
            cmocka_unit_test(test_livez_answers_in_every_state),
            cmocka_unit_test(test_readyz_waits_for_pending_plugins_only),
            cmocka_unit_test(test_summary_is_always_200),
            cmocka_unit_test(test_no_memory_is_500_without_a_body),
            cmocka_unit_test(test_survives_every_failed_allocation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
