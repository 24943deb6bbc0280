/* last_words.h -- which part of a dead worker's stderr says why it died.
 * Knows: how Python's faulthandler writes.   May not know: logs, processes.
 * Threads: any.                              Owns: nothing. */
#ifndef FORGESYTE_HOST_LAST_WORDS_H
#define FORGESYTE_HOST_LAST_WORDS_H

#include "base/str.h"

/* At most max bytes of text, whole lines where there are any: the last ones, since a program's last
 * words come last; but of a Python crash dump the first ones, since that begins with the innermost
 * call. The frames of our own Python files, through which every call goes, are left out. */
void last_words_add(struct str *to, const char *text, size_t max);

#endif
