/* longname.c -- the row L03: a symbol that nobody has, with a name of 3000 bytes.
 * Threads: one.            Owns: nothing. */
#include "hostile.h"

#define TEN(x)      x x x x x x x x x x
#define LONG_SYMBOL TEN(TEN(TEN("abc")))

extern int nobody_has_it(struct forge_call *call) __asm__(LONG_SYMBOL);

HOSTILE_TOOL(missing)
{
        return nobody_has_it(call);
}

static const struct forge_tool tools[] = {HOSTILE_GOOD, FORGE_TOOL("missing", run_missing)};

FORGE_PLUGIN(.tools = tools, .n_tools = 2);
