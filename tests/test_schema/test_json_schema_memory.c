/* Whichever allocation fails, the answer is -ENOMEM, and nothing is leaked or half done. */
#include "support/test.h"

#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "schema/json_schema.h"
#include "support/failing_malloc.h"

static const char schema_text[] =
    "{\"$id\": \"http://a/b\", \"$dynamicAnchor\": \"x\", \"$defs\": {\"t\": {\"$anchor\": \"t\","
    " \"type\": [\"string\", \"null\"], \"pattern\": \"^(a|b)+$\"}, \"u\": {\"$id\": \"u\","
    " \"$dynamicRef\": \"#x\", \"$dynamicAnchor\": \"x\"}}, \"properties\": {\"a\": {\"$ref\": "
    "\"#t\"},"
    " \"list\": {\"uniqueItems\": true, \"contains\": {\"const\": [1]}, \"unevaluatedItems\": "
    "false}},"
    " \"patternProperties\": {\"^b\": {\"$ref\": \"#/x\"}}, \"x\": {\"enum\": [{\"k\": []}]},"
    " \"propertyNames\": {\"maxLength\": 4}, \"unevaluatedProperties\": false,"
    " \"anyOf\": [{\"required\": [\"z\"]}, {\"$ref\": \"b\"}, true]}";

static json_t *long_list(void)
{
        json_t *list = json_pack("[[i]]", 1);

        for (int i = 0; i < 300; i++)
                json_array_append_new(list, json_pack("[i]", 1000 - i));
        return list;
}

static void test_failed_allocation_fails_the_compilation(void **state unused_param)
{
        scoped(json_decref) json_t *source = NULL;
        int n = 1, r = json_parse(schema_text, sizeof schema_text - 1, &source, NULL);

        assert_int_equal(r, 0);
        r = -ENOMEM;
        for (; r == -ENOMEM; n++) {
                scoped(json_schema_free) struct json_schema *schema = NULL;
                struct err e = {0};

                failing_malloc_arm((size_t)n);
                r = json_schema_compile(source, JSON_SCHEMA_2020_12, &schema, &e);
                failing_malloc_disarm();
                assert_true(r == 0 || (r == -ENOMEM && e.code == -ENOMEM && !schema));
        }
        assert_int_equal(r, 0);
        assert_true(n > 50);
}

static void test_failed_allocation_fails_the_validation(void **state unused_param)
{
        scoped(json_decref) json_t *source = json_loads(
            "{\"properties\": {\"list\": {\"uniqueItems\": true, \"contains\": {\"const\":"
            " [1]}, \"items\": true, \"unevaluatedItems\": false}},"
            " \"propertyNames\": {\"pattern\": \"^l\"}, \"unevaluatedProperties\": false}",
            0, NULL);
        scoped(json_decref) json_t *instance = json_pack("{s:o}", "list", long_list());
        scoped(json_schema_free) struct json_schema *schema = NULL;
        struct json_schema_violation v;
        struct err e;
        int n = 1, r = -ENOMEM;

        assert_int_equal(json_schema_compile(source, JSON_SCHEMA_2020_12, &schema, &e), 0);
        for (; r == -ENOMEM; n++) {
                failing_malloc_arm((size_t)n);
                r = json_schema_validate(schema, instance, &v);
                failing_malloc_disarm();
                if (r < 0)
                        assert_string_equal(v.message, "no memory to check this value");
        }
        assert_int_equal(r, 0);
        assert_true(n > 5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_failed_allocation_fails_the_compilation),
            cmocka_unit_test(test_failed_allocation_fails_the_validation),
        };

        return cmocka_run_group_tests_name("json_schema_memory", tests, NULL, NULL);
}
