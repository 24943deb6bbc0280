#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
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

/* A pipe that nobody reads, or a terminal that was stopped, must not stop the host: what it has no
 * room for is lost, and counted. A line always has the room that poll() promises. */
static bool put(int fd, const char *line, size_t n)
{
        struct pollfd p = {.fd = fd, .events = POLLOUT};

        return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) && fd_write_all(fd, line, n) == 0;
}

static void count_lost(const struct log *log, unsigned n)
{
        if (log->lost)
                atomic_fetch_add(log->lost, n);
}

static void tell_lost(const struct log *log, const char *when)
{
        char line[160];
        unsigned n = log->lost ? atomic_exchange(log->lost, 0) : 0;
        int m;

        if (n == 0)
                return;
        m = snprintf(line, sizeof line, "%s warning %u lines are missing here: nobody read them\n",
                     when, n);
        if (!put(log->fd, line, (size_t)m))
                count_lost(log, n);
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
        tell_lost(log, when);
        if (!put(log->fd, line, (size_t)n))
                count_lost(log, 1);
}
