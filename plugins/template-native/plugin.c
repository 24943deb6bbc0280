/* @NAME@ -- a ForgeSyte plugin. Change greet(), and the tool in manifest.json with it. */
#include <forgesyte/plugin.h>
#include <stdio.h>
#include <string.h>

static int greet(void *state, struct forge_call *call)
{
        const char *name = forge_call_string(call, "name", "world");
        char greeting[200];

        (void)state; /* what an init() would have made */
        if (strlen(name) > 100)
                return forge_call_fail(call, "NameTooLong", "a name has at most 100 bytes");
        snprintf(greeting, sizeof(greeting), "Hello, %s!", name);
        return forge_call_result_string(call, "greeting", greeting);
}

static const struct forge_tool tools[] = {FORGE_TOOL("greet", greet)};
FORGE_PLUGIN(.tools = tools, .n_tools = 1);
