#include "sandbox/memory_guard.h"

#include <inttypes.h>
#include <stdio.h>

/* The largest unit that names the limit exactly, so that 1 GiB is "1GB" and 1.5 GiB is "1536MB". */
static void amount(uint64_t bytes, char *buf, size_t size)
{
        static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
        size_t unit = 0;

        while (bytes > 0 && bytes % 1024 == 0 && unit < 4) {
                bytes /= 1024;
                unit++;
        }
        snprintf(buf, size, "%" PRIu64 "%s", bytes, units[unit]);
}

void memory_guard_sentence(uint64_t limit_bytes, char *buf, size_t size)
{
        char limit[32];

        amount(limit_bytes, limit, sizeof limit);
        snprintf(buf, size, "Plugin exceeded %s memory limit. Reduce model size or increase limit.",
                 limit);
}

void memory_guard_shortage(uint64_t limit_bytes, char *buf, size_t size)
{
        char limit[32];

        amount(limit_bytes, limit, sizeof limit);
        snprintf(
            buf, size,
            "Plugin was killed within its %s memory limit: the machine, or the cgroup that the "
            "host is in, had no memory left. Run fewer plugins at once, lower their limits, or "
            "give the host more.",
            limit);
}
