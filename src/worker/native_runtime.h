/* native_runtime.h -- a shared object as a plugin: found, checked against the ABI, started, ended.
 * Knows: dlopen, forgesyte/plugin.h.   May not know: requests, arguments, answers.
 * Threads: the main one.
 * Owns: the copy of the plugin's struct, the paths it was told. The shared object stays mapped
 * until the process ends: threads of its own may still run in it. */
#ifndef FORGESYTE_WORKER_NATIVE_RUNTIME_H
#define FORGESYTE_WORKER_NATIVE_RUNTIME_H

#include "forgesyte/plugin.h"
#include "wire/wire_message.h"
#include "worker/worker_channel.h"
#include "worker/worker_fault.h"

#define NATIVE_TOOLS_MAX 1024

struct native_model {
        char *name, *path;
};

struct native_runtime {
        struct worker_channel *channel;
        char *dir;
        struct native_model *models;
        size_t n_models;
        struct forge_plugin plugin; /* min(theirs, ours) of the exported struct */
        void *state;                /* the plugin's */
        char words[2048];           /* of forge_error(), since the last native_runtime_* began */
};

/* Each: 0, or 1 with `f` set. */
int native_runtime_load(struct native_runtime *rt, const struct wire_load *m,
                        struct worker_channel *channel, struct worker_fault *f) must_check;
int native_runtime_init(struct native_runtime *rt, struct worker_fault *f) must_check;
int native_runtime_validate(struct native_runtime *rt, struct worker_fault *f) must_check;
void native_runtime_fini(struct native_runtime *rt);

/* The META text: {"tools":[{"name":...}...]}. Names are whatever the plugin says; the host judges.
 */
void native_runtime_add_meta(const struct native_runtime *rt, struct str *to);
/* min(theirs, ours) of tool i; zeroed beyond the end. */
struct forge_tool native_runtime_tool(const struct native_runtime *rt, uint32_t i);

/* native_api.c: whom forge_error(), forge_log(), forge_plugin_dir() and forge_model_path() are
 * about. */
void native_api_attach(struct native_runtime *rt);

#endif
