/* plugin_manifest_parts.h -- the parsers of the manifest's larger keys, one file each.
 * Inside the loader only.
 * Knows: the manifest.     May not know: files, processes.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_LOADER_PLUGIN_MANIFEST_PARTS_H
#define FORGESYTE_LOADER_PLUGIN_MANIFEST_PARTS_H

#include "loader/plugin_manifest.h"
#include "loader/plugin_manifest_read.h"

/* Each reads into a struct plugin_manifest. */
int manifest_parse_limits(const struct manifest_at *at, void *into);
int manifest_parse_dependencies(const struct manifest_at *at, void *into);
int manifest_parse_models(const struct manifest_at *at, void *into);
int manifest_parse_permissions(const struct manifest_at *at, void *into);
int manifest_parse_env(const struct manifest_at *at, void *into);
int manifest_parse_tools(const struct manifest_at *at, void *into);

/* ForgeSyte's own form (plugin_manifest_form.c): "id" and "tools" of a struct plugin_manifest. */
int manifest_form_parse_id(const struct manifest_at *at, void *into);
int manifest_form_parse_tools(const struct manifest_at *at, void *into);

/* One tool's members, each into a struct manifest_tool. */
int manifest_tool_parse_name(const struct manifest_at *at, void *into);
int manifest_tool_parse_description(const struct manifest_at *at, void *into);
int manifest_tool_parse_input(const struct manifest_at *at, void *into);
int manifest_tool_parse_output(const struct manifest_at *at, void *into);
/* An input schema that was made of what is at `at`; `above` is what stands before the pointers of
 * its complaints and not in the text. */
int manifest_tool_set_input(const struct manifest_at *at, json_t *schema, const char *above,
                            struct manifest_tool *tool);

/* The items of a list or the members of an object, each by `read` into a struct manifest_tool. On
 * failure *tools and *n hold what was read so far, for the caller to free. */
int manifest_tools_read(const struct manifest_at *at,
                        int (*read)(const struct manifest_at *at, void *into),
                        struct manifest_tool **tools, size_t *n) must_check;
/* Fills file_args, for which the runtime must be known. */
int manifest_tools_find_files(const struct manifest_at *at, enum plugin_runtime runtime,
                              struct manifest_tool *tools, size_t n) must_check;

void manifest_limits_default(struct plugin_limits *l);
void manifest_models_free(struct manifest_model *models, size_t n);
void manifest_tools_free(struct manifest_tool *tools, size_t n);

#endif
