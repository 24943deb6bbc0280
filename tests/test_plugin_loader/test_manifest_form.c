/* Manifests in ForgeSyte's own form: what its plugins have, what it means here, what is refused. */
#include "support/test.h"

#include <stdio.h>

#include "base/json.h"
#include "support/failing_malloc.h"
#include "test_plugin_loader/manifest_fixture.h"

/* As its plugins write them. */
static const char detector[] =
    "{\n"
    "  \"id\": \"shot-tracker\",\n"
    "  \"name\": \"Shot Tracker\",\n"
    "  \"version\": \"0.10.0\",\n"
    "  \"author\": \"Somebody\",\n"
    "  \"license\": \"MIT\",\n"
    "  \"entrypoint\": \"shot_tracker.plugin\",\n"
    "  \"type\": \"yolo\",\n"
    "  \"capabilities\": [\"player_detection\", \"streaming_video_analysis\"],\n"
    "  \"canonical\": {\"tools\": 3},\n"
    "  \"tools\": [\n"
    "    {\"id\": \"players\", \"title\": \"Player Detection\",\n"
    "     \"description\": \"Finds players in one image.\",\n"
    "     \"input_types\": [\"image_bytes\"], \"output_types\": [\"detections\"],\n"
    "     \"capabilities\": [\"player_detection\"],\n"
    "     \"inputs\": {\"image_bytes\": \"string\", \"device\": \"string?\",\n"
    "                \"annotated\": \"boolean\"},\n"
    "     \"outputs\": {\"detections\": \"array\", \"annotated_image_base64\": \"string?\"}},\n"
    "    {\"id\": \"video_players\", \"title\": \"Video\",\n"
    "     \"inputs\": {\"video_path\": \"string\", \"device\": \"string?\"},\n"
    "     \"outputs\": {\"frames\": \"array\", \"total_frames\": \"integer\"}},\n"
    "    {\"id\": \"text\", \"inputs\": {\"image_base64\": \"string\", \"psm\": \"integer\"}}\n"
    "  ]\n"
    "}\n";

/* An older shape of it: tools by their names. */
static const char by_name[] =
    "{\"id\":\"Old_Reader 2\",\"name\":\"old\",\"version\":\"1.0.0\",\n"
    " \"entrypoint\":\"old_reader.plugin\",\"description\":\"Reads\",\"tools\":{\n"
    "  \"read\":{\"description\":\"d\",\"inputs\":{\"frame_base64\":\"string\"},\n"
    "          \"outputs\":{\"text\":\"string\"}},\n"
    "  \"spell\":{\"inputs\":[\"image_bytes\",\"video_path\",\"text\"]}}}";

#define FORM(members)      "{\"id\":\"x\",\"version\":\"1\",\"entrypoint\":\"x.plugin\",\n" members "}"
#define FORM_TOOL(members) FORM("\"tools\":[{\"id\":\"t\",\n" members "}]")

static void expect_json(const json_t *value, const char *expected)
{
        scoped(free) char *text =
            json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

        assert_non_null(text);
        assert_string_equal(text, expected);
}

static void expect_names(char *const *list, const char *expected)
{
        scoped(str) struct str all = {0};

        assert_non_null(list);
        str_adds(&all, "");
        for (size_t i = 0; list[i]; i++)
                str_addf(&all, "%s%s", i ? " " : "", list[i]);
        assert_string_equal(all.data, expected);
}

/* The schema that `inputs` is made into. */
static void expect_schema(const char *inputs, const char *expected)
{
        scoped(str) struct str text = {0};
        struct plugin_manifest *m;

        str_addf(&text, FORM_TOOL("\"inputs\":%s"), inputs);
        m = parse(text.data);
        expect_json(m->tools[0].input_schema, expected);
        plugin_manifest_free(m);
}

static bool takes(const struct manifest_tool *tool, const char *arguments)
{
        scoped(json_decref) json_t *value = json_loads(arguments, JSON_DECODE_ANY, NULL);
        struct json_schema_violation violation;

        assert_non_null(value);
        return json_schema_validate(tool->input, value, &violation) == 0;
}

static void test_takes_a_plugin_of_its_own(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(detector);

        (void)state;
        assert_string_equal(m->name, "shot-tracker");
        assert_string_equal(m->version, "0.10.0");
        assert_string_equal(m->description, "Shot Tracker");
        assert_string_equal(m->entrypoint, "shot_tracker.plugin");
        assert_int_equal(m->runtime, PLUGIN_RUNTIME_PYTHON);
        assert_true(m->has_tools);
        assert_int_equal(m->n_tools, 3);
        assert_string_equal(m->tools[0].name, "players");
        assert_string_equal(m->tools[0].description, "Finds players in one image.");
        expect_names(m->tools[0].bytes_args, "image_bytes");
        expect_names(m->tools[0].file_args, "");
        assert_string_equal(m->tools[1].description, "Video");
        expect_names(m->tools[1].bytes_args, "");
        expect_names(m->tools[1].file_args, "video_path");
        /* It decodes the text itself. */
        expect_names(m->tools[2].bytes_args, "");
        assert_string_equal(m->tools[2].description, "");
        expect_json(json_object_get(m->raw, "type"), "\"yolo\"");
}

static void test_inputs_are_required_unless_they_have_a_question_mark(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(detector);
        const struct manifest_tool *players = plugin_manifest_tool(m, "players");
        const struct manifest_tool *text = plugin_manifest_tool(m, "text");

        (void)state;
        assert_true(takes(players, "{\"image_bytes\":\"\",\"annotated\":true}"));
        assert_true(takes(players, "{\"image_bytes\":\"\",\"annotated\":true,\"device\":\"cpu\"}"));
        assert_true(takes(players, "{\"image_bytes\":\"\",\"annotated\":true,\"more\":1}"));
        assert_false(takes(players, "{\"image_bytes\":\"\"}"));
        assert_false(takes(players, "{\"annotated\":true}"));
        assert_false(takes(players, "{\"image_bytes\":\"\",\"annotated\":1}"));
        assert_true(takes(text, "{\"image_base64\":\"aGVsbG8=\",\"psm\":6}"));
        assert_false(takes(text, "{\"image_base64\":\"aGVsbG8=\",\"psm\":6.5}"));
}

static void test_answers_are_held_to_a_schema_only(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(detector);
        scoped(plugin_manifest_free) struct plugin_manifest *with =
            parse(FORM_TOOL("\"outputs\":{\"type\":\"object\",\"required\":[\"text\"]}"));
        scoped(plugin_manifest_free) struct plugin_manifest *ours =
            parse(FORM_TOOL("\"output_schema\":{\"type\":\"array\"}, \"outputs\":[\"text\"]"));

        (void)state;
        for (size_t i = 0; i < m->n_tools; i++) {
                assert_null(m->tools[i].output);
                assert_null(m->tools[i].output_schema);
        }
        assert_non_null(with->tools[0].output);
        assert_non_null(ours->tools[0].output);
}

static void test_takes_tools_by_name(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(by_name);

        (void)state;
        assert_string_equal(m->name, "old_reader-2");
        assert_string_equal(m->description, "Reads");
        assert_int_equal(m->n_tools, 2);
        assert_string_equal(m->tools[0].name, "read");
        assert_string_equal(m->tools[0].description, "d");
        assert_string_equal(m->tools[1].name, "spell");
        expect_names(m->tools[1].bytes_args, "image_bytes");
        expect_names(m->tools[1].file_args, "video_path");
}

static void test_a_tool_without_id_goes_by_its_name(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m =
            parse(FORM("\"tools\":[{\"name\":\"analyze\"},{\"id\":\"b\",\"name\":\"A title\"}]"));

        (void)state;
        assert_string_equal(m->tools[0].name, "analyze");
        assert_null(m->tools[0].input);
        assert_string_equal(m->tools[1].name, "b");
}

static void test_types_become_a_schema(void **state)
{
        (void)state;
        expect_schema("{}", "{\"properties\":{},\"required\":[],\"type\":\"object\"}");
        expect_schema("[]", "{\"properties\":{},\"required\":[],\"type\":\"object\"}");
        expect_schema("{\"a\":\"integer\",\"b\":\"number?\",\"c\":\"boolean\",\"d\":\"array?\","
                      "\"e\":\"object\",\"f\":\"string\"}",
                      "{\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"number\"},"
                      "\"c\":{\"type\":\"boolean\"},\"d\":{\"type\":\"array\"},"
                      "\"e\":{\"type\":\"object\"},\"f\":{\"type\":\"string\"}},"
                      "\"required\":[\"a\",\"c\",\"e\",\"f\"],\"type\":\"object\"}");
        expect_schema(
            "{\"a\":\"int?\",\"b\":\"float\",\"c\":\"dict\"}",
            "{\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"number\"},"
            "\"c\":{\"type\":\"object\"}},\"required\":[\"b\",\"c\"],\"type\":\"object\"}");
        /* An unknown word may be anything. */
        expect_schema("{\"a\":\"any\",\"b\":\"tensor?\",\"c\":7,\"d\":\"\",\"e\":\"?\"}",
                      "{\"properties\":{\"a\":{},\"b\":{},\"c\":{},\"d\":{},\"e\":{}},"
                      "\"required\":[\"a\",\"c\",\"d\"],\"type\":\"object\"}");
        expect_schema("[\"text\",\"text\"]", "{\"properties\":{\"text\":{}},\"required\":"
                                             "[\"text\"],\"type\":\"object\"}");
}

static void test_only_bytes_are_bytes(void **state)
{
        (void)state;
        expect_schema("{\"frame_bytes\":\"string?\"}",
                      "{\"properties\":{\"frame_bytes\":{\"contentEncoding\":\"base64\",\"type\":"
                      "\"string\"}},\"required\":[],\"type\":\"object\"}");
        /* A count of them is a number. */
        expect_schema("{\"max_bytes\":\"integer\"}",
                      "{\"properties\":{\"max_bytes\":{\"type\":\"integer\"}},\"required\":"
                      "[\"max_bytes\"],\"type\":\"object\"}");
        expect_schema("{\"image\":{\"type\":\"string\",\"format\":\"binary\"}}",
                      "{\"properties\":{\"image\":{\"contentEncoding\":\"base64\",\"format\":"
                      "\"binary\",\"type\":\"string\"}},\"required\":[\"image\"],\"type\":"
                      "\"object\"}");
        expect_schema("{\"image\":\"bytes\"}",
                      "{\"properties\":{\"image\":{\"contentEncoding\":\"base64\",\"type\":"
                      "\"string\"}},\"required\":[\"image\"],\"type\":\"object\"}");
        expect_schema("{\"FrameB64\":\"base64\"}",
                      "{\"properties\":{\"FrameB64\":{\"type\":\"string\"}},\"required\":"
                      "[\"FrameB64\"],\"type\":\"object\"}");
        expect_schema("{\"image_base64\":{\"type\":\"string\",\"contentEncoding\":\"base64\"}}",
                      "{\"properties\":{\"image_base64\":{\"type\":\"string\"}},\"required\":"
                      "[\"image_base64\"],\"type\":\"object\"}");
}

static void test_a_propertys_own_schema_stays(void **state)
{
        (void)state;
        expect_schema(
            "{\"psm\":{\"type\":\"integer?\",\"minimum\":0},"
            "\"lang\":{\"type\":\"string\",\"default\":\"eng\"},"
            "\"mode\":{\"type\":[\"string\",\"null\"],\"required\":false},"
            "\"box\":{\"type\":\"rect\",\"required\":true}}",
            "{\"properties\":{\"box\":{},\"lang\":{\"default\":\"eng\",\"type\":"
            "\"string\"},\"mode\":{\"type\":[\"string\",\"null\"]},\"psm\":{\"minimum\":0,"
            "\"type\":\"integer\"}},\"required\":[\"box\"],\"type\":\"object\"}");
}

static void test_a_json_schema_is_one(void **state)
{
        (void)state;
        expect_schema("{\"properties\":{\"image_bytes\":{\"type\":\"string\",\"minLength\":4},"
                      "\"ok\":true},\"required\":[\"image_bytes\"]}",
                      "{\"properties\":{\"image_bytes\":{\"contentEncoding\":\"base64\","
                      "\"minLength\":4,\"type\":\"string\"},\"ok\":true},\"required\":"
                      "[\"image_bytes\"]}");
        expect_schema("{\"type\":\"object\"}", "{\"type\":\"object\"}");
}

static void test_files_are_for_paths_of_python_plugins(void **state)
{
        static const char tools[] =
            "\"tools\":[{\"name\":\"t\",\"input_schema\":{\"properties\":{"
            "\"video_path\":{\"type\":\"string\"},\"left\":{\"format\":\"path\"},"
            "\"right\":{\"type\":[\"null\",\"string\"],\"format\":\"file-path\"},"
            "\"model_path\":{\"type\":\"string\"},"
            "\"number\":{\"type\":\"integer\",\"format\":\"path\"},\"my_video_path\":{},"
            "\"input\":{\"type\":\"string\",\"format\":\"path\",\"contentEncoding\":\"base64\"}"
            "}}}]}";
        static const char native[] = "{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"x.so\",";
        static const char python[] = "{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"x.py\",";
        scoped(str) struct str text = {0};
        struct plugin_manifest *m;

        (void)state;
        str_addf(&text, "%s%s", native, tools);
        m = parse(text.data);
        expect_names(m->tools[0].file_args, "");
        plugin_manifest_free(m);
        text.len = 0;
        str_addf(&text, "%s%s", python, tools);
        m = parse(text.data);
        expect_names(m->tools[0].file_args, "video_path left right");
        expect_names(m->tools[0].bytes_args, "input");
        plugin_manifest_free(m);
}

static void test_our_keys_mean_the_same(void **state)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m =
            parse(FORM("\"limits\":{\"timeout_seconds\":5,\"memory_mb\":64},\"on_error\":\"keep\","
                       "\"restart\":\"on-failure\",\"permissions\":{\"network\":true},"
                       "\"env\":{\"A\":\"1\"},\"dependencies\":[\"numpy\"],\"requires_gpu\":true,"
                       "\"models\":{\"m\":\"m.pt\"},\"python\":\".venv/bin/python\","
                       "\"runtime\":\"python\",\"prefork\":true"));

        (void)state;
        assert_true(m->prefork);
        assert_true(m->limits.timeout_seconds == 5);
        assert_int_equal(m->on_error, PLUGIN_ON_ERROR_KEEP);
        assert_int_equal(m->restart, PLUGIN_RESTART_ON_FAILURE);
        assert_true(m->network);
        assert_true(m->requires_gpu);
        expect_names(m->env, "A=1");
        expect_names(m->packages, "numpy");
        assert_int_equal(m->n_models, 1);
        assert_string_equal(m->python, ".venv/bin/python");
        assert_false(m->has_tools);
}

static void test_takes_files_and_modules_as_entrypoints(void **state)
{
        static const char *const entrypoints[] = {"plugin.py", "src/plugin.py", "plugin",
                                                  "pkg.plugin", "pkg.plugin:Plugin"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(entrypoints); i++) {
                scoped(str) struct str text = {0};
                scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;

                str_addf(&text, "{\"id\":\"x\",\"version\":\"1\",\"entrypoint\":\"%s\"}",
                         entrypoints[i]);
                m = parse(text.data);
                assert_int_equal(m->runtime, PLUGIN_RUNTIME_PYTHON);
                assert_string_equal(m->entrypoint, entrypoints[i]);
        }
}

#define ID_RULE                                                                                    \
        "must be 1 to 64 characters of A-Z, a-z, 0-9, space, ., _ and -: in lower case, with - "   \
        "for space and ., it is the plugin's name"

static const struct {
        const char *text, *complaint;
} refusals[] = {
    {"{\"id\":\"a/b\"}", "line 1: id: " ID_RULE},
    {"{\"id\":\"\"}", "line 1: id: " ID_RULE},
    {"{\"id\":\"caf\xc3\xa9\"}", "line 1: id: " ID_RULE},
    {"{\"id\":7}", "line 1: id: must be a string"},
    {"{\"id\":null}", "line 1: id: must be a string"},
    {"{\"id\":\"x\"}", "line 1: version: is missing"},
    {"{\"id\":\"x\",\"version\":\"1\"}", "line 1: entrypoint: is missing"},
    {FORM("\"name\":5"), "line 2: name: must be a string"},
    {FORM("\"runtime\":\"native\""),
     "line 2: runtime: a manifest with an \"id\" is of ForgeSyte's own form, which is for Python "
     "plugins"},
    {"{\"id\":\"x\",\"version\":\"1\",\n\"entrypoint\":\"x.so\"}",
     "line 2: entrypoint: a manifest with an \"id\" is of ForgeSyte's own form, which is for "
     "Python plugins"},
    {"{\"id\":\"x\",\"version\":\"1\",\n\"entrypoint\":\"a b\"}",
     "line 2: entrypoint: must be a file that ends in .py, or a module's name as in \"import "
     "package.module\", and behind a colon perhaps its class"},
    {FORM("\"limits\":{\"timeout\":5}"),
     "line 2: limits: unknown key \"timeout\"; did you mean \"timeout_seconds\"?"},
    {FORM("\"tools\":3"), "line 2: tools: must be a list, or an object of names and tools"},
    {FORM("\"tools\":[3]"), "line 2: tools[0]: must be an object"},
    {FORM("\"tools\":[{}]"), "line 2: tools[0].id: is missing"},
    {FORM("\"tools\":[{\"id\":\"a b\"}]"),
     "line 2: tools[0].id: must be 1 to 64 characters of A-Z, a-z, 0-9, _, . and -"},
    {FORM("\"tools\":[{\"id\":\"a\"},\n{\"id\":\"a\"}]"),
     "line 3: tools[1].id: \"a\" is the name of an earlier tool"},
    {FORM("\"tools\":{\n\"a b\":{}}"),
     "line 3: tools.a b: the tool's name must be 1 to 64 characters of A-Z, a-z, 0-9, _, . and -"},
    {FORM("\"tools\":{\"a\":1}"), "line 2: tools.a: must be an object"},
    {FORM_TOOL("\"inputs\":3"), "line 3: tools[0].inputs: must be an object of names and types, a "
                                "list of names, or a JSON Schema"},
    {FORM_TOOL("\"inputs\":[\"a\",\n5]"), "line 4: tools[0].inputs[1]: must be an argument's name"},
    {FORM_TOOL("\"inputs\":{},\n\"input_schema\":{}"),
     "line 4: tools[0].input_schema: the tool has its arguments twice: leave one out"},
    {FORM_TOOL("\"outputs\":{\"type\":\"object\"},\n\"output_schema\":{}"),
     "line 4: tools[0].output_schema: the tool has its answer twice: leave one out"},
};

static void test_refusals_name_line_and_key(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
                struct plugin_manifest *m = (void *)1;
                struct err e = {0};

                assert_int_equal(
                    plugin_manifest_parse(refusals[i].text, strlen(refusals[i].text), &m, &e),
                    -EINVAL);
                assert_ptr_equal(m, (void *)1);
                assert_string_equal(e.msg, refusals[i].complaint);
        }
}

/* Also where the schema was made of something that looks otherwise. */
static void test_schema_errors_name_the_line_of_what_was_written(void **state)
{
        static const char named[] = FORM_TOOL("\"inputs\":{\n\"psm\":{\n\"minimum\":\"x\"}}");
        static const char schema[] =
            FORM_TOOL("\"inputs\":{\"properties\":{\n\"psm\":{\n\"minimum\":\"x\"}}}");

        (void)state;
        expect_complaint_begins(named, sizeof named - 1, "line 5: tools[0].inputs: /psm/minimum: ");
        expect_complaint_begins(schema, sizeof schema - 1,
                                "line 5: tools[0].inputs: /properties/psm/minimum: ");
}

static void test_without_an_id_strange_keys_stay_errors(void **state)
{
        static const char text[] = WITH("\"author\":\"Somebody\"");

        (void)state;
        expect_complaint_begins(text, sizeof text - 1, "line 2: unknown key \"author\"");
}

/* The plugin has its own word on its tools; what the manifest lists is the manifest's. */
static void test_the_manifests_schemas_win_over_the_plugins(void **state)
{
        static const char meta[] =
            "{\"tools\":[{\"name\":\"text\",\"input_schema\":{\"required\":[\"other\"]}},"
            "{\"name\":\"players\",\"description\":\"theirs\",\"output_schema\":{\"type\":"
            "\"null\"}},{\"name\":\"video_players\"},{\"name\":\"extra\"}]}";
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(detector);
        struct err e = {0};

        (void)state;
        for (int again = 0; again < 2; again++) {
                assert_int_equal(plugin_manifest_merge_meta(m, meta, sizeof meta - 1, &e), 0);
                assert_int_equal(m->n_tools, 3);
                assert_true(takes(&m->tools[2], "{\"image_base64\":\"\",\"psm\":1}"));
                assert_string_equal(m->tools[0].description, "Finds players in one image.");
                assert_null(m->tools[0].output);
                expect_names(m->tools[1].file_args, "video_path");
        }
        assert_int_equal(plugin_manifest_merge_meta(m, "{\"tools\":[]}", 12, &e), -EINVAL);
        assert_string_equal(e.msg, "it has no tool \"players\", which manifest.json lists");
}

static void test_tools_of_the_plugin_take_files_too(void **state)
{
        static const char meta[] = "{\"tools\":[{\"name\":\"v\",\"input_schema\":{\"properties\":{"
                                   "\"video_path\":{\"type\":\"string\"}}}}]}";
        scoped(plugin_manifest_free) struct plugin_manifest *m = parse(FORM("\"name\":\"n\""));

        (void)state;
        assert_int_equal(plugin_manifest_merge_meta(m, meta, sizeof meta - 1, NULL), 0);
        expect_names(m->tools[0].file_args, "video_path");
}

/* --- bad input and bad luck --- */

static uint32_t next_random(uint32_t *seed)
{
        *seed = *seed * 1664525 + 1013904223;
        return *seed >> 8;
}

/* Moves words about, so that keys get each other's values, and spoils bytes. */
static size_t mutate(char *text, size_t n, uint32_t *seed)
{
        static const char bytes[] = "{}[]\",:?_01.ntf \\";

        for (unsigned times = 1 + next_random(seed) % 3; times > 0; times--) {
                size_t len = 1 + next_random(seed) % 24;
                size_t to = next_random(seed) % (n - len), from = next_random(seed) % (n - len);

                if (next_random(seed) % 3)
                        memmove(text + to, text + from, len);
                else
                        text[to] = bytes[next_random(seed) % (sizeof bytes - 1)];
        }
        return n - next_random(seed) % 3;
}

static void test_no_mutation_breaks_the_parser(void **state)
{
        static const char *const texts[] = {detector, by_name};
        uint32_t seed = 7;
        unsigned taken = 0;

        (void)state;
        for (int i = 0; i < 20000; i++) {
                const char *sample = texts[i % 2];
                scoped(free) char *text = mem_dup0(sample, strlen(sample)), *exact = NULL;
                scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
                struct err e = {0};
                size_t n;
                int r;

                assert_non_null(text);
                n = mutate(text, strlen(sample), &seed);
                /* Exactly as large as it says, so that one byte too far is seen. */
                exact = malloc(n);
                assert_non_null(exact);
                memcpy(exact, text, n);
                r = plugin_manifest_parse(exact, n, &m, &e);
                assert_true(r == 0 || r == -EINVAL);
                assert_int_equal(r == 0, m != NULL);
                assert_true(r == 0 || strlen(e.msg) > 0);
                taken += r == 0;
        }
        assert_true(taken > 100);
}

static void parse_form(void *text)
{
        struct plugin_manifest *m = NULL;
        struct err e = {0};
        int r = plugin_manifest_parse(text, strlen(text), &m, &e);
        bool failed = failing_malloc_disarm();

        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(r == 0, m != NULL);
        plugin_manifest_free(m);
}

static void survive_failed_allocations(const char *text)
{
        assert_true(failing_malloc_each(parse_form, (void *)text) > 100);
}

static void test_survives_every_failed_allocation(void **state)
{
        (void)state;
        survive_failed_allocations(detector);
        survive_failed_allocations(by_name);
        survive_failed_allocations(
            FORM_TOOL("\"inputs\":{\"image_bytes\":{\"type\":\"bytes?\",\"default\":\"\"},"
                      "\"n\":{\"required\":false,\"type\":\"x\"}},\"title\":\"T\""));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_takes_a_plugin_of_its_own),
            cmocka_unit_test(test_inputs_are_required_unless_they_have_a_question_mark),
            cmocka_unit_test(test_answers_are_held_to_a_schema_only),
            cmocka_unit_test(test_takes_tools_by_name),
            cmocka_unit_test(test_a_tool_without_id_goes_by_its_name),
            cmocka_unit_test(test_types_become_a_schema),
            cmocka_unit_test(test_only_bytes_are_bytes),
            cmocka_unit_test(test_a_propertys_own_schema_stays),
            cmocka_unit_test(test_a_json_schema_is_one),
            cmocka_unit_test(test_files_are_for_paths_of_python_plugins),
            cmocka_unit_test(test_our_keys_mean_the_same),
            cmocka_unit_test(test_takes_files_and_modules_as_entrypoints),
            cmocka_unit_test(test_refusals_name_line_and_key),
            cmocka_unit_test(test_schema_errors_name_the_line_of_what_was_written),
            cmocka_unit_test(test_without_an_id_strange_keys_stay_errors),
            cmocka_unit_test(test_the_manifests_schemas_win_over_the_plugins),
            cmocka_unit_test(test_tools_of_the_plugin_take_files_too),
            cmocka_unit_test(test_no_mutation_breaks_the_parser),
            cmocka_unit_test(test_survives_every_failed_allocation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
