#include "schema/schema_keywords.h"

#include <string.h>

#define D07  SCHEMA_DRAFT_BIT(JSON_SCHEMA_DRAFT_07)
#define D20  SCHEMA_DRAFT_BIT(JSON_SCHEMA_2020_12)
#define BOTH (D07 | D20)

/* What is cheap and says most stands first; unevaluated* must stand last, since it asks what all
 * the others looked at. `definitions` and `dependencies` are kept in 2020-12 as its metaschema
 * keeps them; format, content* and the rest of the annotations are read and not enforced. */
/* clang-format off */
const struct schema_keyword schema_keywords[] = {
    {"$schema", BOTH, SHAPE_TEXT, {0}, NULL},
    {"$id", BOTH, SHAPE_TEXT, {0}, NULL},
    {"$anchor", D20, SHAPE_ANCHOR, {0}, NULL},
    {"$dynamicAnchor", D20, SHAPE_ANCHOR, {0}, NULL},
    {"$vocabulary", D20, SHAPE_MAP, {0}, NULL},
    {"$comment", BOTH, SHAPE_TEXT, {0}, NULL},
    {"$defs", D20, SHAPE_SCHEMA_BY_NAME, {0}, NULL},
    {"definitions", BOTH, SHAPE_SCHEMA_BY_NAME, {0}, NULL},
    {"title", BOTH, SHAPE_TEXT, {0}, NULL},
    {"description", BOTH, SHAPE_TEXT, {0}, NULL},
    {"examples", BOTH, SHAPE_LIST, {0}, NULL},
    {"deprecated", D20, SHAPE_FLAG, {0}, NULL},
    {"readOnly", BOTH, SHAPE_FLAG, {0}, NULL},
    {"writeOnly", BOTH, SHAPE_FLAG, {0}, NULL},
    {"format", BOTH, SHAPE_TEXT, {0}, NULL},
    {"contentEncoding", BOTH, SHAPE_TEXT, {0}, NULL},
    {"contentMediaType", BOTH, SHAPE_TEXT, {0}, NULL},
    {"contentSchema", D20, SHAPE_SCHEMA, {0}, NULL},

    {"type", BOTH, SHAPE_TYPES, {0}, schema_check_type},
    {"const", BOTH, SHAPE_ANY, {0}, schema_check_const},
    {"enum", BOTH, SHAPE_LIST, {0}, schema_check_enum},
    {"multipleOf", BOTH, SHAPE_ABOVE_ZERO, {0}, schema_check_multiple_of},
    {"maximum", BOTH, SHAPE_NUMBER, {0}, schema_check_maximum},
    {"exclusiveMaximum", BOTH, SHAPE_NUMBER, {0}, schema_check_exclusive_maximum},
    {"minimum", BOTH, SHAPE_NUMBER, {0}, schema_check_minimum},
    {"exclusiveMinimum", BOTH, SHAPE_NUMBER, {0}, schema_check_exclusive_minimum},
    {"maxLength", BOTH, SHAPE_COUNT, {0}, schema_check_max_length},
    {"minLength", BOTH, SHAPE_COUNT, {0}, schema_check_min_length},
    {"pattern", BOTH, SHAPE_REGEX, {0}, schema_check_pattern},
    {"maxItems", BOTH, SHAPE_COUNT, {0}, schema_check_max_items},
    {"minItems", BOTH, SHAPE_COUNT, {0}, schema_check_min_items},
    {"uniqueItems", BOTH, SHAPE_FLAG, {0}, schema_check_unique_items},
    {"maxProperties", BOTH, SHAPE_COUNT, {0}, schema_check_max_properties},
    {"minProperties", BOTH, SHAPE_COUNT, {0}, schema_check_min_properties},
    {"required", BOTH, SHAPE_NAMES, {0}, schema_check_required},
    {"dependentRequired", D20, SHAPE_NAMES_BY_NAME, {0}, schema_check_dependencies},

    {"$ref", BOTH, SHAPE_REFERENCE, {0}, schema_check_ref},
    {"$dynamicRef", D20, SHAPE_REFERENCE, {0}, schema_check_dynamic_ref},
    {"propertyNames", BOTH, SHAPE_SCHEMA, {0}, schema_check_property_names},
    {"properties", BOTH, SHAPE_SCHEMA_BY_NAME, {0}, schema_check_properties},
    {"patternProperties", BOTH, SHAPE_SCHEMA_BY_REGEX, {0}, schema_check_pattern_properties},
    {"additionalProperties", BOTH, SHAPE_SCHEMA, {"properties", "patternProperties"},
     schema_check_additional_properties},
    {"dependentSchemas", D20, SHAPE_SCHEMA_BY_NAME, {0}, schema_check_dependencies},
    {"dependencies", BOTH, SHAPE_SCHEMA_OR_NAMES_BY_NAME, {0}, schema_check_dependencies},
    {"prefixItems", D20, SHAPE_SCHEMAS, {0}, schema_check_prefix_items},
    {"items", D20, SHAPE_SCHEMA, {"prefixItems", NULL}, schema_check_items},
    {"items", D07, SHAPE_SCHEMA_OR_SCHEMAS, {0}, schema_check_items_or_list},
    {"additionalItems", D07, SHAPE_SCHEMA, {"items", NULL}, schema_check_additional_items},
    {"minContains", D20, SHAPE_COUNT, {0}, NULL},
    {"maxContains", D20, SHAPE_COUNT, {0}, NULL},
    {"contains", BOTH, SHAPE_SCHEMA, {"minContains", "maxContains"}, schema_check_contains},
    {"allOf", BOTH, SHAPE_SCHEMAS, {0}, schema_check_all_of},
    {"anyOf", BOTH, SHAPE_SCHEMAS, {0}, schema_check_any_of},
    {"oneOf", BOTH, SHAPE_SCHEMAS, {0}, schema_check_one_of},
    {"not", BOTH, SHAPE_SCHEMA, {0}, schema_check_not},
    {"then", BOTH, SHAPE_SCHEMA, {0}, NULL},
    {"else", BOTH, SHAPE_SCHEMA, {0}, NULL},
    {"if", BOTH, SHAPE_SCHEMA, {"then", "else"}, schema_check_if},
    {"unevaluatedItems", D20, SHAPE_SCHEMA, {0}, schema_check_unevaluated_items},
    {"unevaluatedProperties", D20, SHAPE_SCHEMA, {0}, schema_check_unevaluated_properties},
    {NULL, 0, SHAPE_ANY, {0}, NULL},
};
/* clang-format on */

_Static_assert(ARRAY_LEN(schema_keywords) - 1 <= 64, "a node's keywords fit into 64 bits");

uint64_t schema_keywords_in(const json_t *source, enum json_schema_draft draft)
{
        uint64_t found = 0;
        const char *key;
        json_t *value;

        json_object_foreach ((json_t *)source, key, value) {
                for (size_t i = 0; schema_keywords[i].name; i++)
                        if ((schema_keywords[i].drafts & SCHEMA_DRAFT_BIT(draft)) &&
                            strcmp(schema_keywords[i].name, key) == 0)
                                found |= 1ull << i;
        }
        return found;
}
