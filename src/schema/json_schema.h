/* json_schema.h -- is this JSON value what that schema describes? Draft 2020-12 and draft-07.
 * Knows: jansson, PCRE2.   May not know: tools, manifests, the network, files.
 * Threads: a compiled schema is immutable and may serve many at once.   Owns: its own copy.
 * docs/JSON-SCHEMA.md says what is supported, and the bounds. */
#ifndef FORGESYTE_SCHEMA_JSON_SCHEMA_H
#define FORGESYTE_SCHEMA_JSON_SCHEMA_H

#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "base/mem.h"

/* The bounds: a schema past the first four is -EINVAL, a validation past the rest -E2BIG. */
#define JSON_SCHEMA_VALUES_MAX         65536  /* JSON values in a schema document */
#define JSON_SCHEMA_NESTING_MAX        64     /* arrays and objects around a value of a schema */
#define JSON_SCHEMA_PATTERN_MAX        4096   /* bytes in a regular expression */
#define JSON_SCHEMA_PATTERNS_BYTES_MAX MIB(4) /* all of them together, compiled */
#define JSON_SCHEMA_STEPS_MAX          10000000
#define JSON_SCHEMA_IN_PLACE_MAX       64  /* schemas applied inside one another to one value */
#define JSON_SCHEMA_DEPTH_MAX          512 /* schemas applied inside one another, all in all */

struct json_schema;

enum json_schema_draft { JSON_SCHEMA_2020_12, JSON_SCHEMA_DRAFT_07 };

/* Compiles `schema`, an object or a boolean, which is copied. $schema picks the draft, otherwise
 * default_draft does. References reach only into the document itself: by $id, $anchor,
 * $dynamicAnchor or JSON pointer. -EINVAL with words that begin with the pointer of what is wrong
 * ("/properties/psm/minimum: not a number"); -ENOMEM. */
int json_schema_compile(const json_t *schema, enum json_schema_draft default_draft,
                        struct json_schema **ret, struct err *e) must_check;
void json_schema_free(struct json_schema *s);

DEFINE_SCOPED(struct json_schema *, json_schema_free)

/* pointer: where in the instance (RFC 6901, "" is the whole; cut with "..." when very long).
 * rule: the keyword that says no. message: pointer and reason, for a person:
 * "/psm: 14 is greater than the maximum 13". */
struct json_schema_violation {
        char pointer[256];
        char rule[64];
        char message[ERR_MSG_MAX];
};

/* 0: valid. 1: invalid, and *ret_violation says what is wrong first and most specifically. -E2BIG:
 * a bound above was hit, and *ret_violation's message says which. -ENOMEM. Neither reference
 * counts nor anything else in `instance` is written. */
int json_schema_validate(const struct json_schema *s, const json_t *instance,
                         struct json_schema_violation *ret_violation) must_check;
/* The same with another bound on the steps, at most JSON_SCHEMA_STEPS_MAX: for threads that have no
 * time to lose. -E2BIG then tells nothing of the value. */
int json_schema_validate_within(const struct json_schema *s, const json_t *instance, uint32_t steps,
                                struct json_schema_violation *ret_violation) must_check;

#endif
