/* tool_json.h -- JSON of strangers, arguments and answers: parsed only when the values it makes
 * fit. Knows: what a value costs in jansson.    May not know: whose JSON it is. Threads: any. Owns:
 * nothing. */
#ifndef FORGESYTE_TOOLRUNNER_TOOL_JSON_H
#define FORGESYTE_TOOLRUNNER_TOOL_JSON_H

#include "base/json.h"

/* What the values of one text may take in memory. Three bytes of text, "{},", make 300 bytes of
 * values: without a limit 64 MiB of them would take 6 GB from the host. */
#define TOOL_JSON_MEMORY_MAX MIB(256)

/* Like json_parse; -EBADMSG with words also for a text whose values would take more than
 * TOOL_JSON_MEMORY_MAX. */
int tool_json_parse(const char *text, size_t n, json_t **ret, struct err *e) must_check;

/* What the values of text[0..n) will take at most, about, in bytes; counted no further than
 * `enough`. The text need not be JSON. */
size_t tool_json_cost(const char *text, size_t n, size_t enough);

#endif
