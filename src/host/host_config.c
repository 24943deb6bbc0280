#include "host/host_config.h"

#include <string.h>

static void strings_free(char **list)
{
        for (size_t i = 0; list && list[i]; i++)
                free(list[i]);
        free(list);
}

void host_config_free(struct host_config *c)
{
        if (!c)
                return;
        strings_free(c->plugin_dirs);
        strings_free(c->python_plugins);
        free(c->listen);
        free(c->token_file);
        strings_free(c->allowed_hosts);
        free(c->worker);
        free(c->cgroup);
        free(c->python);
        free(c->fake_missing);
        for (size_t i = 0; i < c->n_plugins; i++) {
                free(c->plugins[i].name);
                free(c->plugins[i].python);
        }
        free(c->plugins);
        free(c);
}

struct host_config *host_config_new(void)
{
        scoped(host_config_free) struct host_config *c = calloc(1, sizeof *c);

        if (!c)
                return NULL;
        /* What help says of these is in cli/options.c; a test holds the two together. */
        c->max_body_bytes = MIB(64);
        c->max_output_bytes = MIB(32);
        c->max_connections = 512;
        c->max_buffered_bytes = MIB(512);
        c->max.timeout_seconds = 3600;
        c->max.load_timeout_seconds = 600;
        c->max.instances = 64;
        c->max.queue = 4096;
        c->min_isolation = ISOLATION_FILTERED;
        c->log_level = LOG_LEVEL_INFO;
        c->listen = strdup("127.0.0.1:8000");
        c->plugin_dirs = calloc(2, sizeof *c->plugin_dirs);
        c->python_plugins = calloc(1, sizeof *c->python_plugins);
        c->allowed_hosts = calloc(1, sizeof *c->allowed_hosts);
        if (!c->listen || !c->plugin_dirs || !c->python_plugins || !c->allowed_hosts)
                return NULL;
        c->plugin_dirs[0] = strdup("plugins");
        return c->plugin_dirs[0] ? take_ptr(c) : NULL;
}
