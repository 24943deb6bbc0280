/* What is asked of a value by itself: its type, numbers, strings. */
#include <string.h>

#include "schema/schema_check.h"
#include "schema/schema_keywords.h"
#include "schema/schema_value.h"

const char *const schema_type_names[SCHEMA_TYPES] = {
    [SCHEMA_NULL] = "null",      [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_OBJECT] = "object",
    [SCHEMA_ARRAY] = "array",    [SCHEMA_NUMBER] = "number",   [SCHEMA_STRING] = "string",
    [SCHEMA_INTEGER] = "integer"};

/* Every type the value is of: an integer is a number, too. */
static unsigned types_of(const json_t *value)
{
        switch (json_typeof(value)) {
        case JSON_OBJECT:
                return 1u << SCHEMA_OBJECT;
        case JSON_ARRAY:
                return 1u << SCHEMA_ARRAY;
        case JSON_STRING:
                return 1u << SCHEMA_STRING;
        case JSON_INTEGER:
        case JSON_REAL:
                return 1u << SCHEMA_NUMBER |
                       (schema_number_is_integer(value) ? 1u << SCHEMA_INTEGER : 0);
        case JSON_TRUE:
        case JSON_FALSE:
                return 1u << SCHEMA_BOOLEAN;
        case JSON_NULL:
                return 1u << SCHEMA_NULL;
        }
        return 0;
}

static int fail_type(struct schema_run *run, const struct schema_rule *rule,
                     const struct schema_spot *spot)
{
        char words[128];
        struct schema_words w = schema_words_in(words, sizeof words);
        const char *before = "is not of type ";

        for (size_t i = 0; i < SCHEMA_TYPES; i++) {
                if (!(rule->types & 1u << i))
                        continue;
                schema_words_addf(&w, "%s%s", before, schema_type_names[i]);
                before = " or ";
        }
        return schema_fail_value(run, spot, "type", words, NULL);
}

int schema_check_type(struct schema_run *run, const struct schema_rule *rule,
                      const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        return types_of(spot->value) & rule->types ? 0 : fail_type(run, rule, spot);
}

int schema_check_const(struct schema_run *run, const struct schema_rule *rule,
                       const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        int r = schema_value_equal(&run->budget, spot->value, rule->value);

        if (r < 0)
                return r;
        return r ? 0 : schema_fail_value(run, spot, "const", "is not", rule->value);
}

static int fail_enum(struct schema_run *run, const struct schema_rule *rule,
                     const struct schema_spot *spot)
{
        char words[256];
        struct schema_words w = schema_words_in(words, sizeof words);
        size_t n = json_array_size(rule->value);

        if (run->quiet)
                return schema_fail(run, spot, "enum", "-");
        schema_words_addf(&w, n == 1 ? "is not " : "is none of ");
        for (size_t i = 0; i < n && !w.cut; i++) {
                schema_words_add(&w, ", ", i ? 2 : 0);
                schema_words_add_value(&w, json_array_get(rule->value, i));
        }
        return schema_fail_value(run, spot, "enum", words, NULL);
}

int schema_check_enum(struct schema_run *run, const struct schema_rule *rule,
                      const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        for (size_t i = 0; i < json_array_size(rule->value); i++) {
                const json_t *choice = json_array_get(rule->value, i);
                int r = schema_value_equal(&run->budget, spot->value, choice);

                if (r != 0)
                        return r < 0 ? r : 0;
        }
        return fail_enum(run, rule, spot);
}

int schema_check_multiple_of(struct schema_run *run, const struct schema_rule *rule,
                             const struct schema_spot *spot,
                             struct schema_marks *marks unused_param)
{
        if (!json_is_number(spot->value))
                return 0;
        /* Finding the shortest decimal prints and reads the number up to three times. */
        if (schema_spend(&run->budget, 32 * SCHEMA_STEP) < 0)
                return -E2BIG;
        if (schema_number_is_multiple(spot->value, rule->value))
                return 0;
        return schema_fail_value(run, spot, "multipleOf", "is not a multiple of", rule->value);
}

int schema_check_maximum(struct schema_run *run, const struct schema_rule *rule,
                         const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        if (!json_is_number(spot->value) || schema_number_compare(spot->value, rule->value) <= 0)
                return 0;
        return schema_fail_value(run, spot, "maximum", "is greater than the maximum", rule->value);
}

int schema_check_exclusive_maximum(struct schema_run *run, const struct schema_rule *rule,
                                   const struct schema_spot *spot,
                                   struct schema_marks *marks unused_param)
{
        if (!json_is_number(spot->value) || schema_number_compare(spot->value, rule->value) < 0)
                return 0;
        return schema_fail_value(run, spot, "exclusiveMaximum", "is not less than", rule->value);
}

int schema_check_minimum(struct schema_run *run, const struct schema_rule *rule,
                         const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        if (!json_is_number(spot->value) || schema_number_compare(spot->value, rule->value) >= 0)
                return 0;
        return schema_fail_value(run, spot, "minimum", "is less than the minimum", rule->value);
}

int schema_check_exclusive_minimum(struct schema_run *run, const struct schema_rule *rule,
                                   const struct schema_spot *spot,
                                   struct schema_marks *marks unused_param)
{
        if (!json_is_number(spot->value) || schema_number_compare(spot->value, rule->value) > 0)
                return 0;
        return schema_fail_value(run, spot, "exclusiveMinimum", "is not greater than", rule->value);
}

/* Counts the characters of a string within the budget; *ret is untouched when it is <0. */
static int measure(struct schema_run *run, const json_t *text, size_t *ret)
{
        size_t n = json_string_length(text);

        if (schema_spend_bytes(&run->budget, n) < 0)
                return -E2BIG;
        *ret = schema_text_length(json_string_value(text), n);
        return 0;
}

int schema_check_max_length(struct schema_run *run, const struct schema_rule *rule,
                            const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        size_t length = 0;

        if (!json_is_string(spot->value))
                return 0;
        if (measure(run, spot->value, &length) < 0)
                return -E2BIG;
        if (length <= rule->count)
                return 0;
        return schema_fail(run, spot, "maxLength", "%zu characters are longer than the maximum %zu",
                           length, rule->count);
}

int schema_check_min_length(struct schema_run *run, const struct schema_rule *rule,
                            const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        size_t length = 0;

        if (!json_is_string(spot->value))
                return 0;
        if (measure(run, spot->value, &length) < 0)
                return -E2BIG;
        if (length >= rule->count)
                return 0;
        return schema_fail(run, spot, "minLength",
                           "%zu characters are shorter than the minimum %zu", length, rule->count);
}

int schema_check_pattern(struct schema_run *run, const struct schema_rule *rule,
                         const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        int r;

        if (!json_is_string(spot->value))
                return 0;
        r = schema_run_search(run, rule->regex, json_string_value(spot->value),
                              json_string_length(spot->value));
        if (r != 0)
                return r < 0 ? r : 0;
        return schema_fail_value(run, spot, "pattern", "does not match the pattern", rule->value);
}
