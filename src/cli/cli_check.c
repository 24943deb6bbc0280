#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "host/host.h"

static void on_settled(void *ctx)
{
        *(bool *)ctx = true;
}

static bool is_fine(const struct plugin_health *h)
{
        return lifecycle_state_is_available(h->state);
}

static void print_table(const struct plugin_health *list, size_t n)
{
        scoped(terminal_table) struct terminal_table t = {.columns = 3};

        terminal_table_add(&t, "PLUGIN");
        terminal_table_add(&t, "VERSION");
        terminal_table_add(&t, "VERDICT");
        for (size_t i = 0; i < n; i++) {
                terminal_table_add(&t, list[i].name);
                terminal_table_add(&t, list[i].version[0] ? list[i].version : "-");
                terminal_table_add(&t,
                                   is_fine(&list[i]) ? "ok" : lifecycle_state_name(list[i].state));
        }
        terminal_table_print(&t, stdout, 2, terminal_has_color(stdout));
        for (size_t i = 0; i < n; i++) {
                if (is_fine(&list[i]))
                        continue;
                printf("\n%s: ", list[i].name);
                terminal_put(stdout, list[i].reason, strlen(list[i].reason));
                putchar('\n');
        }
}

static int print_json(const struct plugin_health *list, size_t n)
{
        scoped(json_decref) json_t *all = json_array();
        scoped(str) struct str text = {0};

        for (size_t i = 0; i < n; i++)
                if (json_array_append_new(
                        all,
                        json_pack("{s:s,s:s?,s:b,s:s?,s:s?}", "name", list[i].name, "version",
                                  list[i].version[0] ? list[i].version : NULL, "ok",
                                  is_fine(&list[i]), "state",
                                  is_fine(&list[i]) ? NULL : lifecycle_state_name(list[i].state),
                                  "reason", list[i].reason[0] ? list[i].reason : NULL)) < 0)
                        return -ENOMEM;
        str_add_json(&text, all);
        if (text.bad)
                return -ENOMEM;
        puts(text.data);
        return 0;
}

static int show(struct host_core *c, const struct options *o)
{
        scoped(free) struct plugin_health *list = NULL;
        size_t n, bad = 0;

        if (plugin_registry_list_all(supervisor_registry(c->supervisor), &list, &n) < 0)
                return command_fail(CLI_COMMAND_check, CLI_FAILURE, "out of memory");
        for (size_t i = 0; i < n; i++)
                bad += !is_fine(&list[i]);
        if (o->flags.format != CLI_FORMAT_JSON)
                print_table(list, n);
        else if (print_json(list, n) < 0)
                return command_fail(CLI_COMMAND_check, CLI_FAILURE, "out of memory");
        if (supervisor_discovery_failures(c->supervisor))
                return CLI_FAILURE;
        return bad ? CLI_PLUGIN : CLI_OK;
}

static int discover(struct host_core *c, const struct options *o)
{
        struct err e = {0};

        for (char **python = o->host->python_plugins; *python; python++)
                if (supervisor_discover(c->supervisor, *python, &e) < 0)
                        return command_fail(CLI_COMMAND_check, CLI_FAILURE, "%s", e.msg);
        return COMMAND_GO;
}

static int check_all(struct host_core *c, const struct options *o)
{
        bool settled = false;
        struct err e = {0};
        int total = 0;
        int r = discover(c, o);

        if (r != COMMAND_GO)
                return r;

        for (size_t i = 0; i < o->n_rest && total >= 0; i++)
                total = supervisor_scan(c->supervisor, o->rest[i], &e);
        if (total < 0)
                return command_fail(CLI_COMMAND_check, CLI_FAILURE, "%s", e.msg);
        if (total == 0 && o->n_rest > 0)
                return command_fail(
                    CLI_COMMAND_check, CLI_FAILURE,
                    "no plugin in %.200s: a plugin is a folder with a manifest.json", o->rest[0]);
        if (supervisor_when_settled(c->supervisor, on_settled, &settled) < 0)
                return command_fail(CLI_COMMAND_check, CLI_FAILURE, "out of memory");
        if (host_core_wait(c, &settled, &e) < 0)
                return command_fail(CLI_COMMAND_check, CLI_FAILURE, "%s", e.msg);
        return show(c, o);
}

int cli_check(int argc, char **argv)
{
        const struct supervisor_options like = {.check_only = true};
        scoped(options) struct options o = {0};
        struct host_core core;
        struct err e = {0};
        int r = command_begin(CLI_COMMAND_check, argc, argv, 0, COMMAND_WORDS_MAX, &o);

        if (r != COMMAND_GO)
                return r;
        if (o.n_rest == 0 && !*o.host->python_plugins)
                return command_fail(CLI_COMMAND_check, CLI_USAGE, "wants DIR...");
        if (o.host->log_level > LOG_LEVEL_ERROR)
                o.host->log_level = LOG_LEVEL_ERROR;
        if (host_core_init(&core, o.host, &like, &e) < 0)
                return command_fail(CLI_COMMAND_check, CLI_FAILURE, "%s", e.msg);
        r = check_all(&core, &o);
        host_core_done(&core);
        return r;
}
