#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "cli/client.h"
#include "cli/sse.h"
#include "cli/terminal.h"

/* {"at","stream","text"} -> "09:41:00.123 stderr words". */
static void print_line(const json_t *line)
{
        const char *at = client_text(line, "at"), *text = client_text(line, "text");
        const char *time = strchr(at, 'T');
        const char *stream = client_text(line, "stream");

        fprintf(stdout, "%.12s ", time ? time + 1 : "");
        terminal_put(stdout, stream, strlen(stream));
        fputc(' ', stdout);
        terminal_put(stdout, text, strlen(text));
        if (!*text || text[strlen(text) - 1] != '\n')
                fputc('\n', stdout);
}

/* A line's text as it came; what is no line of a log is passed over. */
static void take_line(const struct cli_flags *flags, const char *text, size_t n)
{
        scoped(json_decref) json_t *line = NULL;

        if (json_parse(text, n, &line, NULL) < 0 || !json_object_get(line, "text"))
                return;
        if (flags->format == CLI_FORMAT_JSON)
                client_print_json(text, n);
        else
                print_line(line);
}

static int show(const struct client *c, const struct client_reply *reply)
{
        const json_t *lines = json_object_get(reply->json, "lines"), *line;
        size_t i;

        if (c->options->flags.format == CLI_FORMAT_JSON) {
                client_print_json(reply->text.data, reply->text.len);
                return CLI_OK;
        }
        if (!json_is_array(lines))
                return command_fail(c->command, CLI_FAILURE, "the answer has no lines");
        json_array_foreach (lines, i, line)
                print_line(line);
        return CLI_OK;
}

/* ---- -f ---- */

/* The host's heartbeat comes every 15 s. */
#define FOLLOW_IDLE_MS 60000

struct follow {
        const struct cli_flags *flags;
        struct sse sse;
};

/* {"lines": N}: the plugin prints faster than this program is read. */
static void print_dropped(const char *data, size_t n)
{
        scoped(json_decref) json_t *json = NULL;

        if (json_parse(data, n, &json, NULL) == 0)
                fprintf(stderr, "... %lld lines left out\n",
                        (long long)json_integer_value(json_object_get(json, "lines")));
}

/* Each line is out before the next is waited for. A reader that left ends it; main has the words.
 */
static int on_event(void *ctx, const char *name, const char *data, size_t n, struct err *e)
{
        struct follow *f = ctx;

        if (strcmp(name, "dropped") == 0)
                print_dropped(data, n);
        else
                take_line(f->flags, data, n);
        return fflush(stdout) == 0 ? 0 : err_set(e, -EPIPE, "stdout is gone");
}

static int on_bytes(void *ctx, const char *data, size_t n, struct err *e)
{
        struct follow *f = ctx;

        return sse_feed(&f->sse, data, n, e);
}

static int follow_refused(const struct client *c, const struct http_client_answer *answer)
{
        scoped(json_decref) json_t *json = NULL;

        if (json_parse(answer->body.data ? answer->body.data : "", answer->body.len, &json, NULL) <
            0)
                return command_fail(c->command, CLI_FAILURE, "%s answers with status %u",
                                    c->url.base, answer->status);
        return client_refused(c->command, &c->options->flags, answer->status, json, &answer->body);
}

static int follow(const struct client *c, const char *path)
{
        struct follow f = {.flags = &c->options->flags};
        struct http_client_request request = {.method = "GET",
                                              .path = path,
                                              .token = c->token,
                                              .answer_max = UINT64_MAX,
                                              .idle_ms = FOLLOW_IDLE_MS,
                                              .on_body = on_bytes,
                                              .ctx = &f};
        struct http_client_answer answer = {0};
        struct err e = {0};
        int r;

        f.sse.event = on_event;
        f.sse.ctx = &f;
        r = http_client_run(&c->url, &request, &answer, &e);
        sse_done(&f.sse);
        if (r == -EPIPE)
                r = CLI_FAILURE;
        else if (r < 0)
                r = command_fail(c->command, CLI_FAILURE, "%s", e.msg);
        else if (answer.status / 100 != 2)
                r = follow_refused(c, &answer);
        str_done(&answer.body);
        return r;
}

int cli_logs(int argc, char **argv)
{
        scoped(options) struct options o = {0};
        scoped(client) struct client c = {0};
        scoped(client_reply) struct client_reply reply = {0};
        char path[128];
        int r = command_begin(CLI_COMMAND_logs, argc, argv, 1, 1, &o);

        if (r != COMMAND_GO)
                return r;
        if (!str_is_plugin_name(o.rest[0]))
                return command_fail(CLI_COMMAND_logs, CLI_USAGE,
                                    "%.60s: no name of a plugin (a-z, 0-9, - and _)", o.rest[0]);
        snprintf(path, sizeof path, "/v1/plugins/%s/logs?tail=%u%s", o.rest[0], o.flags.tail,
                 o.flags.follow ? "&follow=1" : "");
        r = client_open(CLI_COMMAND_logs, &o, &c);
        if (r != COMMAND_GO)
                return r;
        if (o.flags.follow)
                return follow(&c, path);
        r = client_get(&c, path, &reply);
        return r == COMMAND_GO ? show(&c, &reply) : r;
}
