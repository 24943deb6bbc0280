/* The error types and the diagrams' texts, as clients see them. */
#include "support/test.h"

#include <string.h>

#include "base/json.h"
#include "loader/plugin_errors.h"

/* Name, status and whether the plugin fails, one line each, as design and documents have them. */
static void test_table_is_what_the_documents_say(void **state)
{
        static const char expected[] = "BadRequest 400 -\n"
                                       "Unauthorized 401 -\n"
                                       "Forbidden 403 -\n"
                                       "NotFound 404 -\n"
                                       "PluginNotFound 404 -\n"
                                       "ToolNotFound 404 -\n"
                                       "MethodNotAllowed 405 -\n"
                                       "RequestTimeout 408 -\n"
                                       "PayloadTooLarge 413 -\n"
                                       "UriTooLong 414 -\n"
                                       "UnsupportedMediaType 415 -\n"
                                       "ExpectationFailed 417 -\n"
                                       "InvalidArguments 422 -\n"
                                       "ToolError 422 -\n"
                                       "PluginBusy 429 -\n"
                                       "HeadersTooLarge 431 -\n"
                                       "Cancelled 499 -\n"
                                       "InternalError 500 -\n"
                                       "NotImplemented 501 -\n"
                                       "PluginError 502 fails\n"
                                       "MemoryLimitExceeded 502 fails\n"
                                       "PluginCrashed 502 fails\n"
                                       "InvalidOutput 502 fails\n"
                                       "OutputTooLarge 502 fails\n"
                                       "ProtocolError 502 fails\n"
                                       "ResourceLimitExceeded 502 fails\n"
                                       "SandboxViolation 502 fails\n"
                                       "ServerBusy 503 -\n"
                                       "PluginUnavailable 503 -\n"
                                       "IsolationUnavailable 503 -\n"
                                       "TimeoutError 504 fails\n"
                                       "VersionNotSupported 505 -\n"
                                       "ManifestError 503 fails\n"
                                       "ImportError 503 fails\n"
                                       "AbiMismatch 503 fails\n"
                                       "InitError 503 fails\n"
                                       "ValidationError 503 fails\n";
        scoped(str) struct str table = {0};

        (void)state;
        for (int e = PLUGIN_ERROR_NONE + 1; e <= PLUGIN_ERROR_VALIDATION; e++) {
                enum plugin_error error = (enum plugin_error)e;

                str_addf(&table, "%s %u %s\n", plugin_error_name(error), plugin_error_status(error),
                         plugin_error_fails_plugin(error) ? "fails" : "-");
        }
        assert_string_equal(table.data, expected);
}

static void test_unknown_errors_are_internal(void **state)
{
        (void)state;
        assert_string_equal(plugin_error_name((enum plugin_error)9999), "InternalError");
        assert_int_equal(plugin_error_status((enum plugin_error)9999), 500);
        assert_int_equal(plugin_error_status(PLUGIN_ERROR_NONE), 200);
}

static void expect_envelope(enum plugin_error e, const char *type, const char *words,
                            const char *traceback, const char *expected)
{
        size_t size = 0;
        scoped(free) char *text = plugin_error_envelope(e, type, words, traceback, &size);

        assert_non_null(text);
        assert_string_equal(text, expected);
        assert_int_equal(size, strlen(expected));
}

static void test_envelope_names_the_error(void **state)
{
        (void)state;
        expect_envelope(PLUGIN_ERROR_TIMEOUT, NULL, "too slow", NULL,
                        "{\"ok\":false,\"error\":\"too slow\",\"error_type\":\"TimeoutError\"}");
        expect_envelope(PLUGIN_ERROR_EXCEPTION, "ValueError", "bad \"x\"", "line 1\n  line 2",
                        "{\"ok\":false,\"error\":\"bad \\\"x\\\"\",\"error_type\":\"ValueError\","
                        "\"traceback\":\"line 1\\n  line 2\"}");
        expect_envelope(PLUGIN_ERROR_DECLARED, "", NULL, NULL,
                        "{\"ok\":false,\"error\":\"\",\"error_type\":\"ToolError\"}");
}

static void test_envelope_makes_strange_words_harmless(void **state)
{
        (void)state;
        expect_envelope(PLUGIN_ERROR_EXCEPTION, NULL, "\x1b[31m%n%s\xff\\", NULL,
                        "{\"ok\":false,\"error\":\"\\\\x1b[31m%n%s\xef\xbf\xbd\\\\\","
                        "\"error_type\":\"PluginError\"}");
}

static void test_envelope_is_bounded_and_valid_json(void **state)
{
        size_t n = MIB(4), size;
        scoped(free) char *words = malloc(n + 1);
        scoped(free) char *text = NULL;
        scoped(json_decref) json_t *value = NULL;

        (void)state;
        assert_non_null(words);
        for (size_t i = 0; i < n; i++)
                words[i] = (char)(1 + i % 255);
        words[n] = '\0';
        text = plugin_error_envelope(PLUGIN_ERROR_EXCEPTION, words, words, words, &size);
        assert_non_null(text);
        assert_true(size < KIB(256));
        assert_int_equal(json_parse(text, size, &value, NULL), 0);
        assert_int_equal(json_object_size(value), 4);
}

static void expect_text(struct str *s, const char *expected)
{
        assert_false(s->bad);
        assert_string_equal(s->data, expected);
        str_done(s);
}

static void test_texts_are_the_diagrams(void **state)
{
        scoped(str) struct str s = {0};

        (void)state;
        plugin_text_gpu_missing(&s);
        expect_text(&s, "CUDA GPU not available. Check torch.cuda.is_available() or nvidia-smi.");
        plugin_text_package_missing(&s, "torch");
        expect_text(&s, "ImportError: No module named 'torch'. Install with: pip install torch");
        plugin_text_model_missing(&s, "models/player-detection.pt");
        expect_text(&s, "Model file not found: models/player-detection.pt. "
                        "Download from ForgeSyte releases.");
        plugin_text_model_corrupt(&s, "models/player-detection.pt");
        expect_text(&s, "Model file truncated or corrupted: models/player-detection.pt. "
                        "Re-download.");
}

static void test_package_text_names_what_pip_can_install(void **state)
{
        scoped(str) struct str s = {0};

        (void)state;
        plugin_text_package_missing(&s, "cv2");
        expect_text(&s, "ImportError: No module named 'cv2'. "
                        "Install with: pip install opencv-python-headless");
        plugin_text_package_missing(&s, "PIL.Image");
        expect_text(&s,
                    "ImportError: No module named 'PIL.Image'. Install with: pip install pillow");
        plugin_text_package_missing(&s, "scipy.ndimage");
        expect_text(&s, "ImportError: No module named 'scipy.ndimage'. "
                        "Install with: pip install scipy");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_table_is_what_the_documents_say),
            cmocka_unit_test(test_unknown_errors_are_internal),
            cmocka_unit_test(test_envelope_names_the_error),
            cmocka_unit_test(test_envelope_makes_strange_words_harmless),
            cmocka_unit_test(test_envelope_is_bounded_and_valid_json),
            cmocka_unit_test(test_texts_are_the_diagrams),
            cmocka_unit_test(test_package_text_names_what_pip_can_install),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
