/* Facts in, verdict out: above all, a SIGKILL alone never means memory. */
#include <signal.h>
#include <string.h>

#include "base/macro.h"
#include "sandbox/obituary.h"
#include "support/test.h"

static struct obituary compose(struct obituary_facts f)
{
        struct obituary o;

        obituary_compose(&f, &o);
        return o;
}

static void test_the_status_alone_names_the_cause(void **state)
{
        const struct {
                struct obituary_facts f;
                enum obituary_cause cause;
                int number;
        } rows[] = {
            {{.have_status = true, .code = CLD_EXITED, .status = 3}, OBITUARY_EXITED, 3},
            {{.have_status = true, .code = CLD_EXITED, .status = 0}, OBITUARY_EXITED, 0},
            {{.have_status = true, .code = CLD_KILLED, .status = SIGSEGV},
             OBITUARY_SIGNAL,
             SIGSEGV},
            {{.have_status = true, .code = CLD_DUMPED, .status = SIGABRT},
             OBITUARY_SIGNAL,
             SIGABRT},
            {{.have_status = true, .code = CLD_KILLED, .status = SIGKILL},
             OBITUARY_SIGNAL,
             SIGKILL},
            {{.have_status = true, .code = CLD_KILLED, .status = SIGSYS}, OBITUARY_SYSCALL, SIGSYS},
            {{.have_status = false}, OBITUARY_SIGNAL, SIGKILL},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct obituary o = compose(rows[i].f);

                assert_int_equal(o.cause, rows[i].cause);
                assert_int_equal(o.cause == OBITUARY_EXITED ? o.exit_code : o.signal,
                                 rows[i].number);
        }
}

static void test_the_hosts_kill_is_its_own(void **state)
{
        (void)state;
        assert_int_equal(compose((struct obituary_facts){.host_killed = true}).cause,
                         OBITUARY_KILLED);
        assert_int_equal(compose((struct obituary_facts){.host_killed = true,
                                                         .have_status = true,
                                                         .code = CLD_KILLED,
                                                         .status = SIGKILL})
                             .cause,
                         OBITUARY_KILLED);
        /* It crashed by itself a moment before. */
        assert_int_equal(compose((struct obituary_facts){.host_killed = true,
                                                         .have_status = true,
                                                         .code = CLD_KILLED,
                                                         .status = SIGSEGV})
                             .cause,
                         OBITUARY_SIGNAL);
}

static void test_memory_is_told_by_counters_and_nothing_else(void **state)
{
        struct obituary_facts f = {.have_status = true, .code = CLD_KILLED, .status = SIGKILL};

        (void)state;
        assert_int_equal(compose(f).cause, OBITUARY_SIGNAL);
        f.oom_kills = 1;
        assert_int_equal(compose(f).cause, OBITUARY_MEMORY);
        f.host_killed = true; /* the host ends what the kernel left of the tree */
        assert_int_equal(compose(f).cause, OBITUARY_MEMORY);
        f.oom_kills = 0;
        f.watch_fired = true;
        assert_int_equal(compose(f).cause, OBITUARY_MEMORY);
}

static void test_a_crash_record_adds_words_to_a_signal_only(void **state)
{
        const struct crash_record crash = {.written = CRASH_RECORD_WRITTEN,
                                           .signal = SIGSEGV,
                                           .code = SEGV_MAPERR,
                                           .pc = 0x1000000};
        struct obituary_facts f = {
            .have_status = true, .code = CLD_KILLED, .status = SIGSEGV, .crash = &crash};
        char buf[OBITUARY_SENTENCE_SIZE];
        struct obituary o = compose(f);

        (void)state;
        obituary_sentence(&o, buf);
        assert_string_equal(buf, "died by signal 11 (SIGSEGV) at address 0x0 (NULL dereference)");
        f.oom_kills = 1; /* it was the kernel's doing after all */
        o = compose(f);
        assert_int_equal(o.cause, OBITUARY_MEMORY);
        assert_int_equal(o.crash.written, 0);
}

static void test_a_box_that_was_not_built_says_where(void **state)
{
        struct obituary o = compose((struct obituary_facts){
            .have_status = true, .code = CLD_EXITED, .status = 70, .setup_error = "files: no"});
        char buf[OBITUARY_SENTENCE_SIZE];

        (void)state;
        assert_int_equal(o.cause, OBITUARY_SETUP);
        obituary_sentence(&o, buf);
        assert_string_equal(buf, "could not enter its sandbox: files: no");
}

static void test_sentences(void **state)
{
        const struct {
                struct obituary o;
                const char *words;
        } rows[] = {
            {{.cause = OBITUARY_SIGNAL, .signal = SIGSEGV}, "died by signal 11 (SIGSEGV)"},
            {{.cause = OBITUARY_SIGNAL, .signal = 40}, "died by signal 40"},
            {{.cause = OBITUARY_EXITED, .exit_code = 3}, "exited with code 3"},
            {{.cause = OBITUARY_KILLED, .signal = 9}, "was killed by the host"},
            {{.cause = OBITUARY_MEMORY, .signal = 9}, "was killed at its memory limit"},
            {{.cause = OBITUARY_SYSCALL, .signal = SIGSYS},
             "was killed by signal 31 (SIGSYS) for a forbidden system call"},
            {{.cause = OBITUARY_EXITED, .exit_code = 1, .pids_limit = true},
             "exited with code 1, after its process limit had refused a fork"},
        };
        char buf[OBITUARY_SENTENCE_SIZE];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                obituary_sentence(&rows[i].o, buf);
                assert_string_equal(buf, rows[i].words);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_the_status_alone_names_the_cause),
            cmocka_unit_test(test_the_hosts_kill_is_its_own),
            cmocka_unit_test(test_memory_is_told_by_counters_and_nothing_else),
            cmocka_unit_test(test_a_crash_record_adds_words_to_a_signal_only),
            cmocka_unit_test(test_a_box_that_was_not_built_says_where),
            cmocka_unit_test(test_sentences),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
