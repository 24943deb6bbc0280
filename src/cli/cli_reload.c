#include "base/str.h"
#include "cli/client.h"
#include "cli/health_table.h"

static int ask(const struct client *c, const char *name, struct client_reply *reply)
{
        struct http_client_request request = {.method = "POST", .path = "/v1/plugins/reload-all"};
        char path[128];
        int r;

        if (name && !str_is_plugin_name(name))
                return command_fail(c->command, CLI_USAGE,
                                    "%.60s: no name of a plugin (a-z, 0-9, - and _)", name);
        if (name) {
                snprintf(path, sizeof path, "/v1/plugins/%s/reload", name);
                request.path = path;
        }
        r = client_ask(c, &request, reply);
        if (r != COMMAND_GO || reply->status / 100 == 2)
                return r;
        return client_refused(c->command, &c->options->flags, reply->status, reply->json,
                              &reply->text);
}

/* One health object, or {"plugins": [...]}. */
static int show(const struct client *c, const struct client_reply *reply)
{
        const json_t *list = json_object_get(reply->json, "plugins"), *plugin;
        int code = client_exit_of_health(reply->json);
        struct err e = {0};
        size_t i;

        json_array_foreach (list, i, plugin)
                code = MAX_OF(code, client_exit_of_health(plugin));
        if (c->options->flags.format == CLI_FORMAT_JSON)
                client_print_json(reply->text.data, reply->text.len);
        else if (!json_is_array(list))
                health_table_page(reply->json, stdout);
        else if (health_table_print(list, stdout, &e) < 0)
                return command_fail(c->command, CLI_FAILURE, "%s", e.msg);
        return code;
}

int cli_reload(int argc, char **argv)
{
        scoped(options) struct options o = {0};
        scoped(client) struct client c = {0};
        scoped(client_reply) struct client_reply reply = {0};
        int r = command_begin(CLI_COMMAND_reload, argc, argv, 0, 1, &o);

        if (r != COMMAND_GO)
                return r;
        if ((o.n_rest == 1) == o.flags.all)
                return command_fail(CLI_COMMAND_reload, CLI_USAGE,
                                    "wants a plugin's NAME or --all");
        r = client_open(CLI_COMMAND_reload, &o, &c);
        if (r == COMMAND_GO)
                r = ask(&c, o.rest[0], &reply);
        return r == COMMAND_GO ? show(&c, &reply) : r;
}
