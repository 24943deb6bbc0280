/* neighbour.c -- the plugin beside the hostile ones, which nothing may happen to: answers the
 * number that it is given, and keeps a canary in its scratch. Threads: one.            Owns:
 * nothing. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "hostile.h"

HOSTILE_TOOL(echo)
{
        return forge_call_result_int(call, "n", forge_call_int(call, "n", 0));
}

HOSTILE_TOOL(keep)
{
        const char *text = forge_call_string(call, "text", "");
        int fd = open("/tmp/canary", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        bool kept = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

        if (fd >= 0)
                close(fd);
        return forge_call_result_bool(call, "kept", kept);
}

static const struct forge_tool tools[] = {
    HOSTILE_GOOD,
    FORGE_TOOL("echo", run_echo),
    FORGE_TOOL("keep", run_keep),
};

FORGE_PLUGIN(.tools = tools, .n_tools = sizeof(tools) / sizeof(tools[0]));
