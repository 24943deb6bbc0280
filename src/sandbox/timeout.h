/* timeout.h -- deadlines on the monotonic clock, and the sentence that names the limit.
 * Knows: arithmetic.       May not know: clocks, timers, processes.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_TIMEOUT_H
#define FORGESYTE_SANDBOX_TIMEOUT_H

#include <stddef.h>
#include <stdint.h>

#define TIMEOUT_DEFAULT_SECONDS 60
#define TIMEOUT_NEVER           INT64_MAX

/* now + seconds, saturating at TIMEOUT_NEVER; seconds <= 0 is now. */
int64_t timeout_deadline(int64_t now_ns, double seconds);
/* "Plugin execution timed out after 60s. Increase timeout in manifest if needed." */
void timeout_sentence(double seconds, char *buf, size_t size);

#endif
