/* worker_fault.h -- why a request did not succeed, as it goes into an ERROR frame.
 * Knows: the kinds of docs/PROTOCOL.md.    May not know: frames, plugins.
 * Threads: any (a value).  Owns: its text. */
#ifndef FORGESYTE_WORKER_WORKER_FAULT_H
#define FORGESYTE_WORKER_WORKER_FAULT_H

#include <stdarg.h>

#include "base/macro.h"
#include "wire/wire_message.h"

#define WORKER_FAULT_TYPE_MAX 64
/* More words than this help nobody; what was cut ends in an ellipsis on the wire. */
#define WORKER_FAULT_TEXT_MAX 4096

struct worker_fault {
        enum wire_error_kind kind;
        char type[WORKER_FAULT_TYPE_MAX + 1];
        char text[WORKER_FAULT_TEXT_MAX + 8]; /* as it came: perhaps no UTF-8, perhaps cut */
};

void worker_fault_set(struct worker_fault *f, enum wire_error_kind kind, const char *type,
                      const char *fmt, ...) printf_like(4, 5);
void worker_fault_vset(struct worker_fault *f, enum wire_error_kind kind, const char *type,
                       const char *fmt, va_list ap) printf_like(4, 0);
/* The payload of its ERROR frame: text made printable and bounded. */
void worker_fault_encode(struct str *to, const struct worker_fault *f);

#endif
