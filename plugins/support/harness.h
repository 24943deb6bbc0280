/* harness.h -- one call as the test harness keeps it: what forge_* read and fill in.
 * Knows: jansson.          May not know: which plugin is under test.
 * Threads: one.            Owns: the call's JSON and bytes. */
#ifndef FORGESYTE_PLUGIN_HARNESS_H
#define FORGESYTE_PLUGIN_HARNESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define HARNESS_FILES_MAX 8

struct harness_file {
        char *name, *data;
        size_t size;
};

struct forge_call {
        const char *tool;
        json_t *args, *result;
        char *args_text;
        struct harness_file files[HARNESS_FILES_MAX];
        size_t n_files;
        bool declared;
        char type[65], words[1024];
};

/* The folder of the plugin under test; forge_plugin_dir() answers it. */
extern const char *harness_plugin_dir;

#endif
