/* odd.c -- plugins that are wrong in one way each; the build picks one by ODD. */
#include <forgesyte/plugin.h>

#include <stdlib.h>
#include <unistd.h>

#define INIT_ERROR     1
#define INIT_SILENT    2
#define VALIDATE_ERROR 3
#define ABI_999        4
#define HUGE_SIZE      5
#define NO_SYMBOL      6
#define UNDEFINED      7
#define NULL_RUN       8
#define TINY           9
#define BAD_NAMES      10
#define MANY_TOOLS     11
#define EXITS_ON_LOAD  12
#define NEWER          13

static int run(void *state, struct forge_call *call)
{
        (void)state;
        return forge_call_result_bool(call, "ran", true);
}

#if ODD == INIT_ERROR
static int init(void **state)
{
        (void)state;
        return forge_error("cannot open %s", "the device");
}
static const struct forge_tool tools[] = {FORGE_TOOL("run", run)};
FORGE_PLUGIN(.init = init, .tools = tools, .n_tools = 1);
#elif ODD == INIT_SILENT
static int init(void **state)
{
        (void)state;
        return 5;
}
static const struct forge_tool tools[] = {FORGE_TOOL("run", run)};
FORGE_PLUGIN(.init = init, .tools = tools, .n_tools = 1);
#elif ODD == VALIDATE_ERROR
static int validate(void *state)
{
        (void)state;
        return forge_error("the self-test answered %d", 41);
}
static const struct forge_tool tools[] = {FORGE_TOOL("run", run)};
FORGE_PLUGIN(.validate = validate, .tools = tools, .n_tools = 1);
#elif ODD == ABI_999
FORGE_EXPORT const struct forge_plugin forgesyte_plugin = {.struct_size = 48, .abi_version = 999};
#elif ODD == HUGE_SIZE
FORGE_EXPORT const struct forge_plugin forgesyte_plugin = {.struct_size = 0x80000000u,
                                                           .abi_version = FORGE_ABI_VERSION};
#elif ODD == NO_SYMBOL
FORGE_EXPORT const int something_else = 1;
#elif ODD == UNDEFINED
int nobody_has_this(void);
static int init(void **state)
{
        (void)state;
        return nobody_has_this();
}
FORGE_PLUGIN(.init = init);
#elif ODD == NULL_RUN
static const struct forge_tool tools[] = {FORGE_TOOL("run", run), FORGE_TOOL("hollow", NULL)};
FORGE_PLUGIN(.tools = tools, .n_tools = 2);
#elif ODD == TINY
FORGE_EXPORT const uint32_t forgesyte_plugin = 48;
#elif ODD == BAD_NAMES
static const struct forge_tool tools[] = {FORGE_TOOL("../x", run), FORGE_TOOL("", run),
                                          FORGE_TOOL("a\"b\n\xff", run)};
FORGE_PLUGIN(.tools = tools, .n_tools = 3);
#elif ODD == MANY_TOOLS
static const struct forge_tool tools[] = {FORGE_TOOL("run", run)};
FORGE_PLUGIN(.tools = tools, .n_tools = 4000000000u);
#elif ODD == EXITS_ON_LOAD
__attribute__((constructor)) static void leave(void)
{
        _exit(0);
}
#elif ODD == NEWER
/* From an SDK that has appended fields to both structs. */
struct newer_tool {
        struct forge_tool tool;
        void *appended[3];
};
static const struct newer_tool tools[] = {
    {.tool = {.struct_size = sizeof(struct newer_tool), .name = "one", .run = run}},
    {.tool = {.struct_size = sizeof(struct newer_tool), .name = "two", .run = run}},
};
struct newer_plugin {
        struct forge_plugin plugin;
        void *appended[5];
};
FORGE_EXPORT const struct newer_plugin forgesyte_plugin = {
    .plugin = {.struct_size = sizeof(struct newer_plugin),
               .abi_version = FORGE_ABI_VERSION,
               .tools = &tools[0].tool,
               .n_tools = 2,
               .tool_size = sizeof(struct newer_tool)},
};
#endif

/* Not every variant has tools. */
__attribute__((used)) static forge_run_fn const kept = run;
