#include "base/str.h"
#include "cli/client.h"
#include "cli/health_table.h"

static int ask(const struct client *c, const char *name, struct client_reply *reply)
{
        char path[128];

        if (!str_is_plugin_name(name))
                return command_fail(c->command, CLI_USAGE,
                                    "%.60s: no name of a plugin (a-z, 0-9, - and _)", name);
        snprintf(path, sizeof path, "/v1/plugins/%s/health", name);
        return client_get(c, path, reply);
}

int cli_status(int argc, char **argv)
{
        scoped(options) struct options o = {0};
        scoped(client) struct client c = {0};
        scoped(client_reply) struct client_reply reply = {0};
        int r = command_begin(CLI_COMMAND_status, argc, argv, 1, 1, &o);

        if (r == COMMAND_GO)
                r = client_open(CLI_COMMAND_status, &o, &c);
        if (r == COMMAND_GO)
                r = ask(&c, o.rest[0], &reply);
        if (r != COMMAND_GO)
                return r;
        if (o.flags.format == CLI_FORMAT_JSON)
                client_print_json(reply.text.data, reply.text.len);
        else
                health_table_page(reply.json, stdout);
        return client_exit_of_health(reply.json);
}
