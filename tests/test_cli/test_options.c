/* The table of settings: precedence, the words about every bad value, and reading it all again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/options.h"
#include "support/test.h"

/* A config file of its own for each test, in the folder the test runs in. */
static const char *write_config(const char *text)
{
        static const char name[] = "test_options.json";
        scoped(fd) int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
        return name;
}

/* words: separated by single spaces, for flags and variables without spaces in them. */
struct words {
        char text[512], *list[32];
        int n;
};
static struct words split(const char *text)
{
        struct words w = {.n = 0};

        snprintf(w.text, sizeof w.text, "%s", text);
        return w;
}
static char **list_of(struct words *w)
{
        w->n = 0;
        for (char *s = strtok(w->text, " "); s; s = strtok(NULL, " "))
                w->list[w->n++] = s;
        w->list[w->n] = NULL;
        return w->list;
}

static int load(enum cli_command command, const char *argv_text, const char *env_text,
                struct options *ret, struct err *e)
{
        /* rest points into argv, which has to live on. */
        static struct words argv;
        struct words env = split(env_text);

        argv = split(argv_text);
        list_of(&argv);
        return options_load(&(struct options_source){command, argv.n, argv.list, list_of(&env)},
                            ret, e);
}

/* ---- defaults and precedence ---- */

/* Puts the text that help shows through the parser and compares with what host_config_new says. */
static void test_help_shows_the_real_defaults(void **state)
{
        scoped(host_config_free) struct host_config *real = host_config_new();
        scoped(host_config_free) struct host_config *told = host_config_new();
        size_t n;
        const struct option *rows = options_settings(&n);
        struct err e;

        (void)state;
        for (size_t i = 0; i < n; i++) {
                if (!rows[i].shown_default)
                        continue;
                assert_int_equal(option_restart(&rows[i], told, &e), 0);
                assert_int_equal(option_set_text(&rows[i], told, rows[i].shown_default, true, &e),
                                 0);
        }
        assert_string_equal(told->plugin_dirs[0], real->plugin_dirs[0]);
        assert_null(told->plugin_dirs[1]);
        assert_string_equal(told->listen, real->listen);
        assert_int_equal(told->max_body_bytes, real->max_body_bytes);
        assert_int_equal(told->max_output_bytes, real->max_output_bytes);
        assert_int_equal(told->max_connections, real->max_connections);
        assert_int_equal(told->max_buffered_bytes, real->max_buffered_bytes);
        assert_memory_equal(&told->max, &real->max, sizeof real->max);
        assert_int_equal(told->min_isolation, real->min_isolation);
        assert_int_equal(told->log_level, real->log_level);
}

static void test_every_source_beats_the_weaker_ones(void **state)
{
        struct options o;
        struct err e;
        char argv[256];

        (void)state;
        write_config("{\"listen\": \"127.0.0.1:1\", \"max_body\": \"1M\", \"max_output\": 2048,"
                     " \"max_timeout\": 2.5, \"log_level\": \"debug\"}");
        snprintf(argv, sizeof argv, "serve --listen [::1]:3 -c test_options.json");
        assert_int_equal(load(CLI_COMMAND_serve, argv,
                              "FORGESYTE_LISTEN=127.0.0.1:2 FORGESYTE_MAX_BODY=2M "
                              "FORGESYTE_MAX_CONNECTIONS= FORGESYTE_PORT=tcp://10.0.0.1:80",
                              &o, &e),
                         0);
        assert_string_equal(o.host->listen, "[::1]:3");
        assert_int_equal(o.host->max_body_bytes, 2 << 20);
        assert_int_equal(o.host->max_output_bytes, 2048);
        assert_true(o.host->max.timeout_seconds == 2.5);
        assert_int_equal(o.host->log_level, LOG_LEVEL_DEBUG);
        assert_int_equal(o.host->max_connections, 512);
        options_done(&o);
}

static void test_lists_replace_whole_lists_of_weaker_sources(void **state)
{
        struct options o;
        struct err e;

        (void)state;
        write_config(
            "{\"plugin_dirs\": [\"in-file\", \"/abs\"], \"allowed_hosts\": [\"a\", \"b\"]}");
        assert_int_equal(
            load(CLI_COMMAND_serve, "serve -p one --plugins=two -p 3:3",
                 "FORGESYTE_CONFIG=test_options.json FORGESYTE_PLUGINS=x:y "
                 "FORGESYTE_ALLOWED_HOSTS=c,d:80 FORGESYTE_PYTHON_PLUGINS=python3:/x/python",
                 &o, &e),
            0);
        assert_string_equal(o.host->python_plugins[0], "python3");
        assert_string_equal(o.host->python_plugins[1], "/x/python");
        assert_null(o.host->python_plugins[2]);
        assert_string_equal(o.host->plugin_dirs[0], "one");
        assert_string_equal(o.host->plugin_dirs[1], "two");
        assert_string_equal(o.host->plugin_dirs[2], "3:3");
        assert_null(o.host->plugin_dirs[3]);
        assert_string_equal(o.host->allowed_hosts[0], "c");
        assert_string_equal(o.host->allowed_hosts[1], "d:80");
        assert_null(o.host->allowed_hosts[2]);
        options_done(&o);
}

static void test_paths_of_the_file_begin_at_its_folder(void **state)
{
        struct options o;
        struct err e;
        char cwd[256], argv[400];

        (void)state;
        write_config(
            "{\"plugin_dirs\": [\"p\", \"/abs\"], \"python\": \"python3.11\","
            " \"python_plugins\": [\"python3.9\", \"v/bin/python\", \"/opt/bin/python\"],"
            " \"token_file\": \"t\", \"plugins\": {\"ocr\": {\"python\": \".venv/bin/python\"}}}");
        assert_non_null(getcwd(cwd, sizeof cwd));
        snprintf(argv, sizeof argv, "serve --config %s/test_options.json", cwd);
        assert_int_equal(load(CLI_COMMAND_serve, argv, "", &o, &e), 0);
        snprintf(argv, sizeof argv, "%s/p", cwd);
        assert_string_equal(o.host->plugin_dirs[0], argv);
        assert_string_equal(o.host->plugin_dirs[1], "/abs");
        assert_string_equal(o.host->python, "python3.11");
        assert_string_equal(o.host->python_plugins[0], "python3.9");
        snprintf(argv, sizeof argv, "%s/v/bin/python", cwd);
        assert_string_equal(o.host->python_plugins[1], argv);
        assert_string_equal(o.host->python_plugins[2], "/opt/bin/python");
        assert_null(o.host->python_plugins[3]);
        snprintf(argv, sizeof argv, "%s/.venv/bin/python", cwd);
        assert_string_equal(o.host->plugins[0].python, argv);
        options_done(&o);
}

static void test_one_plugin_has_its_own_limits(void **state)
{
        struct options o;
        struct err e;

        (void)state;
        write_config(
            "{\"plugins\": {\"ocr\": {\"limits\": {\"timeout_seconds\": 5, \"memory_mb\": 512,"
            " \"instances\": 2, \"queue\": 8, \"load_timeout_seconds\": 9}},"
            " \"old\": {\"disabled\": true}}}");
        assert_int_equal(
            load(CLI_COMMAND_run, "run -c test_options.json ocr analyze x=1", "", &o, &e), 0);
        assert_int_equal(o.host->n_plugins, 2);
        assert_string_equal(o.host->plugins[0].name, "ocr");
        assert_true(o.host->plugins[0].max.timeout_seconds == 5);
        assert_int_equal(o.host->plugins[0].max.memory_bytes, 512 << 20);
        assert_int_equal(o.host->plugins[0].max.instances, 2);
        assert_int_equal(o.host->plugins[0].max.queue, 8);
        assert_true(o.host->plugins[0].max.load_timeout_seconds == 9);
        assert_true(o.host->plugins[1].disabled);
        assert_int_equal(o.n_rest, 3);
        assert_string_equal(o.rest[2], "x=1");
        options_done(&o);
}

static void test_flags_may_stand_anywhere(void **state)
{
        struct options o;
        struct err e;

        (void)state;
        assert_int_equal(load(CLI_COMMAND_call,
                              "call ocr --format=json analyze - --save a=b --save c=d -- --json -o",
                              "", &o, &e),
                         0);
        assert_int_equal(o.n_rest, 5);
        assert_string_equal(o.rest[0], "ocr");
        assert_string_equal(o.rest[2], "-");
        assert_string_equal(o.rest[3], "--json");
        assert_string_equal(o.rest[4], "-o");
        assert_null(o.rest[5]);
        assert_null(o.host);
        assert_int_equal(o.flags.format, CLI_FORMAT_JSON);
        assert_string_equal(o.flags.save[1], "c=d");
        options_done(&o);
}

/* ---- bad values ---- */

static void refuses(enum cli_command command, const char *argv, const char *env, int outcome,
                    const char *words)
{
        struct options o;
        struct err e = {0};
        int r = load(command, argv, env, &o, &e);

        if (r == 0)
                options_done(&o);
        assert_int_equal(r, outcome);
        assert_string_equal(e.msg, words);
}

static void bad_flag(const char *argv, const char *words)
{
        refuses(CLI_COMMAND_serve, argv, "", OPTIONS_USAGE, words);
}

static void test_bad_flags_say_what_is_wanted(void **state)
{
        (void)state;
        bad_flag("serve --listn x", "--listn: unknown flag; did you mean --listen?");
        bad_flag("serve --zzzzzzzz=1", "--zzzzzzzz: unknown flag");
        bad_flag("serve -x", "-x: unknown flag");
        bad_flag("serve --url x", "--url: unknown flag");
        bad_flag("serve --listen", "--listen: wants ADDR:PORT behind it");
        bad_flag("serve --help=1", "--help takes no value");
        bad_flag("serve --listen=", "--listen: must not be empty");
        bad_flag("serve --plugins=", "--plugins: must not be empty");
        bad_flag("serve --max-body 64X",
                 "--max-body: must be bytes such as 64M from 1K to 128M, not 64X");
        bad_flag("serve --max-body -5",
                 "--max-body: must be bytes such as 64M from 1K to 128M, not -5");
        bad_flag("serve --max-body 1e6",
                 "--max-body: must be bytes such as 64M from 1K to 128M, not 1e6");
        bad_flag("serve --max-output 33M",
                 "--max-output: must be bytes such as 64M from 1K to 32M, not 33M");
        bad_flag("serve --max-connections 0",
                 "--max-connections: must be a whole number from 1 to 65536, not 0");
        bad_flag("serve --max-connections 1.5",
                 "--max-connections: must be a whole number from 1 to 65536, not 1.5");
        bad_flag("serve --max-connections 99999999999999999999999999",
                 "--max-connections: must be a whole number from 1 to 65536, not "
                 "99999999999999999999999999");
        bad_flag(
            "serve --max-timeout 0",
            "--max-timeout: must be seconds such as 90, 1.5 or 2m from 0.001 to 604800, not 0");
        bad_flag(
            "serve --max-timeout inf",
            "--max-timeout: must be seconds such as 90, 1.5 or 2m from 0.001 to 604800, not inf");
        bad_flag("serve --min-isolation ful",
                 "--min-isolation: must be none, filtered, namespaces or full, not ful");
        bad_flag("serve --log-level all",
                 "--log-level: must be error, warning, info or debug, not all");
        refuses(CLI_COMMAND_list, "list --url https://x", "", OPTIONS_USAGE,
                "--url: https://x: https is not spoken here; ask on loopback, or through a tunnel "
                "such as ssh -L");
}

static void test_listen_is_an_address_and_a_port(void **state)
{
        static const char *const good[] = {"127.0.0.1:0", ":8000", "[::1]:65535", "localhost:80",
                                           "0.0.0.0:1"};
        static const char *const bad[] = {
            "8000",    "127.0.0.1",      "127.0.0.1:", "127.0.0.1:65536", "::1:80",
            "[::1]80", "[::1:80",        "a.b:80",     "1.2.3.4:8a",      "1.2.3.4:-1",
            "[]:80",   "[localhost]:80", "1.2.3:1"};
        char argv[80];
        struct options o;
        struct err e;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                snprintf(argv, sizeof argv, "serve --listen %s", good[i]);
                assert_int_equal(load(CLI_COMMAND_serve, argv, "", &o, &e), 0);
                options_done(&o);
        }
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                snprintf(argv, sizeof argv, "serve --listen %s", bad[i]);
                assert_int_equal(load(CLI_COMMAND_serve, argv, "", &o, &e), OPTIONS_USAGE);
        }
}

static void test_bad_variables_name_themselves(void **state)
{
        (void)state;
        refuses(CLI_COMMAND_serve, "serve", "FORGESYTE_LISTEN=x", OPTIONS_CONFIG,
                "FORGESYTE_LISTEN: must be ADDR:PORT such as 127.0.0.1:8000 or [::1]:8000, not x");
        refuses(CLI_COMMAND_serve, "serve", "FORGESYTE_PLUGINS=a::b", OPTIONS_CONFIG,
                "FORGESYTE_PLUGINS: must not be empty");
        refuses(CLI_COMMAND_serve, "serve", "FORGESYTE_CONFIG=/nowhere/x.json", OPTIONS_CONFIG,
                "open /nowhere/x.json: No such file or directory");
}

static void bad_file(const char *text, const char *words)
{
        write_config(text);
        refuses(CLI_COMMAND_serve, "serve -c test_options.json", "", OPTIONS_CONFIG, words);
}

static void test_bad_files_name_line_and_key(void **state)
{
        (void)state;
        bad_file("{\n\"max_body\": 4096,\n\n\"listen\": \"x\"}",
                 "test_options.json: line 4: listen: must be ADDR:PORT such as 127.0.0.1:8000 or "
                 "[::1]:8000, not x");
        bad_file("{\"listen\": 5}", "test_options.json: line 1: listen: must be a text");
        bad_file("{\n\"max_body\": true}",
                 "test_options.json: line 2: max_body: must be bytes such "
                 "as 64M from 1K to 128M, not another type");
        bad_file("{\n\"max_body\": 1e300}",
                 "test_options.json: line 2: max_body: must be bytes such "
                 "as 64M from 1K to 128M, not 1e+300");
        bad_file("{\"listn\": \"x\"}",
                 "test_options.json: line 1: listn: unknown key; did you mean \"listen\"?");
        bad_file("{\"max_body\": 4096,}",
                 "test_options.json: line 1, column 19: string or '}' expected near '}'");
        bad_file("[]", "test_options.json: line 1: must be a JSON object");
        bad_file("", "test_options.json: empty text is not JSON");
        bad_file("{\"plugin_dirs\": \"\"}",
                 "test_options.json: line 1: plugin_dirs: must not be empty");
        bad_file("{\"plugin_dirs\": [1]}",
                 "test_options.json: line 1: plugin_dirs: must hold texts only");
        bad_file("{\"plugin_dirs\": {}}",
                 "test_options.json: line 1: plugin_dirs: must be a list of texts");
        bad_file("{\"allowed_hosts\": \"a\", \"allowed_hosts\": \"b\"}",
                 "test_options.json: line 1, column 38: duplicate object key near "
                 "'\"allowed_hosts\"'");
}

static void test_bad_plugin_entries_name_line_and_key(void **state)
{
        (void)state;
        bad_file("{\n\"plugins\": [\"dir\"]}",
                 "test_options.json: line 2: plugins: must be an object of plugins by their names "
                 "(folders go into \"plugin_dirs\")");
        bad_file("{\"plugins\": {\n\"ocr\": 1}}",
                 "test_options.json: line 2: plugins.ocr: must be an object");
        bad_file("{\"plugins\": {\n\"O C\": {}}}",
                 "test_options.json: line 2: plugins.O C: is no plugin name (a-z, 0-9, - and _)");
        bad_file(
            "{\"plugins\": {\"ocr\": {\n\"limit\": {}}}}",
            "test_options.json: line 2: plugins.ocr.limit: unknown key; did you mean \"limits\"?");
        bad_file("{\"plugins\": {\"ocr\": {\n\"limits\": 5}}}",
                 "test_options.json: line 2: plugins.ocr.limits: must be an object of limits");
        bad_file("{\"plugins\": {\"ocr\": {\n\"limits\": {\"instances\":\n 0}}}}",
                 "test_options.json: line 3: plugins.ocr.limits.instances: must be a whole number "
                 "from 1 to 64, not 0");
        bad_file("{\"plugins\": {\"ocr\": {\n\"limits\": {\"memory\": 1}}}}",
                 "test_options.json: line 2: plugins.ocr.limits.memory: unknown key; there are "
                 "timeout_seconds, memory_mb, instances, queue, load_timeout_seconds");
        bad_file("{\"plugins\": {\"ocr\": {\n\"disabled\": \"yes\"}}}",
                 "test_options.json: line 2: plugins.ocr.disabled: must be true or false");
}

/* ---- again, for SIGHUP ---- */

static void test_reading_again_sees_the_new_file(void **state)
{
        char *argv[] = {(char *)"serve",      (char *)"-c", (char *)"test_options.json",
                        (char *)"--max-body", (char *)"5M", NULL};
        struct host_config *first, *second = NULL;
        struct err e;

        (void)state;
        write_config("{\"max_connections\": 7}");
        assert_int_equal(options_parse_serve(5, argv, &first, &e), 0);
        assert_int_equal(first->max_connections, 7);
        write_config("{\"max_connections\": 8, \"max_body\": \"1M\"}");
        assert_int_equal(options_parse_serve(5, argv, &second, &e), 0);
        assert_int_equal(second->max_connections, 8);
        assert_int_equal(second->max_body_bytes, 5 << 20);
        host_config_free(second);
        second = NULL;
        write_config("{\"max_connections\": \"many\"}");
        assert_int_equal(options_parse_serve(5, argv, &second, &e), OPTIONS_CONFIG);
        assert_null(second);
        assert_int_equal(first->max_connections, 7);
        host_config_free(first);
}

static void test_serve_takes_no_words(void **state)
{
        char *argv[] = {(char *)"serve", (char *)"plugins", NULL};
        struct host_config *c = NULL;
        struct err e;

        (void)state;
        assert_int_equal(options_parse_serve(2, argv, &c, &e), OPTIONS_USAGE);
        assert_string_equal(e.msg, "takes no plugins (a folder of plugins: --plugins DIR)");
        assert_int_equal(options_exit(OPTIONS_USAGE), CLI_USAGE);
        assert_int_equal(options_exit(OPTIONS_CONFIG), CLI_CONFIG);
        assert_int_equal(options_exit(-ENOMEM), CLI_FAILURE);
}

static void test_help_is_not_hindered_by_a_bad_file(void **state)
{
        struct options o;
        struct err e;

        (void)state;
        assert_int_equal(
            load(CLI_COMMAND_serve, "serve --help -c /nowhere", "FORGESYTE_LISTEN=x", &o, &e), 0);
        assert_true(o.flags.help);
        options_done(&o);
}

/* A row that no struct has room for would write elsewhere; a row without words helps nobody. */
static void test_rows_are_complete(void **state)
{
        size_t n;
        const struct option *rows = options_settings(&n);

        (void)state;
        for (size_t i = 0; i < n; i++) {
                assert_true(rows[i].offset < sizeof(struct host_config));
                assert_non_null(rows[i].help);
                assert_non_null(rows[i].arg);
                assert_non_null(rows[i].env);
                assert_true((rows[i].flag == NULL) == (rows[i].key == NULL));
                assert_true(rows[i].type != OPTION_NAME || rows[i].names);
        }
}

static int remove_config(void **state)
{
        (void)state;
        return unlink("test_options.json");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_help_shows_the_real_defaults),
            cmocka_unit_test(test_every_source_beats_the_weaker_ones),
            cmocka_unit_test(test_lists_replace_whole_lists_of_weaker_sources),
            cmocka_unit_test(test_paths_of_the_file_begin_at_its_folder),
            cmocka_unit_test(test_one_plugin_has_its_own_limits),
            cmocka_unit_test(test_flags_may_stand_anywhere),
            cmocka_unit_test(test_bad_flags_say_what_is_wanted),
            cmocka_unit_test(test_listen_is_an_address_and_a_port),
            cmocka_unit_test(test_bad_variables_name_themselves),
            cmocka_unit_test(test_bad_files_name_line_and_key),
            cmocka_unit_test(test_bad_plugin_entries_name_line_and_key),
            cmocka_unit_test(test_reading_again_sees_the_new_file),
            cmocka_unit_test(test_serve_takes_no_words),
            cmocka_unit_test(test_help_is_not_hindered_by_a_bad_file),
            cmocka_unit_test(test_rows_are_complete),
        };

        return cmocka_run_group_tests(tests, NULL, remove_config);
}
