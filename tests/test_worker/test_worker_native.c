/* The real worker, without its box, speaks the real wire with real plugins. */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/test.h"
#include "worker_host.h"

static int start(void **state)
{
        struct worker_host *h = calloc(1, sizeof *h);

        worker_host_start(h);
        *state = h;
        return 0;
}

static int stop(void **state)
{
        worker_host_stop(*state);
        free(*state);
        return 0;
}

/* --- what is expected of answers -------------------------------------------------------------- */

static void expect_error(struct wire_frame f, unsigned kind, const char *type, const char *words)
{
        struct wire_error m;
        struct err e;
        char *text;

        assert_int_equal(f.header.type, WIRE_ERROR);
        assert_int_equal(wire_decode_error(f.payload, f.header.len, &m, &e), 0);
        assert_int_equal(m.kind, kind);
        assert_int_equal(m.type.len, strlen(type));
        assert_memory_equal(m.type.p, type, m.type.len);
        text = mem_dup0(m.text.p, m.text.len);
        if (!strstr(text, words))
                fail_msg("\"%s\" does not say \"%s\"", text, words);
        free(text);
        wire_frame_done(&f);
}

static void expect_result(struct wire_frame f, const char *json)
{
        struct wire_result m;
        struct err e;
        char *text;

        assert_int_equal(f.header.type, WIRE_RESULT);
        assert_int_equal(wire_decode_result(f.payload, f.header.len, &m, &e), 0);
        text = mem_dup0(m.json.p, m.json.len);
        assert_string_equal(text, json);
        free(text);
        wire_result_done(&m);
        wire_frame_done(&f);
}

static struct wire_frame call(struct worker_host *h, const char *tool)
{
        worker_host_send_call(
            h, &(struct wire_call){.tool = wire_str_of(tool), .json = wire_str_of("{}")});
        return worker_host_answer(h, NULL);
}

/* With one string argument. */
static struct wire_frame call_with(struct worker_host *h, const char *tool, const char *name,
                                   const char *value)
{
        struct wire_scalar s = {
            .name = wire_str_of(name), .type = WIRE_STRING, .s = wire_str_of(value)};

        worker_host_send_call(h, &(struct wire_call){.tool = wire_str_of(tool),
                                                     .json = wire_str_of("{}"),
                                                     .scalars = &s,
                                                     .n_scalars = 1});
        return worker_host_answer(h, NULL);
}

static void expect_load_error(void **state, const char *entrypoint, unsigned kind, const char *type,
                              const char *words)
{
        struct worker_host *h = *state;

        expect_error(worker_host_load(h, entrypoint, NULL), kind, type, words);
        /* The worker is well and ends in order. */
        worker_host_send(h, WIRE_SHUTDOWN, NULL);
        assert_int_equal(worker_host_wait(h), 0);
}

/* --- loading ---------------------------------------------------------------------------------- */

static void test_loads_calls_and_ends_in_order(void **state)
{
        struct worker_host *h = *state;
        scoped(free) char *log = NULL;

        worker_host_ready(h, "tools.so");
        expect_result(call(h, "greet"), "{\"greeting\":\"world\",\"init_ran\":true}");
        expect_result(call_with(h, "greet", "name", "Ada"),
                      "{\"greeting\":\"Ada\",\"init_ran\":true}");
        worker_host_send(h, WIRE_SHUTDOWN, NULL);
        assert_int_equal(worker_host_wait(h), 0);
        log = worker_host_log(h);
        assert_non_null(strstr(log, "init prints\n"));
        assert_non_null(strstr(log, "fini ran with 42\n"));
}

static void test_meta_names_the_tools(void **state)
{
        scoped(str) struct str meta = {0};
        struct wire_frame f = worker_host_load(*state, "tools.so", &meta);

        assert_int_equal(f.header.type, WIRE_READY);
        assert_int_equal(strncmp(meta.data, "{\"tools\":[{\"name\":\"greet\"},", 27), 0);
        assert_string_equal(meta.data + meta.len - 3, "}]}");
}

static void test_bad_tool_names_reach_the_host_as_text(void **state)
{
        scoped(str) struct str meta = {0};
        struct wire_frame f = worker_host_load(*state, "bad_names.so", &meta);

        assert_int_equal(f.header.type, WIRE_READY);
        assert_string_equal(meta.data, "{\"tools\":[{\"name\":\"../x\"},{\"name\":\"\"},"
                                       "{\"name\":\"a\\\"b\\u000a\xef\xbf\xbd\"}]}");
}

static void test_newer_sdk_with_longer_structs_loads(void **state)
{
        scoped(str) struct str meta = {0};

        (void)meta;
        worker_host_ready(*state, "newer.so");
        expect_result(call(*state, "two"), "{\"ran\":true}");
}

static void test_refuses_another_abi_by_name(void **state)
{
        expect_load_error(state, "abi_999.so", WIRE_ERROR_ABI, "AbiMismatch",
                          "wants ABI 999, host has 1");
}

static void test_refuses_huge_struct_size(void **state)
{
        expect_load_error(state, "huge_size.so", WIRE_ERROR_ABI, "AbiMismatch",
                          "struct_size is 2147483648");
}

static void test_refuses_missing_symbol(void **state)
{
        expect_load_error(state, "no_symbol.so", WIRE_ERROR_ABI, "AbiMismatch",
                          "does not export forgesyte_plugin");
}

static void test_refuses_symbol_of_four_bytes(void **state)
{
        expect_load_error(state, "tiny.so", WIRE_ERROR_ABI, "AbiMismatch", "has 4 bytes");
}

static void test_refuses_tool_without_function(void **state)
{
        expect_load_error(state, "null_run.so", WIRE_ERROR_ABI, "AbiMismatch",
                          "tools[1].run is NULL");
}

static void test_refuses_absurd_number_of_tools(void **state)
{
        expect_load_error(state, "many_tools.so", WIRE_ERROR_ABI, "AbiMismatch",
                          "n_tools is 4000000000");
}

static void test_undefined_symbol_is_import_error(void **state)
{
        expect_load_error(state, "undefined.so", WIRE_ERROR_IMPORT, "ImportError",
                          "undefined symbol: nobody_has_this");
}

static void test_missing_file_is_import_error(void **state)
{
        expect_load_error(state, "nowhere.so", WIRE_ERROR_IMPORT, "ImportError",
                          "cannot open nowhere.so: No such file or directory");
}

static void test_text_file_is_no_shared_object(void **state)
{
        expect_load_error(state, "text.so", WIRE_ERROR_IMPORT, "ImportError",
                          "text.so is not a shared object");
}

static void test_exit_while_loading_is_seen_as_death(void **state)
{
        struct wire_frame f = worker_host_load(*state, "exits_on_load.so", NULL);

        assert_int_equal(f.header.type, 0);
        assert_int_equal(worker_host_wait(*state), 0);
}

static void test_python_needs_the_hosts_files(void **state)
{
        struct worker_host *h = *state;
        scoped(str) struct str payload = {0};

        wire_encode_load(&payload, &(struct wire_load){.runtime = wire_str_of("python"),
                                                       .plugin = wire_str_of("p"),
                                                       .dir = wire_str_of("/plugin"),
                                                       .entrypoint = wire_str_of("plugin.py")});
        worker_host_send(h, WIRE_LOAD, &payload);
        expect_error(worker_host_answer(h, NULL), WIRE_ERROR_IMPORT, "ImportError",
                     "the host's Python files were not found");
}

static void init_fails(void **state, const char *entrypoint, const char *words)
{
        struct wire_frame f = worker_host_load(*state, entrypoint, NULL);

        assert_int_equal(f.header.type, WIRE_READY);
        worker_host_send(*state, WIRE_INIT, NULL);
        expect_error(worker_host_answer(*state, NULL), WIRE_ERROR_EXCEPTION, "InitError", words);
}

static void test_init_error_has_the_plugins_words(void **state)
{
        init_fails(state, "init_error.so", "cannot open the device");
}

static void test_init_error_without_words_has_the_number(void **state)
{
        init_fails(state, "init_silent.so", "init returned 5");
}

static void test_validate_error_has_the_plugins_words(void **state)
{
        struct wire_frame f = worker_host_load(*state, "validate_error.so", NULL);

        assert_int_equal(f.header.type, WIRE_READY);
        worker_host_send(*state, WIRE_INIT, NULL);
        f = worker_host_answer(*state, NULL);
        assert_int_equal(f.header.type, WIRE_READY);
        worker_host_send(*state, WIRE_VALIDATE, NULL);
        expect_error(worker_host_answer(*state, NULL), WIRE_ERROR_EXCEPTION, "ValidationError",
                     "the self-test answered 41");
}

/* --- arguments and answers -------------------------------------------------------------------- */

static void test_scalars_arrive_with_their_types(void **state)
{
        static const char json[] = "{\"s\":\"caf\xc3\xa9\"}";
        struct wire_scalar scalars[] = {
            {.name = wire_str_of("s"), .type = WIRE_STRING, .s = wire_str_of("caf\xc3\xa9")},
            {.name = wire_str_of("i"), .type = WIRE_INT, .i = -9},
            {.name = wire_str_of("d"), .type = WIRE_NUMBER, .d = 2.0},
            {.name = wire_str_of("b"), .type = WIRE_BOOL, .b = true},
        };

        worker_host_ready(*state, "tools.so");
        worker_host_send_call(*state, &(struct wire_call){.tool = wire_str_of("echo_scalars"),
                                                          .json = wire_str_of(json),
                                                          .scalars = scalars,
                                                          .n_scalars = 4});
        expect_result(worker_host_answer(*state, NULL),
                      "{\"tool\":\"echo_scalars\",\"json\":\"{\\\"s\\\":\\\"caf\xc3\xa9\\\"}\","
                      "\"json_size\":13,\"s\":\"caf\xc3\xa9\",\"i\":-9,\"d\":2,\"b\":true,"
                      "\"s_as_int\":-7,\"i_as_number\":-9,\"d_as_int\":2,\"absent\":null}");
}

static void test_bytes_go_in_and_out_unchanged(void **state)
{
        static uint8_t image[200000];
        struct wire_blob blobs[] = {
            {.name = wire_str_of("image"),
             .content_type = wire_str_of("image/png"),
             .data = image,
             .size = sizeof image},
            {.name = wire_str_of("empty"), .data = image, .size = 0},
        };
        scoped(wire_frame) struct wire_frame f = {0};
        scoped(wire_result) struct wire_result m = {0};
        struct err e;

        for (size_t i = 0; i < sizeof image; i++)
                image[i] = (uint8_t)(i * 7 >> 3);
        worker_host_ready(*state, "tools.so");
        worker_host_send_call(*state, &(struct wire_call){.tool = wire_str_of("echo_bytes"),
                                                          .json = wire_str_of("{}"),
                                                          .blobs = blobs,
                                                          .n_blobs = 2});
        f = worker_host_answer(*state, NULL);
        assert_int_equal(f.header.type, WIRE_RESULT);
        assert_int_equal(wire_decode_result(f.payload, f.header.len, &m, &e), 0);
        assert_int_equal(m.n_blobs, 2);
        assert_int_equal(m.blobs[0].size, sizeof image);
        assert_memory_equal(m.blobs[0].data, image, sizeof image);
        assert_memory_equal(m.blobs[0].content_type.p, "image/png", 9);
        assert_int_equal(m.blobs[1].size, 0);
        assert_memory_equal(m.blobs[1].content_type.p, "application/octet-stream", 24);
        assert_memory_equal(
            m.json.p, "{\"empty_given\":true,\"absent_given\":false,\"size\":200000}", m.json.len);
}

static void test_result_forms(void **state)
{
        worker_host_ready(*state, "tools.so");
        expect_result(call(*state, "nothing"), "");
        expect_result(call_with(*state, "json_only", "text", "[1,2]"), "[1,2]");
        expect_result(call_with(*state, "json_and_members", "text", " { } "), " {\"more\":1}");
        expect_result(call_with(*state, "json_and_members", "text", "{\"a\":[{}]\n}"),
                      "{\"a\":[{}],\"more\":1}");
        expect_result(call(*state, "awkward_text"),
                      "{\"quote\\\"d\":\"a\\\"b\\\\c\\u000a\\u0009\\u0001\xc3\xa9\"}");
        expect_result(call(*state, "numbers"),
                      "{\"tenth\":0.1,\"big\":1e+300,\"third\":0.3333333333333333,\"minus\":-2.5,"
                      "\"least\":-9223372036854775808}");
}

static void test_unfit_results_are_invalid_output(void **state)
{
        worker_host_ready(*state, "tools.so");
        expect_error(call(*state, "not_a_number"), WIRE_ERROR_EXCEPTION, "InvalidOutput",
                     "not a number");
        expect_error(call(*state, "bad_utf8"), WIRE_ERROR_EXCEPTION, "InvalidOutput", "UTF-8");
        expect_error(call_with(*state, "json_and_members", "text", "[1]"), WIRE_ERROR_EXCEPTION,
                     "InvalidOutput", "not an object");
        /* And the plugin is as well as before. */
        expect_result(call(*state, "nothing"), "");
}

static struct wire_frame call_too_large(struct worker_host *h, int64_t size, bool mind)
{
        struct wire_scalar s[] = {{.name = wire_str_of("size"), .type = WIRE_INT, .i = size},
                                  {.name = wire_str_of("mind"), .type = WIRE_BOOL, .b = mind}};

        worker_host_send_call(h, &(struct wire_call){.tool = wire_str_of("too_large"),
                                                     .json = wire_str_of("{}"),
                                                     .scalars = s,
                                                     .n_scalars = 2});
        return worker_host_answer(h, NULL);
}

static void test_too_large_result_is_refused_in_the_worker(void **state)
{
        worker_host_ready(*state, "tools.so");
        expect_result(call_too_large(*state, WORKER_HOST_MAX_OUTPUT - 1000, false),
                      "{\"returned\":0}");
        expect_error(call_too_large(*state, WORKER_HOST_MAX_OUTPUT + 1, false),
                     WIRE_ERROR_EXCEPTION, "OutputTooLarge", "at most 1048576 bytes");
        /* The same when the tool passes on the -1 that it got: the refusal is the reason. */
        expect_error(call_too_large(*state, WORKER_HOST_MAX_OUTPUT + 1, true), WIRE_ERROR_EXCEPTION,
                     "OutputTooLarge", "at most 1048576 bytes");
}

static void test_declared_errors(void **state)
{
        scoped(free) char *long_text = malloc(10001);

        memset(long_text, 'x', 10000);
        long_text[10000] = '\0';
        worker_host_ready(*state, "tools.so");
        expect_error(call(*state, "fail"), WIRE_ERROR_DECLARED, "BadImage", "no image");
        expect_error(call_with(*state, "fail", "type", "not a type!"), WIRE_ERROR_DECLARED,
                     "ToolError", "no image");
        expect_error(call_with(*state, "fail", "text", "%n%s \x1b[31m"), WIRE_ERROR_DECLARED,
                     "BadImage", "%n%s \\x1b[31m");
        expect_error(call_with(*state, "fail", "text", long_text), WIRE_ERROR_DECLARED, "BadImage",
                     "xxx\xe2\x80\xa6");
}

static void test_undeclared_errors(void **state)
{
        worker_host_ready(*state, "tools.so");
        expect_error(call(*state, "error_words"), WIRE_ERROR_EXCEPTION, "PluginError",
                     "the model is gone");
        expect_error(call(*state, "return_three"), WIRE_ERROR_EXCEPTION, "PluginError",
                     "tool return_three returned 3");
        expect_error(call(*state, "no_such"), WIRE_ERROR_EXCEPTION, "PluginError",
                     "no tool is named no_such");
}

static void test_plugin_knows_its_paths(void **state)
{
        scoped(str) struct str json = {0};

        str_addf(&json, "{\"dir\":\"%s\",\"eng\":\"/models/eng\",\"none\":null}",
                 getenv("FORGESYTE_TEST_PLUGINS"));
        worker_host_ready(*state, "tools.so");
        expect_result(call(*state, "paths"), json.data);
}

/* --- while it runs ---------------------------------------------------------------------------- */

static void test_cancel_reaches_the_running_call(void **state)
{
        struct worker_host *h = *state;
        struct wire_frame f;

        worker_host_ready(h, "tools.so");
        worker_host_send_call(h, &(struct wire_call){.tool = wire_str_of("until_cancelled"),
                                                     .json = wire_str_of("{}")});
        f = worker_host_next(h);
        assert_int_equal(f.header.type, WIRE_PROGRESS);
        wire_frame_done(&f);
        worker_host_send(h, WIRE_CANCEL, NULL);
        expect_error(worker_host_answer(h, NULL), WIRE_ERROR_DECLARED, "Stopped", "cancelled");
        expect_result(call(h, "nothing"), "");
}

static void test_cancel_that_crosses_the_answer_is_ignored(void **state)
{
        struct worker_host *h = *state;

        worker_host_ready(h, "tools.so");
        expect_result(call(h, "nothing"), "");
        worker_host_send(h, WIRE_CANCEL, NULL);
        expect_result(call(h, "nothing"), "");
        worker_host_send(h, WIRE_CANCEL, NULL);
        worker_host_send(h, WIRE_SHUTDOWN, NULL);
        assert_int_equal(worker_host_wait(h), 0);
}

static void test_progress_is_rate_limited(void **state)
{
        struct worker_host *h = *state;
        unsigned n = 0;

        worker_host_ready(h, "tools.so");
        worker_host_send_call(h, &(struct wire_call){.tool = wire_str_of("progress_flood"),
                                                     .json = wire_str_of("{}")});
        expect_result(worker_host_answer(h, &n), "");
        /* 200,000 reports take less than 10 s, and at most 20 a second are sent. */
        assert_in_range(n, 1, 200);
}

static void test_log_lines_become_printable_frames(void **state)
{
        struct worker_host *h = *state;
        static const char *const expected[] = {"careful: 7 \xef\xbf\xbd\\x1b[31m", "loud"};
        static const uint8_t levels[] = {1, 3};

        worker_host_ready(h, "tools.so");
        worker_host_send_call(
            h, &(struct wire_call){.tool = wire_str_of("log_lines"), .json = wire_str_of("{}")});
        for (unsigned i = 0; i < 2; i++) {
                scoped(wire_frame) struct wire_frame f = worker_host_next(h);
                struct wire_log m;
                struct err e;

                assert_int_equal(f.header.type, WIRE_LOG);
                assert_int_equal(wire_decode_log(f.payload, f.header.len, &m, &e), 0);
                assert_int_equal(m.level, levels[i]);
                assert_int_equal(m.text.len, strlen(expected[i]));
                assert_memory_equal(m.text.p, expected[i], m.text.len);
        }
        expect_result(worker_host_answer(h, NULL), "");
}

static void test_log_of_a_thread_may_cross_the_next_requests(void **state)
{
        struct worker_host *h = *state;

        worker_host_ready(h, "tools.so");
        expect_result(call(h, "log_from_thread"), "");
        for (int i = 0; i < 200; i++)
                expect_result(call(h, "nothing"), "");
}

static void test_stdout_is_a_log_and_never_the_wire(void **state)
{
        struct worker_host *h = *state;
        scoped(free) char *log = NULL;

        worker_host_ready(h, "tools.so");
        expect_result(call(h, "noise"), "");
        log = worker_host_log(h);
        assert_non_null(strstr(log, "FRGE to stdout"));
        assert_non_null(strstr(log, "words to stderr\n"));
}

static void test_fork_that_returns_does_not_answer(void **state)
{
        worker_host_ready(*state, "tools.so");
        for (int i = 0; i < 5; i++)
                expect_result(call(*state, "forks_and_returns"), "{\"parent\":true}");
}

/* --- ends ------------------------------------------------------------------------------------- */

static void test_exit_inside_a_call_is_a_death_like_any_other(void **state)
{
        struct wire_frame f;

        worker_host_ready(*state, "tools.so");
        f = call(*state, "exit_seven");
        assert_int_equal(f.header.type, 0);
        assert_int_equal(worker_host_wait(*state), 7);
}

static void test_worker_ends_with_its_host(void **state)
{
        struct worker_host *h = *state;

        worker_host_ready(h, "tools.so");
        shutdown(h->fd, SHUT_RDWR);
        assert_int_equal(worker_host_wait(h), 219);
}

static void test_running_call_notices_that_the_host_is_gone(void **state)
{
        struct worker_host *h = *state;
        struct wire_frame f;

        worker_host_ready(h, "tools.so");
        worker_host_send_call(h, &(struct wire_call){.tool = wire_str_of("until_cancelled"),
                                                     .json = wire_str_of("{}")});
        f = worker_host_next(h);
        assert_int_equal(f.header.type, WIRE_PROGRESS);
        wire_frame_done(&f);
        shutdown(h->fd, SHUT_RDWR);
        assert_int_equal(worker_host_wait(h), 219);
}

static void test_request_out_of_turn_ends_the_worker(void **state)
{
        struct worker_host *h = *state;

        worker_host_send(h, WIRE_INIT, NULL);
        assert_int_equal(worker_host_next(h).header.type, 0);
        assert_int_equal(worker_host_wait(h), 71);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(test_loads_calls_and_ends_in_order),
            TEST(test_meta_names_the_tools),
            TEST(test_bad_tool_names_reach_the_host_as_text),
            TEST(test_newer_sdk_with_longer_structs_loads),
            TEST(test_refuses_another_abi_by_name),
            TEST(test_refuses_huge_struct_size),
            TEST(test_refuses_missing_symbol),
            TEST(test_refuses_symbol_of_four_bytes),
            TEST(test_refuses_tool_without_function),
            TEST(test_refuses_absurd_number_of_tools),
            TEST(test_undefined_symbol_is_import_error),
            TEST(test_missing_file_is_import_error),
            TEST(test_text_file_is_no_shared_object),
            TEST(test_exit_while_loading_is_seen_as_death),
            TEST(test_python_needs_the_hosts_files),
            TEST(test_init_error_has_the_plugins_words),
            TEST(test_init_error_without_words_has_the_number),
            TEST(test_validate_error_has_the_plugins_words),
            TEST(test_scalars_arrive_with_their_types),
            TEST(test_bytes_go_in_and_out_unchanged),
            TEST(test_result_forms),
            TEST(test_unfit_results_are_invalid_output),
            TEST(test_too_large_result_is_refused_in_the_worker),
            TEST(test_declared_errors),
            TEST(test_undeclared_errors),
            TEST(test_plugin_knows_its_paths),
            TEST(test_cancel_reaches_the_running_call),
            TEST(test_cancel_that_crosses_the_answer_is_ignored),
            TEST(test_progress_is_rate_limited),
            TEST(test_log_lines_become_printable_frames),
            TEST(test_log_of_a_thread_may_cross_the_next_requests),
            TEST(test_stdout_is_a_log_and_never_the_wire),
            TEST(test_fork_that_returns_does_not_answer),
            TEST(test_exit_inside_a_call_is_a_death_like_any_other),
            TEST(test_worker_ends_with_its_host),
            TEST(test_running_call_notices_that_the_host_is_gone),
            TEST(test_request_out_of_turn_ends_the_worker),
        };

        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
