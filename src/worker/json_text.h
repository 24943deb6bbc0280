/* json_text.h -- single JSON values as text, without a JSON library in the plugin's process.
 * Knows: JSON's scalars.   May not know: who wants them.
 * Threads: any, one buffer each.   Owns: nothing. */
#ifndef FORGESYTE_WORKER_JSON_TEXT_H
#define FORGESYTE_WORKER_JSON_TEXT_H

#include "base/str.h"

/* A quoted and escaped string made of valid UTF-8. */
void json_text_add_string(struct str *to, const char *text, size_t n);
/* The shortest number that reads back as `value`, which is finite, whatever the locale. */
void json_text_add_number(struct str *to, double value);

#endif
