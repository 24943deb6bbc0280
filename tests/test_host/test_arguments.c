/* From a request's body to a tool's arguments: every kind of body, and every way to get it wrong.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../support/test.h"
#include "../support/failing_malloc.h"
#include "host/arguments.h"
#include "host/arguments_json.h"
#include "host_manifest.h"
#include "toolrunner/tool_runner.h"

static const char tools[] =
    "[{\"name\":\"one\",\"input_schema\":{\"type\":\"object\",\"properties\":{"
    "\"image\":{\"type\":\"string\",\"contentEncoding\":\"base64\"},"
    "\"note\":{\"type\":\"string\"},\"count\":{\"type\":\"integer\"},\"flag\":{\"type\":"
    "\"boolean\"},"
    "\"box\":{\"type\":\"object\"},\"many\":{\"type\":[\"integer\",\"null\"]},\"any\":{}}}},"
    "{\"name\":\"two\",\"input_schema\":{\"type\":\"object\",\"properties\":{"
    "\"a\":{\"type\":\"string\",\"contentEncoding\":\"base64\"},"
    "\"b\":{\"type\":\"string\",\"contentEncoding\":\"base64\"}}}},"
    "{\"name\":\"none\",\"input_schema\":{\"type\":\"object\",\"properties\":{"
    "\"note\":{\"type\":\"string\"}}}},"
    "{\"name\":\"free\"}]";

struct made {
        struct plugin_manifest *manifest;
        struct argument_source source;
        struct call_args args;
        struct tool_outcome outcome;
        int r;
};

static const struct manifest_tool *tool_of(struct made *m, const char *name)
{
        if (!m->manifest)
                m->manifest = host_manifest(tools);
        return plugin_manifest_tool(m->manifest, name);
}

static void made_done(struct made *m)
{
        call_args_done(&m->args);
        tool_outcome_done(&m->outcome);
        argument_source_done(&m->source);
        plugin_manifest_free(m->manifest);
        *m = (struct made){0};
}

/* The body gets a block of exactly its size, so that a byte too far is seen. */
static void make_of(struct made *m, const char *tool, const char *type, const char *body, size_t n)
{
        const struct manifest_tool *t = tool_of(m, tool);

        m->source.content_type = type ? strdup(type) : NULL;
        m->source.body = n ? malloc(n) : NULL;
        if (n)
                memcpy(m->source.body, body, n);
        m->source.body_size = n;
        m->r = arguments_make(t, &m->source, &m->args, &m->outcome);
}

static void make_json(struct made *m, const char *tool, const char *body)
{
        make_of(m, tool, "application/json", body, strlen(body));
}

static void query(struct made *m, const char *name, const char *value)
{
        assert_int_equal(argument_source_add_query(&m->source, name, value), 0);
}

static void expect_json(struct made *m, const char *expected)
{
        char *text;

        if (m->r)
                fail_msg("refused: %s", m->outcome.words);
        text = json_dumps(m->args.json, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(text, expected);
        free(text);
}

static void expect_bytes(const struct made *m, size_t i, const char *name, const char *type,
                         const void *data, size_t n)
{
        assert_true(i < m->args.n_bytes);
        assert_string_equal(m->args.bytes[i].name, name);
        assert_string_equal(m->args.bytes[i].content_type, type);
        assert_int_equal(m->args.bytes[i].size, n);
        assert_memory_equal(m->args.bytes[i].data, data, n);
}

/* Refused with this error, and words that say this. */
static void expect_refused(struct made *m, enum plugin_error error, const char *words)
{
        if (m->r != 1)
                fail_msg("taken, not refused with \"%s\"", words);
        if (m->outcome.error != error)
                fail_msg("%s, not %s: %s", plugin_error_name(m->outcome.error),
                         plugin_error_name(error), m->outcome.words);
        if (!strstr(m->outcome.words, words))
                fail_msg("\"%s\" does not say \"%s\"", m->outcome.words, words);
        assert_null(m->args.json);
        made_done(m);
}

static void refuse_json(const char *tool, const char *body, enum plugin_error error,
                        const char *words)
{
        struct made m = {0};

        make_json(&m, tool, body);
        expect_refused(&m, error, words);
}

/* --- JSON --- */

static void test_json_is_taken_as_it_is(void **state)
{
        struct made m = {0};

        (void)state;
        make_json(&m, "none", "{\"note\":\"gr\xc3\xbc\xc3\x9f \\u00e9\",\"x\":[1,2.5,null,true]}");
        expect_json(&m, "{\"note\":\"gr\xc3\xbc\xc3\x9f \xc3\xa9\",\"x\":[1,2.5,null,true]}");
        assert_int_equal(m.args.n_bytes, 0);
        made_done(&m);
        make_of(&m, "none", "Application/JSON ; charset=utf-8", " {} ", 4);
        expect_json(&m, "{}");
        made_done(&m);
}

static void test_no_body_is_no_arguments(void **state)
{
        struct made m = {0};

        (void)state;
        make_of(&m, "one", NULL, "", 0);
        expect_json(&m, "{}");
        made_done(&m);
        query(&m, "count", "7");
        make_of(&m, "one", NULL, "", 0);
        expect_json(&m, "{\"count\":7}");
        made_done(&m);
}

static void test_base64_is_decoded_where_it_lies(void **state)
{
        struct made m = {0};
        char *body;

        (void)state;
        make_json(&m, "one", "{ \"note\" : \"n\" , \"image\" : \"aGVsbG8=\" , \"count\" : 3 }");
        expect_json(&m, "{\"count\":3,\"image\":\"\",\"note\":\"n\"}");
        expect_bytes(&m, 0, "image", "", "hello", 5);
        body = m.args.backing;
        assert_non_null(body);
        assert_null(m.source.body);
        assert_null(m.args.bytes[0].own);
        assert_true(m.args.bytes[0].data > body && m.args.bytes[0].data < body + 60);
        made_done(&m);
}

static void test_data_urls_bring_their_type(void **state)
{
        struct made m = {0};

        (void)state;
        make_json(&m, "two",
                  "{\"a\":\"data:image/png;base64,AAEC\",\"b\":\"data:text/plain,a%20b\"}");
        expect_json(&m, "{\"a\":\"\",\"b\":\"\"}");
        expect_bytes(&m, 0, "a", "image/png", "\0\1\2", 3);
        expect_bytes(&m, 1, "b", "text/plain", "a b", 3);
        made_done(&m);
}

static void test_empty_and_absent_bytes_are_told_apart(void **state)
{
        struct made m = {0};

        (void)state;
        make_json(&m, "one", "{\"image\":\"\"}");
        expect_json(&m, "{\"image\":\"\"}");
        assert_int_equal(m.args.n_bytes, 1);
        assert_int_equal(m.args.bytes[0].size, 0);
        made_done(&m);
        make_json(&m, "one", "{\"note\":\"image\"}");
        assert_int_equal(m.args.n_bytes, 0);
        made_done(&m);
}

static void test_escapes_take_the_long_way_to_the_same_bytes(void **state)
{
        static const char *const bodies[] = {
            "{\"image\":\"\\/\\/8\\u003d\"}",
            "{\"im\\u0061ge\":\"\\/\\/8=\"}",
            "{\"im\\u0061ge\":\"//8=\"}",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
                struct made m = {0};

                make_json(&m, "one", bodies[i]);
                expect_json(&m, "{\"image\":\"\"}");
                expect_bytes(&m, 0, "image", "", "\xff\xff", 2);
                assert_non_null(m.args.bytes[0].own);
                made_done(&m);
        }
}

static void test_a_string_that_json_forbids_is_refused_also_as_bytes(void **state)
{
        (void)state;
        refuse_json("one", "{\"image\":\"aGVs\nbG8=\"}", PLUGIN_ERROR_BAD_REQUEST, "line 1");
        refuse_json("one", "{\"image\":\"data:text/plain,a\tb\"}", PLUGIN_ERROR_BAD_REQUEST,
                    "line 1");
        refuse_json("one", "{\"image\":\"data:text/plain,\xff\"}", PLUGIN_ERROR_BAD_REQUEST,
                    "UTF-8");
        refuse_json("one", "{\"image\":\"aGVsbG8aGVsbG8aGVsbG8\x01xx\"}", PLUGIN_ERROR_BAD_REQUEST,
                    "line 1");
}

static void test_bytes_of_the_inside_are_plain_strings(void **state)
{
        struct made m = {0};

        (void)state;
        make_json(&m, "one",
                  "{\"box\":{\"image\":\"%%}]\\\"{\",\"k\":[\"image\",{\"image\":\"[\"}]},"
                  "\"image\":\"AA==\"}");
        expect_json(&m, "{\"box\":{\"image\":\"%%}]\\\"{\",\"k\":[\"image\",{\"image\":\"[\"}]},"
                        "\"image\":\"\"}");
        expect_bytes(&m, 0, "image", "", "\0", 1);
        made_done(&m);
}

static void test_bytes_that_are_no_string_are_left_to_the_schema(void **state)
{
        static const char *const values[] = {"5",    "null",  "[\"AA==\"]", "{\"image\":\"AA==\"}",
                                             "true", "-1.5e3"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
                struct made m = {0};
                char body[64];

                snprintf(body, sizeof body, "{\"image\":%s}", values[i]);
                make_json(&m, "one", body);
                assert_int_equal(m.r, 0);
                assert_int_equal(m.args.n_bytes, 0);
                assert_int_equal(
                    tool_runner_check(TOOL_CHECK_WHOLE, m.manifest, "one", &m.args, &m.outcome), 1);
                assert_int_equal(m.outcome.error, PLUGIN_ERROR_INVALID_ARGUMENTS);
                assert_non_null(strstr(m.outcome.words, "/image"));
                made_done(&m);
        }
}

static void test_bad_base64_is_an_invalid_argument_and_names_it(void **state)
{
        static const char *const bad[] = {
            "%%%%",        "AA=", "AAAAA", "AA==AA==", "AB==", "====", "data:image/png;base64,@@",
            "data:;base64"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct made m = {0};
                char body[80];

                snprintf(body, sizeof body, "{\"image\":\"%s\"}", bad[i]);
                refuse_json("one", body, PLUGIN_ERROR_INVALID_ARGUMENTS, "/image");
                snprintf(body, sizeof body, "{\"im\\u0061ge\":\"%s\"}", bad[i]);
                refuse_json("one", body, PLUGIN_ERROR_INVALID_ARGUMENTS, "/image");
                query(&m, "image", bad[i]);
                make_of(&m, "one", NULL, "", 0);
                expect_refused(&m, PLUGIN_ERROR_INVALID_ARGUMENTS, "/image");
        }
}

static void test_members_that_come_twice_are_refused(void **state)
{
        (void)state;
        refuse_json("one", "{\"note\":\"a\",\"note\":\"b\"}", PLUGIN_ERROR_BAD_REQUEST,
                    "duplicate");
        refuse_json("one", "{\"image\":\"AA==\",\"image\":\"AA==\"}", PLUGIN_ERROR_BAD_REQUEST,
                    "duplicate");
        refuse_json("one", "{\"image\":\"AA==\",\"im\\u0061ge\":\"AA==\"}",
                    PLUGIN_ERROR_BAD_REQUEST, "duplicate");
        refuse_json("one", "{\"image\":\"AA==\",\"image\":5}", PLUGIN_ERROR_BAD_REQUEST,
                    "duplicate");
        refuse_json("one", "{\"box\":{\"x\":1,\"x\":1}}", PLUGIN_ERROR_BAD_REQUEST, "duplicate");
}

static void test_what_is_not_strict_json_is_a_bad_request(void **state)
{
        static const char *const bodies[] = {
            "{\"image\":\"AA==\"",
            "{\"image\":\"AA==\"}}",
            "{\"image\":\"AA==\"} x",
            "{\"image\":\"AA==\",}",
            "{\"image\":\"AA==\" \"note\":\"\"}",
            "{\"image\" \"AA==\"}",
            "{image:\"AA==\"}",
            "{\"image\":'AA=='}",
            "{\"image\":\"AA==\",\"count\":01}",
            "{\"image\":\"AA==\",\"count\":1.}",
            "{\"image\":\"AA==\",\"count\":NaN}",
            "{\"image\":\"AA==\",\"count\":Infinity}",
            "{\"image\":\"AA==\",\"count\":1e999}",
            "{\"image\":\"AA==\",\"count\":18446744073709551616}",
            "{\"image\":\"AA==\",\"box\":{]}",
            "{\"image\":\"AA==\",\"note\":\"\\ud800\"}",
            "{\"image\":\"AA==\",\"note\":\"\\u0000\"}",
            "{\"image\":\"AA==\",\"note\":\"\xff\"}",
            "\xef\xbb\xbf{\"image\":\"AA==\"}",
            "{\"image\":\"AA==\",\"note\":\"\\",
            "{\"",
            "",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
                refuse_json("one", bodies[i], PLUGIN_ERROR_BAD_REQUEST, "");
                refuse_json("none", bodies[i], PLUGIN_ERROR_BAD_REQUEST, "");
        }
        refuse_json("one", "[]", PLUGIN_ERROR_BAD_REQUEST, "must be a JSON object");
        refuse_json("one", "\"image\"", PLUGIN_ERROR_BAD_REQUEST, "must be a JSON object");
        refuse_json("none", "3", PLUGIN_ERROR_BAD_REQUEST, "must be a JSON object");
}

static void test_a_nul_in_the_body_ends_nothing(void **state)
{
        static const char body[] = "{\"note\":\0\"x\"}";
        struct made m = {0};

        (void)state;
        make_of(&m, "one", "application/json", body, sizeof body - 1);
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "");
}

static void test_deep_nesting_is_refused_with_words(void **state)
{
        scoped(str) struct str body = {0};
        struct made m = {0};

        (void)state;
        str_adds(&body, "{\"image\":\"AA==\",\"box\":");
        for (int i = 0; i < 100000; i++)
                str_addc(&body, '[');
        make_of(&m, "one", "application/json", body.data, body.len);
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "nested deeper than 64");
}

/* Took hours once: each backslash looked for the string's end again. */
static void test_megabytes_of_escapes_are_walked_over_once(void **state)
{
        scoped(str) struct str body = {0};
        struct made m = {0};

        (void)state;
        str_adds(&body, "{\"note\":\"");
        while (body.len < MIB(8))
                str_adds(&body, "\\\\\\\"");
        str_adds(&body, "\",\"image\":\"AA==\"}");
        make_of(&m, "one", "application/json", body.data, body.len);
        assert_int_equal(m.r, 0);
        assert_int_equal(m.args.n_bytes, 1);
        made_done(&m);
}

static void test_a_tool_without_a_schema_takes_strings_as_strings(void **state)
{
        struct made m = {0};

        (void)state;
        make_json(&m, "free", "{\"image\":\"%%%%\"}");
        expect_json(&m, "{\"image\":\"%%%%\"}");
        assert_int_equal(m.args.n_bytes, 0);
        made_done(&m);
}

static void test_arguments_in_a_query_beside_json_are_refused(void **state)
{
        struct made m = {0};

        (void)state;
        query(&m, "note", "x");
        make_json(&m, "one", "{}");
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "query 'note'");
}

/* --- the query --- */

static void test_query_values_are_read_by_the_schemas_type(void **state)
{
        struct made m = {0};

        (void)state;
        query(&m, "note", "5");
        query(&m, "count", "5");
        query(&m, "flag", "true");
        query(&m, "box", "{\"a\":[1]}");
        query(&m, "many", "null");
        query(&m, "any", "7");
        query(&m, "unknown", "7");
        make_of(&m, "one", NULL, "", 0);
        expect_json(&m,
                    "{\"any\":\"7\",\"box\":{\"a\":[1]},\"count\":5,\"flag\":true,\"many\":null,"
                    "\"note\":\"5\",\"unknown\":\"7\"}");
        made_done(&m);
}

static void test_query_values_of_the_wrong_type_stay_strings_for_the_schema_to_refuse(void **state)
{
        struct made m = {0};

        (void)state;
        query(&m, "count", "five");
        query(&m, "flag", "True");
        query(&m, "many", "");
        make_of(&m, "one", NULL, "", 0);
        expect_json(&m, "{\"count\":\"five\",\"flag\":\"True\",\"many\":\"\"}");
        assert_int_equal(
            tool_runner_check(TOOL_CHECK_WHOLE, m.manifest, "one", &m.args, &m.outcome), 1);
        assert_int_equal(m.outcome.error, PLUGIN_ERROR_INVALID_ARGUMENTS);
        made_done(&m);
}

static void test_query_values_that_come_twice_are_refused(void **state)
{
        struct made m = {0};

        (void)state;
        query(&m, "note", "a");
        query(&m, "note", "b");
        make_of(&m, "one", NULL, "", 0);
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "'note' is given twice");
        query(&m, "image", "AAAA");
        make_of(&m, "one", "image/png", "x", 1);
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "'image' is given twice");
}

/* --- raw bodies --- */

static void test_a_raw_body_is_the_one_bytes_argument(void **state)
{
        static const char *const types[] = {"image/png", "video/mp4", "audio/wav",
                                            "application/octet-stream"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
                struct made m = {0};

                query(&m, "count", "2");
                make_of(&m, "one", types[i], "\0raw", 4);
                expect_json(&m, "{\"count\":2,\"image\":\"\"}");
                expect_bytes(&m, 0, "image", types[i], "\0raw", 4);
                assert_ptr_equal(m.args.bytes[0].data, m.args.backing);
                made_done(&m);
        }
}

static void test_an_empty_raw_body_is_empty_bytes(void **state)
{
        struct made m = {0};

        (void)state;
        make_of(&m, "one", "image/png", "", 0);
        expect_json(&m, "{\"image\":\"\"}");
        assert_int_equal(m.args.bytes[0].size, 0);
        made_done(&m);
}

static void test_a_raw_body_needs_exactly_one_bytes_argument(void **state)
{
        static const char *const names[] = {"two", "none", "free"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                struct made m = {0};

                make_of(&m, names[i], "image/png", "x", 1);
                expect_refused(&m, PLUGIN_ERROR_UNSUPPORTED_MEDIA_TYPE, "exactly one");
        }
}

static void test_other_media_types_are_refused_with_those_there_are(void **state)
{
        static const char *const types[] = {
            "text/plain", "application/xml",   "application/x-www-form-urlencoded",
            "nonsense",   "application/jsonx", "image",
            "",           "imagexx/png",       "text/json; a=application/json"};
        struct made m = {0};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
                make_of(&m, "one", types[i], "{}", 2);
                expect_refused(&m, PLUGIN_ERROR_UNSUPPORTED_MEDIA_TYPE, "application/json");
        }
        make_of(&m, "one", NULL, "{}", 2);
        expect_refused(&m, PLUGIN_ERROR_UNSUPPORTED_MEDIA_TYPE, "needs a Content-Type");
}

/* --- multipart --- */

#define FORM "multipart/form-data; boundary=B"

#define PART(name, rest, data)                                                                     \
        "--B\r\nContent-Disposition: form-data; name=\"" name "\"" rest "\r\n\r\n" data "\r\n"

static void make_form(struct made *m, const char *tool, const char *body)
{
        make_of(m, tool, FORM, body, strlen(body));
}

static void test_a_form_mixes_files_and_texts(void **state)
{
        struct made m = {0};

        (void)state;
        make_form(&m, "one",
                  PART("image", "; filename=\"a.png\"\r\nContent-Type: image/png", "bytes")
                      PART("note", "", "words") PART("count", "", "42") PART("flag", "", "false")
                          PART("any", "", "7") "--B--\r\n");
        expect_json(&m, "{\"any\":\"7\",\"count\":42,\"flag\":false,\"image\":\"\",\"note\":"
                        "\"words\"}");
        expect_bytes(&m, 0, "image", "image/png", "bytes", 5);
        assert_true(m.args.bytes[0].data > m.args.backing);
        made_done(&m);
}

static void test_a_text_part_of_a_bytes_argument_is_base64(void **state)
{
        struct made m = {0};

        (void)state;
        make_form(&m, "one", PART("image", "", "aGVsbG8=") "--B--\r\n");
        expect_json(&m, "{\"image\":\"\"}");
        expect_bytes(&m, 0, "image", "", "hello", 5);
        made_done(&m);
        make_form(&m, "one", PART("image", "", "?") "--B--\r\n");
        expect_refused(&m, PLUGIN_ERROR_INVALID_ARGUMENTS, "/image");
}

static void test_a_file_under_another_name_is_refused(void **state)
{
        struct made m = {0};

        (void)state;
        make_form(&m, "one", PART("picture", "; filename=\"a\"", "x") "--B--\r\n");
        expect_refused(&m, PLUGIN_ERROR_INVALID_ARGUMENTS, "/picture");
        make_form(&m, "one", PART("note", "; filename=\"a\"", "x") "--B--\r\n");
        expect_refused(&m, PLUGIN_ERROR_INVALID_ARGUMENTS, "/note");
        make_form(&m, "free", PART("picture", "; filename=\"a\"", "x") "--B--\r\n");
        expect_json(&m, "{\"picture\":\"\"}");
        expect_bytes(&m, 0, "picture", "", "x", 1);
        made_done(&m);
}

static const char python[] =
    "{\"name\":\"p\",\"version\":\"1\",\"entrypoint\":\"p.py\",\"tools\":[{\"name\":\"track\","
    "\"input_schema\":{\"properties\":{\"video_path\":{\"type\":\"string\",\"maxLength\":12,"
    "\"minLength\":1},\"count\":{\"type\":\"integer\"}}}}]}";

static void python_tool(struct made *m)
{
        struct err e;

        if (plugin_manifest_parse(python, sizeof python - 1, &m->manifest, &e) < 0)
                fail_msg("%s", e.msg);
}

/* The plugin gets a path either way: here it is a file's, which a schema can only know by name. */
static void test_a_file_may_stand_for_a_path(void **state)
{
        static const char form[] =
            "--b\r\nContent-Disposition: form-data; name=\"video_path\"; filename=\"a.mp4\"\r\n"
            "Content-Type: video/mp4\r\n\r\nmore bytes than maxLength\r\n--b--\r\n";
        struct made m = {0};

        (void)state;
        python_tool(&m);
        make_of(&m, "track", "multipart/form-data; boundary=b", form, sizeof form - 1);
        expect_json(&m, "{\"video_path\":\"a.mp4\"}");
        expect_bytes(&m, 0, "video_path", "video/mp4", "more bytes than maxLength", 25);
        assert_int_equal(
            tool_runner_check(TOOL_CHECK_WHOLE, m.manifest, "track", &m.args, &m.outcome), 0);
        made_done(&m);

        python_tool(&m);
        query(&m, "count", "2");
        make_of(&m, "track", "video/mp4", "\0raw", 4);
        expect_json(&m, "{\"count\":2,\"video_path\":\"upload\"}");
        expect_bytes(&m, 0, "video_path", "video/mp4", "\0raw", 4);
        made_done(&m);

        python_tool(&m);
        make_json(&m, "track", "{\"video_path\":\"/data/a.mp4\"}");
        expect_json(&m, "{\"video_path\":\"/data/a.mp4\"}");
        assert_int_equal(m.args.n_bytes, 0);
        made_done(&m);
}

static void test_forms_that_are_none_are_bad_requests(void **state)
{
        struct made m = {0};

        (void)state;
        make_of(&m, "one", "multipart/form-data", "x", 1);
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "boundary");
        make_form(&m, "one", PART("note", "", "x"));
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "");
        make_form(&m, "one", PART("note", "", "x") PART("note", "", "y") "--B--\r\n");
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "earlier");
        make_form(&m, "one", PART("note", "", "\xff") "--B--\r\n");
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "not UTF-8");
        make_of(&m, "one", FORM, "", 0);
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "");
        query(&m, "count", "1");
        make_form(&m, "one", PART("note", "", "x") "--B--\r\n");
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "query 'count'");
}

/* Such a type made the worker give up on the host, and with it failed the plugin. */
static void test_a_parts_content_type_must_be_text(void **state)
{
        struct made m = {0};

        (void)state;
        make_form(&m, "one",
                  PART("image", "; filename=\"a\"\r\nContent-Type: image/\xff", "x") "--B--\r\n");
        expect_refused(&m, PLUGIN_ERROR_BAD_REQUEST, "not UTF-8");
}

/* --- all of them, cut, changed, and without memory --- */

static const struct sample {
        const char *tool, *type, *body;
} samples[] = {
    {"one", "application/json",
     "{\"note\":\"a\\\"b\",\"image\":\"data:image/png;base64,aGVsbG8=\",\"box\":{\"x\":[1,\"]}\"]},"
     "\"count\":-1.5e3}"},
    {"two", "application/json", "{\"a\":\"aGVsbG8=\",\"b\":\"\\/\\/8=\",\"c\":null}"},
    {"two", "application/json", "{\"b\":\"data:text/plain,a%20b\",\"a\":\"AAAAAAAAAAAAAAAA\"}"},
    {"one", FORM,
     PART("image", "; filename=\"a.png\"\r\nContent-Type: image/png", "bytes")
         PART("note", "", "words") PART("count", "", "42") "--B--\r\n"},
    {"one", "image/png", "some bytes"},
};

/* Whatever came of it, it must be whole: bytes lie in what the arguments own. */
static void look_at(const struct made *m)
{
        volatile char sum = 0;

        if (m->r) {
                assert_true(m->outcome.error != PLUGIN_ERROR_NONE);
                return;
        }
        assert_true(json_is_object(m->args.json));
        for (size_t i = 0; i < m->args.n_bytes; i++)
                for (size_t k = 0; k < m->args.bytes[i].size; k++)
                        sum = (char)(sum + m->args.bytes[i].data[k]);
}

static void test_samples_cut_anywhere_are_refused_or_whole(void **state)
{
        (void)state;
        for (size_t s = 0; s < ARRAY_LEN(samples); s++)
                for (size_t n = 0; n <= strlen(samples[s].body); n++) {
                        struct made m = {0};

                        make_of(&m, samples[s].tool, samples[s].type, samples[s].body, n);
                        look_at(&m);
                        if (n == strlen(samples[s].body))
                                assert_int_equal(m.r, 0);
                        made_done(&m);
                }
}

static unsigned draw(unsigned *seed, unsigned below)
{
        *seed = *seed * 1103515245 + 12345;
        return (*seed >> 8) % below;
}

static void mutate(char *body, size_t n, unsigned *seed)
{
        static const char loved[] = "\"\\{}[]:,=%;-B\r\n \0A/+\xff\x80";

        for (unsigned times = 1 + draw(seed, 4); times > 0; times--) {
                size_t at = draw(seed, (unsigned)n);

                size_t from = draw(seed, (unsigned)n);

                if (draw(seed, 3))
                        body[at] = loved[draw(seed, sizeof loved - 1)];
                else
                        memmove(body + at, body + from,
                                draw(seed, (unsigned)(n - MAX_OF(at, from))));
        }
}

static void test_samples_changed_at_random_do_no_harm(void **state)
{
        struct plugin_manifest *manifest = host_manifest(tools);
        unsigned seed = 7;

        (void)state;
        for (int round = 0; round < 20000; round++) {
                const struct sample *s = &samples[draw(&seed, ARRAY_LEN(samples))];
                size_t n = strlen(s->body);
                scoped(free) char *body = mem_dup0(s->body, n);
                struct made m = {.manifest = manifest};

                mutate(body, n, &seed);
                make_of(&m, s->tool, s->type, body, n);
                look_at(&m);
                m.manifest = NULL;
                made_done(&m);
        }
        plugin_manifest_free(manifest);
}

static void test_each_allocation_may_fail(void **state)
{
        struct plugin_manifest *manifest = host_manifest(tools);

        (void)state;
        for (size_t s = 0; s < ARRAY_LEN(samples); s++) {
                struct made m = {.manifest = manifest};
                int nth = 0;

                do {
                        struct made again = {.manifest = manifest};
                        const struct manifest_tool *tool = tool_of(&again, samples[s].tool);

                        m = again;
                        m.source.content_type = strdup(samples[s].type);
                        m.source.body = strdup(samples[s].body);
                        m.source.body_size = strlen(samples[s].body);
                        failing_malloc_arm(++nth);
                        m.r = arguments_make(tool, &m.source, &m.args, &m.outcome);
                        failing_malloc_disarm();
                        look_at(&m);
                        m.manifest = NULL;
                        if (m.r == 0)
                                break;
                        assert_int_equal(m.outcome.error, PLUGIN_ERROR_INTERNAL);
                        made_done(&m);
                } while (nth < 200);
                assert_true(nth > 1 && nth < 200);
                made_done(&m);
        }
        plugin_manifest_free(manifest);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_json_is_taken_as_it_is),
            cmocka_unit_test(test_no_body_is_no_arguments),
            cmocka_unit_test(test_base64_is_decoded_where_it_lies),
            cmocka_unit_test(test_data_urls_bring_their_type),
            cmocka_unit_test(test_empty_and_absent_bytes_are_told_apart),
            cmocka_unit_test(test_escapes_take_the_long_way_to_the_same_bytes),
            cmocka_unit_test(test_a_string_that_json_forbids_is_refused_also_as_bytes),
            cmocka_unit_test(test_bytes_of_the_inside_are_plain_strings),
            cmocka_unit_test(test_bytes_that_are_no_string_are_left_to_the_schema),
            cmocka_unit_test(test_bad_base64_is_an_invalid_argument_and_names_it),
            cmocka_unit_test(test_members_that_come_twice_are_refused),
            cmocka_unit_test(test_what_is_not_strict_json_is_a_bad_request),
            cmocka_unit_test(test_a_nul_in_the_body_ends_nothing),
            cmocka_unit_test(test_deep_nesting_is_refused_with_words),
            cmocka_unit_test(test_megabytes_of_escapes_are_walked_over_once),
            cmocka_unit_test(test_a_tool_without_a_schema_takes_strings_as_strings),
            cmocka_unit_test(test_arguments_in_a_query_beside_json_are_refused),
            cmocka_unit_test(test_query_values_are_read_by_the_schemas_type),
            cmocka_unit_test(
                test_query_values_of_the_wrong_type_stay_strings_for_the_schema_to_refuse),
            cmocka_unit_test(test_query_values_that_come_twice_are_refused),
            cmocka_unit_test(test_a_raw_body_is_the_one_bytes_argument),
            cmocka_unit_test(test_an_empty_raw_body_is_empty_bytes),
            cmocka_unit_test(test_a_raw_body_needs_exactly_one_bytes_argument),
            cmocka_unit_test(test_other_media_types_are_refused_with_those_there_are),
            cmocka_unit_test(test_a_form_mixes_files_and_texts),
            cmocka_unit_test(test_a_text_part_of_a_bytes_argument_is_base64),
            cmocka_unit_test(test_a_file_under_another_name_is_refused),
            cmocka_unit_test(test_a_file_may_stand_for_a_path),
            cmocka_unit_test(test_forms_that_are_none_are_bad_requests),
            cmocka_unit_test(test_a_parts_content_type_must_be_text),
            cmocka_unit_test(test_samples_cut_anywhere_are_refused_or_whole),
            cmocka_unit_test(test_samples_changed_at_random_do_no_harm),
            cmocka_unit_test(test_each_allocation_may_fail),
        };

        return cmocka_run_group_tests_name("arguments", tests, NULL, NULL);
}
