/* harness.c -- runs a plugin's tools without a host, for the plugins' own tests.
 *
 *     harness PLUGIN.so TOOL [key=value | key=@FILE]...
 *             one call; exits 0, 3 (the plugin failed) or 5 (a declared error)
 *     harness PLUGIN.so
 *             calls from stdin, a line each: {"tool": T, "args": {}, "files": {NAME: PATH}};
 *             the line `heap` answers the bytes in use
 *
 * Each call answers one line: {"ok": true, "result": ...} or {"ok": false, "error_type", "error"}.
 * There is no box here: what crashes, crashes the harness.
 * Threads: one.            Owns: the plugin and the call. */
#include <dlfcn.h>
#include <libgen.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forgesyte/plugin.h"
#include "harness.h"

const char *harness_plugin_dir;

struct harness {
        const struct forge_plugin *plugin;
        void *state;
};

static int die(const char *what, const char *why)
{
        fprintf(stderr, "harness: %s: %s\n", what, why);
        return 2;
}

/* An exactly sized copy, so that a sanitizer sees a read past the end. */
static int add_file(struct forge_call *call, const char *name, const char *path)
{
        FILE *f = fopen(path, "rb");
        struct harness_file *file = &call->files[call->n_files];
        long size;

        if (!f || call->n_files == HARNESS_FILES_MAX)
                return die(path, "can't read it");
        fseek(f, 0, SEEK_END);
        size = ftell(f);
        rewind(f);
        file->name = strdup(name);
        file->data = malloc(size > 0 ? (size_t)size : 1);
        file->size = fread(file->data, 1, (size_t)size, f);
        call->n_files++;
        fclose(f);
        return 0;
}

static void call_done(struct forge_call *call)
{
        for (size_t i = 0; i < call->n_files; i++) {
                free(call->files[i].name);
                free(call->files[i].data);
        }
        json_decref(call->args);
        json_decref(call->result);
        free(call->args_text);
}

static forge_run_fn find_tool(const struct forge_plugin *plugin, const char *name)
{
        const char *at = (const char *)plugin->tools;

        for (uint32_t i = 0; i < plugin->n_tools; i++, at += plugin->tool_size) {
                const struct forge_tool *tool = (const void *)at;

                if (strcmp(tool->name, name) == 0)
                        return tool->run;
        }
        return NULL;
}

/* Runs the tool and prints the answer; 0, 3 or 5 as main() exits with. */
static int run(struct harness *h, struct forge_call *call)
{
        forge_run_fn fn = find_tool(h->plugin, call->tool);
        json_t *answer;
        int r;

        if (!fn)
                return die(call->tool, "no such tool");
        call->args_text = json_dumps(call->args, JSON_COMPACT);
        r = fn(h->state, call);
        if (r == 0)
                answer = json_pack("{s:b, s:O}", "ok", 1, "result",
                                   call->result ? call->result : json_object());
        else
                answer =
                    json_pack("{s:b, s:s, s:s}", "ok", 0, "error_type",
                              call->declared ? call->type : "PluginError", "error", call->words);
        json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        json_decref(answer);
        putchar('\n');
        fflush(stdout);
        return r == 0 ? 0 : call->declared ? 5 : 3;
}

static int run_words(struct harness *h, const char *tool, char **words)
{
        struct forge_call call = {.tool = tool, .args = json_object()};
        int r = 0;

        for (; *words && r == 0; words++) {
                char *value = strchr(*words, '=');

                if (!value)
                        return die(*words, "not key=value");
                *value++ = '\0';
                if (*value == '@') {
                        r = add_file(&call, *words, value + 1);
                } else {
                        json_t *typed = json_loads(value, JSON_DECODE_ANY, NULL);

                        json_object_set_new(call.args, *words, typed ? typed : json_string(value));
                }
        }
        if (r == 0)
                r = run(h, &call);
        call_done(&call);
        return r;
}

/* Unlike the resident set this knows no fragmentation: what a call leaves behind shows at once. */
static int print_heap(void)
{
        struct mallinfo2 heap = mallinfo2();

        printf("%zu\n", heap.uordblks + heap.hblkhd);
        fflush(stdout);
        return 0;
}

static int run_line(struct harness *h, const char *line)
{
        json_t *request = json_loads(line, 0, NULL), *files, *path;
        struct forge_call call = {.tool = json_string_value(json_object_get(request, "tool")),
                                  .args = json_incref(json_object_get(request, "args"))};
        const char *name;
        int r = 0;

        if (!call.tool || !call.args)
                return die(line, "not {\"tool\": ..., \"args\": ...}");
        files = json_object_get(request, "files");
        json_object_foreach (files, name, path) {
                if (r == 0)
                        r = add_file(&call, name, json_string_value(path));
        }
        if (r == 0)
                r = run(h, &call) == 2 ? 2 : 0;
        call_done(&call);
        json_decref(request);
        return r;
}

static int run_lines(struct harness *h)
{
        char *line = NULL;
        size_t size = 0;
        int r = 0;

        while (r == 0 && getline(&line, &size, stdin) > 0)
                r = strcmp(line, "heap\n") == 0 ? print_heap() : run_line(h, line);
        free(line);
        return r;
}

int main(int argc, char **argv)
{
        struct harness h = {.plugin = NULL};
        void *so = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
        char *path = so ? realpath(argv[1], NULL) : NULL;
        int r;

        if (argc < 2)
                return die("usage", "harness PLUGIN.so [TOOL [key=value | key=@FILE]...]");
        if (!so)
                return die("dlopen", dlerror());
        harness_plugin_dir = dirname(path);
        h.plugin = dlsym(so, FORGE_PLUGIN_SYMBOL);
        if (!h.plugin || h.plugin->abi_version != FORGE_ABI_VERSION)
                return die(argv[1], "no plugin of this ABI");
        if (h.plugin->init && h.plugin->init(&h.state) != 0)
                return die(argv[1], "init failed");
        if (h.plugin->validate && h.plugin->validate(h.state) != 0)
                return die(argv[1], "validate failed");
        r = argc > 2 ? run_words(&h, argv[2], argv + 3) : run_lines(&h);
        if (h.plugin->fini)
                h.plugin->fini(h.state);
        free(path); /* the plugin stays mapped, so that a leak report can name its functions */
        return r;
}
