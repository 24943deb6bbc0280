/* native_api.c -- the functions of forgesyte/plugin.h that belong to no call. */
#include <stdio.h>
#include <string.h>

#include "worker/native_runtime.h"

/* A plugin calls forge_error("...") with no handle to say who it is, as the header promises, and a
 * process holds one plugin for all its life: so this is the worker's one writable object outside
 * main.c. Written once, before the plugin is mapped. */
static struct native_runtime *the_runtime;

void native_api_attach(struct native_runtime *rt)
{
        the_runtime = rt;
}

int forge_error(const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(the_runtime->words, sizeof the_runtime->words, fmt, ap);
        va_end(ap);
        return -1;
}

void forge_log(enum forge_log_level level, const char *fmt, ...)
{
        scoped(str) struct str text = {0}, payload = {0};
        char line[4096];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(line, sizeof line, fmt, ap);
        va_end(ap);
        str_add_printable(&text, line, strlen(line), sizeof line);
        wire_encode_log(&payload, &(struct wire_log){
                                      .level = (uint8_t)MIN_OF((unsigned)level, FORGE_LOG_DEBUG),
                                      .text = {text.data ? text.data : "", (uint32_t)text.len},
                                  });
        if (!payload.bad)
                worker_channel_send(the_runtime->channel, WIRE_LOG, &payload);
}

const char *forge_plugin_dir(void)
{
        return the_runtime->dir;
}

const char *forge_model_path(const char *name)
{
        for (size_t i = 0; i < the_runtime->n_models; i++)
                if (!strcmp(the_runtime->models[i].name, name))
                        return the_runtime->models[i].path;
        return NULL;
}
