/* http_client.h -- one HTTP/1.1 request to a running host, and its answer.
 * Plain http:// only; one connection a request. docs/decisions/0002-own-http-client.md says why it
 * is our own.
 * Knows: sockets, URLs.    May not know: plugins, JSON.
 * Threads: any, it waits in poll.  Owns: its socket. */
#ifndef FORGESYTE_CLI_HTTP_CLIENT_H
#define FORGESYTE_CLI_HTTP_CLIENT_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/http_response.h"

/* base: "http://127.0.0.1:8000" as given, for words. path: what goes before every path, without
 * a slash behind. */
struct http_client_url {
        char base[256], host[128], port[8], path[128];
};
/* "http://HOST[:PORT][/PATH]", HOST a name, an IPv4 address or [IPv6]. -EINVAL with words. */
int http_client_url_parse(const char *url, struct http_client_url *ret, struct err *e) must_check;

/* Reads the first line of a token file. -EINVAL when it is none that can go into a header. The
 * caller frees. */
int http_client_read_token(const char *path, char **ret, struct err *e) must_check;

/* path: percent-encoded, begins with a slash. token, content_type: or NULL. body: NULL is none.
 * idle_ms: how long the server may be silent, 0 is for ever. on_body: gets the body as it comes
 * when the status is 2xx; NULL: all of it goes into the answer. tick: called every 100 ms while
 * waiting, or NULL.
 */
struct http_client_request {
        const char *method, *path, *token, *content_type;
        const char *body;
        size_t body_size;
        uint64_t answer_max;
        unsigned idle_ms;
        http_response_body_fn on_body;
        void (*tick)(void *ctx);
        void *ctx;
};
struct http_client_answer {
        unsigned status;
        char content_type[128];
        struct str body;
};

/* 0 and *ret (str_done its body); -ECONNREFUSED "no host answers at ..."; -ETIMEDOUT; others as
 * http_response_feed and the socket have it. */
int http_client_run(const struct http_client_url *url, const struct http_client_request *request,
                    struct http_client_answer *ret, struct err *e) must_check;

#endif
