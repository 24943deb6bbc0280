/* Whichever allocation fails, what the host says of a plugin's end is whole, or less by a part that
 * it can do without; its log loses no byte uncounted; a box shows all of an interpreter, or none.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/failing_malloc.h"
#include "../support/test.h"
#include "base/fd.h"
#include "base/json.h"
#include "host/instance_verdict.h"
#include "host/last_words.h"
#include "host/plugin_log.h"
#include "host/python_editable.h"
#include "host/python_env.h"
#include "host/python_stack.h"

#define OURS                                                                                       \
        "  File \"/x/forgesyte_worker/serve.py\", line 141 in serve\n"                             \
        "  File \"/x/forgesyte_worker/__main__.py\", line 26 in <module>\n"
#define STACK                                                                                      \
        "Current thread 0x0000000000000003 (most recent call first):\n"                            \
        "  File \"/usr/lib/python3.11/queue.py\", line 180 in get\n"                               \
        "  File \"/plugin/plugin.py\", line 2 in run\n"                                            \
        "  File \"/plugin/plugin.py\", line 4 in go\n"
#define DUMP "a word before\nFatal Python error: Segmentation fault\n\n" STACK OURS
#define TRACEBACK                                                                                  \
        "Traceback (most recent call last):\n"                                                     \
        "  File \"/plugin/plugin.py\", line 4, in go\n    run()\n"                                 \
        "  File \"/plugin/plugin.py\", line 2, in run\n    raise ValueError(text)\n"               \
        "ValueError: the words of an exception, more of them than fit at once into what a text"

/* --- a folder with a plugin's source, and with interpreters --- */

static char root[] = "/tmp/forgesyte-words-XXXXXX";

/* A folder (no text), a file, or a link ("->" before its target); %s is the root. */
static const struct item {
        const char *path, *text;
} items[] = {
    {"plugin", NULL},
    {"plugin/plugin.py", "def run():\n    while True:\n        pass\nrun()\n"},
    {"base", NULL},
    {"base/bin", NULL},
    {"base/bin/python3", ""},
    {"base/lib", NULL},
    {"base/lib/python3.11", NULL},
    {"base/lib/python3.11/os.py", ""},
    {"venv", NULL},
    {"venv/pyvenv.cfg", "home = %s/base/bin\n"},
    {"venv/bin", NULL},
    {"venv/bin/python", "->../../base/bin/python3"},
    {"venv/lib", NULL},
    {"venv/lib/python3.11", NULL},
    {"venv/lib/python3.11/site-packages", NULL},
    {"venv/lib/python3.11/site-packages/e.pth", "%s/source\n"},
    {"source", NULL},
    {"links", NULL},
    {"links/python", "->%s/venv/bin/python"},
    {"links/crooked", "->../venv/lib/../bin/python"},
};

static void place_of(const char *name, char path[PATH_MAX])
{
        snprintf(path, PATH_MAX, "%s/%s", root, name);
}

/* Text with the root in the place of its %s. */
static void fill_in(const char *text, struct str *to)
{
        const char *hole = strstr(text, "%s");

        str_add(to, text, hole ? (size_t)(hole - text) : strlen(text));
        if (hole) {
                str_adds(to, root);
                str_adds(to, hole + 2);
        }
}

static int make_item(const struct item *item)
{
        scoped(str) struct str text = {0};
        scoped(fd) int fd = -1;
        char path[PATH_MAX];

        place_of(item->path, path);
        if (!item->text)
                return mkdir(path, 0755);
        fill_in(item->text, &text);
        if (!strncmp(text.data, "->", 2))
                return symlink(text.data + 2, path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        return fd < 0 ? -1 : fd_write_all(fd, text.data, text.len);
}

static int make_root(void **state)
{
        (void)state;
        if (!mkdtemp(root) || chmod(root, 0755) < 0)
                return -1;
        for (size_t i = 0; i < ARRAY_LEN(items); i++)
                if (make_item(&items[i]) < 0)
                        return -1;
        return 0;
}

static int remove_root(void **state)
{
        char path[PATH_MAX];

        (void)state;
        for (size_t i = ARRAY_LEN(items); i-- > 0;) {
                place_of(items[i].path, path);
                if (remove(path) < 0)
                        return -1;
        }
        return rmdir(root);
}

/* --- verdicts --- */

enum { WHOLE, WITHOUT_SOURCE, WITHOUT_TAIL, VARIANTS };

#define REASON                                                                                     \
        "the words of an exception, more of them than fit at once into what a text begins with"

struct ending {
        const char *type; /* of an exception */
        void (*say)(const struct ending *t, const struct verdict_circumstances *c,
                    struct tool_outcome *o);
        struct obituary obituary;
        struct verdict_circumstances c;
        struct tool_outcome said[VARIANTS];
};

static void say_death(const struct ending *t, const struct verdict_circumstances *c,
                      struct tool_outcome *o)
{
        verdict_of_death(&t->obituary, c, o);
}

static void say_timeout(const struct ending *t, const struct verdict_circumstances *c,
                        struct tool_outcome *o)
{
        (void)t;
        verdict_of_timeout(c, o);
}

static void say_error(const struct ending *t, const struct verdict_circumstances *c,
                      struct tool_outcome *o)
{
        const struct wire_error error = {.kind = WIRE_ERROR_EXCEPTION,
                                         .type = wire_str_of(t->type),
                                         .text = wire_str_of(REASON),
                                         .traceback = wire_str_of(TRACEBACK)};

        verdict_of_error(&error, "call", c->plugin_dir, o);
}

static bool same(const char *a, const char *b)
{
        return a && b ? !strcmp(a, b) : a == b;
}

static void end_once(void *ctx)
{
        const struct ending *t = ctx;
        const struct tool_outcome *whole = &t->said[WHOLE];
        scoped(tool_outcome) struct tool_outcome o = {0};
        bool failed, known = false;

        t->say(t, &t->c, &o);
        failed = failing_malloc_disarm();
        for (size_t i = 0; i < VARIANTS; i++)
                known |= same(o.words, t->said[i].words);
        known |= failed && same(o.words, REASON); /* without the name of its type */
        if (!known && !(failed && !o.words))
                fail_msg("says \"%s\"", o.words ? o.words : "nothing");
        assert_int_equal(o.error, whole->error);
        assert_int_equal(o.signal, whole->signal);
        assert_string_equal(o.type, whole->type);
        assert_true(same(o.traceback, whole->traceback) || (failed && !o.traceback));
        assert_true(same(o.place, whole->place) || (failed && !o.place));
        assert_true(same(o.stderr_tail, whole->stderr_tail) ||
                    (failed && (!o.stderr_tail || same(o.stderr_tail, t->c.tail))));
        assert_true(failed || same(o.words, whole->words));
}

/* Returns how many allocations were made to fail. */
static size_t end_in_each_way(struct ending *t)
{
        struct verdict_circumstances c = t->c;
        size_t n;

        t->say(t, &c, &t->said[WHOLE]);
        c.folder = NULL;
        t->say(t, &c, &t->said[WITHOUT_SOURCE]);
        c.tail = "";
        c.stack = NULL;
        t->say(t, &c, &t->said[WITHOUT_TAIL]);
        n = failing_malloc_each(end_once, t);
        for (size_t i = 0; i < VARIANTS; i++)
                tool_outcome_done(&t->said[i]);
        return n;
}

static void test_an_end_is_told_whole_or_by_its_sentence(void **state)
{
        static const struct obituary obituaries[] = {
            {.cause = OBITUARY_SIGNAL, .signal = SIGSEGV},
            {.cause = OBITUARY_KILLED, .signal = SIGKILL, .pids_limit = true},
            {.cause = OBITUARY_SYSCALL, .signal = SIGSYS},
            {.cause = OBITUARY_EXITED, .exit_code = 3},
            {.cause = OBITUARY_MEMORY, .signal = SIGKILL},
        };
        static const char *const tails[] = {DUMP, "panic: at the disco"};
        char folder[PATH_MAX];

        (void)state;
        place_of("plugin", folder);
        for (size_t i = 0; i < ARRAY_LEN(tails) * ARRAY_LEN(obituaries); i++) {
                struct ending t = {.say = say_death,
                                   .obituary = obituaries[i / ARRAY_LEN(tails)],
                                   .c = {.stage = "call",
                                         .memory_bytes = MIB(64),
                                         .tail = tails[i % ARRAY_LEN(tails)],
                                         .plugin_dir = "/plugin",
                                         .folder = folder}};

                assert_true(end_in_each_way(&t) >= 2);
        }
}

static void test_a_timeout_is_told_with_its_stack_or_without(void **state)
{
        char folder[PATH_MAX];
        struct ending t = {.say = say_timeout,
                           .c = {.stage = "call",
                                 .timeout_seconds = 5,
                                 .tail = DUMP,
                                 .stack = STACK OURS,
                                 .plugin_dir = "/plugin",
                                 .folder = folder}};

        (void)state;
        place_of("plugin", folder);
        assert_true(end_in_each_way(&t) > 8);
}

static void test_an_exception_is_told_in_its_own_words_or_in_none(void **state)
{
        static const char *const types[] = {"ValueError", "PluginCrashed"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
                struct ending t = {
                    .type = types[i], .say = say_error, .c = {.tail = "", .plugin_dir = "/plugin"}};

                assert_true(end_in_each_way(&t) > 3);
        }
}

/* --- what becomes of stderr --- */

static void shorten(void *ctx)
{
        scoped(str) struct str words = {0}, end = {0}, stack = {0};
        bool failed;

        (void)ctx;
        last_words_add(&words, DUMP, 400);
        last_words_add(&end, "one line that is cut off\nthe last one\n", 20);
        python_stack_add(&stack, STACK OURS, 400);
        failed = failing_malloc_disarm();
        assert_int_equal(words.bad || end.bad || stack.bad, failed);
        assert_true(words.bad || !strncmp(words.data, "Fatal Python error: ", 20));
        assert_true(end.bad || !strcmp(end.data, "the last one\n"));
        assert_true(stack.bad || strstr(stack.data, "plugin.py\", line 4 in go"));
}

static void test_last_words_are_known_to_be_cut(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(shorten, NULL) > 5);
}

static void write_log(struct plugin_log *l, struct plugin_log_writer *w, const char *text)
{
        plugin_log_write(l, w, PLUGIN_LOG_STDERR, text, strlen(text), 1);
}

/* Bytes but newlines: those of the lines that are there. */
static size_t bytes_of(const struct plugin_log *l)
{
        const struct plugin_log_line *line;
        uint64_t number = 0;
        size_t n = 0;

        STAILQ_FOREACH (line, &l->lines, link) {
                assert_int_equal(line->number, ++number);
                assert_int_equal(line->len, strlen(line->text));
                n += line->len;
        }
        assert_int_equal(l->next_number, number + 1);
        return n;
}

static const struct plugin_log_line *last_line(const struct plugin_log *l)
{
        const struct plugin_log_line *line, *last = NULL;

        STAILQ_FOREACH (line, &l->lines, link)
                last = line;
        return last;
}

static void keep_log(void *ctx)
{
        const char *long_line = ctx;
        struct plugin_log_writer w = {0};
        struct plugin_log l;
        bool failed;

        plugin_log_init(&l);
        write_log(&l, &w, "some words\n\nothers that");
        write_log(&l, &w, " go on\n");
        write_log(&l, &w, long_line);
        write_log(&l, &w, "\nunfinished");
        plugin_log_flush(&l, &w, PLUGIN_LOG_STDERR, 1);
        failed = failing_malloc_disarm();
        assert_int_equal(bytes_of(&l) + l.dropped_bytes,
                         strlen("some wordsothers that go onunfinished") + strlen(long_line));
        assert_true(failed || l.dropped_bytes == 0);
        write_log(&l, &w, "after\n");
        assert_string_equal(last_line(&l)->text, "after");
        plugin_log_writer_done(&w);
        plugin_log_done(&l);
}

static void test_a_log_loses_nothing_uncounted(void **state)
{
        char long_line[PLUGIN_LOG_LINE + 100];

        (void)state;
        memset(long_line, 'x', sizeof long_line);
        long_line[sizeof long_line - 1] = '\0';
        assert_true(failing_malloc_each(keep_log, long_line) > 15);
}

static void show_log(void *ctx)
{
        scoped(str) struct str tail = {0}, json = {0};
        const struct plugin_log *l = ctx;
        scoped(json_decref) json_t *value = NULL;
        bool failed;

        plugin_log_tail(l, 0, 200, &tail);
        plugin_log_line_to_json(STAILQ_FIRST(&l->lines), &json);
        failed = failing_malloc_disarm();
        assert_int_equal(tail.bad || json.bad, failed);
        if (failed)
                return;
        assert_string_equal(tail.data, "the first line, which \"says\" something\nand the second, "
                                       "which is as long as the first one");
        assert_int_equal(json_parse(json.data, json.len, &value, NULL), 0);
}

static void test_a_log_is_shown_whole_or_known_not_to_be(void **state)
{
        struct plugin_log_writer w = {0};
        struct plugin_log l;

        (void)state;
        plugin_log_init(&l);
        write_log(&l, &w,
                  "the first line, which \"says\" something\nand the second, which is as "
                  "long as the first one\n");
        assert_true(failing_malloc_each(show_log, &l) > 3);
        plugin_log_writer_done(&w);
        plugin_log_done(&l);
}

/* --- interpreters --- */

static void resolve(void *ctx)
{
        char from[PATH_MAX], want[PATH_MAX];
        scoped(free) char *got = NULL;
        bool failed;

        place_of(ctx, from);
        place_of("venv/bin/python", want);
        got = python_env_resolve(from);
        failed = failing_malloc_disarm();
        assert_int_equal(got == NULL, failed);
        if (got)
                assert_string_equal(got, want);
}

static void test_an_interpreter_is_found_where_it_is_or_not(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(resolve, (void *)"links/python") > 2);
        assert_true(failing_malloc_each(resolve, (void *)"links/crooked") > 2);
}

static void expect_bind(const struct sandbox_policy *p, const char *name, bool link)
{
        char path[PATH_MAX];

        place_of(name, path);
        for (size_t i = 0; i < p->n_binds; i++)
                if (p->binds[i].link == link && !strcmp(p->binds[i].source, path))
                        return;
        fail_msg("%s is not shown", path);
}

static void show_interpreter(void *ctx)
{
        scoped(sandbox_policy) struct sandbox_policy p;
        struct err e = {0};
        bool failed;
        int r;

        sandbox_policy_init(&p);
        r = python_env_bind(&p, ctx, "/usr/lib", &e);
        failed = failing_malloc_disarm();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        if (r < 0)
                return;
        assert_int_equal(p.n_binds, 4);
        expect_bind(&p, "venv", false);
        expect_bind(&p, "source", false);
        expect_bind(&p, "base", false);
        expect_bind(&p, "venv/bin/python", true);
}

static void test_a_box_shows_all_of_an_interpreter_or_is_not_built(void **state)
{
        char python[PATH_MAX];

        (void)state;
        place_of("venv/bin/python", python);
        assert_true(failing_malloc_each(show_interpreter, python) > 10);
}

static int count_folder(void *ctx, const char *path)
{
        char want[PATH_MAX];

        place_of("source", want);
        assert_string_equal(path, want);
        ++*(unsigned *)ctx;
        return 0;
}

static void find_editable(void *ctx)
{
        unsigned n = 0;
        int r = python_editable_each(ctx, count_folder, &n);
        bool failed = failing_malloc_disarm();

        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(n, failed ? 0 : 1);
}

static void test_no_folder_of_an_installation_is_passed_over(void **state)
{
        char venv[PATH_MAX];

        (void)state;
        place_of("venv", venv);
        assert_true(failing_malloc_each(find_editable, venv) > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_an_end_is_told_whole_or_by_its_sentence),
            cmocka_unit_test(test_a_timeout_is_told_with_its_stack_or_without),
            cmocka_unit_test(test_an_exception_is_told_in_its_own_words_or_in_none),
            cmocka_unit_test(test_last_words_are_known_to_be_cut),
            cmocka_unit_test(test_a_log_loses_nothing_uncounted),
            cmocka_unit_test(test_a_log_is_shown_whole_or_known_not_to_be),
            cmocka_unit_test(test_an_interpreter_is_found_where_it_is_or_not),
            cmocka_unit_test(test_a_box_shows_all_of_an_interpreter_or_is_not_built),
            cmocka_unit_test(test_no_folder_of_an_installation_is_passed_over),
        };

        return cmocka_run_group_tests_name("words_memory", tests, make_root, remove_root);
}
