/* http_server.h -- HTTP/1.1 on sockets, inside the caller's loop, without threads.
 * Knows: sockets, RFC 9112.   May not know: plugins, JSON's meaning, routes.
 * Threads: the loop's only; http_exchange_reply must be called there too.
 * Owns: connections and exchanges. */
#ifndef FORGESYTE_HTTP_HTTP_SERVER_H
#define FORGESYTE_HTTP_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"

struct http_server;
struct http_exchange;

struct http_options {
        const char *listen; /* "127.0.0.1:8000", "[::1]:0", ":8000" is loopback too */
        size_t body_max;    /* bytes of a request body; more is 413 before it is read */
        unsigned connections_max;
        unsigned idle_seconds;    /* keep-alive without a request */
        unsigned request_seconds; /* for a body, and more for a large one */
        /* What follows has sane defaults for 0. */
        unsigned head_seconds;    /* from the first byte of a request to the end of its head: 10 */
        unsigned per_address_max; /* connections of one address; 0: a quarter of all, and no bound
                                     for clients on this machine, who all have one address */
        size_t held_max; /* bytes of bodies and unread answers together: 512 MiB; beyond: 503 */
        const char *const *reserved_for; /* paths (NULL-terminated, or NULL) that are answered even
                                            when every connection is taken */
};

/* What the server asks its owner. Every member is required. */
struct http_handler {
        void *ctx;
        /* The head has arrived (called right before `request` when there is no body). 0: take the
         * body; otherwise the handler has called http_exchange_reply (unauthorized, too large, no
         * such route) and no body is read. */
        int (*head)(void *ctx, struct http_exchange *x);
        /* The request is complete; reply now or later (the exchange is suspended meanwhile). */
        void (*request)(void *ctx, struct http_exchange *x);
        /* The client has left before the answer was complete, or a stream has ended. The exchange
         * is gone when this returns. Called exactly once for every exchange for which `request`
         * was called and no plain reply was given; never from inside http_exchange_reply. A client
         * that only ends its own side of the connection still waits for a plain answer; in the
         * middle of a stream it counts as gone. */
        void (*gone)(void *ctx, struct http_exchange *x);
        /* The server refuses something by itself (413, 400, 408, 503): the body to send with it, in
         * the API's own form. Malloc'ed, *ret_size bytes. NULL: an empty body. */
        char *(*refusal)(void *ctx, unsigned status, const char *words, size_t *ret_size);
        /* Many connections have gone: what they took could be given back to the system. */
        void (*calm)(void *ctx);
};

int http_server_new(const struct http_options *o, const struct http_handler *handler,
                    struct http_server **ret, struct err *e) must_check;
/* Ends every exchange (calling gone) and closes all. NULL is fine. */
void http_server_free(struct http_server *s);

/* One descriptor to watch for reading (an epoll that holds everything, hang-ups of suspended
 * clients too), the time until http_server_run is wanted anyway (-1: none), and the work. */
int http_server_fd(const struct http_server *s);
int64_t http_server_timeout_ns(struct http_server *s);
void http_server_run(struct http_server *s);

/* "127.0.0.1:43211": as bound. buf holds 64 bytes. */
void http_server_address(const struct http_server *s, char *buf);
/* No new connections; those there go on. */
void http_server_stop_listening(struct http_server *s);
unsigned http_server_exchanges(const struct http_server *s);
/* Is an answer on its way that its client has not read yet? Streams do not count. */
bool http_server_is_answering(const struct http_server *s);

/* ---- the request: all borrowed, valid until reply or gone ---- */
const char *http_exchange_method(const struct http_exchange *x);
const char *http_exchange_path(const struct http_exchange *x); /* percent-decoded, no query; a path
                                  with NUL, bad escapes or invalid UTF-8 never gets here (400) */
const char *http_exchange_header(const struct http_exchange *x, const char *name); /* or NULL */
unsigned http_exchange_header_count(const struct http_exchange *x, const char *name);
/* Decoded query value; NULL when absent. A name given twice never gets here (400). */
const char *http_exchange_query(const struct http_exchange *x, const char *name);
typedef void (*http_query_fn)(void *ctx, const char *name, const char *value);
void http_exchange_each_query(const struct http_exchange *x, http_query_fn fn, void *ctx);
const char *http_exchange_body(const struct http_exchange *x, size_t *ret_size);
/* Hands the body over (free() it): it then outlives the exchange. NULL when there was none. */
char *http_exchange_take_body(struct http_exchange *x, size_t *ret_size);
const char *http_exchange_peer(const struct http_exchange *x); /* "127.0.0.1:51234" */

/* The owner's own pointer on an exchange. */
void http_exchange_set_data(struct http_exchange *x, void *data);
void *http_exchange_data(const struct http_exchange *x);

/* ---- the answer ---- */
struct http_reply {
        unsigned status;
        const char *content_type; /* NULL: application/json */
        char *take_body;          /* malloc'ed, freed by the server; NULL: empty */
        size_t size;
        const char *extra[6]; /* "Allow", "GET", "Retry-After", "1", NULL: name, value pairs */
};
/* Sends the answer; the exchange is gone afterwards (gone is not called). Always sent:
 * Cache-Control: no-store, X-Content-Type-Options: nosniff. HEAD sends no body. */
void http_exchange_reply(struct http_exchange *x, const struct http_reply *reply);

/* An open-ended answer (server-sent events). After stream, send as long as it returns 0; -EPIPE:
 * the client has left (gone follows); -ENOBUFS: more than `buffer_max` bytes unread, the stream is
 * cut (gone follows). end: all was sent; gone follows when it has gone out. */
int http_exchange_stream(struct http_exchange *x, unsigned status, const char *content_type,
                         size_t buffer_max) must_check;
int http_exchange_send(struct http_exchange *x, const void *data, size_t n) must_check;
void http_exchange_end(struct http_exchange *x);
/* Bytes of a stream that its client has not taken yet. */
size_t http_exchange_unread(const struct http_exchange *x);

#endif
