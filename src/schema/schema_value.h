/* schema_value.h -- JSON values as JSON Schema sees them: 1 and 1.0 are the same number.
 * Knows: jansson.          May not know: schemas.
 * Threads: any; never touches a reference count.   Owns: nothing. */
#ifndef FORGESYTE_SCHEMA_VALUE_H
#define FORGESYTE_SCHEMA_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "schema/schema_budget.h"

/* 1 equal, 0 not; -E2BIG when the budget or SCHEMA_VALUE_DEPTH runs out. */
#define SCHEMA_VALUE_DEPTH 128
int schema_value_equal(struct schema_budget *b, const json_t *x, const json_t *y) must_check;

/* The same number for equal values. 0 or -E2BIG. */
int schema_value_hash(struct schema_budget *b, const json_t *value, uint64_t *ret) must_check;

/* <0, 0, >0 as x is less than, equal to or greater than y: exact, also between integer and real. */
int schema_number_compare(const json_t *x, const json_t *y);
bool schema_number_is_integer(const json_t *number);
/* Is `number` a whole multiple of `unit` (above 0), both read as the shortest decimal that means
 * them? So 0.3 is a multiple of 0.1. */
bool schema_number_is_multiple(const json_t *number, const json_t *unit);

/* Code points in text[0..n). */
size_t schema_text_length(const char *text, size_t n);

#endif
