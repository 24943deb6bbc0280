/* python_runtime.h -- hands the worker over to the plugin's interpreter.
 * The box stays, the process stays, the wire stays: only the program is replaced. What the Python
 * side has to know to go on in the middle of a conversation travels in one argument. Knows: the
 * channel's counters, LOAD.     May not know: Python. Threads: the main one. Owns: nothing. */
#ifndef FORGESYTE_WORKER_PYTHON_RUNTIME_H
#define FORGESYTE_WORKER_PYTHON_RUNTIME_H

#include "wire/wire_message.h"
#include "worker/worker_channel.h"

/* Where the box shows the Python side: the host's word, in the worker's environment. */
#define PYTHON_RUNTIME_LIB_ENV "FORGESYTE_PYTHON_LIB"

/* LOAD's payload as it came, decoded beside it. Does not return but for a failure: 1, and `f` says
 * why the interpreter could not be started. */
int python_runtime_start(const struct worker_channel *c, uint64_t max_output,
                         const struct wire_load *m, const uint8_t *payload, size_t n,
                         struct worker_fault *f) must_check;

/* Why the interpreter, which is not to be started for this errno, is not: words for its author. */
void python_runtime_why(const char *interpreter, const struct wire_str *dir, int error, char *buf,
                        size_t size);

/* What the argument says, in base64: u32 generation, u64 call id, u32 next seq to the host, u32
 * next seq from the host, u64 max_output, then LOAD's payload. NULL: no memory. */
char *python_runtime_state(const struct worker_channel *c, uint64_t max_output,
                           const uint8_t *payload, size_t n) must_check;

#endif
