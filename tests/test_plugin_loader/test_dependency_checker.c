/* What is asked of the probe, and what people are told: every problem at once, in the diagrams'
 * words. */
#include "support/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "loader/dependency_checker.h"
#include "support/failing_malloc.h"

static struct plugin_manifest *parse(const char *text)
{
        struct plugin_manifest *m = NULL;
        struct err e = {0};

        if (plugin_manifest_parse(text, strlen(text), &m, &e) != 0)
                fail_msg("refused: %s", e.msg);
        return m;
}

#define PYTHON(more) "{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"x.py\"" more "}"
#define NATIVE(more) "{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"x.so\"" more "}"
#define EVERYTHING                                                                                 \
        ",\"requires_gpu\":true,\"dependencies\":{\"packages\":[\"torch\",\"cv2\"],"               \
        "\"libraries\":[\"libtesseract.so.5\"],\"commands\":[\"ffmpeg\"]},"                        \
        "\"models\":{\"player\":\"models/player-detection.pt\","                                   \
        "\"ball\":{\"path\":\"models/ball.pt\",\"sha256\":\"" SHA "\"}}"
#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct dependency_plan plan_of(const char *manifest, const char *host_python)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(manifest);
        struct dependency_plan p = {0};

        assert_int_equal(dependency_checker_plan(m, "/plugin", host_python, &p), 0);
        return p;
}

static void expect_plan(const char *manifest, const char *host_python, const char *expected)
{
        struct dependency_plan p = plan_of(manifest, host_python);
        scoped(str) struct str s = {0};

        str_addf(&s, "%s\n", p.interpreter ? p.interpreter : "-");
        for (size_t i = 0; i < p.n; i++)
                str_addf(&s, "%d %s|%s|%s\n", p.checks[i].kind, p.checks[i].subject,
                         p.checks[i].extra, p.checks[i].shown);
        assert_string_equal(s.data, expected);
        dependency_plan_done(&p);
}

static void test_plans_nothing_for_a_plugin_that_needs_nothing(void **state)
{
        (void)state;
        expect_plan(NATIVE(""), "/usr/bin/python3", "-\n");
        expect_plan(PYTHON(""), NULL, "-\n");
}

static void test_plans_every_check_as_the_box_sees_it(void **state)
{
        (void)state;
        expect_plan(PYTHON(EVERYTHING), NULL,
                    "python3\n"
                    "1 |python|driver\n"
                    "2 ||nvidia-smi\n"
                    "6 torch||torch\n"
                    "6 cv2||cv2\n"
                    "3 libtesseract.so.5||libtesseract.so.5\n"
                    "4 ffmpeg||ffmpeg\n"
                    "5 /plugin/models/player-detection.pt||models/player-detection.pt\n"
                    "5 /plugin/models/ball.pt|" SHA "|models/ball.pt\n");
}

static void test_asks_the_interpreter_that_will_run_the_plugin(void **state)
{
        (void)state;
        expect_plan(PYTHON(",\"dependencies\":[\"a\"]"), "/opt/py/bin/python",
                    "/opt/py/bin/python\n6 a||a\n");
        expect_plan(PYTHON(",\"dependencies\":[\"a\"],\"python\":\".venv/bin/python\""), "/opt/py",
                    "/plugin/.venv/bin/python\n6 a||a\n");
        expect_plan(PYTHON(",\"dependencies\":[\"a\"],\"python\":\"python3.11\""), "/opt/py",
                    "python3.11\n6 a||a\n");
        expect_plan(PYTHON(",\"dependencies\":[\"a\"],\"python\":\"/opt/mine\""), "/opt/py",
                    "/opt/mine\n6 a||a\n");
        /* torch is asked for the GPU by a Python plugin, the driver itself by a native one. */
        expect_plan(PYTHON(",\"requires_gpu\":true"), NULL,
                    "python3\n1 |python|driver\n2 ||nvidia-smi\n");
        expect_plan(NATIVE(",\"requires_gpu\":true"), NULL,
                    "-\n1 |native|driver\n2 ||nvidia-smi\n");
}

static void test_plans_a_look_into_the_source_of_python_plugins_alone(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest
            *python = parse(PYTHON(",\"dependencies\":[\"cv2\",\"numpy\"]")),
            *native = parse(NATIVE(",\"dependencies\":[\"cv2\"]"));
        struct dependency_plan p = plan_of(PYTHON(",\"dependencies\":[\"cv2\",\"numpy\"]"), NULL);
        struct dependency_plan q = plan_of(NATIVE(",\"dependencies\":[\"cv2\"]"), NULL);

        (void)state;
        assert_int_equal(dependency_checker_plan_source(&p, python, "/plugin", NULL), 0);
        assert_int_equal(p.n, 3);
        assert_int_equal(p.checks[2].kind, WIRE_CHECK_SOURCE);
        assert_string_equal(p.checks[2].subject, "x.py");
        assert_string_equal(p.checks[2].extra, "cv2\nnumpy\n");
        assert_int_equal(dependency_checker_plan_source(&q, native, "/plugin", NULL), 0);
        assert_int_equal(q.n, 1);
        dependency_plan_done(&p);
        dependency_plan_done(&q);
        p = plan_of(PYTHON(""), NULL);
        plugin_manifest_free(python);
        python = parse(PYTHON(",\"python\":\"venv/bin/python\""));
        assert_int_equal(dependency_checker_plan_source(&p, python, "/plugin", NULL), 0);
        assert_string_equal(p.interpreter, "/plugin/venv/bin/python");
        assert_string_equal(p.checks[0].extra, "");
        dependency_plan_done(&p);
}

static void test_plan_that_fits_no_message_is_refused(void **state)
{
        scoped(str) struct str s = {0};
        scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
        struct dependency_plan p = {0};

        (void)state;
        str_adds(&s, "{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"x.so\",\"models\":{");
        for (int i = 0; i < 20; i++) {
                str_addf(&s, "%s\"m%d\":\"", i ? "," : "", i);
                for (int n = 0; n < 4000; n++)
                        str_addc(&s, 'm');
                str_adds(&s, "\"");
        }
        str_adds(&s, "}}");
        m = parse(s.data);
        assert_int_equal(dependency_checker_plan(m, "/plugin", NULL, &p), -E2BIG);
        assert_int_equal(p.n, 0);
}

static void test_plan_is_what_goes_over_the_wire(void **state)
{
        struct dependency_plan p = plan_of(PYTHON(EVERYTHING), "/opt/python");
        struct wire_check_list list;
        scoped(str) struct str payload = {0};
        struct err e;

        (void)state;
        dependency_checker_encode(&p, &payload);
        assert_false(payload.bad);
        assert_int_equal(
            wire_decode_check_list((const uint8_t *)payload.data, payload.len, &list, &e), 0);
        assert_memory_equal(list.interpreter.p, "/opt/python", list.interpreter.len);
        assert_int_equal(list.n_checks, p.n);
        for (size_t i = 0; i < p.n; i++) {
                assert_int_equal(list.checks[i].kind, p.checks[i].kind);
                assert_int_equal(list.checks[i].subject.len, strlen(p.checks[i].subject));
                assert_int_equal(list.checks[i].extra.len, strlen(p.checks[i].extra));
        }
        wire_check_list_done(&list);
        dependency_plan_done(&p);
}

/* Gives the plan these verdicts, and compares what people are told. */
static void expect_reason(const char *manifest, const struct wire_verdict *verdicts, size_t n,
                          const char *expected)
{
        struct dependency_plan p = plan_of(manifest, NULL);
        struct wire_report report = {(struct wire_verdict *)verdicts, (uint16_t)n};
        scoped(str) struct str reason = {0};
        struct err e = {0};
        int r = dependency_checker_verdict(&p, &report, &reason, &e);

        assert_int_equal(p.n, n);
        assert_int_equal(r, expected ? 1 : 0);
        if (expected)
                assert_string_equal(reason.data, expected);
        else
                assert_int_equal(reason.len, 0);
        dependency_plan_done(&p);
}

static struct wire_verdict say(enum wire_check_status status, const char *detail)
{
        return (struct wire_verdict){(uint8_t)status, wire_str_of(detail)};
}

static void test_all_there_gives_no_reason(void **state)
{
        struct wire_verdict well[8] = {{0}};

        (void)state;
        expect_reason(PYTHON(EVERYTHING), well, 8, NULL);
        expect_reason(NATIVE(""), well, 0, NULL);
}

static void test_missing_package_is_installed_where_the_plugin_looks_for_it(void **state)
{
        struct wire_verdict missing[] = {say(WIRE_CHECK_MISSING, "")};

        (void)state;
        expect_reason(PYTHON(",\"python\":\"venv/bin/python\",\"dependencies\":[\"torch\"]"),
                      missing, 1,
                      "ImportError: No module named 'torch'. Install with: pip install torch "
                      "(that is: venv/bin/python -m pip install torch)");
        expect_reason(PYTHON(",\"python\":\"venv/bin/python\",\"dependencies\":[\"cv2.dnn\"]"),
                      missing, 1,
                      "ImportError: No module named 'cv2.dnn'. Install with: pip install "
                      "opencv-python-headless (that is: venv/bin/python -m pip install "
                      "opencv-python-headless)");
}

static void test_a_module_that_its_package_lacks_is_nothing_to_install(void **state)
{
        struct wire_verdict v = say(WIRE_CHECK_MISSING, "the plugin's folder");
        const char *expected = "ImportError: No module named 'evil.sub'. The package 'evil' is "
                               "there, but has no such module. (the plugin's folder)";

        (void)state;
        expect_reason(PYTHON(",\"dependencies\":[\"evil.sub\"]"), &v, 1, expected);
        expect_reason(PYTHON(",\"python\":\"venv/bin/python\",\"dependencies\":[\"evil.sub\"]"), &v,
                      1, expected);
        v = say(WIRE_CHECK_MISSING, "");
        expect_reason(PYTHON(",\"dependencies\":[\"evil.sub\"]"), &v, 1,
                      "ImportError: No module named 'evil.sub'. Install with: pip install evil");
}

static void test_missing_gpu_says_which_check_failed_how(void **state)
{
        struct wire_verdict both[] = {say(WIRE_CHECK_MISSING, "libcuda.so.1 not found"),
                                      say(WIRE_CHECK_MISSING, "")};
        struct wire_verdict smi[] = {say(WIRE_CHECK_OK, ""),
                                     say(WIRE_CHECK_BROKEN, "exit status 9")};
        struct wire_verdict driver[] = {say(WIRE_CHECK_UNKNOWN, ""), say(WIRE_CHECK_OK, "")};

        (void)state;
        expect_reason(NATIVE(",\"requires_gpu\":true"), both, 2,
                      "CUDA GPU not available. Check torch.cuda.is_available() or nvidia-smi. "
                      "(driver: libcuda.so.1 not found; nvidia-smi: not found)");
        expect_reason(NATIVE(",\"requires_gpu\":true"), smi, 2,
                      "CUDA GPU not available. Check torch.cuda.is_available() or nvidia-smi. "
                      "(nvidia-smi: exit status 9)");
        expect_reason(NATIVE(",\"requires_gpu\":true"), driver, 2,
                      "CUDA GPU not available. Check torch.cuda.is_available() or nvidia-smi. "
                      "(driver: could not be checked)");
}

static void test_each_kind_of_problem_says_what_to_do(void **state)
{
        static const char package[] = PYTHON(",\"dependencies\":[\"torch\"]");
        static const char library[] = NATIVE(",\"dependencies\":{\"libraries\":[\"libfoo.so.5\"]}");
        static const char command[] = NATIVE(",\"dependencies\":{\"commands\":[\"ffmpeg\"]}");
        static const char model[] = NATIVE(",\"models\":{\"m\":\"models/player-detection.pt\"}");
        static const struct {
                const char *manifest;
                enum wire_check_status status;
                const char *detail, *expected;
        } rows[] = {
            {package, WIRE_CHECK_MISSING, "",
             "ImportError: No module named 'torch'. Install with: pip install torch"},
            {package, WIRE_CHECK_BROKEN, "ValueError: torch.__spec__ is None",
             "Package 'torch' is installed but broken. Reinstall it in the plugin's Python "
             "environment. (ValueError: torch.__spec__ is None)"},
            {package, WIRE_CHECK_UNKNOWN, "python3: not found",
             "Package could not be checked: torch. (python3: not found)"},
            {library, WIRE_CHECK_MISSING, "",
             "Library not found: libfoo.so.5. Install the Debian package that provides it "
             "(apt-file search libfoo.so.5)."},
            {library, WIRE_CHECK_BROKEN, "invalid ELF header",
             "Library cannot be loaded: libfoo.so.5. Reinstall the Debian package that provides it "
             "(apt-file search libfoo.so.5). (invalid ELF header)"},
            {library, WIRE_CHECK_UNKNOWN, "", "Library could not be checked: libfoo.so.5."},
            {command, WIRE_CHECK_MISSING, "",
             "Command not found: ffmpeg. Install the Debian package that provides it "
             "(apt-file search bin/ffmpeg)."},
            {command, WIRE_CHECK_BROKEN, "not executable",
             "Command cannot be run: ffmpeg. Reinstall the Debian package that provides it "
             "(apt-file search bin/ffmpeg). (not executable)"},
            {command, WIRE_CHECK_UNKNOWN, "", "Command could not be checked: ffmpeg."},
            {model, WIRE_CHECK_MISSING, "",
             "Model file not found: models/player-detection.pt. Download from ForgeSyte releases."},
            {model, WIRE_CHECK_BROKEN, "",
             "Model file truncated or corrupted: models/player-detection.pt. Re-download."},
            {model, WIRE_CHECK_BROKEN, "sha256 is 11..., not 00...",
             "Model file truncated or corrupted: models/player-detection.pt. Re-download. "
             "(sha256 is 11..., not 00...)"},
            {model, WIRE_CHECK_UNKNOWN, "permission denied",
             "Model file could not be checked: models/player-detection.pt. (permission denied)"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct wire_verdict v = say(rows[i].status, rows[i].detail);

                expect_reason(rows[i].manifest, &v, 1, rows[i].expected);
        }
}

static void test_all_problems_are_listed_at_once(void **state)
{
        struct wire_verdict verdicts[] = {
            say(WIRE_CHECK_MISSING, "torch.cuda.is_available() is False"),
            say(WIRE_CHECK_MISSING, ""),
            say(WIRE_CHECK_MISSING, ""),
            say(WIRE_CHECK_OK, "4.8"),
            say(WIRE_CHECK_MISSING, ""),
            say(WIRE_CHECK_OK, ""),
            say(WIRE_CHECK_MISSING, ""),
            say(WIRE_CHECK_BROKEN, "12 bytes"),
        };

        (void)state;
        expect_reason(PYTHON(EVERYTHING), verdicts, ARRAY_LEN(verdicts),
                      "CUDA GPU not available. Check torch.cuda.is_available() or nvidia-smi. "
                      "(driver: torch.cuda.is_available() is False; nvidia-smi: not found); "
                      "ImportError: No module named 'torch'. Install with: pip install torch; "
                      "Library not found: libtesseract.so.5. Install the Debian package that "
                      "provides it (apt-file search libtesseract.so.5).; "
                      "Model file not found: models/player-detection.pt. Download from ForgeSyte "
                      "releases.; "
                      "Model file truncated or corrupted: models/ball.pt. Re-download. (12 bytes)");
}

static void test_what_the_probe_says_is_bounded_and_harmless(void **state)
{
        char detail[2000];
        struct wire_verdict v = {WIRE_CHECK_MISSING, {detail, sizeof detail}};
        struct dependency_plan p = plan_of(PYTHON(",\"dependencies\":[\"torch\"]"), NULL);
        struct wire_report report = {&v, 1};
        scoped(str) struct str reason = {0};

        (void)state;
        memset(detail, '\x1b', sizeof detail);
        assert_int_equal(dependency_checker_verdict(&p, &report, &reason, NULL), 1);
        assert_true(reason.len < 320);
        assert_null(memchr(reason.data, '\x1b', reason.len));
        dependency_plan_done(&p);
}

static void test_what_the_source_tells_is_no_missing_dependency(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m =
            parse(PYTHON(",\"dependencies\":[\"cv2\"]"));
        struct dependency_plan p = plan_of(PYTHON(",\"dependencies\":[\"cv2\"]"), NULL);
        struct wire_verdict v[] = {say(WIRE_CHECK_OK, ""),
                                   say(WIRE_CHECK_BROKEN, "problem\tx.py:1\tw\x1b\tz\n")};
        struct wire_report report = {v, 2}, short_one = {v, 1};
        scoped(free) char *findings = NULL, *none = NULL, *unknown = NULL;
        scoped(str) struct str reason = {0};

        (void)state;
        assert_int_equal(dependency_checker_plan_source(&p, m, "/plugin", NULL), 0);
        assert_int_equal(dependency_checker_verdict(&p, &report, &reason, NULL), 0);
        assert_int_equal(dependency_checker_findings(&p, &report, &findings), 0);
        assert_string_equal(findings, "problem\tx.py:1\tw\\x1b\tz\n");
        assert_int_equal(dependency_checker_findings(&p, &short_one, &none), 0);
        assert_null(none);
        v[1] = say(WIRE_CHECK_UNKNOWN, "it does not start");
        assert_int_equal(dependency_checker_findings(&p, &report, &unknown), 0);
        assert_string_equal(unknown, "problem\tpython\tit does not start");
        dependency_plan_done(&p);
}

static void test_report_that_does_not_fit_is_refused(void **state)
{
        struct wire_verdict v[2] = {{0}, {0}};
        struct dependency_plan p = plan_of(PYTHON(",\"dependencies\":[\"torch\"]"), NULL);
        struct wire_report none = {v, 0}, two = {v, 2}, one = {v, 1};
        scoped(str) struct str reason = {0};
        struct err e = {0};

        (void)state;
        assert_int_equal(dependency_checker_verdict(&p, &none, &reason, &e), -EBADMSG);
        assert_string_equal(e.msg, "the probe answered 0 of 1 checks");
        assert_int_equal(dependency_checker_verdict(&p, &two, &reason, &e), -EBADMSG);
        v[0].status = 4;
        assert_int_equal(dependency_checker_verdict(&p, &one, &reason, &e), -EBADMSG);
        assert_string_equal(e.msg, "the probe's verdict 0 has status 4");
        assert_int_equal(reason.len, 0);
        dependency_plan_done(&p);
}

static void test_survives_every_failed_allocation(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(PYTHON(EVERYTHING));
        struct wire_verdict missing[8] = {{0}};
        struct wire_report report = {missing, 8};
        bool reached = true;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(missing); i++)
                missing[i] = say(WIRE_CHECK_MISSING, "gone");
        for (size_t n = 1; reached; n++) {
                struct dependency_plan p = {0};
                scoped(str) struct str reason = {0};
                int r;

                failing_malloc_arm(n);
                r = dependency_checker_plan(m, "/plugin", NULL, &p);
                if (r == 0)
                        r = dependency_checker_verdict(&p, &report, &reason, NULL);
                reached = failing_malloc_disarm();
                assert_int_equal(r, reached ? -ENOMEM : 1);
                dependency_plan_done(&p);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_plans_nothing_for_a_plugin_that_needs_nothing),
            cmocka_unit_test(test_plans_every_check_as_the_box_sees_it),
            cmocka_unit_test(test_asks_the_interpreter_that_will_run_the_plugin),
            cmocka_unit_test(test_plans_a_look_into_the_source_of_python_plugins_alone),
            cmocka_unit_test(test_what_the_source_tells_is_no_missing_dependency),
            cmocka_unit_test(test_plan_that_fits_no_message_is_refused),
            cmocka_unit_test(test_plan_is_what_goes_over_the_wire),
            cmocka_unit_test(test_all_there_gives_no_reason),
            cmocka_unit_test(test_missing_package_is_installed_where_the_plugin_looks_for_it),
            cmocka_unit_test(test_a_module_that_its_package_lacks_is_nothing_to_install),
            cmocka_unit_test(test_missing_gpu_says_which_check_failed_how),
            cmocka_unit_test(test_each_kind_of_problem_says_what_to_do),
            cmocka_unit_test(test_all_problems_are_listed_at_once),
            cmocka_unit_test(test_what_the_probe_says_is_bounded_and_harmless),
            cmocka_unit_test(test_report_that_does_not_fit_is_refused),
            cmocka_unit_test(test_survives_every_failed_allocation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
