/* fuzz_schema.c -- a stranger's JSON Schema against a stranger's value.
 * First byte: the draft. Then the schema, 0xff, the value. */
#include <errno.h>

#include "base/json.h"
#include "fuzz.h"
#include "schema/json_schema.h"

static int validate(const struct json_schema *s, const json_t *value,
                    struct json_schema_violation *v)
{
        int r = json_schema_validate(s, value, v);

        must(r == 0 || r == 1 || r == -E2BIG, "valid, invalid or too much");
        if (r) {
                must_have_words(v->message);
                must(memchr(v->pointer, 0, sizeof v->pointer) && memchr(v->rule, 0, sizeof v->rule),
                     "texts end");
        }
        return r;
}

static bool compile(const json_t *source, enum json_schema_draft draft, struct json_schema **ret)
{
        struct err e = {0};
        int r = json_schema_compile(source, draft, ret, &e);

        must(r == 0 || r == -EINVAL, "a schema or none");
        must((r == 0) == (*ret != NULL), "a schema when it is one");
        if (r < 0)
                must_have_words(e.msg);
        return r == 0;
}

/* Inside of "not" it means the opposite. Not so when it refers to itself: then it has moved. */
static void check_opposite(json_t *source, enum json_schema_draft draft, const json_t *value,
                           int is)
{
        scoped(json_decref) json_t *outer = json_pack("{s:O}", "not", source);
        scoped(json_schema_free) struct json_schema *schema = NULL;
        struct json_schema_violation v;
        int r;

        must(outer, "memory");
        if (!compile(outer, draft, &schema))
                return; /* one level deeper may be one too many */
        r = validate(schema, value, &v);
        must(r < 0 || is < 0 || r != is, "\"not\" turns it round");
}

static void check(json_t *source, enum json_schema_draft draft, const json_t *value, bool refers)
{
        scoped(json_decref) json_t *before = json_deep_copy(value);
        scoped(json_schema_free) struct json_schema *schema = NULL;
        struct json_schema_violation v = {{0}, {0}, {0}}, again = v;
        int r;

        if (!compile(source, draft, &schema))
                return;
        r = validate(schema, value, &v);
        must(validate(schema, value, &again) == r && !memcmp(&v, &again, sizeof v),
             "the same question has the same answer");
        must(json_equal(before, value), "a value is only looked at");
        if (!refers)
                check_opposite(source, draft, value, r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(json_decref) json_t *source = NULL, *value = NULL;
        scoped(free) char *text = NULL, *instance = NULL;
        enum json_schema_draft draft;

        if (size == 0)
                return 0;
        draft = data[0] & 1 ? JSON_SCHEMA_DRAFT_07 : JSON_SCHEMA_2020_12;
        data++;
        size--;
        text = next_field(&data, &size);
        instance = next_field(&data, &size);
        if (json_parse(text, strlen(text), &source, NULL) < 0)
                return 0;
        if (json_parse(instance, strlen(instance), &value, NULL) < 0)
                value = json_null();
        check(source, draft, value, strchr(text, '$') || strchr(text, '\\'));
        return 0;
}
