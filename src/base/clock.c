#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/macro.h"

static int64_t read_clock(clockid_t id)
{
        struct timespec ts;

        clock_gettime(id, &ts);
        return (int64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

int64_t clock_mono_ns(void)
{
        return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_real_ns(void)
{
        return read_clock(CLOCK_REALTIME);
}

void clock_rfc3339(int64_t real_ns, char *buf)
{
        time_t sec = (time_t)(real_ns / NSEC_PER_SEC);
        int ms = (int)(real_ns % NSEC_PER_SEC / NSEC_PER_MSEC);
        struct tm tm;
        size_t n;

        gmtime_r(&sec, &tm);
        n = strftime(buf, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(buf + n, CLOCK_RFC3339_SIZE - n, ".%03dZ", ms);
}
