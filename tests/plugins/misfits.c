/* misfits.c -- shared objects that are no plugins, by -DKIND: NO_ENTRY, OTHER_ABI, HUGE_STRUCT,
 * UNDEFINED (a symbol that nobody has), NO_LIBRARY is made by the linker's flags.
 * Threads: one.            Owns: nothing. */
#include "forgesyte/plugin.h"

#ifdef UNDEFINED
extern int nobody_has_this_symbol(struct forge_call *call);
#endif

#ifndef NO_ENTRY
static int run_ping(void *state, struct forge_call *call)
{
        (void)state;
#ifdef UNDEFINED
        return nobody_has_this_symbol(call);
#else
        return forge_call_result_string(call, "pong", "pong");
#endif
}

static const struct forge_tool tools[] = {FORGE_TOOL("ping", run_ping)};

FORGE_EXPORT const struct forge_plugin forgesyte_plugin = {
#ifdef HUGE_STRUCT
    .struct_size = 1U << 31,
#else
    .struct_size = sizeof(struct forge_plugin),
#endif
#ifdef OTHER_ABI
    .abi_version = 999,
#else
    .abi_version = FORGE_ABI_VERSION,
#endif
    .tools = tools,
    .n_tools = 1,
    .tool_size = sizeof(struct forge_tool),
};
#endif
