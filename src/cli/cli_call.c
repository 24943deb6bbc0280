#include <string.h>

#include "base/clock.h"
#include "cli/call_result.h"
#include "cli/client.h"
#include "cli/request_args.h"
#include "cli/terminal.h"

/* The line that says, on a terminal, that one is still waiting. */
struct waiting {
        const char *what;
        int64_t since_ns;
        bool shown;
};

static void show_waiting(void *ctx)
{
        struct waiting *w = ctx;
        int64_t ms = (clock_mono_ns() - w->since_ns) / NSEC_PER_MSEC;

        if (ms < 1000)
                return;
        w->shown = true;
        fprintf(stderr, "\r%s: %.1f s", w->what, (double)ms / 1000);
        fflush(stderr);
}

static int make_path(const struct options *o, char *path, size_t size)
{
        if (!str_is_plugin_name(o->rest[0]))
                return command_fail(CLI_COMMAND_call, CLI_USAGE,
                                    "%.60s: no name of a plugin (a-z, 0-9, - and _)", o->rest[0]);
        if (!str_is_tool_name(o->rest[1]))
                return command_fail(CLI_COMMAND_call, CLI_USAGE, "%.60s: no name of a tool",
                                    o->rest[1]);
        snprintf(path, size, "/v1/plugins/%s/tools/%s/run", o->rest[0], o->rest[1]);
        return COMMAND_GO;
}

static int make_body(const struct options *o, struct str *body, char *content_type)
{
        scoped(request_args) struct request_args args = {0};
        struct err e = {0};
        int r = request_args_parse(o->rest + 2, o->n_rest - 2, o->flags.json, &args, &e);

        if (r < 0)
                return command_fail(CLI_COMMAND_call, CLI_USAGE, "%s", e.msg);
        if (request_args_body(&args, body, content_type, &e) < 0)
                return command_fail(CLI_COMMAND_call, CLI_FAILURE, "%s", e.msg);
        return COMMAND_GO;
}

/* How long a call may take is the host's to say, so there is no deadline here. */
static int ask(const struct client *c, const char *path, const struct str *body,
               const char *content_type, struct client_reply *reply)
{
        struct waiting waiting = {c->options->rest[1], clock_mono_ns(), false};
        struct http_client_request request = {.method = "POST",
                                              .path = path,
                                              .content_type = content_type,
                                              .body = body->data,
                                              .body_size = body->len,
                                              .ctx = &waiting};
        int r;

        if (terminal_is(stderr))
                request.tick = show_waiting;
        r = client_ask(c, &request, reply);
        if (waiting.shown)
                fputs("\r\033[K", stderr);
        return r;
}

int cli_call(int argc, char **argv)
{
        scoped(options) struct options o = {0};
        scoped(client) struct client c = {0};
        scoped(client_reply) struct client_reply reply = {0};
        scoped(str) struct str body = {0};
        char content_type[REQUEST_ARGS_TYPE_SIZE], path[192];
        int r = command_begin(CLI_COMMAND_call, argc, argv, 2, COMMAND_WORDS_MAX, &o);

        if (r == COMMAND_GO)
                r = make_path(&o, path, sizeof path);
        if (r == COMMAND_GO)
                r = client_open(CLI_COMMAND_call, &o, &c);
        if (r == COMMAND_GO)
                r = make_body(&o, &body, content_type);
        if (r == COMMAND_GO)
                r = ask(&c, path, &body, content_type, &reply);
        if (r != COMMAND_GO)
                return r;
        return call_result_show(CLI_COMMAND_call, &o.flags, reply.status, reply.text.data,
                                reply.text.len);
}
