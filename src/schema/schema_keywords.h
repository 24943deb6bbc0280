/* schema_keywords.h -- every keyword once: its drafts, the shape of its value, what checks it.
 * Knows: the names of checks.   May not know: what they do.
 * Threads: any; constant.       Owns: nothing. */
#ifndef FORGESYTE_SCHEMA_KEYWORDS_H
#define FORGESYTE_SCHEMA_KEYWORDS_H

#include "schema/schema_check.h"
#include "schema/schema_node.h"

/* What a keyword's value must be, and so where schemas stand in it. */
enum schema_shape {
        SHAPE_ANY,
        SHAPE_TEXT,
        SHAPE_FLAG,
        SHAPE_LIST,
        SHAPE_MAP,
        SHAPE_NUMBER,
        SHAPE_ABOVE_ZERO,
        SHAPE_COUNT,
        SHAPE_TYPES,
        SHAPE_NAMES,
        SHAPE_NAMES_BY_NAME,
        SHAPE_REGEX,
        SHAPE_REFERENCE,
        SHAPE_ANCHOR,
        SHAPE_SCHEMA,
        SHAPE_SCHEMAS,
        SHAPE_SCHEMA_OR_SCHEMAS,
        SHAPE_SCHEMA_BY_NAME,
        SHAPE_SCHEMA_BY_REGEX,
        SHAPE_SCHEMA_OR_NAMES_BY_NAME
};

#define SCHEMA_DRAFT_BIT(draft) (1u << (draft))

/* near: the siblings `check` looks at. check: NULL where a keyword asks nothing by itself. */
struct schema_keyword {
        const char *name;
        unsigned drafts;
        enum schema_shape shape;
        const char *near[2];
        schema_check *check;
};

/* In the order in which they are checked; ends with a NULL name. At most 64. */
extern const struct schema_keyword schema_keywords[];

/* Bit i: `source`, an object, has the keyword schema_keywords[i], and `draft` knows it. */
uint64_t schema_keywords_in(const json_t *source, enum json_schema_draft draft);

#endif
