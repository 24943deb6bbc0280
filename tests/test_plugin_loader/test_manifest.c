/* manifest.json: what is taken, what is refused and in which words. */
#include "support/test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "test_plugin_loader/manifest_fixture.h"

static void expect_list(char *const *list, const char *expected)
{
        scoped(str) struct str all = {0};

        assert_non_null(list);
        str_adds(&all, "");
        for (size_t i = 0; list[i]; i++)
                str_addf(&all, "%s%s", i ? " " : "", list[i]);
        assert_string_equal(all.data, expected);
}

static void test_reads_every_key(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(full);

        (void)state;
        assert_string_equal(m->name, "ocr");
        assert_string_equal(m->version, "1.0.0");
        assert_string_equal(m->description, "Reads text in images");
        assert_string_equal(m->entrypoint, "lib/ocr.so");
        assert_string_equal(m->python, ".venv/bin/python");
        assert_int_equal(m->runtime, PLUGIN_RUNTIME_NATIVE);
        assert_true(m->requires_gpu);
        expect_list(m->packages, "numpy PIL.Image");
        expect_list(m->libraries, "libtesseract.so.5");
        expect_list(m->commands, "ffmpeg");
        assert_int_equal(m->n_models, 2);
        assert_string_equal(m->models[0].name, "eng");
        assert_string_equal(m->models[0].path, "models/eng.traineddata");
        assert_null(m->models[0].sha256);
        assert_string_equal(m->models[1].sha256,
                            "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
        assert_true(m->limits.timeout_seconds == 2.5);
        assert_true(m->limits.load_timeout_seconds == 30);
        assert_true(m->limits.memory_bytes == UINT64_C(512) << 20);
        assert_int_equal(m->limits.instances, 2);
        assert_int_equal(m->limits.queue, 8);
        assert_int_equal(m->on_error, PLUGIN_ON_ERROR_KEEP);
        assert_int_equal(m->restart, PLUGIN_RESTART_ON_FAILURE);
        assert_true(m->network);
        expect_list(m->read, "/usr/share/tesseract-ocr");
        expect_list(m->write, "/var/lib/ocr");
        expect_list(m->env, "OMP_THREAD_LIMIT=1 EMPTY=");
        assert_true(m->has_tools);
        assert_int_equal(m->n_tools, 2);
        assert_string_equal(json_string_value(json_object_get(m->raw, "name")), "ocr");
}

static void test_defaults_are_the_documents(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(MINIMAL);

        (void)state;
        assert_string_equal(m->description, "");
        assert_null(m->python);
        assert_int_equal(m->runtime, PLUGIN_RUNTIME_NATIVE);
        assert_false(m->requires_gpu);
        assert_false(m->prefork);
        expect_list(m->packages, "");
        expect_list(m->libraries, "");
        expect_list(m->commands, "");
        expect_list(m->read, "");
        expect_list(m->write, "");
        expect_list(m->env, "");
        assert_int_equal(m->n_models, 0);
        assert_true(m->limits.timeout_seconds == 60);
        assert_true(m->limits.load_timeout_seconds == 60);
        assert_true(m->limits.memory_bytes == UINT64_C(1) << 30);
        assert_int_equal(m->limits.instances, 1);
        assert_int_equal(m->limits.queue, 64);
        assert_int_equal(m->on_error, PLUGIN_ON_ERROR_FAIL);
        assert_int_equal(m->restart, PLUGIN_RESTART_MANUAL);
        assert_false(m->network);
        assert_false(m->has_tools);
        assert_int_equal(m->n_tools, 0);
        assert_null(plugin_manifest_tool(m, "analyze"));
}

static void test_list_of_dependencies_is_packages(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m =
            parse(WITH("\"dependencies\": [\"torch\", \"cv2\"]"));

        (void)state;
        expect_list(m->packages, "torch cv2");
        expect_list(m->libraries, "");
}

static void test_runtime_follows_from_the_suffix(void **state)
{
        static const struct {
                const char *text;
                enum plugin_runtime runtime;
        } good[] = {
            {"{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"src/x.py\"}",
             PLUGIN_RUNTIME_PYTHON},
            {"{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"x.so\"}", PLUGIN_RUNTIME_NATIVE},
            {"{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"libx.so.1\","
             "\"runtime\":\"native\"}",
             PLUGIN_RUNTIME_NATIVE},
            {"{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"pkg.plugin\","
             "\"runtime\":\"python\"}",
             PLUGIN_RUNTIME_PYTHON},
            {"{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"pkg.plugin\"}",
             PLUGIN_RUNTIME_PYTHON},
            {"{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"pkg:Some.Class\"}",
             PLUGIN_RUNTIME_PYTHON},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                scoped(plugin_manifest_free) struct plugin_manifest *m = parse(good[i].text);

                assert_int_equal(m->runtime, good[i].runtime);
        }
}

/* Each refusal: the text and the whole complaint. */
static const struct {
        const char *text, *complaint;
} refusals[] = {
    {"", "empty text is not JSON"},
    {"[]", "line 1: must be an object"},
    {"\"x\"", "line 1: must be an object"},
    {"{}", "line 1: name: is missing"},
    {"{\"name\":\"x\",\n\"version\":\"1\"}", "line 1: entrypoint: is missing"},
    {"\n{\"nam\":\"x\"}", "line 2: unknown key \"nam\"; did you mean \"name\"?"},
    {WITH("\"tool\": []"), "line 2: unknown key \"tool\"; did you mean \"tools\"?"},
    {WITH("\"require_gpu\": 1"),
     "line 2: unknown key \"require_gpu\"; did you mean \"requires_gpu\"?"},
    {WITH("\"zzzzzzzzzz\": 1"), "line 2: unknown key \"zzzzzzzzzz\""},
    {WITH("\"a\xc2\x9b[31m\": 1"), "line 2: unknown key \"a?[31m\""},
    {"{\"name\":\"../x\"}", "line 1: name: must be 1 to 64 characters of a-z, 0-9, _ and -"},
    {"{\"name\":\"\"}", "line 1: name: must be 1 to 64 characters of a-z, 0-9, _ and -"},
    {"{\"name\":\"OCR\"}", "line 1: name: must be 1 to 64 characters of a-z, 0-9, _ and -"},
    {"{\"name\":7}", "line 1: name: must be a string"},
    {"{\"version\":\"\"}", "line 1: version: must be 1 to 63 bytes, such as \"1.0.0\""},
    {"{\"version\":1.0}", "line 1: version: must be a string"},
    {WITH("\"runtime\": \"pyton\""),
     "line 2: runtime: must be \"native\" or \"python\", not \"pyton\""},
    {WITH("\"runtime\": null"), "line 2: runtime: must be \"native\" or \"python\""},
    {WITH("\"runtime\": \"python\""),
     "line 1: entrypoint: ends in .so, but \"runtime\" is \"python\""},
    {"{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"a/x.rb\"}",
     "line 1: entrypoint: ends neither in .so nor in .py: say which \"runtime\" it has, "
     "\"native\" or \"python\""},
    {"{\"name\":\"x\",\"version\":\"1\",\"runtime\":\"python\",\n\"entrypoint\":\"a/b\"}",
     "line 2: entrypoint: must be a file that ends in .py, or a module's name as in "
     "\"import package.module\", and behind a colon perhaps its class"},
    {"{\"name\":\"x\",\"version\":\"1\",\"runtime\":\"python\",\"entrypoint\":\"x.py:Plugin\"}",
     "line 1: entrypoint: must be a file that ends in .py, or a module's name as in "
     "\"import package.module\", and behind a colon perhaps its class"},
    {"{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"plugin\"}",
     "line 1: entrypoint: ends neither in .so nor in .py: say which \"runtime\" it has, "
     "\"native\" or \"python\""},
    {"{\"entrypoint\":\"/x.so\"}",
     "line 1: entrypoint: must be relative to the plugin's folder, not absolute"},
    {"{\"entrypoint\":\"../x.so\"}", "line 1: entrypoint: must be a path inside the plugin's "
                                     "folder, without empty, \".\" or \"..\" parts"},
    {"{\"entrypoint\":\"\"}", "line 1: entrypoint: must be a path inside the plugin's "
                              "folder, without empty, \".\" or \"..\" parts"},
    {"{\"entrypoint\":\"a//x.so\"}", "line 1: entrypoint: must be a path inside the plugin's "
                                     "folder, without empty, \".\" or \"..\" parts"},
    {"{\"entrypoint\":\"a/../../x.so\"}", "line 1: entrypoint: must be a path inside the plugin's "
                                          "folder, without empty, \".\" or \"..\" parts"},
    {"{\"entrypoint\":\"a\\nb.so\"}", "line 1: entrypoint: must be without control characters"},
    {WITH("\"python\": \"../bin/python\""), "line 2: python: must be a path inside the plugin's "
                                            "folder, without empty, \".\" or \"..\" parts"},
    {WITH("\"python\": \"python 3\""),
     "line 2: python: must be a name without slashes, of A-Z, a-z, 0-9, ., _, + and -"},
    {WITH("\"requires_gpu\": \"yes\""), "line 2: requires_gpu: must be true or false"},
    {WITH("\"prefork\": 1"), "line 2: prefork: must be true or false"},
    {WITH("\"prefork\": true"),
     "line 2: prefork: is for Python plugins, and this one is \"native\""},
    {WITH("\"dependencies\": 3"), "line 2: dependencies: must be a list of packages, or an object"},
    {WITH("\"dependencies\": [\"torch\",\n \"numpy>=1.2\"]"),
     "line 3: dependencies[1]: must be the name a package is imported by, as in \"import cv2\", "
     "without a version"},
    {WITH("\"dependencies\": [\"opencv-python\"]"),
     "line 2: dependencies[0]: must be the name a package is imported by, as in \"import cv2\", "
     "without a version"},
    {WITH("\"dependencies\": {\"package\": []}"),
     "line 2: dependencies: unknown key \"package\"; did you mean \"packages\"?"},
    {WITH("\"dependencies\": {\"libraries\": \"libz.so\"}"),
     "line 2: dependencies.libraries: must be a list"},
    {WITH("\"dependencies\": {\"libraries\": [\"/lib/libz.so\"]}"),
     "line 2: dependencies.libraries[0]: must be a name without slashes, of A-Z, a-z, 0-9, ., _, "
     "+ and -"},
    {WITH("\"dependencies\": {\"commands\": [\"-rf\"]}"),
     "line 2: dependencies.commands[0]: must be a name without slashes, of A-Z, a-z, 0-9, ., _, "
     "+ and -"},
    {WITH("\"models\": [\"a\"]"), "line 2: models: must be an object of names and paths"},
    {WITH("\"models\": {\"m\": 5}"),
     "line 2: models.m: must be a path, or an object with path and sha256"},
    {WITH("\"models\": {\"m\": {\"sha256\": \"\"}}"),
     "line 2: models.m.sha256: must be 64 hexadecimal digits"},
    {WITH("\"models\": {\"m\": {}}"), "line 2: models.m.path: is missing"},
    {WITH("\"models\": {\"\": \"m\"}"),
     "line 2: models.: the model's name must be 1 to 128 bytes without control characters"},
    {WITH("\"models\": {\"m\": \"/etc/shadow\"}"),
     "line 2: models.m: must be relative to the plugin's folder, not absolute"},
    {WITH("\"limits\": []"), "line 2: limits: must be an object"},
    {WITH("\"limits\": {\n\"timeout_seconds\": 0}"),
     "line 3: limits.timeout_seconds: must be a number above 0"},
    {WITH("\"limits\": {\"timeout_seconds\": -1}"),
     "line 2: limits.timeout_seconds: must be a number above 0"},
    {WITH("\"limits\": {\"timeout_seconds\": \"60\"}"),
     "line 2: limits.timeout_seconds: must be a number above 0"},
    {WITH("\"limits\": {\"load_timeout_seconds\": 1e300}"),
     "line 2: limits.load_timeout_seconds: must be at most 1000000000"},
    {WITH("\"limits\": {\"timeout\": 5}"),
     "line 2: limits: unknown key \"timeout\"; did you mean \"timeout_seconds\"?"},
    {WITH("\"limits\": {\"memory_mb\": 15}"),
     "line 2: limits.memory_mb: must be a whole number from 16 to 16777216"},
    {WITH("\"limits\": {\"memory_mb\": 1024.5}"),
     "line 2: limits.memory_mb: must be a whole number from 16 to 16777216"},
    {WITH("\"limits\": {\"instances\": 65}"),
     "line 2: limits.instances: must be a whole number from 1 to 64"},
    {WITH("\"limits\": {\"queue\": 0}"),
     "line 2: limits.queue: must be a whole number from 1 to 4096"},
    {WITH("\"on_error\": \"ignore\""),
     "line 2: on_error: must be \"fail\" or \"keep\", not \"ignore\""},
    {WITH("\"restart\": \"always\""),
     "line 2: restart: must be \"manual\" or \"on-failure\", not \"always\""},
    {WITH("\"permissions\": {\"network\": 1}"),
     "line 2: permissions.network: must be true or false"},
    {WITH("\"permissions\": {\"read\": [\"data\"]}"),
     "line 2: permissions.read[0]: must be an absolute path"},
    {WITH("\"permissions\": {\"read\": [\"/\"]}"),
     "line 2: permissions.read[0]: must be less than the whole file system"},
    {WITH("\"permissions\": {\"write\": [\"/a\", \"/srv/../etc\"]}"),
     "line 2: permissions.write[1]: must be a path without empty, \".\" or \"..\" parts"},
    {WITH("\"permissions\": {\"read\": [\"/proc/1/environ\"]}"),
     "line 2: permissions.read[0]: must be outside /proc, /sys and /dev, of which the box has its "
     "own"},
    {WITH("\"env\": {\"LD_PRELOAD\": \"x.so\"}"),
     "line 2: env.LD_PRELOAD: may not be set: it decides what the dynamic loader loads"},
    {WITH("\"env\": {\"PATH\": \"/x\"}"),
     "line 2: env.PATH: may not be set: it decides which programs are found; the box has its own"},
    {WITH("\"env\": {\"PYTHONPATH\": \"/x\"}"),
     "line 2: env.PYTHONPATH: may not be set: it decides which code the interpreter loads"},
    {WITH("\"env\": {\"A=B\": \"x\"}"),
     "line 2: env.A=B: must have a name of A-Z, a-z, 0-9 and _ that begins with no digit"},
    {WITH("\"env\": {\"A\": 1}"), "line 2: env.A: must be a string"},
    {WITH("\"tools\": {}"), "line 2: tools: must be a list"},
    {WITH("\"tools\": [\n{\"name\": \"a\"},\n{\"description\": \"\"}]"),
     "line 4: tools[1].name: is missing"},
    {WITH("\"tools\": [{\"name\": \"a/b\"}]"),
     "line 2: tools[0].name: must be 1 to 64 characters of A-Z, a-z, 0-9, _, . and -"},
    {WITH("\"tools\": [{\"name\": \"a\"},\n {\"name\": \"a\"}]"),
     "line 3: tools[1].name: \"a\" is the name of an earlier tool"},
    {WITH("\"tools\": [{\"name\": \"a\", \"inputSchema\": {}}]"),
     "line 2: tools[0]: unknown key \"inputSchema\"; did you mean \"input_schema\"?"},
    {WITH("\"tools\": [{\"name\": \"a\", \"input_schema\": true}]"),
     "line 2: tools[0].input_schema: must be a JSON Schema object"},
};

static void test_refusals_name_line_and_key(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
                struct plugin_manifest *m = (void *)1;
                struct err e = {0};
                int r = plugin_manifest_parse(refusals[i].text, strlen(refusals[i].text), &m, &e);

                assert_int_equal(r, -EINVAL);
                assert_ptr_equal(m, (void *)1);
                assert_string_equal(e.msg, refusals[i].complaint);
                /* Nobody has to want the words. */
                assert_int_equal(
                    plugin_manifest_parse(refusals[i].text, strlen(refusals[i].text), &m, NULL),
                    -EINVAL);
        }
}

static void test_syntax_errors_name_line_and_column(void **state)
{
        static const char nul[] = "{\"name\":\"a\0b\"}";

        (void)state;
        expect_complaint_begins("{\n\n \"name\" \"x\"}", 14, "line 3, column");
        expect_complaint_begins("{\"name\":\"x\",\"name\":\"y\"}", 23, "line 1, column");
        expect_complaint_begins(nul, sizeof nul - 1, "line 1, column");
        expect_complaint_begins("{\"name\":\"a\\u0000b\"}", 19, "line 1, column");
        expect_complaint_begins("\xef\xbb\xbf{}", 5, "line 1, column");
}

static void test_schema_errors_name_the_line_inside_the_schema(void **state)
{
        static const char text[] = WITH("\"tools\": [{\"name\": \"a\",\n"
                                        "\"input_schema\": {\n"
                                        "\"properties\": {\n"
                                        "\"psm\": {\"minimum\": \"x\"}}}}]");
        static const char output[] = WITH("\"tools\": [{\"name\": \"a\",\n"
                                          "\"output_schema\": {\"type\": 5}}]");

        (void)state;
        expect_complaint_begins(text, sizeof text - 1,
                                "line 5: tools[0].input_schema: /properties/psm/minimum: ");
        expect_complaint_begins(output, sizeof output - 1,
                                "line 3: tools[0].output_schema: /type: ");
}

static void expect_violation(const struct json_schema *schema, const char *instance,
                             const char *pointer)
{
        scoped(json_decref) json_t *value = json_loads(instance, JSON_DECODE_ANY, NULL);
        struct json_schema_violation violation = {0};

        assert_non_null(value);
        assert_int_equal(json_schema_validate(schema, value, &violation), pointer ? 1 : 0);
        if (pointer)
                assert_string_equal(violation.pointer, pointer);
}

static void test_bytes_arguments_are_any_string_to_the_compiled_schema(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(full);
        const struct manifest_tool *tool = plugin_manifest_tool(m, "analyze");
        json_t *image;

        (void)state;
        assert_non_null(tool);
        expect_list(tool->bytes_args, "image");
        expect_violation(tool->input, "{\"image\":\"\",\"psm\":3}", NULL);
        expect_violation(tool->input, "{\"image\":\"\",\"psm\":14}", "/psm");
        expect_violation(tool->input, "{\"psm\":3}", "");
        expect_violation(tool->input, "{\"image\":5}", "/image");
        expect_violation(tool->output, "[]", "");
        /* What clients are shown is as it was written. */
        image = json_object_get(json_object_get(tool->input_schema, "properties"), "image");
        assert_int_equal(json_integer_value(json_object_get(image, "minLength")), 8);
        assert_ptr_equal(
            tool->input_schema,
            json_object_get(json_array_get(json_object_get(m->raw, "tools"), 0), "input_schema"));
}

static void test_tools_are_found_by_name(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(full);
        const struct manifest_tool *tool = plugin_manifest_tool(m, "Lang.List");

        (void)state;
        assert_non_null(tool);
        assert_null(tool->input);
        assert_null(tool->output);
        assert_null(tool->input_schema);
        assert_string_equal(tool->description, "");
        expect_list(tool->bytes_args, "");
        assert_null(plugin_manifest_tool(m, "lang.list"));
        assert_null(plugin_manifest_tool(m, ""));
}

static void test_only_strings_in_base64_are_bytes(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(
            WITH("\"tools\":[{\"name\":\"t\",\"input_schema\":{\"properties\":{"
                 "\"a\":{\"type\":\"string\",\"contentEncoding\":\"base64\"},"
                 "\"b\":{\"type\":\"string\",\"contentEncoding\":\"base32\"},"
                 "\"c\":{\"contentEncoding\":\"base64\"},\"d\":true,"
                 "\"e\":{\"type\":\"object\",\"properties\":{\"f\":{\"type\":\"string\","
                 "\"contentEncoding\":\"base64\"}}},"
                 "\"g\":{\"contentEncoding\":\"base64\",\"type\":\"string\",\"maxLength\":3}}}}]"));

        (void)state;
        expect_list(m->tools[0].bytes_args, "a g");
        assert_false(m->tools[0].views);
}

#define NAME_32 "abcdefghijklmnopqrstuvwxyz012345"
#define NAME_63 NAME_32 "abcdefghijklmnopqrstuvwxyz01234"

/* With runtime and a list of one tool that has one property. */
#define ONE_PROPERTY(runtime, name, property)                                                      \
        "{\"name\":\"p\",\"version\":\"1\",\"entrypoint\":\"plugin\",\"runtime\":\"" runtime       \
        "\",\n\"tools\":[{\"name\":\"t\",\n\"input_schema\":{\"properties\":{\"" name              \
        "\":{" property "}}}}]}"
#define BYTES_PROPERTY "\"type\":\"string\",\"contentEncoding\":\"base64\""
#define PATH_PROPERTY  "\"type\":\"string\",\"format\":\"path\""
#define TOO_LONG                                                                                   \
        "an argument that takes bytes or a file must have a name of 64 bytes at most: \"" NAME_63

static void test_names_of_bytes_and_files_are_never_cut(void **state)
{
        static const struct {
                const char *text, *complaint; /* NULL: none */
        } cases[] = {
            {ONE_PROPERTY("native", NAME_63 "x", BYTES_PROPERTY), NULL},
            {ONE_PROPERTY("native", NAME_63 "xy", BYTES_PROPERTY),
             "line 3: tools[0].input_schema: " TOO_LONG "x…\""},
            /* Cut between characters, where it is shown. */
            {ONE_PROPERTY("native", NAME_63 "\xc3\xa4", BYTES_PROPERTY),
             "line 3: tools[0].input_schema: " TOO_LONG "…\""},
            {ONE_PROPERTY("native", NAME_63 "xy", PATH_PROPERTY), NULL},
            {ONE_PROPERTY("python", NAME_63 "x", PATH_PROPERTY), NULL},
            {ONE_PROPERTY("python", NAME_63 "xy", PATH_PROPERTY), "line 1: " TOO_LONG "x…\""},
            {ONE_PROPERTY("native", NAME_63 "xy", "\"type\":\"string\""), NULL},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
                struct err e = {0};
                int r = plugin_manifest_parse(cases[i].text, strlen(cases[i].text), &m, &e);

                assert_int_equal(r, cases[i].complaint ? -EINVAL : 0);
                if (cases[i].complaint)
                        assert_string_equal(e.msg, cases[i].complaint);
        }
}

static void test_bytes_may_be_wanted_as_a_view(void **state)
{
        static const struct {
                const char *property;
                bool views;
        } cases[] = {
            {"\"type\":\"string\",\"contentEncoding\":\"base64\",\"format\":\"memoryview\"", true},
            {"\"type\":\"string\",\"contentEncoding\":\"base64\",\"format\":\"binary\"", false},
            {"\"type\":\"string\",\"format\":\"memoryview\"", false},
            {"\"type\":\"string\",\"contentEncoding\":\"base64\",\"format\":5", false},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                char text[1024];

                snprintf(text, sizeof text,
                         WITH("\"tools\":[{\"name\":\"t\",\"input_schema\":{\"properties\":{"
                              "\"a\":{%s}}}}]"),
                         cases[i].property);
                scoped(plugin_manifest_free) struct plugin_manifest *m = parse(text);

                assert_int_equal(m->tools[0].views, cases[i].views);
        }
}

/* --- the operator's limits --- */

static void test_limits_are_lowered_and_reported(void **state)
{
        static const struct plugin_limits max = {3600, 120, UINT64_C(4096) << 20, .instances = 4,
                                                 .queue = 100};
        scoped(plugin_manifest_free) struct plugin_manifest *m =
            parse(WITH("\"limits\": {\"timeout_seconds\": 1e9, \"memory_mb\": 1048576,"
                       "\"instances\": 64, \"queue\": 4096, \"load_timeout_seconds\": 120.5}"));
        scoped(str) struct str clamped = {0};

        (void)state;
        plugin_manifest_clamp(m, &max, &clamped);
        assert_string_equal(clamped.data, "timeout_seconds 1000000000 lowered to 3600\n"
                                          "load_timeout_seconds 120.5 lowered to 120\n"
                                          "memory_mb 1048576 lowered to 4096\n"
                                          "instances 64 lowered to 4\n"
                                          "queue 4096 lowered to 100\n");
        assert_true(m->limits.timeout_seconds == 3600);
        assert_true(m->limits.load_timeout_seconds == 120);
        assert_true(m->limits.memory_bytes == UINT64_C(4096) << 20);
        assert_int_equal(m->limits.instances, 4);
        assert_int_equal(m->limits.queue, 100);
}

static void test_limits_below_or_without_a_maximum_stay(void **state)
{
        static const struct plugin_limits none = {0}, higher = {1e6, 1e6, UINT64_MAX, 1000, 100000};
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(MINIMAL);
        scoped(str) struct str clamped = {0};

        (void)state;
        plugin_manifest_clamp(m, &none, &clamped);
        plugin_manifest_clamp(m, &higher, &clamped);
        assert_int_equal(clamped.len, 0);
        assert_true(m->limits.timeout_seconds == 60);
        assert_int_equal(m->limits.queue, 64);
}

/* --- META --- */

static int merge(struct plugin_manifest *m, const char *meta, struct err *e)
{
        return plugin_manifest_merge_meta(m, meta, strlen(meta), e);
}

static void test_meta_brings_the_tools_when_the_manifest_has_none(void **state)
{
        static const char meta[] = "{\"tools\":[{\"name\":\"a\"},{\"name\":\"b\",\"input_schema\":"
                                   "{\"type\":\"object\"}}]}";
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(MINIMAL);
        struct err e = {0};

        (void)state;
        assert_int_equal(merge(m, meta, &e), 0);
        assert_int_equal(m->n_tools, 2);
        assert_non_null(plugin_manifest_tool(m, "b")->input);
        /* Another instance says the same; one that says less is wrong. */
        assert_int_equal(merge(m, meta, &e), 0);
        assert_int_equal(m->n_tools, 2);
        assert_int_equal(merge(m, "{\"tools\":[{\"name\":\"a\"}]}", &e), -EINVAL);
        assert_string_equal(e.msg,
                            "it has no tool \"b\", which manifest.json lists; did you mean a?");
}

static void test_meta_must_have_every_tool_of_the_manifest(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m =
            parse(WITH("\"tools\":[{\"name\":\"a\"},{\"name\":\"b\"}]"));
        struct err e = {0};

        (void)state;
        assert_int_equal(merge(m,
                               "{\"tools\":[{\"name\":\"b\"},{\"name\":\"a\"},"
                               "{\"name\":\"c\"}]}",
                               &e),
                         0);
        assert_int_equal(m->n_tools, 2);
        assert_null(plugin_manifest_tool(m, "c"));
        assert_int_equal(merge(m, "{\"tools\":[{\"name\":\"b\"}]}", &e), -EINVAL);
        assert_string_equal(e.msg,
                            "it has no tool \"a\", which manifest.json lists; did you mean b?");
        assert_int_equal(merge(m, "{\"tools\":[{\"name\":\"tracker\"},{\"name\":\"ocr\"}]}", &e),
                         -EINVAL);
        assert_string_equal(e.msg,
                            "it has no tool \"a\", which manifest.json lists (it has: tracker, "
                            "ocr)");
        assert_int_equal(m->n_tools, 2);
}

static void test_meta_is_read_as_strictly_as_the_manifest(void **state)
{
        static const struct {
                const char *meta, *complaint;
        } bad[] = {
            {"", "what it says of its tools: empty text is not JSON"},
            {"[]", "what it says of its tools: line 1: must be an object"},
            {"{}", "what it says of its tools: line 1: tools: is missing"},
            {"{\"tools\":[{\"name\":\"../x\"}]}",
             "what it says of its tools: line 1: tools[0].name: must be 1 to 64 characters of A-Z, "
             "a-z, 0-9, _, . and -"},
            {"{\"tools\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
             "what it says of its tools: line 1: tools[1].name: \"a\" is the name of an earlier "
             "tool"},
            {"{\"tools\":[{\"name\":\"a\",\"input_schema\":{\"properties\":{\"" NAME_63
             "xy\":{" BYTES_PROPERTY "}}}}]}",
             "what it says of its tools: line 1: tools[0].input_schema: " TOO_LONG "x…\""},
            {"{\"tools\":[],\"tool\":1}",
             "what it says of its tools: line 1: unknown key \"tool\"; did you mean "
             "\"tools\"?"},
        };
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(MINIMAL);
        struct err e = {0};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                assert_int_equal(merge(m, bad[i].meta, &e), -EINVAL);
                assert_string_equal(e.msg, bad[i].complaint);
                assert_int_equal(m->n_tools, 0);
        }
}

/* --- the document and our own plugins --- */

static void test_documents_examples_are_taken(void **state)
{
        scoped(free) char *text = NULL;
        struct plugin_manifest *m = NULL;
        struct err e = {0};
        size_t size;
        char *begin, *end;

        (void)state;
        assert_int_equal(
            fd_read_file(-1, SOURCE_ROOT "/docs/MANIFEST.md", MIB(1), &text, &size, &e), 0);
        begin = strstr(text, "```json\n");
        assert_non_null(begin);
        begin += strlen("```json\n");
        end = strstr(begin, "```");
        assert_non_null(end);
        if (plugin_manifest_parse(begin, (size_t)(end - begin), &m, &e) != 0)
                fail_msg("%s", e.msg);
        assert_int_equal(m->n_models, 2);
        assert_int_equal(m->n_tools, 1);
        plugin_manifest_free(m);
        /* The second is of the other form. */
        begin = strstr(end + 3, "```json\n");
        assert_non_null(begin);
        begin += strlen("```json\n");
        end = strstr(begin, "```");
        assert_non_null(end);
        if (plugin_manifest_parse(begin, (size_t)(end - begin), &m, &e) != 0)
                fail_msg("%s", e.msg);
        assert_string_equal(m->name, "yolo-tracker");
        assert_int_equal(m->n_tools, 1);
        plugin_manifest_free(m);
}

/* Each key of the example has its row in the table. */
static void expect_rows(const char *text, const char *prefix, const json_t *object)
{
        const char *key;
        json_t *value;

        json_object_foreach ((json_t *)object, key, value) {
                char row[64];

                snprintf(row, sizeof row, "\n| `%s%s` |", prefix, key);
                if (!strstr(text, row) && !json_is_object(value))
                        fail_msg("docs/MANIFEST.md has no row for %s%s", prefix, key);
        }
}

static void test_document_has_a_row_for_every_key(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(full);
        scoped(free) char *text = NULL;
        size_t size;

        (void)state;
        assert_int_equal(
            fd_read_file(-1, SOURCE_ROOT "/docs/MANIFEST.md", MIB(1), &text, &size, NULL), 0);
        expect_rows(text, "", m->raw);
        expect_rows(text, "limits.", json_object_get(m->raw, "limits"));
        expect_rows(text, "permissions.", json_object_get(m->raw, "permissions"));
        expect_rows(text, "dependencies.", json_object_get(m->raw, "dependencies"));
        expect_rows(text, "tools[].", json_array_get(json_object_get(m->raw, "tools"), 0));
}

static void test_takes_the_manifests_of_our_own_plugins(void **state)
{
        DIR *plugins = opendir(SOURCE_ROOT "/plugins");
        struct dirent *entry;
        unsigned taken = 0;

        (void)state;
        assert_non_null(plugins);
        while ((entry = readdir(plugins))) {
                char dir[512];
                struct plugin_manifest *m = NULL;
                struct err e = {0};
                int r;

                snprintf(dir, sizeof dir, SOURCE_ROOT "/plugins/%.255s", entry->d_name);
                r = entry->d_name[0] == '.' ? -ENOENT : plugin_manifest_load(dir, &m, &e);
                if (r != 0 && r != -ENOENT && r != -ENOTDIR)
                        fail_msg("%s: %s", entry->d_name, e.msg);
                if (r == 0)
                        assert_string_equal(m->name, entry->d_name);
                taken += r == 0;
                plugin_manifest_free(m);
        }
        closedir(plugins);
        assert_true(taken > 0);
}

/* --- from a folder --- */

static void write_file(const char *dir, const char *text)
{
        char path[256];
        FILE *f;

        snprintf(path, sizeof path, "%s/%s", dir, PLUGIN_MANIFEST_FILE);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void test_loads_from_a_folder(void **state)
{
        char dir[] = "/tmp/forgesyte-manifest-XXXXXX", path[256], expected[256];
        struct plugin_manifest *m = NULL;
        struct err e = {0};

        (void)state;
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/%s", dir, PLUGIN_MANIFEST_FILE);
        snprintf(expected, sizeof expected, "manifest.json: there is none in %s", dir);
        assert_int_equal(plugin_manifest_load(dir, &m, &e), -ENOENT);
        assert_string_equal(e.msg, expected);
        write_file(dir, full);
        assert_int_equal(plugin_manifest_load(dir, &m, &e), 0);
        assert_string_equal(m->name, "ocr");
        plugin_manifest_free(m);
        write_file(dir, WITH("\"tools\": {}"));
        assert_int_equal(plugin_manifest_load(dir, &m, &e), -EINVAL);
        assert_string_equal(e.msg, "manifest.json: line 2: tools: must be a list");
        assert_int_equal(unlink(path), 0);
        /* A fifo must not hang it. */
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_true(plugin_manifest_load(dir, &m, &e) < 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
        assert_true(plugin_manifest_load(dir, &m, &e) < 0);
        assert_memory_equal(e.msg, "manifest.json: open /tmp/", 25);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_reads_every_key),
            cmocka_unit_test(test_defaults_are_the_documents),
            cmocka_unit_test(test_list_of_dependencies_is_packages),
            cmocka_unit_test(test_runtime_follows_from_the_suffix),
            cmocka_unit_test(test_refusals_name_line_and_key),
            cmocka_unit_test(test_syntax_errors_name_line_and_column),
            cmocka_unit_test(test_schema_errors_name_the_line_inside_the_schema),
            cmocka_unit_test(test_bytes_arguments_are_any_string_to_the_compiled_schema),
            cmocka_unit_test(test_tools_are_found_by_name),
            cmocka_unit_test(test_only_strings_in_base64_are_bytes),
            cmocka_unit_test(test_names_of_bytes_and_files_are_never_cut),
            cmocka_unit_test(test_bytes_may_be_wanted_as_a_view),
            cmocka_unit_test(test_limits_are_lowered_and_reported),
            cmocka_unit_test(test_limits_below_or_without_a_maximum_stay),
            cmocka_unit_test(test_meta_brings_the_tools_when_the_manifest_has_none),
            cmocka_unit_test(test_meta_must_have_every_tool_of_the_manifest),
            cmocka_unit_test(test_meta_is_read_as_strictly_as_the_manifest),
            cmocka_unit_test(test_documents_examples_are_taken),
            cmocka_unit_test(test_document_has_a_row_for_every_key),
            cmocka_unit_test(test_takes_the_manifests_of_our_own_plugins),
            cmocka_unit_test(test_loads_from_a_folder),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
