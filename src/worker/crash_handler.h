/* crash_handler.h -- the worker's last act: 40 bytes about a fault, then the death that was due.
 * Knows: signals, stacks.  May not know: plugins, frames.
 * Threads: armed once, before there are others; the handler runs in any.
 * Owns: the handlers of SIGSEGV, SIGBUS, SIGFPE and SIGILL until a plugin takes them, and each
 * thread's alternate signal stack until it takes that. */
#ifndef FORGESYTE_WORKER_CRASH_HANDLER_H
#define FORGESYTE_WORKER_CRASH_HANDLER_H

#include "sandbox/crash_record.h"

/* From now on a fault is recorded at *to (shared with the host; NULL: nothing is done). A handler
 * that is there already, a sanitizer's, stays. What follows a fault is what would have followed
 * without: the signal's default, with the fault's own status. */
void crash_handler_arm(struct crash_record *to);

#endif
