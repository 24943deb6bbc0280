/* json_text.h -- JSON as text: a member cut out of it, and the same text laid out for a person.
 * Numbers and escapes stay as the server wrote them, which parsing and printing again would change.
 * Knows: the grammar of JSON.      May not know: what is in it.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_CLI_JSON_TEXT_H
#define FORGESYTE_CLI_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* text[0..n) is an object that json_parse took. Where its member `key` (spelt without escapes)
 * begins and how long it is; false when there is none. */
bool json_text_member(const char *text, size_t n, const char *key, const char **ret, size_t *ret_n);

/* Adds text[0..n), indented by two; strings longer than string_max bytes are cut, with an ellipsis
 * and their size. text is JSON that json_parse took. */
void json_text_pretty(struct str *to, const char *text, size_t n, size_t string_max);

#endif
