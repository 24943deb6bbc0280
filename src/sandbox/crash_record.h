/* crash_record.h -- what a dying worker says of its own death, in 40 bytes of memory that it shares
 * with the host. Advisory: a plugin shares the worker's memory and may write there what it likes.
 * The signal comes from the wait status and nowhere else; a record that speaks of another signal is
 * not believed. The host reads it by pread and never maps it.
 * Knows: numbers of signals.   May not know: processes.
 * Threads: any (a value).      Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_CRASH_RECORD_H
#define FORGESYTE_SANDBOX_CRASH_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRASH_RECORD_WRITTEN 0x48535243u /* "CRSH"; stored last */

enum crash_record_flag {
        CRASH_RECORD_STACK = 1 << 0, /* the stack pointer itself points where nothing can be */
};

struct crash_record {
        uint32_t written;
        int32_t signal, code; /* siginfo's */
        uint32_t flags;
        uint64_t address, pc, sp;
};

_Static_assert(sizeof(struct crash_record) == 40, "what docs/SANDBOX.md says");

/* Reads the record of a worker that died by `signal`; false: there is none, or not of that. */
bool crash_record_read(int fd, int signal, struct crash_record *ret);

#define CRASH_RECORD_WORDS 112
/* " at address 0x0 (NULL dereference)", " (integer division by zero)": what follows the signal's
 * name. Empty when nothing is known. buf holds CRASH_RECORD_WORDS. */
void crash_record_words(const struct crash_record *r, char *buf);

#endif
