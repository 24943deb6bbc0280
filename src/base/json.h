/* json.h -- jansson's values, read strictly: bounded depth, no duplicate keys, errors with line and
 * column.
 * Knows: jansson.          May not know: whose JSON it is.
 * Threads: any, no shared json_t.  Owns: nothing. */
#ifndef FORGESYTE_BASE_JSON_H
#define FORGESYTE_BASE_JSON_H

#include <jansson.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 64

DEFINE_SCOPED(json_t *, json_decref)

/* Parses text[0..n) as one JSON value of any type, nested at most JSON_DEPTH_MAX deep, without
 * duplicate keys, NUL characters, a byte-order mark or anything behind it. -EBADMSG with words
 * ("line 3, column 7: ...") when it is not; -ENOMEM. The caller owns *ret. */
int json_parse(const char *text, size_t n, json_t **ret, struct err *e) must_check;

/* A copy of an object that shares its members, as json_copy makes it; but NULL, and not one with
 * members missing, when there is no memory. */
json_t *json_copy_object(const json_t *object);

/* Where in text[0..n) (valid JSON) the value at `pointer` (RFC 6901, "" is the root) begins:
 * 1-based line; an absent member gives its nearest present ancestor's. 0 when it can't be told. */
int json_line_of(const char *text, size_t n, const char *pointer);

/* Adds the compact text of `value` / a quoted and escaped JSON string made of valid UTF-8. */
void str_add_json(struct str *s, const json_t *value);
void str_add_json_string(struct str *s, const char *text, size_t n);

/* Sets key to a value of which it takes ownership, or to null when value is NULL: -ENOMEM or 0. */
int json_put(json_t *object, const char *key, json_t *take_value);

#endif
