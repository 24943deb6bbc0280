/* What a dying worker says of its own death: words for a person, and never the verdict. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "sandbox/crash_record.h"
#include "test_box.h"

/* ---- as values
 * ---------------------------------------------------------------------------------*/

static void test_words_say_what_is_known_and_no_more(void **state)
{
        static const struct {
                struct crash_record r;
                const char *words;
        } rows[] = {
            {{.signal = SIGSEGV, .code = SEGV_MAPERR, .pc = 0x1000000},
             " at address 0x0 (NULL dereference)"},
            {{.signal = SIGSEGV, .code = SEGV_MAPERR, .address = 0x18, .pc = 0x1000000},
             " at address 0x18 (NULL dereference)"},
            {{.signal = SIGSEGV, .code = SEGV_MAPERR},
             " at address 0x0 (call through a NULL pointer)"},
            {{.signal = SIGSEGV, .code = SEGV_ACCERR, .address = 0xabc000, .pc = 0xabc000},
             " at address 0xabc000 (a jump to where there is no code)"},
            {{.signal = SIGSEGV, .code = SEGV_MAPERR, .address = UINT64_MAX, .pc = 1},
             " at address 0xffffffffffffffff (nothing is mapped there)"},
            {{.signal = SIGSEGV, .code = SEGV_ACCERR, .address = 0xabc000, .pc = 1},
             " at address 0xabc000 (access is not permitted there)"},
            {{.signal = SIGSEGV,
              .code = SEGV_MAPERR,
              .flags = CRASH_RECORD_STACK,
              .address = 0xff8},
             " at address 0xff8 (stack overflow)"},
            {{.signal = SIGSEGV, .code = SI_KERNEL}, " (an address that no memory can have)"},
            {{.signal = SIGSEGV, .code = SI_TKILL}, ", sent by a process of its own"},
            {{.signal = SIGBUS, .code = BUS_ADRERR, .address = 0x7000},
             " at address 0x7000 (behind the end of a mapped file)"},
            {{.signal = SIGFPE, .code = FPE_INTDIV, .address = 0x7000},
             " at address 0x7000 (integer division by zero)"},
            {{.signal = SIGILL, .code = ILL_ILLOPN, .address = 0x7000},
             " at address 0x7000 (illegal instruction)"},
            {{.signal = SIGABRT, .code = 77, .address = 0x7000}, ""},
        };
        char buf[CRASH_RECORD_WORDS];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                crash_record_words(&rows[i].r, buf);
                assert_string_equal(buf, rows[i].words);
        }
}

static void test_a_record_of_another_death_is_not_believed(void **state)
{
        const struct crash_record good = {CRASH_RECORD_WRITTEN, SIGSEGV, SEGV_MAPERR, 0, 1, 2, 3};
        struct crash_record r = good;
        scoped(fd) int fd = memfd_create("crash", MFD_CLOEXEC);

        (void)state;
        assert_true(fd >= 0);
        assert_false(crash_record_read(-1, SIGSEGV, &r));
        assert_false(crash_record_read(fd, SIGSEGV, &r)); /* too short */
        assert_int_equal(pwrite(fd, &good, sizeof good, 0), sizeof good);
        assert_false(crash_record_read(fd, SIGABRT, &r));
        assert_true(crash_record_read(fd, SIGSEGV, &r));
        assert_memory_equal(&r, &good, sizeof r);
        r.written = 1; /* never written to its end */
        assert_int_equal(pwrite(fd, &r, sizeof r, 0), sizeof r);
        assert_false(crash_record_read(fd, SIGSEGV, &r));
}

/* ---- from the box
 * ------------------------------------------------------------------------------*/

static void die(struct test_box *t, const char *machine, const char *fault, struct obituary *ret)
{
        char command[64];

        snprintf(command, sizeof command, "fault %s", fault);
        test_box_open(t, machine);
        test_box_die_of(t, command, ret);
        test_box_done(t);
}

static void expect(const char *machine, const char *fault, int signo, const char *words)
{
        char sentence[OBITUARY_SENTENCE_SIZE];
        struct obituary o;
        struct test_box t;

        die(&t, machine, fault, &o);
        obituary_sentence(&o, sentence);
        if (o.cause != OBITUARY_SIGNAL || o.signal != signo || !strstr(sentence, words))
                fail_msg("%s: cause %d, \"%s\" without \"%s\"", fault, o.cause, sentence, words);
}

static void test_faults_have_their_reason(void **state)
{
        (void)state;
        expect(NULL, "member", SIGSEGV, "(SIGSEGV) at address 0x18 (NULL dereference)");
        expect(NULL, "wild", SIGSEGV, "at address 0x123456789000 (nothing is mapped there)");
        expect(NULL, "read_only", SIGSEGV, "(access is not permitted there)");
        expect(NULL, "call_null", SIGSEGV, "(call through a NULL pointer)");
        expect(NULL, "bus", SIGBUS, "(SIGBUS) at address 0x");
        expect(NULL, "bus", SIGBUS, "(behind the end of a mapped file)");
        expect(NULL, "illegal", SIGILL, "(SIGILL)");
#if defined(__x86_64__)
        expect(NULL, "divide", SIGFPE, "(integer division by zero)");
        expect(NULL, "not_canonical", SIGSEGV, "(an address that no memory can have)");
#endif
}

static void test_a_stack_overflow_is_told_from_a_wild_pointer(void **state)
{
        (void)state;
        expect(NULL, "overflow", SIGSEGV, "(stack overflow)");
        expect(NULL, "overflow_in_thread", SIGSEGV, "(stack overflow)");
}

static void test_it_is_told_without_namespaces_too(void **state)
{
        (void)state;
        expect("userns,pidns,mountns,netns", "member", SIGSEGV, "0x18 (NULL dereference)");
        expect("userns,pidns,mountns,netns", "overflow_in_thread", SIGSEGV, "(stack overflow)");
        expect("root", "member", SIGSEGV, "0x18 (NULL dereference)");
}

static void test_a_childs_fault_is_not_the_workers(void **state)
{
        (void)state;
        expect(NULL, "child_then_raise", SIGSEGV, ", sent by a process of its own");
}

static void test_a_plugins_own_handler_stays(void **state)
{
        struct obituary o;
        struct test_box t;

        (void)state;
        die(&t, NULL, "handled", &o);
        assert_int_equal(o.cause, OBITUARY_EXITED);
        assert_int_equal(o.exit_code, 7);
        assert_int_equal(o.crash.written, 0);
}

static void test_the_signal_is_the_kernels_word(void **state)
{
        char sentence[OBITUARY_SENTENCE_SIZE];
        struct obituary o;
        struct test_box t;

        (void)state;
        die(&t, NULL, "forged", &o);
        obituary_sentence(&o, sentence);
        assert_string_equal(sentence, "died by signal 6 (SIGABRT)");
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_words_say_what_is_known_and_no_more),
            cmocka_unit_test(test_a_record_of_another_death_is_not_believed),
            cmocka_unit_test(test_faults_have_their_reason),
            cmocka_unit_test(test_a_stack_overflow_is_told_from_a_wild_pointer),
            cmocka_unit_test(test_it_is_told_without_namespaces_too),
            cmocka_unit_test(test_a_childs_fault_is_not_the_workers),
            cmocka_unit_test(test_a_plugins_own_handler_stays),
            cmocka_unit_test(test_the_signal_is_the_kernels_word),
        };

        if (!test_box_prepare(argc, argv))
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
