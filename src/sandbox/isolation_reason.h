/* isolation_reason.h -- how the walls say "not available here".
 * Knows: struct isolation.     May not know: why.
 * Threads: any (a value).      Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_ISOLATION_REASON_H
#define FORGESYTE_SANDBOX_ISOLATION_REASON_H

#include "base/macro.h"
#include "sandbox/isolation.h"

/* Adds "wall: words" unless that wall has given its reason already: the first one knows best. */
void isolation_reason(struct isolation *i, const char *wall, const char *fmt, ...)
    printf_like(3, 4);

#endif
