/* http_reply.c -- what goes back: plain answers, refusals, streams.
 *
 * A plain answer is written at once, from wherever the owner gives it; what does not fit into the
 * socket waits for it to drain. A stream's pieces are gathered and written once per turn of the
 * loop: a thousand small ones cost one system call. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "http/http_connection.h"

#define JSON           "application/json"
#define CHUNK_HEAD_MAX 20

/* status, reason: what we or our owner send, and those that have no body. */
static const struct {
        unsigned status;
        const char *reason;
} reasons[] = {
    {200, "OK"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(unsigned status)
{
        for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
                if (reasons[i].status == status)
                        return reasons[i].reason;
        return "Unknown";
}

/* ---- heads ---- */

/* The date to the second, as HTTP wants it; composed once a second. */
static const char *date_now(struct http_server *s)
{
        int64_t now = clock_real_ns() / NSEC_PER_SEC;
        time_t t = (time_t)now;
        struct tm tm;

        if (now != s->date_s && gmtime_r(&t, &tm)) {
                strftime(s->date, sizeof s->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
                s->date_s = now;
        }
        return s->date;
}

static void add_head(struct http_server *s, struct str *to, unsigned status,
                     const char *content_type)
{
        char line[64];

        snprintf(line, sizeof line, "HTTP/1.1 %u ", status);
        str_adds(to, line);
        str_adds(to, reason_of(status));
        str_adds(to, "\r\nDate: ");
        str_adds(to, date_now(s));
        str_adds(to, "\r\nContent-Type: ");
        str_adds(to, content_type ? content_type : JSON);
        str_adds(to, "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
}

static bool has_no_body(unsigned status)
{
        return status == 204 || status == 304;
}

static void add_length(struct str *to, unsigned status, size_t size)
{
        char line[48];

        if (has_no_body(status))
                return;
        snprintf(line, sizeof line, "Content-Length: %zu\r\n", size);
        str_adds(to, line);
}

static void add_header(struct str *to, const char *name, const char *value)
{
        /* Nothing of a request's may end a line of an answer. */
        if (value[strcspn(value, "\r\n")])
                return;
        str_adds(to, name);
        str_adds(to, ": ");
        str_adds(to, value);
        str_adds(to, "\r\n");
}

static void add_connection(const struct http_conn *c, struct str *to)
{
        if (c->close_after)
                str_adds(to, "Connection: close\r\n");
        else if (!c->head.version_11)
                str_adds(to, "Connection: keep-alive\r\n");
        str_adds(to, "\r\n");
}

/* ---- plain answers ---- */

/* The answer is composed: out with it. Takes body. */
static void send_answer(struct http_conn *c, char *take_body, size_t size)
{
        struct http_server *s = c->server;
        int64_t seconds = (int64_t)(size / HTTP_SEND_RATE_MIN);

        /* An owner that answers later does so between two turns, perhaps long after the last. */
        s->now_ns = clock_mono_ns();
        c->answer = take_body;
        c->answer_size = take_body ? size : 0;
        c->answer_off = 0;
        if (c->out.bad) { /* out of memory: better no answer than half of one */
                http_conn_kill(c);
                return;
        }
        http_conn_enter(c, HTTP_PHASE_SEND, s->now_ns + s->idle_ns + seconds * NSEC_PER_SEC, true);
        (void)http_conn_flush(c);
        http_conn_ready(c);
}

/* An answer given before the body was read: the rest of a small one is thrown away behind it, a
 * large one or one of unknown size costs the connection, and so does one that is held back until
 * we say "continue". */
static void part_with_body(struct http_conn *c)
{
        if (c->body_left == 0)
                return;
        if (c->head.expects_continue || c->body_left > HTTP_DRAIN_MAX) {
                c->close_after = true;
                c->lingers = true;
        }
}

static bool is_affordable(struct http_exchange *x, size_t size)
{
        struct http_server *s = x->conn->server;

        free(take_ptr(x->body));
        x->body_len = x->body_cap = 0;
        http_server_release(s, x);
        return http_server_hold(s, x, size);
}

void http_exchange_reply(struct http_exchange *x, const struct http_reply *reply)
{
        struct http_conn *c = x->conn;
        char *body = reply->take_body;
        size_t size = body ? reply->size : 0;

        if (x->answered || x->streams || c->dead) {
                x->answered |= !x->streams; /* nobody reads it, but it was given */
                free(body);
                return;
        }
        x->answered = true;
        if (!is_affordable(x, size)) {
                free(body);
                http_reply_refuse(c, 503,
                                  "the server holds as many bodies and unread answers as it "
                                  "takes; the call was run, its answer is lost");
                return;
        }
        part_with_body(c);
        add_head(c->server, &c->out, reply->status, reply->content_type);
        for (size_t i = 0; i + 1 < ARRAY_LEN(reply->extra) && reply->extra[i]; i += 2)
                add_header(&c->out, reply->extra[i], reply->extra[i + 1]);
        add_length(&c->out, reply->status, size);
        add_connection(c, &c->out);
        if (c->head.is_head || size == 0 || has_no_body(reply->status)) {
                free(body);
                body = NULL;
        }
        send_answer(c, body, size);
}

/* ---- refusals ---- */

static void add_refusal_head(struct http_server *s, struct str *to, unsigned status, size_t size)
{
        add_head(s, to, status, NULL);
        if (status == 503)
                str_adds(to, "Retry-After: 1\r\n");
        add_length(to, status, size);
        str_adds(to, "Connection: close\r\n\r\n");
}

void http_reply_refuse(struct http_conn *c, unsigned status, const char *words)
{
        struct http_server *s = c->server;
        size_t size = 0;
        char *body = s->handler.refusal(s->handler.ctx, status, words, &size);

        if (c->x)
                c->x->answered = true;
        size = body ? size : 0;
        /* What is behind a request like this may be anything: close, without a reset. */
        c->close_after = c->lingers = true;
        add_refusal_head(s, &c->out, status, size);
        if (c->head.is_head)
                free(take_ptr(body));
        send_answer(c, body, size);
}

void http_reply_refuse_raw(struct http_server *s, int fd, unsigned status, const char *words)
{
        scoped(str) struct str out = {0};
        size_t size = 0;
        scoped(free) char *body = s->handler.refusal(s->handler.ctx, status, words, &size);

        size = body ? size : 0;
        add_refusal_head(s, &out, status, size);
        str_add(&out, body, size);
        if (!out.bad) /* the socket's buffer is empty here */
                (void)!send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void http_reply_continue(struct http_conn *c)
{
        str_adds(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        (void)http_conn_flush(c);
}

/* ---- streams ---- */

int http_exchange_stream(struct http_exchange *x, unsigned status, const char *content_type,
                         size_t buffer_max)
{
        struct http_conn *c = x->conn;

        if (x->answered || x->streams || !x->called)
                return -EINVAL;
        if (c->dead || x->told_gone)
                return -EPIPE;
        add_head(c->server, &c->out, status, content_type);
        x->chunked = c->head.version_11 && !c->head.is_head;
        if (!c->head.version_11)
                c->close_after = true; /* it ends with the connection */
        else
                str_adds(&c->out, "Transfer-Encoding: chunked\r\n");
        add_connection(c, &c->out);
        if (c->out.bad)
                return -ENOMEM;
        x->streams = true;
        x->stream_max = buffer_max;
        x->stream_ended = c->head.is_head;
        http_conn_enter(c, HTTP_PHASE_STREAM, HTTP_NEVER, false);
        http_conn_ready(c);
        return 0;
}

static int cut(struct http_exchange *x, int r)
{
        http_conn_kill(x->conn);
        return r;
}

/* What has gone out makes room; what is held follows what is reserved. */
static int stream_room(struct http_exchange *x, size_t n)
{
        struct http_conn *c = x->conn;
        size_t before = c->out.cap;

        if (c->out_off) {
                memmove(c->out.data, c->out.data + c->out_off, c->out.len - c->out_off);
                c->out.len -= c->out_off;
                c->out_off = 0;
        }
        if (!str_reserve(&c->out, n))
                return -ENOMEM;
        if (c->out.cap == before)
                return 0;
        if (!http_server_hold(c->server, x, c->out.cap - before))
                return -ENOBUFS;
        x->stream_held += c->out.cap - before;
        return 0;
}

int http_exchange_send(struct http_exchange *x, const void *data, size_t n)
{
        struct http_conn *c = x->conn;
        int r;

        if (!x->streams)
                return -EINVAL;
        if (c->dead)
                return -EPIPE;
        if (x->stream_ended)
                return c->head.is_head ? -EPIPE : -EINVAL;
        if (n == 0)
                return 0;
        if (n > x->stream_max || http_exchange_unread(x) > x->stream_max - n)
                return cut(x, -ENOBUFS);
        r = stream_room(x, n + CHUNK_HEAD_MAX + 2);
        if (r < 0)
                return cut(x, r);
        if (x->chunked)
                str_addf(&c->out, "%zx\r\n", n);
        str_add(&c->out, data, n);
        if (x->chunked)
                str_adds(&c->out, "\r\n");
        http_conn_ready(c);
        return 0;
}

size_t http_exchange_unread(const struct http_exchange *x)
{
        return x->conn->out.len - x->conn->out_off;
}

void http_exchange_end(struct http_exchange *x)
{
        if (!x->streams || x->stream_ended || x->conn->dead)
                return;
        x->stream_ended = true;
        if (x->chunked)
                str_adds(&x->conn->out, "0\r\n\r\n");
        if (x->conn->out.bad)
                http_conn_kill(x->conn);
        http_conn_ready(x->conn);
}
