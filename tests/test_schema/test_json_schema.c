/* What users of the validator rely on: words, bounds, refusals, and many threads at once. */
#include "support/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "schema/json_schema.h"

/* Schemas and instances are written with ' for ". */
static json_t *json_of(const char *text)
{
        scoped(free) char *quoted = strdup(text);
        json_t *value;

        for (char *at = quoted; *at; at++)
                if (*at == '\'')
                        *at = '"';
        value = json_loads(quoted, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        return value;
}

static struct json_schema *compiled(const char *text)
{
        scoped(json_decref) json_t *source = json_of(text);
        struct json_schema *schema = NULL;
        struct err e = {0};

        assert_int_equal(json_schema_compile(source, JSON_SCHEMA_2020_12, &schema, &e), 0);
        return schema;
}

static int validate(const char *schema_text, const char *instance_text,
                    struct json_schema_violation *v)
{
        scoped(json_schema_free) struct json_schema *schema = compiled(schema_text);
        scoped(json_decref) json_t *instance = json_of(instance_text);

        return json_schema_validate(schema, instance, v);
}

static void expect_violation(const char *schema, const char *instance, const char *pointer,
                             const char *rule, const char *message)
{
        struct json_schema_violation v;

        assert_int_equal(validate(schema, instance, &v), 1);
        assert_string_equal(v.message, message);
        assert_string_equal(v.pointer, pointer);
        assert_string_equal(v.rule, rule);
}

static void expect_valid(const char *schema, const char *instance)
{
        struct json_schema_violation v;

        assert_int_equal(validate(schema, instance, &v), 0);
        assert_string_equal(v.message, "");
}

static void test_violation_names_pointer_rule_and_reason(void **state unused_param)
{
        expect_violation("{'properties': {'psm': {'maximum': 13}}}", "{'psm': 14}", "/psm",
                         "maximum", "/psm: 14 is greater than the maximum 13");
        expect_violation("{'type': 'object'}", "'text'", "", "type",
                         "\"text\" is not of type object");
        expect_violation("{'type': ['integer', 'null']}", "1.5", "", "type",
                         "1.5 is not of type null or integer");
        expect_violation("{'required': ['image']}", "{}", "", "required",
                         "\"image\" is required and missing");
        expect_violation("{'enum': ['a', 2, null]}", "'b'", "", "enum",
                         "\"b\" is none of \"a\", 2, null");
        expect_violation("{'items': {'pattern': '^a'}}", "['a', 'b']", "/1", "pattern",
                         "/1: \"b\" does not match the pattern \"^a\"");
        expect_violation("{'properties': {'a': {}}, 'additionalProperties': false}", "{'b': 1}",
                         "/b", "additionalProperties", "/b: a property that is not allowed");
        expect_violation("{'propertyNames': {'pattern': '^[a-z]+$'}}", "{'B': 1}", "/B",
                         "propertyNames", "/B: \"B\" does not match the pattern \"^[a-z]+$\"");
        expect_violation("{'uniqueItems': true}", "[1, 2, 1.0]", "", "uniqueItems",
                         "items 0 and 2 are equal");
        expect_violation("{'dependentRequired': {'a': ['b']}}", "{'a': 1}", "", "dependentRequired",
                         "\"b\" is required beside \"a\" and missing");
        expect_violation("{'properties': {'x': false}}", "{'x': 1}", "/x", "false schema",
                         "/x: nothing is allowed here");
}

static void test_pointer_is_escaped(void **state unused_param)
{
        expect_violation("{'properties': {'a/b~c': {'items': {'type': 'null'}}}}",
                         "{'a/b~c': [null, 1]}", "/a~1b~0c/1", "type",
                         "/a~1b~0c/1: 1 is not of type null");
}

static void test_any_of_tells_of_the_branch_that_got_furthest(void **state unused_param)
{
        const char *schema = "{'anyOf': [{'type': 'string'},"
                             " {'properties': {'size': {'minimum': 1}}, 'type': 'object'}]}";

        expect_violation(schema, "{'size': 0}", "/size", "minimum",
                         "/size: 0 is less than the minimum 1");
        expect_violation(schema, "7", "", "anyOf", "matches none of the 2 schemas of anyOf");
        expect_violation("{'oneOf': [{}, {'type': 'null'}, true]}", "1", "", "oneOf",
                         "matches more than one schema of oneOf (numbers 1 and 3 of 3)");
}

static void test_long_pointers_and_values_are_cut(void **state unused_param)
{
        char instance[1200], key[501], text[501];
        struct json_schema_violation v;

        memset(key, 'k', 500);
        memset(text, 't', 500);
        key[500] = text[500] = '\0';
        snprintf(instance, sizeof instance, "{'%s': '%s'}", key, text);
        assert_int_equal(validate("{'additionalProperties': {'type': 'null'}}", instance, &v), 1);
        assert_int_equal(strlen(v.pointer), sizeof v.pointer - 1);
        assert_string_equal(v.pointer + sizeof v.pointer - 4, "...");
        assert_non_null(strstr(v.message, "ttt...\" is not of type null"));
}

static void expect_refusal(const char *schema_text, const char *words)
{
        scoped(json_decref) json_t *source = json_of(schema_text);
        struct json_schema *schema = NULL;
        struct err e = {0};

        assert_int_equal(json_schema_compile(source, JSON_SCHEMA_2020_12, &schema, &e), -EINVAL);
        assert_string_equal(e.msg, words);
        assert_null(schema);
}

static void test_bad_schema_is_refused_with_its_pointer(void **state unused_param)
{
        expect_refusal("{'properties': {'psm': {'minimum': 'x'}}}",
                       "/properties/psm/minimum: not a number");
        expect_refusal("7", "not a schema (an object or a boolean)");
        expect_refusal("{'items': [{}]}", "/items: not a schema (an object or a boolean)");
        expect_refusal("{'allOf': [{}, {'multipleOf': 0}]}",
                       "/allOf/1/multipleOf: not a number above 0");
        expect_refusal("{'anyOf': []}", "/anyOf: an empty list of schemas");
        expect_refusal("{'maxLength': -1}", "/maxLength: not a whole number from 0 up");
        expect_refusal("{'maxLength': 1.5}", "/maxLength: not a whole number from 0 up");
        expect_refusal("{'required': ['a', 1]}", "/required: not a list of strings");
        expect_refusal("{'properties': []}", "/properties: not an object");
        expect_refusal("{'uniqueItems': 1}", "/uniqueItems: not a boolean");
        expect_refusal("{'type': 'float'}", "/type: not a type (null, boolean, object, array, "
                                            "number, string, integer)");
        expect_refusal("{'dependentRequired': {'a/b': 'c'}}",
                       "/dependentRequired/a~1b: not a list of strings");
        expect_refusal("{'$anchor': '1'}", "/$anchor: not a plain name");
        expect_refusal("{'$schema': 'http://json-schema.org/draft-04/schema#'}",
                       "/$schema: neither draft 2020-12 nor draft-07, which are the known ones");
        expect_refusal("{'$defs': {'a': {'$anchor': 'x'}, 'b': {'$anchor': 'x'}}}",
                       "/$defs/b/$anchor: another schema has this name");
}

static void test_unresolved_reference_is_refused(void **state unused_param)
{
        expect_refusal("{'items': {'$ref': '#/$defs/none'}}",
                       "/items/$ref: \"#/$defs/none\" leads to no schema in this document");
        expect_refusal("{'$ref': 'https://example.com/other.json'}",
                       "/$ref: \"https://example.com/other.json\" leads to no schema in this "
                       "document");
        expect_refusal("{'$ref': '#/x', 'x': {'type': 1}}",
                       "/x/type: not a type (null, boolean, object, array, number, string, "
                       "integer)");
}

static void test_bad_pattern_is_refused(void **state unused_param)
{
        expect_refusal("{'pattern': '(a'}",
                       "/pattern: not a regular expression: missing closing parenthesis");
        expect_refusal("{'patternProperties': {'a**': {}}}",
                       "/patternProperties/a**: not a regular expression: nothing to repeat");
        expect_refusal("{'pattern': '(?R)'}", "/pattern: not a regular expression: a group that "
                                              "ECMA 262 does not know");
        expect_refusal("{'pattern': '[z-a]'}", "/pattern: not a regular expression: a range of "
                                               "characters that runs backwards");
}

static int compile_and_free(const json_t *source)
{
        scoped(json_schema_free) struct json_schema *schema = NULL;
        struct err e;

        return json_schema_compile(source, JSON_SCHEMA_2020_12, &schema, &e);
}

/* A schema too big for the bounds in one dimension: `open` n times, `middle`, `close` n times. */
static int compile_repeated(const char *open, const char *middle, const char *close, int n)
{
        scoped(json_decref) json_t *source = NULL;
        scoped(str) struct str text = {0};

        for (int i = 0; i < n; i++)
                str_adds(&text, open);
        str_adds(&text, middle);
        for (int i = 0; i < n; i++)
                str_adds(&text, close);
        source = json_of(text.data);
        return compile_and_free(source);
}

static int compile_many_values(int n)
{
        scoped(json_decref) json_t *source = json_pack("{s:[]}", "enum");

        for (int i = 0; i < n; i++)
                json_array_append_new(json_object_get(source, "enum"), json_null());
        return compile_and_free(source);
}

static int compile_pattern_of(size_t n)
{
        scoped(free) char *pattern = calloc(1, n + 1);
        scoped(json_decref) json_t *source = NULL;

        memset(pattern, 'a', n);
        source = json_pack("{s:s}", "pattern", pattern);
        return compile_and_free(source);
}

static void test_too_large_schema_is_refused(void **state unused_param)
{
        assert_int_equal(compile_repeated("{'not': ", "{}", "}", 60), 0);
        assert_int_equal(compile_repeated("{'not': ", "{}", "}", 65), -EINVAL);
        assert_int_equal(compile_many_values(JSON_SCHEMA_VALUES_MAX - 2), 0);
        assert_int_equal(compile_many_values(JSON_SCHEMA_VALUES_MAX), -EINVAL);
        assert_int_equal(compile_pattern_of(JSON_SCHEMA_PATTERN_MAX), 0);
        assert_int_equal(compile_pattern_of(JSON_SCHEMA_PATTERN_MAX + 1), -EINVAL);
}

static void test_reference_loop_ends(void **state unused_param)
{
        struct json_schema_violation v;

        assert_int_equal(validate("{'$ref': '#'}", "1", &v), -E2BIG);
        assert_string_equal(v.message, "the schema's references go round and round, or too deep");
        assert_int_equal(validate("{'properties': {'a': {'allOf': [{'$ref': '#/properties/a'}]}}}",
                                  "{'a': 1}", &v),
                         -E2BIG);
        assert_string_equal(v.pointer, "/a");
}

/* Each definition asks the next one twice: 2^30 schemas to apply. */
static void test_exponential_schema_hits_the_work_bound(void **state unused_param)
{
        struct json_schema_violation v;
        scoped(str) struct str text = {0};

        str_adds(&text, "{'$ref': '#/$defs/d0', '$defs': {");
        for (int i = 0; i < 30; i++)
                str_addf(&text,
                         "'d%d': {'anyOf': [{'$ref': '#/$defs/d%d'}, {'$ref': '#/$defs/d%d'}]},", i,
                         i + 1, i + 1);
        str_adds(&text, "'d30': false}}");
        assert_int_equal(validate(text.data, "1", &v), -E2BIG);
        assert_string_equal(v.message, "checking this value takes more than 10000000 steps");
}

static int search(const char *pattern, const char *unit, int n, const char *tail)
{
        scoped(json_decref) json_t *source = json_pack("{s:s}", "pattern", pattern);
        scoped(json_schema_free) struct json_schema *schema = NULL;
        scoped(json_decref) json_t *instance = NULL;
        struct json_schema_violation v;
        scoped(str) struct str text = {0};
        struct err e;

        for (int i = 0; i < n; i++)
                str_adds(&text, unit);
        str_adds(&text, tail);
        instance = json_string(text.data);
        assert_int_equal(json_schema_compile(source, JSON_SCHEMA_2020_12, &schema, &e), 0);
        return json_schema_validate(schema, instance, &v);
}

static void test_catastrophic_patterns_hit_the_work_bound(void **state unused_param)
{
        assert_int_equal(search("^(a+)+$", "a", 64, "!"), -E2BIG);
        assert_int_equal(search("^(a|a)*$", "a", 64, "!"), -E2BIG);
        /* No backtracking at all, and yet quadratic. */
        assert_int_equal(search("[ab]+[cd]", "a", 200000, ""), -E2BIG);
        assert_int_equal(search("[ab]{60000}|c", "a", 59999, ""), -E2BIG);
}

static void test_long_texts_pass_harmless_patterns(void **state unused_param)
{
        assert_int_equal(search("^[A-Za-z0-9+/]*={0,2}$", "QUFB", 1000000, "=="), 0);
        assert_int_equal(search("needle", "hay", 300000, "needle"), 0);
}

static void test_unique_items_is_not_quadratic(void **state unused_param)
{
        scoped(json_decref) json_t *source = json_of("{'uniqueItems': true}");
        scoped(json_schema_free) struct json_schema *schema = NULL;
        scoped(json_decref) json_t *items = json_array();
        struct json_schema_violation v;
        struct err e;

        for (int i = 0; i < 100000; i++)
                json_array_append_new(items, json_pack("{s:i}", "n", i));
        assert_int_equal(json_schema_compile(source, JSON_SCHEMA_2020_12, &schema, &e), 0);
        assert_int_equal(json_schema_validate(schema, items, &v), 0);
        json_array_append_new(items, json_pack("{s:f}", "n", 77.0));
        assert_int_equal(json_schema_validate(schema, items, &v), 1);
        assert_string_equal(v.message, "items 77 and 100000 are equal");
}

static void test_schema_does_not_need_its_source(void **state unused_param)
{
        json_t *source = json_of("{'enum': ['a', {'b': [1]}], 'properties': {'b': true}}");
        scoped(json_schema_free) struct json_schema *schema = NULL;
        scoped(json_decref) json_t *instance = json_of("{'b': [1.0]}");
        struct json_schema_violation v;
        struct err e;

        assert_int_equal(json_schema_compile(source, JSON_SCHEMA_2020_12, &schema, &e), 0);
        json_object_clear(source);
        json_decref(source);
        assert_int_equal(json_schema_validate(schema, instance, &v), 0);
}

static void test_draft_is_taken_from_schema_else_from_default(void **state unused_param)
{
        scoped(json_decref) json_t *list = json_of("{'items': [{'type': 'null'}]}");
        scoped(json_schema_free) struct json_schema *schema = NULL;
        struct err e;

        assert_int_equal(json_schema_compile(list, JSON_SCHEMA_DRAFT_07, &schema, &e), 0);
        expect_valid("{'$schema': 'http://json-schema.org/draft-07/schema#',"
                     " '$ref': '#/definitions/any', 'type': 'null', 'definitions': {'any': true}}",
                     "1");
        expect_violation("{'$ref': '#/definitions/any', 'type': 'null',"
                         " 'definitions': {'any': true}}",
                         "1", "", "type", "1 is not of type null");
}

/* --- threads --- */

#define THREADS 4
#define ROUNDS  200

struct shared {
        const struct json_schema *schema;
        const json_t *good, *bad;
        int wrong[THREADS];
};

struct worker {
        struct shared *shared;
        int i;
};

static void *validate_often(void *arg)
{
        struct worker *w = arg;
        struct json_schema_violation v;

        for (int i = 0; i < ROUNDS; i++) {
                w->shared->wrong[w->i] +=
                    json_schema_validate(w->shared->schema, w->shared->good, &v) != 0;
                w->shared->wrong[w->i] +=
                    json_schema_validate(w->shared->schema, w->shared->bad, &v) != 1 ||
                    strcmp(v.pointer, "/list/1") != 0;
        }
        return NULL;
}

static void test_one_schema_serves_many_threads(void **state unused_param)
{
        scoped(json_schema_free) struct json_schema *schema =
            compiled("{'propertyNames': {'pattern': '^[a-z]+$'}, 'properties': {'list': {'items':"
                     " {'anyOf': [{'type': 'null'}, {'pattern': '^(x|y)+$'}]},"
                     " 'uniqueItems': true, 'contains': {'const': 'xy'}}},"
                     " 'unevaluatedProperties': false}");
        scoped(json_decref) json_t *good = json_of("{'list': ['xy', 'yx', null]}");
        scoped(json_decref) json_t *bad = json_of("{'list': ['xy', 'z']}");
        struct shared shared = {schema, good, bad, {0}};
        struct worker workers[THREADS];
        pthread_t threads[THREADS];

        for (int i = 0; i < THREADS; i++) {
                workers[i] = (struct worker){&shared, i};
                assert_int_equal(pthread_create(&threads[i], NULL, validate_often, &workers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
                pthread_join(threads[i], NULL);
                assert_int_equal(shared.wrong[i], 0);
        }
        assert_int_equal(good->refcount, 1);
}

/* --- the stack --- */

static void *validate_deep(void *arg)
{
        struct shared *shared = arg;
        struct json_schema_violation v;

        shared->wrong[0] = json_schema_validate(shared->schema, shared->bad, &v);
        return NULL;
}

/* The deepest walk that the bounds allow, through the checks with the largest frames. */
static void test_deepest_walk_fits_a_small_stack(void **state unused_param)
{
        scoped(json_schema_free) struct json_schema *schema = NULL;
        scoped(json_decref) json_t *bad = json_null();
        struct shared shared = {0};
        scoped(str) struct str text = {0};
        pthread_attr_t attr;
        pthread_t thread;

        str_adds(&text, "{'$defs': {");
        for (int i = 0; i < 40; i++)
                str_addf(&text,
                         "'d%d': {'oneOf': [{'$ref': '#/$defs/d%d'}],"
                         " 'unevaluatedItems': false},",
                         i, i + 1);
        str_adds(&text, "'d40': {'items': {'$ref': '#/$defs/d0'}}}, '$ref': '#/$defs/d0'}");
        schema = compiled(text.data);
        for (int i = 0; i < 60; i++)
                bad = json_pack("[o]", bad);
        shared.schema = schema;
        shared.bad = bad;
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 1 << 20);
        assert_int_equal(pthread_create(&thread, &attr, validate_deep, &shared), 0);
        pthread_join(thread, NULL);
        pthread_attr_destroy(&attr);
        assert_int_equal(shared.wrong[0], -E2BIG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_violation_names_pointer_rule_and_reason),
            cmocka_unit_test(test_pointer_is_escaped),
            cmocka_unit_test(test_any_of_tells_of_the_branch_that_got_furthest),
            cmocka_unit_test(test_long_pointers_and_values_are_cut),
            cmocka_unit_test(test_bad_schema_is_refused_with_its_pointer),
            cmocka_unit_test(test_unresolved_reference_is_refused),
            cmocka_unit_test(test_bad_pattern_is_refused),
            cmocka_unit_test(test_too_large_schema_is_refused),
            cmocka_unit_test(test_reference_loop_ends),
            cmocka_unit_test(test_exponential_schema_hits_the_work_bound),
            cmocka_unit_test(test_catastrophic_patterns_hit_the_work_bound),
            cmocka_unit_test(test_long_texts_pass_harmless_patterns),
            cmocka_unit_test(test_unique_items_is_not_quadratic),
            cmocka_unit_test(test_schema_does_not_need_its_source),
            cmocka_unit_test(test_draft_is_taken_from_schema_else_from_default),
            cmocka_unit_test(test_one_schema_serves_many_threads),
            cmocka_unit_test(test_deepest_walk_fits_a_small_stack),
        };

        return cmocka_run_group_tests_name("json_schema", tests, NULL, NULL);
}
