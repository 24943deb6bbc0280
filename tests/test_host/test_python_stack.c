/* What Python prints of its stacks, as it comes and as a plugin may forge it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/test.h"
#include "host/python_stack.h"

#define OURS                                                                                       \
        "  File \"/x/forgesyte_worker/serve.py\", line 141 in serve\n"                             \
        "  File \"/x/forgesyte_worker/__main__.py\", line 26 in <module>\n"                        \
        "  File \"<frozen runpy>\", line 88 in _run_code\n"
#define WATCHER                                                                                    \
        "Thread 0x0000000000000001 (most recent call first):\n"                                    \
        "  File \"/x/forgesyte_worker/channel.py\", line 278 in _watch\n"                          \
        "  File \"/usr/lib/python3.11/threading.py\", line 975 in run\n\n"
#define HELPER                                                                                     \
        "Thread 0x0000000000000002 (most recent call first):\n"                                    \
        "  File \"/plugin/helper.py\", line 3 in poll\n\n"
#define MAIN                                                                                       \
        "Current thread 0x0000000000000003 (most recent call first):\n"                            \
        "  File \"/usr/lib/python3.11/queue.py\", line 180 in get\n"                               \
        "  File \"/plugin/sub/plugin.py\", line 12 in run\n"                                       \
        "  File \"/plugin/plugin.py\", line 40 in go\n"

static void test_the_main_threads_innermost_own_frame_is_the_place(void **state)
{
        struct python_place p;

        (void)state;
        assert_true(python_stack_place_of_dump(WATCHER HELPER MAIN OURS, "/plugin", &p));
        assert_string_equal(p.file, "sub/plugin.py");
        assert_int_equal(p.line, 12);
        assert_string_equal(p.function, "run");
        /* Too deep to show our own first frame: the last thread is the main one. */
        assert_true(python_stack_place_of_dump(WATCHER HELPER MAIN "  ...\n", "/plugin", &p));
        assert_int_equal(p.line, 12);
        assert_false(python_stack_place_of_dump(WATCHER HELPER MAIN OURS, "/plug", &p));
        /* Another thread's place would lead astray. */
        assert_false(python_stack_place_of_dump(HELPER "Current thread 0x3 (most recent call "
                                                       "first):\n" OURS,
                                                "/plugin", &p));
        assert_false(python_stack_place_of_dump("", "/plugin", &p));
}

static void test_a_loop_that_waits_is_known(void **state)
{
        (void)state;
        assert_true(python_stack_is_in_loop(
            WATCHER "Thread 0x3 (most recent call first):\n"
                    "  File \"/usr/lib/python3.11/selectors.py\", line 468 in select\n"
                    "  File \"/usr/lib/python3.11/asyncio/base_events.py\", line 1884 in "
                    "_run_once\n" OURS));
        assert_false(python_stack_is_in_loop(MAIN OURS));
        assert_false(python_stack_is_in_loop(""));
}

static void test_a_tracebacks_last_own_frame_is_the_place(void **state)
{
        struct python_place p;

        (void)state;
        assert_true(python_stack_place_of_traceback(
            "Traceback (most recent call last):\n  File \"/plugin/plugin.py\", line 9, in go\n"
            "    return inner(0)\n  File \"/plugin/plugin.py\", line 2, in inner\n"
            "  File \"/usr/lib/python3/json.py\", line 346, in loads\nValueError: x\n",
            "/plugin", &p));
        assert_int_equal(p.line, 2);
        assert_string_equal(p.function, "inner");
        assert_false(python_stack_place_of_traceback("ValueError: x", "/plugin", &p));
}

static void test_forged_frames_are_no_place_or_a_bounded_one(void **state)
{
        static const char *const lines[] = {"  File \"/plugin/plugin.py\"",
                                            "  File \"/plugin/plugin.py\", line ",
                                            "  File \"/plugin/plugin.py\", line x",
                                            "  File \"/plugin/\", line 3 in x",
                                            "  File \"/plugin",
                                            "  File \"",
                                            "  File \"/plugin/plugin.py\", line 0 in x"};
        scoped(str) struct str text = {0};
        struct python_place p;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(lines); i++)
                assert_false(python_stack_place_of_traceback(lines[i], "/plugin", &p));
        str_adds(&text, "  File \"/plugin/p.py\", line 7 in ");
        for (int i = 0; i < 5000; i++)
                str_addc(&text, 'x');
        assert_true(python_stack_place_of_traceback(text.data, "/plugin", &p));
        assert_int_equal(strlen(p.function), sizeof p.function - 1);
}

/* A plugin that prints a stack of its own must not name the machine's files in the host's words. */
static void test_a_place_outside_of_the_folder_is_none(void **state)
{
        static const char *const paths[] = {"../../etc/shadow.py",
                                            "sub/../../etc/shadow.py",
                                            "sub/..",
                                            "..",
                                            "/etc/shadow.py",
                                            "sub//plugin.py",
                                            "./plugin.py",
                                            "sub/./plugin.py",
                                            "sub/.",
                                            "sub/"};
        static const char *const good[] = {"..py", "sub/...", ".hidden/plugin.py", "a..b/..c"};
        struct python_place p;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
                scoped(str) struct str dump = {0};

                str_addf(&dump,
                         "Thread 0x1 (most recent call first):\n  File \"/plugin/%s\", "
                         "line 1 in x\n",
                         paths[i]);
                assert_false(python_stack_place_of_dump(dump.data, "/plugin", &p));
                assert_false(python_stack_place_of_traceback(dump.data, "/plugin", &p));
                /* The frame that called it is still one. */
                str_adds(&dump, "  File \"/plugin/plugin.py\", line 3 in y\n");
                assert_true(python_stack_place_of_dump(dump.data, "/plugin", &p));
                assert_string_equal(p.file, "plugin.py");
        }
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                scoped(str) struct str text = {0};

                str_addf(&text, "  File \"/plugin/%s\", line 1, in x\n", good[i]);
                assert_true(python_stack_place_of_traceback(text.data, "/plugin", &p));
                assert_string_equal(p.file, good[i]);
        }
}

static void test_it_is_whole_when_the_main_thread_is_at_its_first_frame(void **state)
{
        static const char text[] = WATCHER HELPER MAIN OURS;
        const char *end = strstr(text, "  File \"<frozen runpy>");
        scoped(str) struct str part = {0};

        (void)state;
        assert_true(python_stack_is_whole(text));
        str_add(&part, text, (size_t)(end - text));
        assert_true(python_stack_is_whole(part.data));
        str_done(&part);
        str_add(&part, text, (size_t)(strstr(text, "__main__") - text));
        assert_false(python_stack_is_whole(part.data));
        assert_false(python_stack_is_whole(OURS)); /* of no thread */
        assert_false(python_stack_is_whole(""));
}

static void test_what_is_shown_begins_with_the_main_thread_and_has_none_of_ours(void **state)
{
        scoped(str) struct str shown = {0};

        (void)state;
        python_stack_add(&shown, "noise\n" WATCHER HELPER MAIN "printed in between\n" OURS, 4000);
        assert_string_equal(shown.data, "Main thread (most recent call first):\n"
                                        "  File \"/usr/lib/python3.11/queue.py\", line 180 in get\n"
                                        "  File \"/plugin/sub/plugin.py\", line 12 in run\n"
                                        "  File \"/plugin/plugin.py\", line 40 in go\n"
                                        "Thread 0x0000000000000002 (most recent call first):\n"
                                        "  File \"/plugin/helper.py\", line 3 in poll");
        str_done(&shown);
        python_stack_add(&shown, MAIN, 120);
        assert_true(shown.len <= 120);
        assert_string_equal(shown.data, "Main thread (most recent call first):\n"
                                        "  File \"/usr/lib/python3.11/queue.py\", line 180 in get");
        str_done(&shown);
        python_stack_add(&shown, "no stack at all", 4000);
        assert_int_equal(shown.len, 0);
}

static void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
        char path[256];
        FILE *f;

        snprintf(path, sizeof path, "%s/%s", dir, name);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
        assert_int_equal(chmod(path, mode), 0);
}

static void expect_place(const char *folder, const char *file, unsigned line, const char *expected)
{
        scoped(str) struct str text = {0};
        struct python_place p = {.line = line, .function = "run"};

        snprintf(p.file, sizeof p.file, "%s", file);
        python_stack_add_place(&text, &p, folder);
        assert_string_equal(text.data, expected);
}

static void test_a_place_shows_its_line_of_a_file_that_the_plugin_may_read(void **state)
{
        char dir[] = "/tmp/forgesyte-test-XXXXXX", path[64];
        const char *const names[] = {"plugin.py", "secret.py", "notes.txt", "away.py"};

        (void)state;
        assert_non_null(mkdtemp(dir));
        write_file(dir, "plugin.py", "one\n    while \x1b[31mTrue:\n\n", 0644);
        write_file(dir, "secret.py", "token\n", 0600);
        write_file(dir, "notes.txt", "one\n", 0644);
        snprintf(path, sizeof path, "%s/away.py", dir);
        assert_int_equal(symlink("/etc/passwd", path), 0);
        expect_place(NULL, "plugin.py", 1, "plugin.py line 1, in run");
        expect_place(dir, "plugin.py", 1, "plugin.py line 1, in run: one");
        expect_place(dir, "plugin.py", 3, "plugin.py line 3, in run");
        expect_place(dir, "plugin.py", 400, "plugin.py line 400, in run");
        expect_place(dir, "notes.txt", 1, "notes.txt line 1, in run");
        expect_place(dir, "away.py", 1, "away.py line 1, in run");
        expect_place(dir, "../plugin.py", 1, "../plugin.py line 1, in run");
        expect_place(dir, "gone.py", 1, "gone.py line 1, in run");
        if (geteuid() == 0)
                expect_place(dir, "secret.py", 1, "secret.py line 1, in run");
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                snprintf(path, sizeof path, "%s/%s", dir, names[i]);
                unlink(path);
        }
        assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_the_main_threads_innermost_own_frame_is_the_place),
            cmocka_unit_test(test_a_loop_that_waits_is_known),
            cmocka_unit_test(test_a_tracebacks_last_own_frame_is_the_place),
            cmocka_unit_test(test_forged_frames_are_no_place_or_a_bounded_one),
            cmocka_unit_test(test_a_place_outside_of_the_folder_is_none),
            cmocka_unit_test(test_it_is_whole_when_the_main_thread_is_at_its_first_frame),
            cmocka_unit_test(test_what_is_shown_begins_with_the_main_thread_and_has_none_of_ours),
            cmocka_unit_test(test_a_place_shows_its_line_of_a_file_that_the_plugin_may_read),
        };

        return cmocka_run_group_tests_name("python_stack", tests, NULL, NULL);
}
