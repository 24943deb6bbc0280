/* str.h -- a growing byte buffer with sticky failure, and the few checks on text that are ours.
 * Knows: bytes, UTF-8.     May not know: JSON, HTTP, plugins.
 * Threads: any, one buffer each.   Owns: the buffer's memory. */
#ifndef FORGESYTE_BASE_STR_H
#define FORGESYTE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "base/mem.h"

/* Zero-initialise. `data` is NUL-terminated behind `len` once something was added, else NULL.
 * After a failed allocation `bad` stays true and additions do nothing: check it once, at the end.
 */
struct str {
        char *data;
        size_t len, cap;
        bool bad;
};

void str_done(struct str *s);
void str_add(struct str *s, const void *bytes, size_t n);
void str_adds(struct str *s, const char *text);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) printf_like(2, 3);
/* Room for n more bytes (plus the NUL); returns where they go, NULL when bad. */
char *str_reserve(struct str *s, size_t n);
/* The text, handed over (an empty one is "", never NULL, unless `bad`: then NULL). */
char *str_take(struct str *s) must_check;

static inline void str_scoped(struct str *s)
{
        str_done(s);
}

/* Length of the longest valid UTF-8 prefix of s[0..n): n when all of it is valid. */
size_t utf8_valid_prefix(const char *s, size_t n);

/* Text from a stranger, made fit for a log, a terminal or JSON: invalid UTF-8 becomes U+FFFD,
 * control bytes except \n and \t become \xNN, at most max_out bytes are added (an ellipsis marks
 * a cut). */
void str_add_printable(struct str *s, const char *text, size_t n, size_t max_out);

/* Plugin and tool names: [a-z0-9_-]{1,64}, tools also A-Z and '.'. */
bool str_is_plugin_name(const char *name);
bool str_is_tool_name(const char *name);

/* The nearest of n candidates within edit distance 1 + strlen/4, or NULL: for "did you mean". */
const char *str_nearest(const char *word, const char *const *candidates, size_t n);

#endif
