#include "cli/client.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "cli/json_text.h"
#include "cli/terminal.h"

int client_open(enum cli_command command, const struct options *o, struct client *ret)
{
        struct client c = {.command = command, .options = o};
        struct err e = {0};

        if (http_client_url_parse(o->flags.url, &c.url, &e) < 0)
                return command_fail(command, CLI_FAILURE, "%s", e.msg);
        if (o->flags.token_file && http_client_read_token(o->flags.token_file, &c.token, &e) < 0)
                return command_fail(command, CLI_CONFIG, "token-file: %s", e.msg);
        *ret = c;
        return COMMAND_GO;
}

void client_close(struct client *c)
{
        free(c->token);
        c->token = NULL;
}

void client_reply_done(struct client_reply *r)
{
        str_done(&r->text);
        json_decref(r->json);
        *r = (struct client_reply){0};
}

int client_ask(const struct client *c, struct http_client_request *request,
               struct client_reply *ret)
{
        struct http_client_answer answer = {0};
        struct err e = {0};
        int r;

        request->token = c->token;
        request->answer_max = CLIENT_ANSWER_MAX;
        r = http_client_run(&c->url, request, &answer, &e);
        if (r < 0)
                return command_fail(c->command, CLI_FAILURE, "%s", e.msg);
        scoped(client_reply) struct client_reply reply = {answer.status, answer.body, NULL};

        r = json_parse(reply.text.data ? reply.text.data : "", reply.text.len, &reply.json, &e);
        if (r < 0)
                return command_fail(
                    c->command, CLI_FAILURE,
                    "%s answers with status %u and no JSON (is that a ForgeSyte host?): %s",
                    c->url.base, reply.status, e.msg);
        *ret = reply;
        reply = (struct client_reply){0};
        return COMMAND_GO;
}

int client_get(const struct client *c, const char *path, struct client_reply *ret)
{
        struct http_client_request request = {
            .method = "GET", .path = path, .idle_ms = CLIENT_IDLE_MS};
        scoped(client_reply) struct client_reply reply = {0};
        int r = client_ask(c, &request, &reply);

        if (r != COMMAND_GO)
                return r;
        if (reply.status / 100 != 2)
                return client_refused(c->command, &c->options->flags, reply.status, reply.json,
                                      &reply.text);
        *ret = reply;
        reply = (struct client_reply){0};
        return COMMAND_GO;
}

const char *client_text(const json_t *object, const char *key)
{
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

double client_number(const json_t *object, const char *key, double otherwise)
{
        const json_t *value = json_object_get(object, key);

        return json_is_number(value) ? json_number_value(value) : otherwise;
}

int client_refused(enum cli_command command, const struct cli_flags *flags, unsigned status,
                   const json_t *json, const struct str *text)
{
        const char *words = client_text(json, "error"), *type = client_text(json, "error_type");
        const char *trace = client_text(json, "traceback");
        int code = command_exit_of_status(status);

        if (flags->format == CLI_FORMAT_JSON)
                client_print_json(text->data, text->len);
        if (*words)
                command_fail(command, code, "%s%s%s", type, *type ? ": " : "", words);
        else
                command_fail(command, code, "the host answers with status %u and no words", status);
        if (*trace) {
                terminal_put(stderr, trace, strlen(trace));
                if (trace[strlen(trace) - 1] != '\n')
                        fputc('\n', stderr);
        }
        return code == CLI_OK ? CLI_FAILURE : code;
}

#define STRING_SHOWN_MAX 2048
void client_print_json(const char *text, size_t n)
{
        scoped(str) struct str s = {0};

        if (!terminal_is(stdout)) {
                fwrite(text, 1, n, stdout);
        } else {
                json_text_pretty(&s, text, n, STRING_SHOWN_MAX);
                terminal_put(stdout, s.data ? s.data : "", s.len);
        }
        if (n == 0 || text[n - 1] != '\n')
                fputc('\n', stdout);
}

int client_exit_of_health(const json_t *health)
{
        const char *state = client_text(health, "state");

        return !strcmp(state, "FAILED") || !strcmp(state, "UNAVAILABLE") ? CLI_PLUGIN : CLI_OK;
}
