/* schema_budget.h -- the work a validation may still do, counted down.
 * Knows: a number.         May not know: what the work is.
 * Threads: one validation each.   Owns: nothing. */
#ifndef FORGESYTE_SCHEMA_BUDGET_H
#define FORGESYTE_SCHEMA_BUDGET_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* A step is one schema, keyword, member or value looked at, some 10 ns. Bytes and the regex
 * matcher's moves are cheaper, so the account is kept in parts of a step. */
#define SCHEMA_STEP           16
#define SCHEMA_BYTES_PER_PART 4 /* bytes in a part of a step */

struct schema_budget {
        int64_t left;
};

/* 0, or -E2BIG once nothing is left. */
static inline int must_check schema_spend(struct schema_budget *b, size_t parts)
{
        b->left -= parts < INT32_MAX ? (int64_t)parts : INT32_MAX;
        return b->left >= 0 ? 0 : -E2BIG;
}

static inline int must_check schema_spend_bytes(struct schema_budget *b, size_t n)
{
        return schema_spend(b, 1 + n / SCHEMA_BYTES_PER_PART);
}

#endif
