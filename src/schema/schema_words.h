/* schema_words.h -- sentences and JSON pointers written into a fixed buffer, cut when it is full.
 * Knows: text, JSON values.   May not know: schemas.
 * Threads: any.               Owns: nothing; the buffer is the caller's. */
#ifndef FORGESYTE_SCHEMA_WORDS_H
#define FORGESYTE_SCHEMA_WORDS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/macro.h"

/* buf is NUL-terminated at all times, and ends in "..." once something did not fit (`cut`). */
struct schema_words {
        char *buf;
        size_t size, len;
        bool cut;
};

struct schema_words schema_words_in(char *buf, size_t size);
void schema_words_add(struct schema_words *w, const char *text, size_t n);
void schema_words_addf(struct schema_words *w, const char *fmt, ...) printf_like(2, 3);
/* "/token", with ~ and / escaped as RFC 6901 has it. */
void schema_words_add_token(struct schema_words *w, const char *token, size_t n);
/* The value as a person would quote it: a number, the start of a string, "an object". */
void schema_words_add_value(struct schema_words *w, const json_t *value);

#endif
