/* call_result.h -- the end of a call, for whoever called it: result on stdout, words on stderr.
 * Shared by `call`, which has it from a host, and `run`, which makes it itself.
 * Knows: the API's envelope.       May not know: where it came from.
 * Threads: one.            Owns: nothing. */
#ifndef FORGESYTE_CLI_CALL_RESULT_H
#define FORGESYTE_CLI_CALL_RESULT_H

#include "cli/options.h"

/* text: {"ok":true,"result":...} or {"ok":false,"error":...}; status: the HTTP status that goes
 * with it. Prints the result, or all of it with --format json; writes what --output and --save ask
 * for. Returns the exit code. */
int call_result_show(enum cli_command command, const struct cli_flags *flags, unsigned status,
                     const char *text, size_t n) must_check;

#endif
