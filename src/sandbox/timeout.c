#include "sandbox/timeout.h"

#include <stdio.h>

#include "base/macro.h"

int64_t timeout_deadline(int64_t now_ns, double seconds)
{
        double ns = seconds * (double)NSEC_PER_SEC;

        if (!(seconds > 0)) /* also NaN */
                return now_ns;
        if (ns >= (double)(TIMEOUT_NEVER - now_ns))
                return TIMEOUT_NEVER;
        return now_ns + (int64_t)ns;
}

void timeout_sentence(double seconds, char *buf, size_t size)
{
        snprintf(buf, size,
                 "Plugin execution timed out after %.12gs. Increase timeout in manifest if needed.",
                 seconds);
}
