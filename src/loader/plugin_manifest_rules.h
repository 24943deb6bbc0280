/* plugin_manifest_rules.h -- what single texts of a manifest must be. Each rule returns NULL, or
 * the words that follow "must be ". Inside the loader only. Knows: characters.       May not know:
 * JSON, keys, files. Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_LOADER_PLUGIN_MANIFEST_RULES_H
#define FORGESYTE_LOADER_PLUGIN_MANIFEST_RULES_H

#define MANIFEST_PATH_MAX 4096

const char *manifest_rule_plugin_name(const char *text);
const char *manifest_rule_tool_name(const char *text);
const char *manifest_rule_version(const char *text);
const char *manifest_rule_description(const char *text);
/* Inside the plugin's folder: relative, no empty, "." or ".." part. */
const char *manifest_rule_path(const char *text);
/* Of the host: absolute, no empty, "." or ".." part, and nothing that the box has its own of. */
const char *manifest_rule_host_path(const char *text);
/* A path of either kind, or a command's name. */
const char *manifest_rule_python(const char *text);
/* As in "import cv2": identifiers with dots between. */
const char *manifest_rule_module(const char *text);
/* Where a Python plugin begins: a module as above, and perhaps its class, "package.module:Plugin".
 */
const char *manifest_rule_entry_module(const char *text);
/* Without a slash: a library's soname, a command's name. */
const char *manifest_rule_file_name(const char *text);
const char *manifest_rule_sha256(const char *text);
const char *manifest_rule_model_name(const char *text);

/* An environment variable's name: NULL, or why the plugin may not set it (a whole sentence part,
 * "must be ..." or "may not be set: ..."). */
const char *manifest_rule_env(const char *name);

#endif
