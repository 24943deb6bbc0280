/* videotracker.c -- stands in for the plugin that used to take the server down: wants a GPU and a
 * model of some size, and "tracks" by counting frames. What is tested with it is the host.
 * Threads: one.            Owns: the model's bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forgesyte/plugin.h"

struct tracker {
        size_t model_size;
};

static int init(void **state)
{
        const char *path = forge_model_path("player-detection");
        struct tracker *t = calloc(1, sizeof(*t));
        FILE *model = path ? fopen(path, "rbe") : NULL;

        if (!t || !model) {
                free(t);
                if (model)
                        fclose(model);
                return forge_error("no model at %s", path ? path : "(none)");
        }
        fseek(model, 0, SEEK_END);
        t->model_size = (size_t)ftell(model);
        fclose(model);
        *state = t;
        return 0;
}

static int validate(void *state)
{
        const struct tracker *t = state;

        return t->model_size >= 16 ? 0 : forge_error("a model of %zu bytes", t->model_size);
}

static int run_track(void *state, struct forge_call *call)
{
        const struct tracker *t = state;
        int64_t frames = forge_call_int(call, "frames", 10);

        for (int64_t i = 1; i <= frames; i++)
                forge_call_progress(call, (double)i, (double)frames);
        if (frames == 666)
                abort(); /* the bad video */
        forge_call_result_int(call, "model_bytes", (int64_t)t->model_size);
        return forge_call_result_int(call, "frames", frames);
}

static void fini(void *state)
{
        free(state);
}

static const struct forge_tool tools[] = {FORGE_TOOL("track", run_track)};

FORGE_PLUGIN(.init = init, .validate = validate, .fini = fini, .tools = tools, .n_tools = 1);
