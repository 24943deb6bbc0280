/* forgesyte/plugin.h -- the whole interface of a native ForgeSyte plugin.
 *
 * A plugin is a folder with a manifest.json and a shared object that exports one struct:
 *
 *     static int greet(void *state, struct forge_call *call)
 *     {
 *             forge_call_result_string(call, "greeting", forge_call_string(call, "name", "world"));
 *             return 0;
 *     }
 *     static const struct forge_tool tools[] = {FORGE_TOOL("greet", greet)};
 *     FORGE_PLUGIN(.tools = tools, .n_tools = 1);
 *
 *     cc -shared -fPIC -o greet.so greet.c        (no library to link: the worker has the symbols)
 *
 * C11, no dependency. Each plugin instance runs in a sandboxed process of its own, one call at a
 * time: init, validate, tools and fini are called from one and the same thread. A crash, a hang or
 * too much memory costs that process and nothing else.
 *
 * Growing: structs are append-only and begin with their size; new functions are added, none changes
 * its meaning. A host runs every plugin whose abi_version it knows.
 */
#ifndef FORGESYTE_PLUGIN_H
#define FORGESYTE_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FORGE_ABI_VERSION 1

#if defined(__GNUC__)
#define FORGE_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define FORGE_EXPORT       __attribute__((visibility("default")))
#else
#define FORGE_PRINTF(f, a)
#define FORGE_EXPORT
#endif

/* One call of one tool: the arguments, and where the answer goes. Valid until run() returns. */
struct forge_call;

/* 0: the call ended well; its result is what was set (nothing set: {}).
 * Anything else: it did not. After forge_call_fail() the client gets the declared error and the
 * plugin is unharmed; without it the client gets PluginError, and the manifest's on_error decides
 * what becomes of the plugin. */
typedef int (*forge_run_fn)(void *state, struct forge_call *call);

struct forge_tool {
        uint32_t struct_size; /* sizeof(struct forge_tool), set by FORGE_TOOL */
        uint32_t reserved;    /* 0 */
        const char *name;     /* [A-Za-z0-9_.-]{1,64}, as in the manifest */
        forge_run_fn run;
};

#define FORGE_TOOL(tool_name, tool_run)                                                            \
        {                                                                                          \
                .struct_size = sizeof(struct forge_tool), .name = (tool_name), .run = (tool_run)   \
        }

struct forge_plugin {
        uint32_t struct_size; /* sizeof(struct forge_plugin), set by FORGE_PLUGIN */
        uint32_t abi_version; /* FORGE_ABI_VERSION, set by FORGE_PLUGIN */

        /* Once, before anything else: load models, open devices. *state (initially NULL) is passed
         * to everything that follows. Non-zero: the plugin is FAILED with the words of
         * forge_error(). NULL: nothing to do. */
        int (*init)(void **state);
        /* Once, after init: a self-test. Non-zero as above. NULL: always valid. */
        int (*validate)(void *state);
        /* Once, before the process ends in order; after a crash or kill it is not called. */
        void (*fini)(void *state);

        const struct forge_tool *tools;
        uint32_t n_tools;
        uint32_t tool_size; /* sizeof(struct forge_tool), set by FORGE_PLUGIN: the table's stride */
};

/* The one exported symbol. */
#define FORGE_PLUGIN_SYMBOL "forgesyte_plugin"
#define FORGE_PLUGIN(...)                                                                          \
        FORGE_EXPORT const struct forge_plugin forgesyte_plugin = {                                \
            .struct_size = sizeof(struct forge_plugin),                                            \
            .abi_version = FORGE_ABI_VERSION,                                                      \
            .tool_size = sizeof(struct forge_tool),                                                \
            __VA_ARGS__}

/* ---- arguments: borrowed, valid until run() returns --------------------------------------------
 * They were checked against the manifest's input_schema before the plugin was called. */

/* The arguments as one JSON object, NUL-terminated, without the bytes arguments. */
FORGE_EXPORT const char *forge_call_json(const struct forge_call *call, size_t *ret_size);
/* A bytes argument (a string with "contentEncoding": "base64" in the schema), decoded.
 * NULL when it was not given; an empty one is not NULL and has size 0. */
FORGE_EXPORT const void *forge_call_bytes(const struct forge_call *call, const char *name,
                                          size_t *ret_size);
/* Top-level arguments by name; `fallback` when absent or of another type. A whole number is one to
 * both forge_call_int and forge_call_number, however it was written. */
FORGE_EXPORT const char *forge_call_string(const struct forge_call *call, const char *name,
                                           const char *fallback);
FORGE_EXPORT int64_t forge_call_int(const struct forge_call *call, const char *name,
                                    int64_t fallback);
FORGE_EXPORT double forge_call_number(const struct forge_call *call, const char *name,
                                      double fallback);
FORGE_EXPORT bool forge_call_bool(const struct forge_call *call, const char *name, bool fallback);
/* The name of the tool being called. */
FORGE_EXPORT const char *forge_call_tool(const struct forge_call *call);

/* ---- the answer: everything given is copied ----------------------------------------------------
 * Each returns 0, or -1 when there is no memory, the answer is larger than the host takes, a text
 * is not UTF-8 or a number not finite. A plugin that goes on and returns 0 gets the client
 * OutputTooLarge or InvalidOutput, unless forge_call_result_json then replaced what was unfit. */

/* The whole result as JSON text (any value, UTF-8). Replaces what was set before. */
FORGE_EXPORT int forge_call_result_json(struct forge_call *call, const char *json, size_t size);
/* Members of the result object, for results that need no JSON library: of a new one, or of the
 * object that forge_call_result_json has set. Each name once; a NULL value is null. */
FORGE_EXPORT int forge_call_result_string(struct forge_call *call, const char *name,
                                          const char *value);
FORGE_EXPORT int forge_call_result_int(struct forge_call *call, const char *name, int64_t value);
FORGE_EXPORT int forge_call_result_number(struct forge_call *call, const char *name, double value);
FORGE_EXPORT int forge_call_result_bool(struct forge_call *call, const char *name, bool value);
/* Bytes: they reach HTTP clients as {"content_type": ..., "base64": ...} in the member `name`.
 * May be combined with an object set by forge_call_result_json. content_type NULL:
 * application/octet-stream. */
FORGE_EXPORT int forge_call_result_bytes(struct forge_call *call, const char *name,
                                         const char *content_type, const void *data, size_t size);

/* Declares an error about this call (a bad image, an unknown language): the client gets status 422
 * with this type ([A-Za-z][A-Za-z0-9_]{0,63}) and these words, and the plugin stays as it is.
 * Returns non-zero, so that `return forge_call_fail(call, "BadImage", "...");` ends the call. */
FORGE_EXPORT int forge_call_fail(struct forge_call *call, const char *type, const char *fmt, ...)
    FORGE_PRINTF(3, 4);

/* ---- while it runs -----------------------------------------------------------------------------
 */

/* Tells the client how far the call is; total 0 when unknown. At most 20 a second are sent on. */
FORGE_EXPORT void forge_call_progress(struct forge_call *call, double done, double total);
/* Has the client left, or the call been cancelled? Ask in long loops and return non-zero: what is
 * left after a grace of 2 s is killed. */
FORGE_EXPORT bool forge_call_cancelled(struct forge_call *call);

/* ---- outside calls -----------------------------------------------------------------------------
 */

/* The words for a failing init() or validate(). Returns -1: `return forge_error("...");`. */
FORGE_EXPORT int forge_error(const char *fmt, ...) FORGE_PRINTF(1, 2);

enum forge_log_level { FORGE_LOG_ERROR, FORGE_LOG_WARNING, FORGE_LOG_INFO, FORGE_LOG_DEBUG };
/* A line for the plugin's log, where stdout and stderr go too. Any thread. */
FORGE_EXPORT void forge_log(enum forge_log_level level, const char *fmt, ...) FORGE_PRINTF(2, 3);

/* The plugin's own folder, and the path of a model of the manifest (NULL when it lists no such
 * model), as seen from inside the sandbox. Valid for the life of the process. */
FORGE_EXPORT const char *forge_plugin_dir(void);
FORGE_EXPORT const char *forge_model_path(const char *name);

/* The layout is the contract with plugins that are already compiled. */
#if UINTPTR_MAX == UINT64_MAX && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(offsetof(struct forge_tool, name) == 8, "ABI");
_Static_assert(offsetof(struct forge_tool, run) == 16, "ABI");
_Static_assert(offsetof(struct forge_plugin, abi_version) == 4, "ABI");
_Static_assert(offsetof(struct forge_plugin, init) == 8, "ABI");
_Static_assert(offsetof(struct forge_plugin, validate) == 16, "ABI");
_Static_assert(offsetof(struct forge_plugin, fini) == 24, "ABI");
_Static_assert(offsetof(struct forge_plugin, tools) == 32, "ABI");
_Static_assert(offsetof(struct forge_plugin, n_tools) == 40, "ABI");
_Static_assert(offsetof(struct forge_plugin, tool_size) == 44, "ABI");
_Static_assert(sizeof(struct forge_plugin) == 48, "ABI");
#endif

#ifdef __cplusplus
}
#endif

#endif
