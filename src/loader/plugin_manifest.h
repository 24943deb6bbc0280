/* plugin_manifest.h -- manifest.json, parsed strictly into a value.
 * Knows: JSON, paths as text.  May not know: processes, registries.
 * Threads: any; immutable after parsing.   Owns: everything in it. */
#ifndef FORGESYTE_LOADER_PLUGIN_MANIFEST_H
#define FORGESYTE_LOADER_PLUGIN_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/json_schema.h"

#define PLUGIN_MANIFEST_FILE "manifest.json"
#define PLUGIN_MANIFEST_MAX  MIB(1)
/* Bytes of the name of an argument that takes bytes or a file: a form's part can have no longer. */
#define PLUGIN_ARGUMENT_NAME_MAX 64

enum plugin_runtime { PLUGIN_RUNTIME_NATIVE, PLUGIN_RUNTIME_PYTHON };
enum plugin_on_error { PLUGIN_ON_ERROR_FAIL, PLUGIN_ON_ERROR_KEEP };
enum plugin_restart { PLUGIN_RESTART_MANUAL, PLUGIN_RESTART_ON_FAILURE };

struct manifest_model {
        char *name, *path, *sha256; /* sha256 NULL when not given (64 lower-case hex digits) */
};

struct manifest_tool {
        char *name, *description;
        json_t *input_schema, *output_schema; /* NULL when not given */
        struct json_schema *input, *output;   /* compiled; a bytes argument is any string in it */
        char **bytes_args;                    /* names of its bytes arguments, NULL-terminated */
        char **file_args; /* names of texts that an uploaded file may stand for (Python) */
        bool views;       /* a bytes argument has "format": "memoryview" (Python) */
};

struct plugin_limits {
        double timeout_seconds, load_timeout_seconds;
        uint64_t memory_bytes;
        unsigned instances, queue;
};

struct plugin_manifest {
        char *name, *version, *description, *entrypoint, *python;
        enum plugin_runtime runtime;
        bool requires_gpu;
        bool prefork; /* further instances are forked of one that was loaded (Python) */
        char **packages, **libraries, **commands; /* NULL-terminated, never NULL */
        struct manifest_model *models;
        size_t n_models;
        struct plugin_limits limits;
        enum plugin_on_error on_error;
        enum plugin_restart restart;
        bool network;
        char **read, **write; /* absolute host paths */
        char **env;           /* KEY=VALUE */
        bool has_tools;       /* false: the tools come from the plugin's META */
        struct manifest_tool *tools;
        size_t n_tools;
        json_t *raw; /* as it was written, for GET .../manifest */
};

/* Parses text[0..n), of our form or of ForgeSyte's (docs/MANIFEST.md has both). -EINVAL with words
 * that name line and key: `line 7: limits.timeout_seconds: must be a number above 0`; an unknown
 * key names the nearest known one. */
int plugin_manifest_parse(const char *text, size_t n, struct plugin_manifest **ret,
                          struct err *e) must_check;
/* Reads and parses DIR/manifest.json; errors begin with "manifest.json: ". */
int plugin_manifest_load(const char *dir, struct plugin_manifest **ret, struct err *e) must_check;
/* There is such a file, whatever is in it. */
bool plugin_manifest_exists(const char *dir);
void plugin_manifest_free(struct plugin_manifest *m);
DEFINE_SCOPED(struct plugin_manifest *, plugin_manifest_free)

/* Lowers each limit to the operator's (0: no limit of that kind) and adds a line to `clamped` for
 * each that was: "timeout_seconds 1e9 lowered to 3600". */
struct str;
void plugin_manifest_clamp(struct plugin_manifest *m, const struct plugin_limits *max,
                           struct str *clamped);

/* What a worker said of its tools (META). With a `tools` table in the manifest: every one must be
 * there; without: they become the manifest's. -EINVAL with words. */
int plugin_manifest_merge_meta(struct plugin_manifest *m, const char *json, size_t n,
                               struct err *e) must_check;

const struct manifest_tool *plugin_manifest_tool(const struct plugin_manifest *m, const char *name);

#endif
