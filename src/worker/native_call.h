/* native_call.h -- one call of one tool of a native plugin.
 * Knows: the ABI, arguments and answers.   May not know: frames, who asked.
 * Threads: the main one; a plugin's threads may ask forge_call_cancelled and report progress.
 * Owns: the call while it runs. */
#ifndef FORGESYTE_WORKER_NATIVE_CALL_H
#define FORGESYTE_WORKER_NATIVE_CALL_H

#include "worker/native_runtime.h"

/* Runs the tool that `m` names. `m` must have been decoded from memory that may be written to and
 * has one byte more: its texts are terminated in place. 0: `to` has the payload of a RESULT; 1: `f`
 * says why not. */
int native_call_run(struct native_runtime *rt, const struct wire_call *m, uint64_t max_output,
                    struct str *to, struct worker_fault *f) must_check;

#endif
