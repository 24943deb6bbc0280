/* hostile.h -- what the families of hostile plugins share: how a tool is written, and the good one.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_TESTS_HOSTILE_H
#define FORGESYTE_TESTS_HOSTILE_H

#include "forgesyte/plugin.h"

/* HOSTILE_TOOL(name) { ... }: run_name(state, call), either of which it may leave unused. */
#define HOSTILE_TOOL(name)                                                                         \
        static int run_##name(__attribute__((unused)) void *state,                                 \
                              __attribute__((unused)) struct forge_call *call)

/* Every plugin of the corpus has it: what it answers says that the plugin is well. */
HOSTILE_TOOL(good)
{
        return forge_call_result_bool(call, "good", true);
}

#define HOSTILE_GOOD FORGE_TOOL("good", run_good)

#endif
