#include "cli/client.h"
#include "cli/health_table.h"

static int show(const struct client *c, const struct client_reply *reply)
{
        const json_t *plugins = json_object_get(reply->json, "plugins");
        struct err e = {0};

        if (c->options->flags.format == CLI_FORMAT_JSON) {
                client_print_json(reply->text.data, reply->text.len);
                return CLI_OK;
        }
        if (!json_is_array(plugins))
                return command_fail(c->command, CLI_FAILURE, "the answer has no list of plugins");
        if (json_array_size(plugins) == 0)
                return command_fail(c->command, CLI_OK, "the host has no plugins");
        if (health_table_print(plugins, stdout, &e) < 0)
                return command_fail(c->command, CLI_FAILURE, "%s", e.msg);
        return CLI_OK;
}

int cli_list(int argc, char **argv)
{
        scoped(options) struct options o = {0};
        scoped(client) struct client c = {0};
        scoped(client_reply) struct client_reply reply = {0};
        int r = command_begin(CLI_COMMAND_list, argc, argv, 0, 0, &o);

        if (r == COMMAND_GO)
                r = client_open(CLI_COMMAND_list, &o, &c);
        if (r == COMMAND_GO)
                r = client_get(&c, "/v1/plugins", &reply);
        return r == COMMAND_GO ? show(&c, &reply) : r;
}
