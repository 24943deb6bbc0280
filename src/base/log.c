#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};

int log_level_from_name(const char *name)
{
        for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
                if (!strcmp(name, level_names[i]))
                        return (int)i;
        return -1;
}

void log_write(const struct log *log, enum log_level level, const char *fmt, ...)
{
        char line[2048], when[CLOCK_RFC3339_SIZE];
        va_list ap;
        int n, m;

        if (!log || level > log->level)
                return;
        clock_rfc3339(clock_real_ns(), when);
        n = snprintf(line, sizeof line - 1, "%s %s ", when, level_names[level]);
        va_start(ap, fmt);
        m = vsnprintf(line + n, sizeof line - 1 - (size_t)n, fmt, ap);
        va_end(ap);
        n = MIN_OF(n + MAX_OF(m, 0), (int)sizeof line - 2);
        for (int i = 0; i < n; i++)
                if (line[i] == '\n')
                        line[i] = ' ';
        line[n++] = '\n';
        /* There is nowhere left to report that the log cannot be written. */
        if (fd_write_all(log->fd, line, (size_t)n) < 0)
                return;
}
