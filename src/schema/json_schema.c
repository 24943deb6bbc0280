#include "schema/json_schema.h"

#include <errno.h>
#include <stdlib.h>

#include "schema/schema_build.h"

static void build_done(struct schema_build *b)
{
        free(b->nodes);
        json_decref(b->index);
}

static inline void build_scoped(struct schema_build *b)
{
        build_done(b);
}

void json_schema_free(struct json_schema *s)
{
        if (!s)
                return;
        for (struct schema_regex_list *at = s->regexes; at; at = at->next)
                schema_regex_free(at->regex);
        schema_arena_done(&s->arena);
        json_decref(s->document);
        free(s);
}

/* Counts values, and refuses what is too much before anything is copied. A value that its owner
 * put in two places counts twice, as the copy will have it twice. */
static int measure(struct schema_build *b, const json_t *value, size_t *count, int nesting)
{
        const char *key;
        json_t *member;
        int r = 0;

        if (++*count > JSON_SCHEMA_VALUES_MAX)
                return schema_build_fail(b, NULL, NULL, NULL, "a schema of more than %d values",
                                         JSON_SCHEMA_VALUES_MAX);
        if (nesting > JSON_SCHEMA_NESTING_MAX)
                return schema_build_fail(b, NULL, NULL, NULL, "a schema nested deeper than %d",
                                         JSON_SCHEMA_NESTING_MAX);
        for (size_t i = 0; i < json_array_size(value) && r == 0; i++)
                r = measure(b, json_array_get(value, i), count, nesting + 1);
        json_object_foreach ((json_t *)value, key, member) {
                r = measure(b, member, count, nesting + 1);
                if (r < 0)
                        return r;
        }
        return r;
}

static int copy_document(struct schema_build *b, const json_t *schema)
{
        size_t count = 0;
        int r = measure(b, schema, &count, 0);

        if (r < 0)
                return r;
        b->schema->document = json_deep_copy(schema);
        b->index = json_object();
        return b->schema->document && b->index ? 0 : schema_build_no_memory(b);
}

static int build(struct schema_build *b)
{
        struct schema_place whole = {.index = SCHEMA_NO_INDEX};
        int r = schema_scan(b, b->schema->document, &whole, NULL);

        for (size_t i = 0; i < b->n_nodes && r == 0; i++)
                r = schema_rule_compile_all(b, b->nodes[i]);
        b->schema->root = schema_scan_node(b, b->schema->document);
        return r;
}

int json_schema_compile(const json_t *schema, enum json_schema_draft default_draft,
                        struct json_schema **ret, struct err *e)
{
        scoped(json_schema_free) struct json_schema *s = calloc(1, sizeof *s);
        scoped(build) struct schema_build b = {.schema = s, .default_draft = default_draft, .e = e};
        int r;

        if (!s)
                return schema_build_no_memory(&b);
        s->always.verdict = SCHEMA_ALWAYS;
        s->never.verdict = SCHEMA_NEVER;
        r = copy_document(&b, schema);
        if (r == 0)
                r = build(&b);
        if (r < 0)
                return r;
        *ret = take_ptr(s);
        return 0;
}
