/* memory_guard.h -- the memory limit as people write it.
 * Knows: arithmetic.       May not know: cgroups, processes.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_MEMORY_GUARD_H
#define FORGESYTE_SANDBOX_MEMORY_GUARD_H

#include <stddef.h>
#include <stdint.h>

#define MEMORY_GUARD_DEFAULT_BYTES (UINT64_C(1) << 30)

#define MEMORY_GUARD_SENTENCE 240 /* bytes of buf that hold either */

/* "Plugin exceeded 1GB memory limit. Reduce model size or increase limit." */
void memory_guard_sentence(uint64_t limit_bytes, char *buf, size_t size);
/* Of one that the kernel chose when there was no memory outside its own limit. */
void memory_guard_shortage(uint64_t limit_bytes, char *buf, size_t size);

#endif
