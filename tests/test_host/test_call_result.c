/* From a RESULT's payload to the text for the client. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "../support/test.h"
#include "../support/failing_malloc.h"
#include "host/call_result.h"
#include "host_manifest.h"
#include "wire/wire_message.h"

static const char tools[] =
    "[{\"name\":\"strict\",\"output_schema\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":"
    "\"integer\"}},\"required\":[\"n\"]}},{\"name\":\"loose\"}]";

struct made {
        struct plugin_manifest *manifest;
        uint8_t *payload, *sent;
        struct tool_outcome outcome;
};

static void made_done(struct made *m)
{
        free(m->payload);
        tool_outcome_done(&m->outcome);
        plugin_manifest_free(m->manifest);
        *m = (struct made){0};
}

static struct wire_str text_of(const char *text, size_t n)
{
        return (struct wire_str){text, (uint32_t)n};
}

/* As the parser hands it over: malloc'ed, with a NUL behind. */
static void make(struct made *m, const char *tool, struct wire_str json, struct wire_blob *blobs,
                 uint16_t n_blobs)
{
        struct str s = {0};
        size_t n;

        wire_encode_result(&s, &(struct wire_result){json, blobs, n_blobs});
        n = s.len;
        m->manifest = host_manifest(tools);
        m->payload = m->sent = (uint8_t *)str_take(&s);
        assert_int_equal(call_result_make(TOOL_CHECK_WHOLE,
                                          tool ? plugin_manifest_tool(m->manifest, tool) : NULL,
                                          &m->payload, n, &m->outcome),
                         0);
}

static void make_text(struct made *m, const char *tool, const char *json)
{
        make(m, tool, text_of(json, strlen(json)), NULL, 0);
}

static void expect_result(struct made *m, const char *expected)
{
        if (m->outcome.error != PLUGIN_ERROR_NONE)
                fail_msg("%s", m->outcome.words);
        assert_string_equal(m->outcome.result, expected);
        assert_int_equal(m->outcome.result_size, strlen(expected));
        made_done(m);
}

static void expect_fault(struct made *m, enum plugin_error error, const char *words)
{
        assert_int_equal(m->outcome.error, error);
        if (!strstr(m->outcome.words, words))
                fail_msg("\"%s\" does not say \"%s\"", m->outcome.words, words);
        assert_null(m->outcome.result);
        assert_ptr_equal(m->payload, m->sent);
        made_done(m);
}

/* The payload becomes the answer, larger by what stands around the result. */
static void test_large_text_is_adopted_where_it_lies(void **state)
{
        const size_t size = MIB(4);
        scoped(free) char *text = malloc(size + 1);
        struct made m = {0};

        (void)state;
        memset(text, 'x', size);
        text[0] = text[size - 1] = '"';
        text[size] = '\0';
        make_text(&m, "loose", text);
        assert_null(m.payload);
        assert_true(malloc_usable_size(m.outcome.envelope) < size + KIB(16));
        expect_result(&m, text);
}

static void test_text_is_adopted_unchanged(void **state)
{
        struct made m = {0};

        (void)state;
        make_text(&m, "loose", " {\"b\": 0.1, \"a\" : 1e2} ");
        assert_null(m.payload);
        expect_result(&m, " {\"b\": 0.1, \"a\" : 1e2} ");
        make_text(&m, NULL, "[1,2]");
        expect_result(&m, "[1,2]");
        make_text(&m, "loose", "null");
        expect_result(&m, "null");
}

static void test_no_text_is_an_empty_object(void **state)
{
        struct made m = {0};

        (void)state;
        make_text(&m, "loose", "");
        expect_result(&m, "{}");
        make_text(&m, "strict", "");
        expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, "output schema");
}

static struct wire_blob blob(const char *name, const char *type, const char *data)
{
        return (struct wire_blob){wire_str_of(name), wire_str_of(type), (const uint8_t *)data,
                                  (uint32_t)strlen(data)};
}

static void test_bytes_become_members_beside_the_text(void **state)
{
        static const struct {
                const char *json, *expected;
        } cases[] = {
            {"", "{\"i\":{\"content_type\":\"image/png\",\"base64\":\"aGk=\"},"
                 "\"e\":{\"content_type\":\"\",\"base64\":\"\"}}"},
            {"{}", "{\"i\":{\"content_type\":\"image/png\",\"base64\":\"aGk=\"},"
                   "\"e\":{\"content_type\":\"\",\"base64\":\"\"}}"},
            {" { } \n", " { \"i\":{\"content_type\":\"image/png\",\"base64\":\"aGk=\"},"
                        "\"e\":{\"content_type\":\"\",\"base64\":\"\"}}"},
            {"{\"x\":0.1,\"s\":\"}\"} ",
             "{\"x\":0.1,\"s\":\"}\",\"i\":{\"content_type\":\"image/png\",\"base64\":\"aGk=\"},"
             "\"e\":{\"content_type\":\"\",\"base64\":\"\"}}"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct wire_blob blobs[] = {blob("i", "image/png", "hi"), blob("e", "", "")};
                struct made m = {0};

                make(&m, "loose", wire_str_of(cases[i].json), blobs, 2);
                expect_result(&m, cases[i].expected);
        }
}

static void test_a_member_that_comes_twice_is_invalid_output(void **state)
{
        struct wire_blob twice[] = {blob("i", "", "a"), blob("i", "", "b")};
        struct made m = {0};

        (void)state;
        make(&m, "loose", wire_str_of("{\"i\":1}"), twice, 1);
        expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, "'i' twice");
        make(&m, "loose", wire_str_of("{}"), twice, 2);
        expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, "duplicate");
        make_text(&m, "loose", "{\"a\":1,\"a\":2}");
        expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, "duplicate");
}

static void test_bytes_need_an_object_to_stand_in(void **state)
{
        static const char *const texts[] = {"[]", "1", "\"}\"", "null"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                struct wire_blob one = blob("i", "", "a");
                struct made m = {0};

                make(&m, "loose", wire_str_of(texts[i]), &one, 1);
                expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, "must be an object");
        }
}

static void test_text_that_is_no_strict_json_is_invalid_output(void **state)
{
        static const char *const texts[] = {"{", "{}x", "{'a':1}", "NaN", "{\"a\":1e999}", " "};
        struct wire_blob one = blob("i", "", "a");

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                struct made m = {0};

                make_text(&m, "loose", texts[i]);
                expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, "not valid JSON");
                make(&m, "loose", wire_str_of(texts[i]), &one, 1);
                expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, "not valid JSON");
        }
}

static void test_the_output_schema_sees_bytes_too(void **state)
{
        struct wire_blob n = blob("n", "", "a"), other = blob("x", "", "a");
        struct made m = {0};

        (void)state;
        make_text(&m, "strict", "{\"n\":1}");
        expect_result(&m, "{\"n\":1}");
        make_text(&m, "strict", "{\"n\":\"1\"}");
        expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, "output schema");
        make(&m, "strict", wire_str_of(""), &n, 1);
        expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, "output schema");
        make(&m, "strict", wire_str_of("{\"n\":5}"), &other, 1);
        expect_result(&m, "{\"n\":5,\"x\":{\"content_type\":\"\",\"base64\":\"YQ==\"}}");
}

/* Cut anywhere, it is the wire's rules that are broken. */
static void test_a_payload_that_is_none_is_a_protocol_error(void **state)
{
        struct wire_blob one = blob("i", "image/png", "abc");
        struct str s = {0};

        (void)state;
        wire_encode_result(&s, &(struct wire_result){wire_str_of("{\"a\":1}"), &one, 1});
        for (size_t n = 0; n <= s.len; n++) {
                struct tool_outcome o = {0};
                uint8_t *payload = n ? (uint8_t *)mem_dup0(s.data, n) : NULL;

                assert_int_equal(call_result_make(TOOL_CHECK_WHOLE, NULL, &payload, n, &o), 0);
                assert_int_equal(o.error, n < s.len ? PLUGIN_ERROR_PROTOCOL : PLUGIN_ERROR_NONE);
                tool_outcome_done(&o);
                free(payload);
        }
        str_done(&s);
}

/* The loop has counted its pieces and looked into none of them: here, in the pool, they are looked
 * at for the first time. */
static void test_a_payload_whose_texts_are_none_is_invalid_output(void **state)
{
        static const struct {
                const char *text;
                size_t n;
                const char *words;
        } bad[] = {
            {"\"\xff\"", 3, "not UTF-8"},
            {"\"\xc0\xaf\"", 4, "not UTF-8"},
            {"\"\xed\xa0\x80\"", 5, "not UTF-8"},
            {"\"\xf0\x9f\x98\"", 5, "not UTF-8"},
            {"\"\0\"", 3, "NUL"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct wire_str text = text_of(bad[i].text, bad[i].n);
                struct wire_blob one = blob("i", "image/png", "abc");
                struct made m = {0};

                make(&m, NULL, text, NULL, 0);
                expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, bad[i].words);
                make(&m, "loose", text, &one, 1);
                expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, bad[i].words);
                one.name = text;
                make(&m, "loose", wire_str_of("{}"), &one, 1);
                expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, bad[i].words);
                one = blob("i", "", "abc");
                one.content_type = text;
                make(&m, "strict", wire_str_of("{\"n\":1}"), &one, 1);
                expect_fault(&m, PLUGIN_ERROR_INVALID_OUTPUT, bad[i].words);
        }
}

static void make_without_memory(uint16_t n_blobs)
{
        struct wire_blob one = blob("i", "image/png", "abc");
        struct str s = {0};
        size_t n;
        int nth = 0, r = 1, internal = 0;

        wire_encode_result(&s, &(struct wire_result){wire_str_of("{\"a\":1}"), &one, n_blobs});
        n = s.len;
        while (r && nth < 200) {
                struct tool_outcome o = {0};
                uint8_t *payload = (uint8_t *)mem_dup0(s.data, n);

                failing_malloc_arm(++nth);
                assert_int_equal(call_result_make(TOOL_CHECK_WHOLE, NULL, &payload, n, &o), 0);
                failing_malloc_disarm();
                r = o.error != PLUGIN_ERROR_NONE;
                assert_true(!r || o.error == PLUGIN_ERROR_INTERNAL);
                internal += o.error == PLUGIN_ERROR_INTERNAL;
                tool_outcome_done(&o);
                free(payload);
        }
        assert_true(nth > 2 && nth < 200 && internal > 1);
        str_done(&s);
}

static void test_the_hosts_missing_memory_is_not_the_plugins_fault(void **state)
{
        (void)state;
        make_without_memory(0);
        make_without_memory(1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_text_is_adopted_unchanged),
            cmocka_unit_test(test_large_text_is_adopted_where_it_lies),
            cmocka_unit_test(test_no_text_is_an_empty_object),
            cmocka_unit_test(test_bytes_become_members_beside_the_text),
            cmocka_unit_test(test_a_member_that_comes_twice_is_invalid_output),
            cmocka_unit_test(test_bytes_need_an_object_to_stand_in),
            cmocka_unit_test(test_text_that_is_no_strict_json_is_invalid_output),
            cmocka_unit_test(test_the_output_schema_sees_bytes_too),
            cmocka_unit_test(test_a_payload_that_is_none_is_a_protocol_error),
            cmocka_unit_test(test_a_payload_whose_texts_are_none_is_invalid_output),
            cmocka_unit_test(test_the_hosts_missing_memory_is_not_the_plugins_fault),
        };

        return cmocka_run_group_tests_name("call_result", tests, NULL, NULL);
}
