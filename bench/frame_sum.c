/* frame_sum.c -- the native plugin of bench/run: the sum of an image's bytes, as numpy makes it. */
#include <forgesyte/plugin.h>

static int total(void *state, struct forge_call *call)
{
        size_t n;
        const uint8_t *p = forge_call_bytes(call, "image_bytes", &n);
        int64_t sum = 0;

        (void)state;
        for (size_t i = 0; i < n; i++)
                sum += p[i];
        return forge_call_result_int(call, "sum", sum);
}

static const struct forge_tool tools[] = {FORGE_TOOL("total", total)};
FORGE_PLUGIN(.tools = tools, .n_tools = 1);
