/* schema_regex.h -- one compiled pattern, matched within a budget.
 * Knows: PCRE2.            May not know: schemas.
 * Threads: a regex is immutable; a matcher belongs to one validation.   Owns: PCRE2's objects. */
#ifndef FORGESYTE_SCHEMA_REGEX_H
#define FORGESYTE_SCHEMA_REGEX_H

#include "base/err.h"
#include "base/mem.h"
#include "schema/schema_budget.h"

struct schema_regex;
struct schema_matcher;

/* -EINVAL with words when the ECMA 262 pattern is not one; -ENOMEM. */
int schema_regex_compile(const char *pattern, size_t n, struct schema_regex **ret,
                         struct err *e) must_check;
void schema_regex_free(struct schema_regex *regex);
/* Bytes it takes up: a short pattern with repeats may compile into a long one. */
size_t schema_regex_size(const struct schema_regex *regex);

DEFINE_SCOPED(struct schema_regex *, schema_regex_free)

/* Scratch memory for matching; what it does is charged to `budget`, which it borrows. */
int schema_matcher_new(struct schema_budget *budget, struct schema_matcher **ret) must_check;
void schema_matcher_free(struct schema_matcher *m);

DEFINE_SCOPED(struct schema_matcher *, schema_matcher_free)

/* 1 found somewhere in text[0..n), 0 not; -E2BIG, -ENOMEM. */
int schema_regex_search(const struct schema_regex *regex, struct schema_matcher *m,
                        const char *text, size_t n) must_check;

#endif
