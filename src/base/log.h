/* log.h -- the host's own log: one line per event on stderr. Libraries never log; the host does.
 * Knows: a descriptor.     May not know: plugins.
 * Threads: any (a line is one write).   Owns: nothing. */
#ifndef FORGESYTE_BASE_LOG_H
#define FORGESYTE_BASE_LOG_H

#include <stdatomic.h>

#include "base/macro.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* fd: where lines go. level: the most talkative level that is written. lost: the owner's count of
 * lines that nobody has been told of; NULL: none is told of. */
struct log {
        int fd;
        enum log_level level;
        atomic_uint *lost;
};

/* Writes "2026-11-22T09:41:00.123Z warning words\n". Words from strangers go through
 * str_add_printable first; a line is cut at 2 KiB. Never waits: where there is no room for it, it
 * is lost, and the next line that is written says how many were. */
void log_write(const struct log *log, enum log_level level, const char *fmt, ...) printf_like(3, 4);

/* "error", "warning", "info", "debug"; -1 when `name` is none of them. */
int log_level_from_name(const char *name);

#endif
