/* Obituary by stage to error, words and signal: a table. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "../support/test.h"
#include "base/str.h"
#include "host/instance_verdict.h"

#define TAIL "panic: at the disco"

static const struct death {
        const char *name;
        struct obituary obituary;
        const char *stage;
        enum plugin_error error;
        int signal;
        const char *words;
        bool tail; /* stderr is behind the sentence */
} deaths[] = {
    {"segv",
     {.cause = OBITUARY_SIGNAL, .signal = SIGSEGV},
     "call",
     PLUGIN_ERROR_CRASHED,
     SIGSEGV,
     "Plugin crashed: died by signal 11 (SIGSEGV) (stage=call).",
     true},
    {"segv idle",
     {.cause = OBITUARY_SIGNAL, .signal = SIGSEGV},
     "idle",
     PLUGIN_ERROR_CRASHED,
     SIGSEGV,
     "Plugin crashed: died by signal 11 (SIGSEGV) (stage=idle).",
     true},
    {"segv load",
     {.cause = OBITUARY_SIGNAL, .signal = SIGSEGV},
     "load",
     PLUGIN_ERROR_CRASHED,
     SIGSEGV,
     "Plugin crashed: died by signal 11 (SIGSEGV) (stage=load).",
     true},
    {"foreign kill",
     {.cause = OBITUARY_SIGNAL, .signal = SIGKILL},
     "call",
     PLUGIN_ERROR_CRASHED,
     SIGKILL,
     "Plugin crashed: died by signal 9 (SIGKILL) (stage=call).",
     true},
    {"own kill",
     {.cause = OBITUARY_KILLED, .signal = SIGKILL},
     "call",
     PLUGIN_ERROR_CRASHED,
     SIGKILL,
     "Plugin crashed: was killed by the host (stage=call).",
     true},
    {"too many threads",
     {.cause = OBITUARY_KILLED, .signal = SIGKILL, .pids_limit = true},
     "call",
     PLUGIN_ERROR_RESOURCE_LIMIT,
     SIGKILL,
     "Plugin was killed for having more threads than it may (stage=call).",
     true},
    {"exit in a call",
     {.cause = OBITUARY_EXITED, .exit_code = 3},
     "call",
     PLUGIN_ERROR_CRASHED,
     0,
     "Plugin crashed: exited 3 without reply (stage=call). Something in it called "
     "exit() or _exit().",
     true},
    {"exit 0 in a call",
     {.cause = OBITUARY_EXITED},
     "call",
     PLUGIN_ERROR_CRASHED,
     0,
     "Plugin crashed: exited 0 without reply (stage=call). Something in it called "
     "exit() or _exit().",
     true},
    {"exit in init",
     {.cause = OBITUARY_EXITED, .exit_code = 1},
     "init",
     PLUGIN_ERROR_CRASHED,
     0,
     "Plugin crashed: exited 1 without reply (stage=init). Something in it called "
     "exit() or _exit().",
     true},
    {"exit in dlopen",
     {.cause = OBITUARY_EXITED, .exit_code = 2},
     "load",
     PLUGIN_ERROR_IMPORT,
     0,
     "ImportError: the plugin exited with code 2 while being loaded (stage=load).",
     true},
    {"EX_OSFILE",
     {.cause = OBITUARY_EXITED, .exit_code = 72},
     "call",
     PLUGIN_ERROR_CRASHED,
     0,
     "Plugin crashed: exited 72 without reply (stage=call). Something in it called "
     "exit() or _exit().",
     true},
    {"a closed channel",
     {.cause = OBITUARY_EXITED, .exit_code = 219},
     "call",
     PLUGIN_ERROR_PROTOCOL,
     0,
     "the plugin closed or replaced descriptor 3, its channel to the host (stage=call). "
     "A plugin closes what it has opened, and nothing else.",
     true},
    {"an exception in the runtime",
     {.cause = OBITUARY_EXITED, .exit_code = 220},
     "call",
     PLUGIN_ERROR_CRASHED,
     0,
     "Plugin crashed: what a timer, a signal handler or a thread of it raised hit the runtime "
     "between two calls (stage=call).",
     true},
    {"no process",
     {.cause = OBITUARY_EXITED, .exit_code = 1, .pids_limit = true},
     "call",
     PLUGIN_ERROR_RESOURCE_LIMIT,
     0,
     "Plugin hit its process limit and exited with code 1 (stage=call).",
     true},
    {"memory in a call",
     {.cause = OBITUARY_MEMORY, .signal = SIGKILL, .oom_kills = 1},
     "call",
     PLUGIN_ERROR_MEMORY_LIMIT,
     SIGKILL,
     "Plugin exceeded 1GB memory limit. Reduce model size or increase limit.",
     false},
    {"memory in init",
     {.cause = OBITUARY_MEMORY, .signal = SIGKILL},
     "init",
     PLUGIN_ERROR_MEMORY_LIMIT,
     SIGKILL,
     "Plugin exceeded 1GB memory limit. Reduce model size or increase limit. (stage=init)",
     false},
    {"system call",
     {.cause = OBITUARY_SYSCALL, .signal = SIGSYS},
     "validate",
     PLUGIN_ERROR_SANDBOX_VIOLATION,
     SIGSYS,
     "Plugin was killed for a system call that its sandbox forbids (signal 31, SIGSYS, "
     "stage=validate).",
     true},
    {"no box",
     {.cause = OBITUARY_SETUP, .exit_code = 70, .setup = "mount /proc: no"},
     "load",
     PLUGIN_ERROR_ISOLATION_UNAVAILABLE,
     0,
     "the sandbox could not be built: mount /proc: no",
     false},
};

static struct verdict_circumstances at(const char *stage, const char *tail)
{
        return (struct verdict_circumstances){.stage = stage,
                                              .memory_bytes = UINT64_C(1) << 30,
                                              .timeout_seconds = 2.5,
                                              .tail = tail};
}

static void expect_words(const struct death *d, const struct tool_outcome *o, const char *tail)
{
        scoped(str) struct str words = {0};

        str_adds(&words, d->words);
        if (d->tail && tail[0])
                str_addf(&words, " Last stderr: %s", tail);
        if (strcmp(o->words, words.data))
                fail_msg("%s: \"%s\", not \"%s\"", d->name, o->words, words.data);
}

static void test_each_death_has_its_error_words_and_signal(void **state)
{
        static const char *const tails[] = {"", TAIL};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(deaths); i++)
                for (size_t t = 0; t < ARRAY_LEN(tails); t++) {
                        const struct death *d = &deaths[i];
                        struct verdict_circumstances c = at(d->stage, tails[t]);
                        struct tool_outcome o = {0};

                        verdict_of_death(&d->obituary, &c, &o);
                        expect_words(d, &o, tails[t]);
                        assert_int_equal(o.error, d->error);
                        assert_int_equal(o.signal, d->signal);
                        if (tails[t][0] && d->error != PLUGIN_ERROR_ISOLATION_UNAVAILABLE)
                                assert_string_equal(o.stderr_tail, TAIL);
                        else
                                assert_null(o.stderr_tail);
                        tool_outcome_done(&o);
                }
}

static void test_a_timeout_names_the_limit_that_passed(void **state)
{
        struct verdict_circumstances c = at("call", TAIL);
        struct tool_outcome o = {0};

        (void)state;
        verdict_of_timeout(&c, &o);
        assert_int_equal(o.error, PLUGIN_ERROR_TIMEOUT);
        assert_string_equal(o.words, "Plugin execution timed out after 2.5s. Increase timeout in "
                                     "manifest if needed.");
        assert_string_equal(o.stderr_tail, TAIL);
        tool_outcome_done(&o);
        c = at("validate", "");
        verdict_of_timeout(&c, &o);
        assert_string_equal(o.words, "Plugin did not finish loading within 2.5s (stage=validate). "
                                     "Increase load_timeout_seconds in manifest if needed.");
        tool_outcome_done(&o);
}

static void test_a_kill_for_others_memory_does_not_blame_the_plugins_limit(void **state)
{
        const struct obituary died = {.cause = OBITUARY_MEMORY, .signal = SIGKILL};
        struct verdict_circumstances c = at("call", "");
        struct tool_outcome o = {0};

        (void)state;
        c.shortage = true;
        verdict_of_death(&died, &c, &o);
        assert_int_equal(o.error, PLUGIN_ERROR_MEMORY_LIMIT);
        assert_int_equal(o.signal, SIGKILL);
        assert_string_equal(o.words, "Plugin was killed within its 1GB memory limit: the machine, "
                                     "or the cgroup that the host is in, had no memory left. Run "
                                     "fewer plugins at once, lower their limits, or give the host "
                                     "more.");
        tool_outcome_done(&o);
}

static void test_a_timeout_of_a_python_plugin_says_where_it_was(void **state)
{
        struct verdict_circumstances c = at("call", TAIL);
        struct tool_outcome o = {0};

        (void)state;
        c.plugin_dir = "/plugin";
        c.stack = "Current thread 0x2 (most recent call first):\n"
                  "  File \"/usr/lib/queue.py\", line 180 in get\n"
                  "  File \"/plugin/plugin.py\", line 12 in run\n"
                  "  File \"/x/forgesyte_worker/__main__.py\", line 26 in <module>";
        verdict_of_timeout(&c, &o);
        assert_string_equal(o.words, "Plugin execution timed out after 2.5s. Increase timeout in "
                                     "manifest if needed. It was in plugin.py line 12, in run");
        assert_string_equal(o.traceback, "Main thread (most recent call first):\n"
                                         "  File \"/usr/lib/queue.py\", line 180 in get\n"
                                         "  File \"/plugin/plugin.py\", line 12 in run");
        assert_string_equal(o.stderr_tail, o.traceback);
        tool_outcome_done(&o);
        c.stack = "it printed, and told nothing";
        verdict_of_timeout(&c, &o);
        assert_string_equal(o.words, "Plugin execution timed out after 2.5s. Increase timeout in "
                                     "manifest if needed.");
        assert_null(o.traceback);
        assert_string_equal(o.stderr_tail, TAIL);
        tool_outcome_done(&o);
}

static void test_a_crash_of_a_python_plugin_says_where_it_was(void **state)
{
        struct verdict_circumstances c =
            at("call", "Fatal Python error: Segmentation fault\n"
                       "Stack (most recent call first):\n"
                       "  File \"/usr/lib/ctypes/__init__.py\", line 519 in string_at\n"
                       "  File \"/plugin/plugin.py\", line 10 in go");
        struct obituary d = {.cause = OBITUARY_SIGNAL, .signal = SIGSEGV};
        struct tool_outcome o = {0};

        (void)state;
        c.plugin_dir = "/plugin";
        verdict_of_death(&d, &c, &o);
        assert_ptr_equal(strstr(o.words, "Plugin crashed: died by signal 11 (SIGSEGV) "
                                         "(stage=call). It was in plugin.py line 10, in go\n"
                                         "Last stderr: Fatal Python error: "),
                         o.words);
        tool_outcome_done(&o);
}

static void test_an_exception_keeps_its_place_for_the_reason(void **state)
{
        struct wire_error m = {
            WIRE_ERROR_EXCEPTION, wire_str_of("ValueError"), wire_str_of("words"),
            wire_str_of("Traceback\n  File \"/plugin/plugin.py\", line 9, in go\n    x\n")};
        struct tool_outcome o = {0};

        (void)state;
        verdict_of_error(&m, "call", "/plugin", &o);
        assert_string_equal(o.words, "words");
        assert_string_equal(o.place, "plugin.py line 9, in go");
        tool_outcome_done(&o);
        verdict_of_error(&m, "call", NULL, &o); /* a native one says what it likes */
        assert_null(o.place);
        tool_outcome_done(&o);
}

static void expect_short(const char *tail, const char *expected)
{
        struct verdict_circumstances c = at("call", tail);
        struct obituary d = {.cause = OBITUARY_SIGNAL, .signal = SIGABRT};
        struct tool_outcome o = {0};
        const char *words;

        verdict_of_death(&d, &c, &o);
        words = strstr(o.words, "Last stderr: ");
        assert_non_null(words);
        assert_string_equal(words + strlen("Last stderr: "), expected);
        assert_string_equal(o.stderr_tail, tail);
        tool_outcome_done(&o);
}

static void test_a_long_tail_is_cut_at_a_line_or_a_character(void **state)
{
        scoped(str) struct str lines = {0}, line = {0}, kana = {0};

        (void)state;
        for (int i = 0; i < 50; i++)
                str_addf(&lines, "%sline number %03d", i ? "\n" : "", i);
        assert_true(lines.len > 400);
        expect_short(lines.data, lines.data + lines.len - (400 / 16 * 16 - 1));
        for (int i = 0; i < 500; i++)
                str_addc(&line, 'x');
        expect_short(line.data, line.data + 100);
        for (int i = 0; i < 200; i++)
                str_adds(&kana, "\xe3\x81\x82");
        expect_short(kana.data, kana.data + 600 - 399);
}

/* Python writes the innermost call first, and ours last. */
static void test_of_a_python_crash_the_innermost_calls_are_told(void **state)
{
        static const char ours[] = "  File \"/x/forgesyte_worker/serve.py\", line 132 in serve\n"
                                   "  File \"<frozen runpy>\", line 88 in _run_code\n";
        static const char mine[] = "  File \"/plugin/plugin.py\", line 6 in broken\n";
        scoped(str) struct str tail = {0};
        struct obituary d = {.cause = OBITUARY_SIGNAL, .signal = SIGSEGV};
        struct verdict_circumstances c;
        struct tool_outcome o = {0};

        (void)state;
        str_addf(&tail,
                 "loading\nFatal Python error: Segmentation fault\n\nThread 0x1 (most recent call "
                 "first):\n  File \"/usr/lib/threading.py\", line 2 in wait\n\nCurrent thread 0x2 "
                 "(most recent call first):\n%s",
                 mine);
        for (int i = 0; i < 50; i++)
                str_adds(&tail, "  File \"/plugin/plugin.py\", line 8 in deep\n");
        str_adds(&tail, ours);
        c = at("call", tail.data);
        verdict_of_death(&d, &c, &o);
        assert_non_null(strstr(o.words, "Last stderr: Fatal Python error: Segmentation fault\n"
                                        "Current thread 0x2 (most recent call first):\n"
                                        "  File \"/plugin/plugin.py\", line 6 in broken\n"));
        assert_null(strstr(o.words, "threading"));
        assert_string_equal(o.words + strlen(o.words) - strlen("in deep"), "in deep");
        tool_outcome_done(&o);

        str_done(&tail);
        str_addf(&tail, "Fatal Python error: Aborted\n\n%s%s", ours, mine);
        verdict_of_death(&d, &(struct verdict_circumstances){.stage = "call", .tail = tail.data},
                         &o);
        assert_non_null(strstr(o.words, "Last stderr: Fatal Python error: Aborted\n  File "
                                        "\"/plugin/plugin.py\", line 6 in broken"));
        assert_null(strstr(o.words, "forgesyte_worker"));
        tool_outcome_done(&o);
}

/* --- ERROR frames --- */

static const struct {
        uint8_t kind;
        const char *stage;
        enum plugin_error error;
        const char *type; /* of the outcome */
} errors[] = {
    {WIRE_ERROR_DECLARED, "call", PLUGIN_ERROR_DECLARED, "BadImage"},
    {WIRE_ERROR_EXCEPTION, "call", PLUGIN_ERROR_EXCEPTION, "BadImage"},
    {WIRE_ERROR_IMPORT, "call", PLUGIN_ERROR_EXCEPTION, "BadImage"},
    {WIRE_ERROR_ABI, "load", PLUGIN_ERROR_ABI_MISMATCH, ""},
    {WIRE_ERROR_IMPORT, "load", PLUGIN_ERROR_IMPORT, ""},
    {WIRE_ERROR_EXCEPTION, "init", PLUGIN_ERROR_INIT, ""},
    {WIRE_ERROR_DECLARED, "init", PLUGIN_ERROR_INIT, ""},
    {WIRE_ERROR_EXCEPTION, "validate", PLUGIN_ERROR_VALIDATION, ""},
    {WIRE_ERROR_EXCEPTION, "check", PLUGIN_ERROR_INTERNAL, ""},
};

static void test_each_error_frame_has_its_error_by_stage(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
                struct wire_error m = {errors[i].kind, wire_str_of("BadImage"),
                                       wire_str_of("words"), wire_str_of("")};
                struct tool_outcome o = {0};

                verdict_of_error(&m, errors[i].stage, NULL, &o);
                assert_int_equal(o.error, errors[i].error);
                assert_string_equal(o.type, errors[i].type);
                assert_string_equal(o.words, "words");
                assert_null(o.traceback);
                tool_outcome_done(&o);
        }
}

static void test_a_type_is_a_name_or_nothing(void **state)
{
        static const struct {
                const char *type;
                bool taken;
        } types[] = {
            {"ValueError", true},
            {"my.module.Error_2", true},
            {"", false},
            {"2Fast", false},
            {"a b", false},
            {"x\",\"ok\":true", false},
            {"<script>", false},
            {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl", true},
            {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm", false},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
                struct wire_error m = {WIRE_ERROR_EXCEPTION, wire_str_of(types[i].type),
                                       wire_str_of(""), wire_str_of("Traceback\n  x")};
                struct tool_outcome o = {0};

                verdict_of_error(&m, "call", NULL, &o);
                assert_string_equal(o.type, types[i].taken ? types[i].type : "");
                assert_string_equal(o.words, "the plugin gave no reason");
                assert_string_equal(o.traceback, "Traceback\n  x");
                tool_outcome_done(&o);
        }
}

static void test_a_declared_error_does_not_pass_for_one_of_the_hosts(void **state)
{
        struct wire_error m = {WIRE_ERROR_DECLARED, wire_str_of("TimeoutError"),
                               wire_str_of("words"), wire_str_of("")};
        struct tool_outcome o = {0};

        (void)state;
        verdict_of_error(&m, "call", NULL, &o);
        assert_int_equal(o.error, PLUGIN_ERROR_DECLARED);
        assert_string_equal(o.type, "");
        tool_outcome_done(&o);
        m.kind = WIRE_ERROR_EXCEPTION; /* Python has one of that name */
        verdict_of_error(&m, "call", NULL, &o);
        assert_string_equal(o.type, "TimeoutError");
        tool_outcome_done(&o);
}

static void test_an_exception_does_not_pass_for_a_finding_of_the_host(void **state)
{
        static const char *const names[] = {"MemoryLimitExceeded",   "PluginCrashed",
                                            "ProtocolError",         "Cancelled",
                                            "ResourceLimitExceeded", "SandboxViolation"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                struct wire_error m = {WIRE_ERROR_EXCEPTION, wire_str_of(names[i]),
                                       wire_str_of("words"), wire_str_of("")};
                struct tool_outcome o = {0};
                char words[64];

                snprintf(words, sizeof words, "%s: words", names[i]);
                verdict_of_error(&m, "call", NULL, &o);
                assert_int_equal(o.error, PLUGIN_ERROR_EXCEPTION);
                assert_string_equal(o.type, "");
                assert_string_equal(o.words, words);
                tool_outcome_done(&o);
        }
}

static void test_a_plugins_words_are_bounded_and_printable(void **state)
{
        scoped(str) struct str text = {0};
        struct wire_error m = {.kind = WIRE_ERROR_DECLARED};
        struct tool_outcome o = {0};

        (void)state;
        str_adds(&text, "\x1b[31m");
        while (text.len < KIB(60))
                str_adds(&text, "words ");
        m.text = m.traceback = (struct wire_str){text.data, (uint32_t)text.len};
        verdict_of_error(&m, "call", NULL, &o);
        assert_true(strlen(o.words) <= KIB(4));
        assert_true(strlen(o.traceback) <= KIB(16));
        assert_null(strchr(o.words, '\x1b'));
        assert_null(strchr(o.traceback, '\x1b'));
        tool_outcome_done(&o);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_each_death_has_its_error_words_and_signal),
            cmocka_unit_test(test_a_timeout_names_the_limit_that_passed),
            cmocka_unit_test(test_a_kill_for_others_memory_does_not_blame_the_plugins_limit),
            cmocka_unit_test(test_a_timeout_of_a_python_plugin_says_where_it_was),
            cmocka_unit_test(test_a_crash_of_a_python_plugin_says_where_it_was),
            cmocka_unit_test(test_an_exception_keeps_its_place_for_the_reason),
            cmocka_unit_test(test_a_long_tail_is_cut_at_a_line_or_a_character),
            cmocka_unit_test(test_of_a_python_crash_the_innermost_calls_are_told),
            cmocka_unit_test(test_each_error_frame_has_its_error_by_stage),
            cmocka_unit_test(test_a_type_is_a_name_or_nothing),
            cmocka_unit_test(test_a_declared_error_does_not_pass_for_one_of_the_hosts),
            cmocka_unit_test(test_an_exception_does_not_pass_for_a_finding_of_the_host),
            cmocka_unit_test(test_a_plugins_words_are_bounded_and_printable),
        };

        return cmocka_run_group_tests_name("instance_verdict", tests, NULL, NULL);
}
