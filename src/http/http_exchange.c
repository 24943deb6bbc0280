/* http_exchange.c -- one request, from the moment its head is complete to its answer.
 *
 * The owner judges the head before any of the body is read; then it gets the whole request, once.
 * An exchange keeps its own copy of the head, so that what the owner borrows stays where it is. */
#include "http/http_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BODY_FIRST  KIB(256) /* reserved at once for a body that announces its length */
#define CHUNK_FIRST KIB(4)
#define TOO_MUCH    "the server holds as many bodies and unread answers as it takes; try again"

/* ---- life ---- */

/* A copy of the head with its words terminated. */
static struct http_exchange *exchange_new(struct http_conn *c)
{
        const struct http_head *h = &c->head;
        const char *bytes = c->in + c->in_off;
        size_t text = (h->size + sizeof(uint64_t)) & ~(sizeof(uint64_t) - 1);
        struct http_exchange *x = malloc(sizeof *x + text + h->n * sizeof *h->fields);

        if (!x)
                return NULL;
        *x = (struct http_exchange){.conn = c, .n_fields = h->n};
        memcpy(x->text, bytes, h->size);
        x->fields = (struct http_field *)(void *)(x->text + text);
        memcpy(x->fields, h->fields, h->n * sizeof *h->fields);
        for (size_t i = 0; i < x->n_fields; i++) {
                const struct http_field *f = &x->fields[i];

                x->text[f->name + f->name_len] = x->text[f->value + f->value_len] = '\0';
        }
        x->text[h->method + h->method_len] = x->text[h->target + h->target_len] = '\0';
        x->method = x->text + h->method;
        return x;
}

void http_exchange_free(struct http_exchange *x)
{
        if (x->called)
                x->conn->server->exchanges--;
        if (x->body && x->held > HTTP_HELD_FREE) /* a large one that came to nothing */
                x->conn->server->n_gone = HTTP_MANY;
        http_server_release(x->conn->server, x);
        http_target_done(&x->target);
        free(x->body);
        free(x);
}

void http_exchange_tell_gone(struct http_exchange *x)
{
        struct http_server *s = x->conn->server;

        if (x->told_gone || !x->called || x->answered)
                return;
        x->told_gone = true;
        s->handler.gone(s->handler.ctx, x);
}

/* ---- the head ---- */

/* What the head asks for and cannot have, whatever the owner thinks of it. */
static unsigned judge(struct http_conn *c, const char **ret_words)
{
        struct http_server *s = c->server;
        struct http_exchange *x = c->x;
        int r =
            http_target_parse(x->text + c->head.target, c->head.target_len, &x->target, ret_words);

        if (r == -ENOMEM) {
                *ret_words = "the server is out of memory";
                return 503;
        }
        if (r < 0)
                return 400;
        *ret_words = "the server has as many connections as it takes; try again";
        if (c->reserved && (c->head.has_body || !http_accept_is_reserved_for(s, x->target.path)))
                return 503;
        *ret_words = HTTP_TOO_LARGE;
        if (c->head.has_body && c->head.length != HTTP_LENGTH_UNKNOWN &&
            c->head.length > s->body_max)
                return 413;
        *ret_words = TOO_MUCH;
        if (c->head.has_body && c->head.length != HTTP_LENGTH_UNKNOWN &&
            c->head.length > HTTP_HELD_FREE && s->held + c->head.length > s->held_max)
                return 503;
        return 0;
}

/* False: answered (or, against the contract, not: then the connection dies). */
static bool is_wanted(struct http_exchange *x)
{
        struct http_server *s = x->conn->server;

        if (s->handler.head(s->handler.ctx, x) == 0 && !x->answered)
                return true;
        if (!x->answered)
                http_conn_kill(x->conn);
        return false;
}

static void expect_body(struct http_conn *c)
{
        struct http_server *s = c->server;
        uint64_t size = MIN_OF(c->head.length, (uint64_t)s->body_max);
        int64_t more = (int64_t)(size / HTTP_BODY_RATE_GOOD) * NSEC_PER_SEC;

        http_conn_enter(c, HTTP_PHASE_BODY, s->now_ns + s->request_ns + more, true);
        if (c->head.expects_continue && c->in_off == c->in_len)
                http_reply_continue(c);
}

void http_exchange_begin(struct http_conn *c)
{
        const char *words = "";
        unsigned status;

        c->x = exchange_new(c);
        c->in_off += c->head.size;
        c->body_left = c->head.length;
        c->chunks = (struct http_chunks){0};
        c->close_after = !c->head.keep_alive || c->reserved;
        if (!c->x) {
                http_reply_refuse(c, 503, "the server is out of memory");
                return;
        }
        status = judge(c, &words);
        if (status)
                http_reply_refuse(c, status, words);
        else if (is_wanted(c->x) && c->head.has_body)
                expect_body(c);
        else if (!c->dead && !c->x->answered)
                http_exchange_complete(c->x);
}

/* ---- the body ---- */

/* Room for n more bytes and a NUL: by doubling, never beyond what was announced or is allowed. */
static int body_reserve(struct http_exchange *x, size_t n)
{
        struct http_server *s = x->conn->server;
        size_t most = (size_t)MIN_OF(x->conn->head.length, (uint64_t)s->body_max) + 1;
        size_t cap = x->body_cap;
        char *p;

        if (!cap)
                cap = x->conn->head.length == HTTP_LENGTH_UNKNOWN ? CHUNK_FIRST : BODY_FIRST;
        while (cap < x->body_len + n + 1)
                cap *= 2;
        cap = MIN_OF(cap, most);
        if (cap == x->body_cap)
                return 0;
        if (!http_server_hold(s, x, cap - x->body_cap))
                return -ENOBUFS;
        p = realloc(x->body, cap);
        if (!p)
                return -ENOMEM;
        x->body = p;
        x->body_cap = cap;
        return 0;
}

static bool reserve_or_refuse(struct http_exchange *x, size_t n)
{
        int r = body_reserve(x, n);

        if (r < 0)
                http_reply_refuse(x->conn, 503,
                                  r == -ENOBUFS ? TOO_MUCH
                                                : "the server is out of memory for this body");
        return r == 0;
}

bool http_exchange_take(struct http_exchange *x, const char *data, size_t n)
{
        if (n > x->conn->server->body_max - x->body_len) {
                http_reply_refuse(x->conn, 413, HTTP_TOO_LARGE);
                return false;
        }
        if (!reserve_or_refuse(x, n))
                return false;
        memcpy(x->body + x->body_len, data, n);
        http_exchange_took(x, n);
        return true;
}

char *http_exchange_room(struct http_exchange *x, size_t *ret_size)
{
        if (!reserve_or_refuse(x, 1))
                return NULL;
        *ret_size = x->body_cap - x->body_len - 1;
        return x->body + x->body_len;
}

void http_exchange_took(struct http_exchange *x, size_t n)
{
        x->body_len += n;
        x->body_seen += n;
        x->conn->moved += n;
        x->body[x->body_len] = '\0';
}

/* ---- the request ---- */

void http_exchange_complete(struct http_exchange *x)
{
        struct http_conn *c = x->conn;
        struct http_server *s = c->server;

        c->body_left = 0;
        http_conn_enter(c, HTTP_PHASE_CALL, HTTP_NEVER, false);
        x->called = true;
        s->exchanges++;
        s->handler.request(s->handler.ctx, x);
}

/* ---- what the owner reads ---- */

const char *http_exchange_method(const struct http_exchange *x)
{
        return x->method;
}

const char *http_exchange_path(const struct http_exchange *x)
{
        return x->target.path;
}

const char *http_exchange_header(const struct http_exchange *x, const char *name)
{
        size_t n = strlen(name);

        for (size_t i = 0; i < x->n_fields; i++)
                if (x->fields[i].name_len == n &&
                    strncasecmp(x->text + x->fields[i].name, name, n) == 0)
                        return x->text + x->fields[i].value;
        return NULL;
}

unsigned http_exchange_header_count(const struct http_exchange *x, const char *name)
{
        size_t n = strlen(name);
        unsigned count = 0;

        for (size_t i = 0; i < x->n_fields; i++)
                count += x->fields[i].name_len == n &&
                         strncasecmp(x->text + x->fields[i].name, name, n) == 0;
        return count;
}

const char *http_exchange_query(const struct http_exchange *x, const char *name)
{
        return http_target_param(&x->target, name);
}

void http_exchange_each_query(const struct http_exchange *x, http_query_fn fn, void *ctx)
{
        for (size_t i = 0; i < x->target.n; i++)
                fn(ctx, x->target.params[i].name, x->target.params[i].value);
}

const char *http_exchange_body(const struct http_exchange *x, size_t *ret_size)
{
        *ret_size = x->body_len;
        return x->body;
}

char *http_exchange_take_body(struct http_exchange *x, size_t *ret_size)
{
        *ret_size = x->body_len;
        x->body_len = x->body_cap = 0;
        return take_ptr(x->body);
}

const char *http_exchange_peer(const struct http_exchange *x)
{
        if (x->conn->peer[0] == '\0')
                http_listen_format(&x->conn->from.any, x->conn->peer);
        return x->conn->peer;
}

void http_exchange_set_data(struct http_exchange *x, void *data)
{
        x->data = data;
}

void *http_exchange_data(const struct http_exchange *x)
{
        return x->data;
}
