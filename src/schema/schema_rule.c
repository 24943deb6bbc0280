/* The second pass: each keyword's value checked and put into the form its check wants. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "schema/schema_build.h"
#include "schema/schema_keywords.h"
#include "schema/schema_value.h"

static int compare_keys(const char *a, size_t a_len, const char *b, size_t b_len)
{
        int r = memcmp(a, b, MIN_OF(a_len, b_len));

        if (r != 0)
                return r;
        return (a_len > b_len) - (a_len < b_len);
}

static int by_key(const void *x, const void *y)
{
        const struct schema_entry *a = x, *b = y;

        return compare_keys(a->key, a->key_len, b->key, b->key_len);
}

const struct schema_entry *schema_rule_find(const struct schema_rule *rule, const char *key,
                                            size_t key_len)
{
        struct schema_entry wanted = {.key = key, .key_len = key_len};

        if (!rule || rule->n_entries == 0)
                return NULL;
        return bsearch(&wanted, rule->entries, rule->n_entries, sizeof wanted, by_key);
}

/* Where a rule is being compiled, for words. */
struct site {
        struct schema_build *b;
        const struct schema_node *node;
        const char *keyword;
};

static int wrong(const struct site *s, const char *words)
{
        return schema_build_fail(s->b, s->node, s->keyword, NULL, "%s", words);
}

/* --- plain values --- */

static int read_count(const struct site *s, struct schema_rule *rule)
{
        const json_t *value = rule->value;
        double real;

        if (!schema_number_is_integer(value) || json_number_value(value) < 0)
                return wrong(s, "not a whole number from 0 up");
        real = json_number_value(value);
        if (json_is_integer(value))
                rule->count = (size_t)json_integer_value(value);
        else
                rule->count = real < 9e15 ? (size_t)real : SIZE_MAX;
        return 0;
}

static int add_type(const struct site *s, const json_t *name, unsigned *types)
{
        for (unsigned i = 0; i < SCHEMA_TYPES; i++) {
                if (json_is_string(name) &&
                    strcmp(json_string_value(name), schema_type_names[i]) == 0) {
                        *types |= 1u << i;
                        return 0;
                }
        }
        return wrong(s, "not a type (null, boolean, object, array, number, string, integer)");
}

static int read_types(const struct site *s, struct schema_rule *rule)
{
        int r = 0;

        if (!json_is_array(rule->value))
                return add_type(s, rule->value, &rule->types);
        if (json_array_size(rule->value) == 0)
                return wrong(s, "an empty list of types");
        for (size_t i = 0; i < json_array_size(rule->value) && r == 0; i++)
                r = add_type(s, json_array_get(rule->value, i), &rule->types);
        return r;
}

static bool is_names(const json_t *value)
{
        if (!json_is_array(value))
                return false;
        for (size_t i = 0; i < json_array_size(value); i++)
                if (!json_is_string(json_array_get(value, i)))
                        return false;
        return true;
}

static bool is_anchor(const char *name)
{
        static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

        return name && *name && strchr(first, *name) &&
               name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
                                 "0123456789-.")] == '\0';
}

/* --- patterns and references --- */

/* The schema owns the regex from here on. key: the member of the keyword's value, or NULL. */
static int read_regex(const struct site *s, const char *key, const char *pattern, size_t n,
                      const struct schema_regex **ret)
{
        struct json_schema *schema = s->b->schema;
        struct schema_regex_list *owner = schema_arena_alloc(&schema->arena, 1, sizeof *owner);
        struct schema_regex *regex = NULL;
        struct err why;
        int r;

        if (!owner)
                return schema_build_no_memory(s->b);
        r = schema_regex_compile(pattern, n, &regex, &why);
        if (r == -ENOMEM)
                return schema_build_no_memory(s->b);
        if (r < 0)
                return schema_build_fail(s->b, s->node, s->keyword, key,
                                         "not a regular expression: %s", why.msg);
        *owner = (struct schema_regex_list){schema->regexes, regex};
        schema->regexes = owner;
        schema->regex_bytes += schema_regex_size(regex);
        if (schema->regex_bytes > JSON_SCHEMA_PATTERNS_BYTES_MAX)
                return schema_build_fail(s->b, s->node, s->keyword, key,
                                         "the regular expressions take up more than %zu bytes",
                                         JSON_SCHEMA_PATTERNS_BYTES_MAX);
        *ret = regex;
        return 0;
}

static int read_reference(const struct site *s, struct schema_rule *rule)
{
        const char *reference = json_string_value(rule->value);
        const char *dynamic;
        int r;

        if (!reference)
                return wrong(s, "not a string");
        r = schema_ref_resolve(s->b, s->node, s->keyword, reference, &rule->node, &dynamic);
        if (r == 0 && strcmp(s->keyword, "$dynamicRef") == 0)
                rule->dynamic_anchor = dynamic;
        return r;
}

/* --- schemas --- */

static int new_entries(const struct site *s, struct schema_rule *rule, size_t n,
                       struct schema_entry **ret)
{
        struct schema_entry *entries = schema_arena_alloc(&s->b->schema->arena, n, sizeof *entries);

        if (!entries)
                return schema_build_no_memory(s->b);
        rule->entries = entries;
        rule->n_entries = n;
        *ret = entries;
        return 0;
}

static int read_list(const struct site *s, struct schema_rule *rule)
{
        size_t n = json_array_size(rule->value);
        struct schema_entry *entries = NULL;
        int r;

        if (!json_is_array(rule->value))
                return wrong(s, "not a list of schemas");
        if (n == 0 && s->node->resource->draft != JSON_SCHEMA_DRAFT_07)
                return wrong(s, "an empty list of schemas");
        r = new_entries(s, rule, n, &entries);
        for (size_t i = 0; i < n && r == 0; i++)
                entries[i].node = schema_scan_node(s->b, json_array_get(rule->value, i));
        return r;
}

/* One member of a keyword that is an object. */
static int read_member(const struct site *s, enum schema_shape shape, const json_t *value,
                       struct schema_entry *entry)
{
        bool names = shape == SHAPE_NAMES_BY_NAME ||
                     (shape == SHAPE_SCHEMA_OR_NAMES_BY_NAME && json_is_array(value));

        if (names && !is_names(value))
                return schema_build_fail(s->b, s->node, s->keyword, entry->key,
                                         "not a list of strings");
        if (names)
                entry->names = value;
        else
                entry->node = schema_scan_node(s->b, value);
        if (shape == SHAPE_SCHEMA_BY_REGEX)
                return read_regex(s, entry->key, entry->key, entry->key_len, &entry->regex);
        return 0;
}

static int read_map(const struct site *s, struct schema_rule *rule)
{
        struct schema_entry *entries = NULL, *entry;
        size_t key_len;
        const char *key;
        json_t *value;
        int r;

        if (!json_is_object(rule->value))
                return wrong(s, "not an object");
        r = new_entries(s, rule, json_object_size(rule->value), &entries);
        if (r < 0)
                return r;
        entry = entries;
        json_object_keylen_foreach((json_t *)rule->value, key, key_len, value)
        {
                entry->key = key;
                entry->key_len = key_len;
                r = read_member(s, rule->keyword->shape, value, entry++);
                if (r < 0)
                        return r;
        }
        qsort(entries, rule->n_entries, sizeof *entries, by_key);
        return 0;
}

/* --- one rule, one node --- */

static int read_schema(const struct site *s, struct schema_rule *rule)
{
        rule->node = schema_scan_node(s->b, rule->value);
        return 0;
}

static int read_value(const struct site *s, struct schema_rule *rule)
{
        const json_t *value = rule->value;

        switch (rule->keyword->shape) {
        case SHAPE_ANY:
                return 0;
        case SHAPE_TEXT:
                return json_is_string(value) ? 0 : wrong(s, "not a string");
        case SHAPE_FLAG:
                return json_is_boolean(value) ? 0 : wrong(s, "not a boolean");
        case SHAPE_LIST:
                return json_is_array(value) ? 0 : wrong(s, "not a list");
        case SHAPE_MAP:
                return json_is_object(value) ? 0 : wrong(s, "not an object");
        case SHAPE_NUMBER:
                return json_is_number(value) ? 0 : wrong(s, "not a number");
        case SHAPE_ABOVE_ZERO:
                return json_number_value(value) > 0 ? 0 : wrong(s, "not a number above 0");
        case SHAPE_COUNT:
                return read_count(s, rule);
        case SHAPE_TYPES:
                return read_types(s, rule);
        case SHAPE_NAMES:
                return is_names(value) ? 0 : wrong(s, "not a list of strings");
        case SHAPE_ANCHOR:
                return is_anchor(json_string_value(value)) ? 0 : wrong(s, "not a plain name");
        case SHAPE_REGEX:
                return json_is_string(value) ? read_regex(s, NULL, json_string_value(value),
                                                          json_string_length(value), &rule->regex)
                                             : wrong(s, "not a string");
        case SHAPE_REFERENCE:
                return read_reference(s, rule);
        case SHAPE_SCHEMA:
                return read_schema(s, rule);
        case SHAPE_SCHEMA_OR_SCHEMAS:
                return json_is_array(value) ? read_list(s, rule) : read_schema(s, rule);
        case SHAPE_SCHEMAS:
                return read_list(s, rule);
        case SHAPE_NAMES_BY_NAME:
        case SHAPE_SCHEMA_BY_NAME:
        case SHAPE_SCHEMA_BY_REGEX:
        case SHAPE_SCHEMA_OR_NAMES_BY_NAME:
                return read_map(s, rule);
        }
        return 0;
}

static const struct schema_rule *rule_named(const struct schema_node *node, const char *name)
{
        for (size_t i = 0; name && i < node->n_rules; i++)
                if (strcmp(node->rules[i].keyword->name, name) == 0)
                        return &node->rules[i];
        return NULL;
}

static void link_neighbours(const struct schema_node *node, struct schema_rule *rules)
{
        for (size_t i = 0; i < node->n_rules; i++)
                for (size_t j = 0; j < ARRAY_LEN(rules[i].near); j++)
                        rules[i].near[j] = rule_named(node, rules[i].keyword->near[j]);
}

/* What of the node counts: in draft-07 a $ref makes its siblings void. */
static uint64_t keywords_that_count(const struct schema_node *node)
{
        bool draft_07 = node->resource->draft == JSON_SCHEMA_DRAFT_07;

        if (!draft_07 || !json_object_get(node->source, "$ref"))
                return node->keywords;
        for (size_t i = 0;; i++)
                if (strcmp(schema_keywords[i].name, "$ref") == 0)
                        return 1ull << i;
}

static int compile_rule(struct schema_build *b, struct schema_node *node,
                        const struct schema_keyword *k, struct schema_rule *rule)
{
        struct site site = {b, node, k->name};

        rule->keyword = k;
        rule->value = json_object_get(node->source, k->name);
        if (strncmp(k->name, "unevaluated", strlen("unevaluated")) == 0)
                node->tracks = true;
        return read_value(&site, rule);
}

int schema_rule_compile_all(struct schema_build *b, struct schema_node *node)
{
        uint64_t keywords = keywords_that_count(node);
        size_t n = (size_t)__builtin_popcountll(keywords);
        struct schema_rule *rules = schema_arena_alloc(&b->schema->arena, n, sizeof *rules);

        if (!rules)
                return schema_build_no_memory(b);
        node->rules = rules;
        for (size_t i = 0; schema_keywords[i].name; i++) {
                int r;

                if (!(keywords >> i & 1))
                        continue;
                r = compile_rule(b, node, &schema_keywords[i], &rules[node->n_rules++]);
                if (r < 0)
                        return r;
        }
        link_neighbours(node, rules);
        return 0;
}
