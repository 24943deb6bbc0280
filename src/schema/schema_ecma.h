/* schema_ecma.h -- ECMA 262 regular expressions (unicode mode), written anew for PCRE2.
 * Knows: both syntaxes.    May not know: the PCRE2 library.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_SCHEMA_ECMA_H
#define FORGESYTE_SCHEMA_ECMA_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* What the matcher's accounting must know. repeat_min: the highest {n}, at least 1. */
struct schema_ecma_facts {
        size_t repeat_min;
        bool backreferences;
};

/* Only what ECMA knows gets through: no recursion, callouts, verbs, \Q or \A. Where ECMA's unicode
 * mode is stricter than what people write ("\-", a lone "{"), the usual reading is taken. -EINVAL
 * with words; *out is the PCRE2 pattern (the caller checks out->bad). */
int schema_ecma_translate(const char *pattern, size_t n, struct str *out,
                          struct schema_ecma_facts *ret, struct err *e) must_check;

#endif
