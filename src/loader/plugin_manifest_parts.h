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

void manifest_limits_default(struct plugin_limits *l);
void manifest_models_free(struct manifest_model *models, size_t n);
void manifest_tools_free(struct manifest_tool *tools, size_t n);

#endif
