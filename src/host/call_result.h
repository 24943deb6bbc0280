/* call_result.h -- a RESULT payload as the JSON text for the client.
 * Knows: the payload's layout, JSON.   May not know: who asked.
 * Threads: any: touches nothing but its parameters.    Owns: nothing. */
#ifndef FORGESYTE_HOST_CALL_RESULT_H
#define FORGESYTE_HOST_CALL_RESULT_H

#include "toolrunner/tool_runner.h"

/* Fills ret: a result, or InvalidOutput / ProtocolError, and returns 0. *payload is taken over when
 * that saves a copy (then NULL). tool may be NULL: no schema. -EAGAIN: with more effort
 * (tool_runner_check_result); payload and ret are as they were. */
int call_result_make(enum tool_check effort, const struct manifest_tool *tool, uint8_t **payload,
                     size_t n, struct tool_outcome *ret) must_check;

#endif
