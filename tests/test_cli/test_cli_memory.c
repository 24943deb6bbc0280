/* Whichever allocation fails, the command line says that memory is missing: it takes no half of a
 * setting, an argument or an answer. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "cli/http_response.h"
#include "cli/json_text.h"
#include "cli/options.h"
#include "cli/options_file.h"
#include "cli/request_args.h"
#include "cli/sse.h"
#include "cli/terminal.h"
#include "support/failing_malloc.h"
#include "support/test.h"

#define CONFIG_NAME "test_cli_memory.json"
/* Put together here: clang takes a gluing inside an array's braces for a forgotten comma. */
#define IMAGE_ARGUMENT "image=@" CONFIG_NAME

static const char config[] =
    "{\"listen\": \"127.0.0.1:9000\", \"plugin_dirs\": [\"a\", \"/b\"], \"allowed_hosts\": [\"x\"],"
    " \"python\": \"bin/python\", \"plugins\": {\"ocr\": {\"python\": \"/p\", \"limits\":"
    " {\"timeout_seconds\": 5}}, \"motion\": {\"disabled\": true}}}";

static int write_config(void **state)
{
        scoped(fd) int fd = open(CONFIG_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        (void)state;
        return fd < 0 ? -1 : fd_write_all(fd, config, sizeof config - 1);
}

static int remove_config(void **state)
{
        (void)state;
        return unlink(CONFIG_NAME);
}

/* --- settings --- */

static void load_options(void *ctx)
{
        static char *argv[] = {(char *)"serve",         (char *)"--config", (char *)CONFIG_NAME,
                               (char *)"--plugins",     (char *)"one",      (char *)"--plugins=two",
                               (char *)"--max-timeout", (char *)"2m",       NULL};
        static char *env[] = {(char *)"FORGESYTE_ALLOWED_HOSTS=a.example,b.example",
                              (char *)"FORGESYTE_PYTHON=python3", NULL};
        struct options_source source = {CLI_COMMAND_serve, (int)ARRAY_LEN(argv) - 1, argv, env};
        scoped(options) struct options o = {0};
        struct err e = {0};
        int r = options_load(&source, &o, &e);
        bool failed = failing_malloc_disarm();

        (void)ctx;
        if (r > 0)
                fail_msg("%s", e.msg);
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (r == 0) {
                assert_string_equal(o.host->plugin_dirs[1], "two");
                assert_string_equal(o.host->python, "python3");
                assert_int_equal(o.host->n_plugins, 2);
        }
}

static void test_settings_are_loaded_whole_or_not(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(load_options, NULL) > 60);
}

static void refuse_config(void *ctx)
{
        static const char bad[] = "{\"plugins\": {\"ocr\": {\"limit\": 1}}}";
        scoped(host_config_free) struct host_config *c = host_config_new();
        struct err e = {0};
        int r = c ? options_file_read(bad, sizeof bad - 1, "dir/f.json", c, &e) : -ENOMEM;
        bool failed = failing_malloc_disarm();

        (void)ctx;
        assert_true(r == -EINVAL || (failed && r == -ENOMEM));
        if (!failed)
                assert_string_equal(e.msg, "dir/f.json: line 1: plugins.ocr.limit: unknown key; "
                                           "did you mean \"limits\"?");
}

static void test_a_bad_config_is_refused_all_the_same(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(refuse_config, NULL) > 20);
}

/* --- arguments --- */

static void make_body(void *ctx)
{
        static const char *const words[] = {"psm=6", IMAGE_ARGUMENT, "note=@@x"};
        char type[REQUEST_ARGS_TYPE_SIZE];
        scoped(request_args) struct request_args a = {0};
        scoped(str) struct str body = {0};
        struct err e = {0};
        int r = request_args_parse(words, 3, NULL, &a, &e);
        bool failed;

        (void)ctx;
        if (r == 0)
                r = request_args_body(&a, &body, type, &e);
        failed = failing_malloc_disarm();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_true(r < 0 || (body.len > sizeof config && !body.bad));
}

static void make_json_body(void *ctx)
{
        char type[REQUEST_ARGS_TYPE_SIZE];
        scoped(request_args) struct request_args a = {0};
        scoped(str) struct str body = {0};
        struct err e = {0};
        int r = request_args_parse(NULL, 0, "@" CONFIG_NAME, &a, &e);
        bool failed;

        (void)ctx;
        if (r == 0)
                r = request_args_body(&a, &body, type, &e);
        failed = failing_malloc_disarm();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_true(r < 0 || body.len == sizeof config - 1);
}

static void test_arguments_become_a_whole_body_or_none(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(make_body, NULL) > 8);
        assert_true(failing_malloc_each(make_json_body, NULL) > 8);
}

/* --- answers --- */

static int on_body(void *to, const char *data, size_t n, struct err *e)
{
        str_add(to, data, n);
        return ((struct str *)to)->bad ? err_set_errno(e, -ENOMEM, "keep the body") : 0;
}

static void read_answer(void *ctx)
{
        static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                          rest[] = "6\r\n world\r\n0\r\n\r\n";
        scoped(str) struct str body = {0};
        scoped(http_response) struct http_response p = {
            .body = on_body, .ctx = &body, .body_max = 1000};
        struct err e = {0};
        int r = http_response_feed(&p, head, sizeof head - 1, &e);
        bool failed;

        (void)ctx;
        if (r == 0)
                r = http_response_feed(&p, rest, sizeof rest - 1, &e);
        if (r == 0)
                r = http_response_end(&p, &e);
        failed = failing_malloc_disarm();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (r == 0)
                assert_string_equal(body.data, "hello world");
}

static int on_event(void *to, const char *name, const char *data, size_t n, struct err *e)
{
        (void)name;
        return on_body(to, data, n, e);
}

static void read_events(void *ctx)
{
        static const char text[] = "event: a\ndata: one line that is longer than the others\n\n"
                                   "data: two\ndata: three\n\n";
        scoped(str) struct str events = {0};
        scoped(sse) struct sse s = {.event = on_event, .ctx = &events};
        struct err e = {0};
        int r = sse_feed(&s, text, sizeof text - 1, &e);
        bool failed = failing_malloc_disarm();

        (void)ctx;
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (r == 0)
                assert_string_equal(events.data,
                                    "one line that is longer than the otherstwo\nthree");
}

static void show(void *ctx)
{
        scoped(terminal_table) struct terminal_table t = {.columns = 2};
        scoped(str) struct str pretty = {0};
        bool failed;

        (void)ctx;
        for (unsigned i = 0; i < 40; i++)
                terminal_table_add(&t, "cell");
        json_text_pretty(&pretty, config, sizeof config - 1, 8);
        failed = failing_malloc_disarm();
        assert_int_equal(t.bad || pretty.bad, failed);
}

static void test_answers_are_read_and_shown_whole_or_not(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(read_answer, NULL) > 1);
        assert_true(failing_malloc_each(read_events, NULL) > 2);
        assert_true(failing_malloc_each(show, NULL) > 40);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_settings_are_loaded_whole_or_not),
            cmocka_unit_test(test_a_bad_config_is_refused_all_the_same),
            cmocka_unit_test(test_arguments_become_a_whole_body_or_none),
            cmocka_unit_test(test_answers_are_read_and_shown_whole_or_not),
        };

        return cmocka_run_group_tests_name("cli_memory", tests, write_config, remove_config);
}
