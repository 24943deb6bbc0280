/* client.h -- a command's talk with a running host: where it is, the token, JSON answers, errors.
 * Knows: the API's envelope, exit codes.   May not know: what a command shows.
 * Threads: one.            Owns: the token, an answer's text and JSON. */
#ifndef FORGESYTE_CLI_CLIENT_H
#define FORGESYTE_CLI_CLIENT_H

#include <jansson.h>

#include "cli/command.h"
#include "cli/http_client.h"

/* Enough for the largest answer that a host gives, as base64. */
#define CLIENT_ANSWER_MAX MIB(256)
/* A host that is asked for no more than what it knows answers sooner, or not at all. */
#define CLIENT_IDLE_MS 30000

struct client {
        enum cli_command command;
        const struct options *options; /* borrowed */
        struct http_client_url url;
        char *token;
};

/* text: as it came; json: the same, parsed. */
struct client_reply {
        unsigned status;
        struct str text;
        json_t *json;
};

/* COMMAND_GO, or an exit code once words are on stderr. client_close frees. */
int client_open(enum cli_command command, const struct options *o, struct client *ret) must_check;
void client_close(struct client *c);

/* Asks, with the token. COMMAND_GO and *ret (client_reply_done) for any answer that is JSON; an
 * exit code, and words on stderr, when there is none. */
int client_ask(const struct client *c, struct http_client_request *request,
               struct client_reply *ret) must_check;
/* client_ask for what only reads; an answer that is no 2xx becomes client_refused. */
int client_get(const struct client *c, const char *path, struct client_reply *ret) must_check;
void client_reply_done(struct client_reply *r);

/* The envelope {"ok":false,"error","error_type"} as words on stderr (and on stdout with
 * --format json): returns the exit code that belongs to its status. */
int client_refused(enum cli_command command, const struct cli_flags *flags, unsigned status,
                   const json_t *json, const struct str *text);
/* The server's JSON on stdout: as it came, or laid out when that is a terminal. */
void client_print_json(const char *text, size_t n);

/* A member's text, "" when it is none. */
const char *client_text(const json_t *object, const char *key);
double client_number(const json_t *object, const char *key, double otherwise);

/* CLI_PLUGIN when the health object says FAILED or UNAVAILABLE, else CLI_OK. */
int client_exit_of_health(const json_t *health);

static inline void client_scoped(struct client *c)
{
        client_close(c);
}
static inline void client_reply_scoped(struct client_reply *r)
{
        client_reply_done(r);
}

#endif
