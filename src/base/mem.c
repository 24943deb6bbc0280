#include "base/mem.h"

#include <stdint.h>
#include <string.h>

char *mem_dup0(const void *src, size_t n)
{
        char *p = n < SIZE_MAX ? malloc(n + 1) : NULL;

        if (!p)
                return NULL;
        if (n)
                memcpy(p, src, n);
        p[n] = '\0';
        return p;
}
