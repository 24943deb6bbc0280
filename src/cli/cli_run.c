#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/call_result.h"
#include "cli/command.h"
#include "cli/request_args.h"
#include "cli/terminal.h"
#include "host/host.h"

/* One run without a host, from the words of the command line to the outcome. */
struct run {
        const struct options *o;
        bool over;
        unsigned status;
        char *text; /* the envelope */
        size_t size;
};

static void on_end(void *ctx, struct tool_outcome *o)
{
        struct run *run = ctx;

        run->over = true;
        run->status = o->error == PLUGIN_ERROR_NONE ? 200 : plugin_error_status(o->error);
        run->text = tool_outcome_take_envelope(o, &run->size);
}

/* What the plugin prints is the caller's to see, beside the result. */
static void on_line(unused_param void *ctx, unused_param const struct plugin_log *log,
                    const struct plugin_log_line *line)
{
        terminal_put(stderr, line->text, line->len);
        fputc('\n', stderr);
}

static int make_source(const struct options *o, struct argument_source *source)
{
        scoped(request_args) struct request_args args = {0};
        struct str body = {0};
        char type[REQUEST_ARGS_TYPE_SIZE];
        struct err e = {0};
        int r = request_args_parse(o->rest + 2, o->n_rest - 2, o->flags.json, &args, &e);

        if (r < 0)
                return command_fail(CLI_COMMAND_run, CLI_USAGE, "%s", e.msg);
        r = request_args_body(&args, &body, type, &e);
        if (r < 0)
                return command_fail(CLI_COMMAND_run, CLI_FAILURE, "%s", e.msg);
        source->content_type = strdup(type);
        source->body_size = body.len;
        source->body = str_take(&body);
        return COMMAND_GO;
}

static void on_settled(void *ctx)
{
        *(bool *)ctx = true;
}

/* Only an interpreter knows whether it has the plugin: it is waited for. */
static int discover(struct host_core *c, const struct options *o)
{
        bool settled = false;
        struct err e = {0};

        for (char **python = o->host->python_plugins; *python; python++)
                if (supervisor_discover(c->supervisor, *python, &e) < 0)
                        return command_fail(CLI_COMMAND_run, CLI_FAILURE, "%s", e.msg);
        if (!*o->host->python_plugins)
                return COMMAND_GO;
        if (supervisor_when_settled(c->supervisor, on_settled, &settled) < 0)
                return command_fail(CLI_COMMAND_run, CLI_FAILURE, "out of memory");
        if (host_core_wait(c, &settled, &e) < 0)
                return command_fail(CLI_COMMAND_run, CLI_FAILURE, "%s", e.msg);
        return COMMAND_GO;
}

static int find_plugin(struct host_core *c, const struct options *o)
{
        struct err e = {0};
        int total = 0;

        for (char **dir = o->host->plugin_dirs; *dir; dir++) {
                total = supervisor_scan(c->supervisor, *dir, &e);
                /* Who has plugins in packages need have no folder of them. */
                if (total == -ENOENT && *o->host->python_plugins)
                        total = 0;
                if (total < 0)
                        return command_fail(CLI_COMMAND_run, CLI_FAILURE, "%s", e.msg);
        }
        if (total == 0 && *o->host->python_plugins)
                return discover(c, o);
        if (total == 0)
                return command_fail(CLI_COMMAND_run, CLI_FAILURE,
                                    "no plugin called %.64s in the plugins folders; name them with "
                                    "--plugins DIR",
                                    o->rest[0]);
        return COMMAND_GO;
}

static int run_tool(struct host_core *c, struct run *run, struct argument_source *source)
{
        const char **rest = run->o->rest;
        struct plugin_log *log = supervisor_log(c->supervisor, rest[0]);
        struct err e = {0};

        if (log)
                log->on_line = on_line;
        supervisor_run(c->supervisor, rest[0], rest[1], source, on_end, run);
        if (host_core_wait(c, &run->over, &e) < 0)
                return command_fail(CLI_COMMAND_run, CLI_FAILURE, "%s", e.msg);
        if (!run->text)
                return command_fail(CLI_COMMAND_run, CLI_FAILURE, "out of memory");
        return call_result_show(CLI_COMMAND_run, &run->o->flags, run->status, run->text, run->size);
}

int cli_run(int argc, char **argv)
{
        scoped(options) struct options o = {0};
        struct argument_source source = {0};
        struct supervisor_options like = {0};
        struct run run = {.o = &o};
        struct host_core core;
        struct err e = {0};
        int r = command_begin(CLI_COMMAND_run, argc, argv, 2, COMMAND_WORDS_MAX, &o);

        if (r == COMMAND_GO)
                r = make_source(&o, &source);
        if (r != COMMAND_GO)
                return r;
        like.only = o.rest[0];
        /* The host's own story is of no interest here; its warnings come as the result. */
        if (o.host->log_level > LOG_LEVEL_ERROR)
                o.host->log_level = LOG_LEVEL_ERROR;
        if (host_core_init(&core, o.host, &like, &e) < 0) {
                argument_source_done(&source);
                return command_fail(CLI_COMMAND_run, CLI_FAILURE, "%s", e.msg);
        }
        r = find_plugin(&core, &o);
        if (r == COMMAND_GO)
                r = run_tool(&core, &run, &source);
        host_core_done(&core);
        argument_source_done(&source);
        free(run.text);
        return r;
}
