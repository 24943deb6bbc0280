/* http_reply.c -- what goes back: plain answers, refusals, streams.
 *
 * A plain answer given from inside handler->request goes out in the same turn of the loop. One
 * given later is queued on the suspended connection, which then resumes. Such a connection gets a
 * stall time-out of libmicrohttpd's own for the while. That is more than a time-out: it makes
 * libmicrohttpd turn to the answer before it reads from the socket again, and reading would find
 * the FIN of a half-closed client and drop the answer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"
#include "http/http_connection.h"

#define JSON "application/json"

static struct MHD_Response *dress(struct MHD_Response *r, const char *content_type)
{
        if (!r)
                return NULL;
        if (MHD_add_response_header(r, "Content-Type", content_type ? content_type : JSON) &&
            MHD_add_response_header(r, "Cache-Control", "no-store") &&
            MHD_add_response_header(r, "X-Content-Type-Options", "nosniff"))
                return r;
        MHD_destroy_response(r);
        return NULL;
}

static struct MHD_Response *plain_response(const char *content_type, char *body, size_t size)
{
        struct MHD_Response *r;

        if (!body) /* an empty body, not a missing one: Content-Length: 0 is sent */
                return dress(MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT),
                             content_type);
        r = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
        if (!r)
                free(body);
        return dress(r, content_type);
}

static void set_stall_timeout(struct http_exchange *x)
{
        struct http_conn *c = x->conn;

        if (c->timed)
                return;
        c->timed = true;
        MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT,
                                  (unsigned)(c->server->idle_ns / NSEC_PER_SEC));
}

/* Hands the response to libmicrohttpd, now or behind a small body that must be read first. */
static void queue(struct http_exchange *x, unsigned status, struct MHD_Response *r, size_t size)
{
        struct http_conn *c = x->conn;
        struct http_server *s = c->server;
        bool early = x->in_callback && !x->called && x->has_body && x->body_len == 0;
        int64_t now = x->in_callback ? s->now_ns : clock_mono_ns();

        x->answered = true;
        if (early && x->asked && !x->pending && !x->expects_continue &&
            x->body_expected <= HTTP_DRAIN_MAX) {
                x->pending = r;
                x->pending_status = status;
                return;
        }
        c->lingers |= early;
        if (!x->in_callback || size > KIB(64))
                set_stall_timeout(x);
        http_conn_set_deadline(c, HTTP_PHASE_SEND,
                               now + s->idle_ns +
                                   (int64_t)(size / HTTP_SEND_RATE_MIN) * NSEC_PER_SEC);
        if (MHD_queue_response(c->mhd, status, r) != MHD_YES)
                http_conn_kill(c);
        MHD_destroy_response(r);
        http_exchange_resume(x);
}

void http_exchange_reply(struct http_exchange *x, const struct http_reply *reply)
{
        struct MHD_Response *r;

        if (x->answered || x->stream.open || x->conn->dead) {
                free(reply->take_body);
                return;
        }
        r = plain_response(reply->content_type, reply->take_body, reply->size);
        if (!r) { /* out of memory: better no answer than none of the client's business */
                x->answered = true;
                http_conn_kill(x->conn);
                return;
        }
        for (size_t i = 0; i + 1 < ARRAY_LEN(reply->extra) && reply->extra[i]; i += 2)
                (void)MHD_add_response_header(r, reply->extra[i], reply->extra[i + 1]);
        queue(x, reply->status, r, reply->size);
}

enum MHD_Result http_reply_pending(struct http_exchange *x)
{
        struct MHD_Response *r = take_ptr(x->pending);

        http_conn_set_deadline(x->conn, HTTP_PHASE_SEND,
                               x->conn->server->now_ns + x->conn->server->idle_ns);
        enum MHD_Result ok = MHD_queue_response(x->conn->mhd, x->pending_status, r);

        MHD_destroy_response(r);
        return ok;
}

/* ---- refusals ---- */

void http_reply_refuse(struct http_exchange *x, unsigned status, const char *words)
{
        struct http_server *s = x->conn->server;
        size_t size = 0;
        char *body = s->handler.refusal(s->handler.ctx, status, words, &size);
        struct MHD_Response *r = plain_response(NULL, body, size);

        if (!r || !MHD_add_response_header(r, "Connection", "close")) {
                if (r)
                        MHD_destroy_response(r);
                http_conn_kill(x->conn);
                return;
        }
        /* What is behind a head like this may be anything: close without a reset. */
        x->conn->lingers = true;
        queue(x, status, r, size);
}

void http_reply_refuse_raw(struct http_server *s, int fd, unsigned status, const char *words)
{
        scoped(str) struct str out = {0};
        size_t size = 0;
        scoped(free) char *body = s->handler.refusal(s->handler.ctx, status, words, &size);

        str_addf(&out,
                 "HTTP/1.1 %u %s\r\nContent-Type: " JSON "\r\nContent-Length: %zu\r\n"
                 "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                 "Connection: close\r\n\r\n",
                 status, MHD_get_reason_phrase_for(status), body ? size : 0);
        str_add(&out, body, body ? size : 0);
        if (!out.bad) /* the socket's buffer is empty here; what does not fit is not worth waiting
                         for */
                (void)!send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- streams ---- */

/* MHD_ContentReaderCallback: what is there, or sleep until there is something. */
static ssize_t stream_read(void *ctx, uint64_t pos unused_param, char *buf, size_t max)
{
        struct http_exchange *x = ctx;
        struct http_stream *s = &x->stream;
        size_t n = MIN_OF(s->len - s->off, max);

        if (s->cut || x->conn->dead)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        if (n) {
                memcpy(buf, s->buf + s->off, n);
                s->off += n;
                if (s->off == s->len)
                        s->off = s->len = 0;
                return (ssize_t)n;
        }
        if (s->ended)
                return MHD_CONTENT_READER_END_OF_STREAM;
        http_exchange_suspend(x);
        return 0;
}

int http_exchange_stream(struct http_exchange *x, unsigned status, const char *content_type,
                         size_t buffer_max)
{
        struct http_conn *c = x->conn;
        struct MHD_Response *r;

        if (x->answered || x->stream.open || !x->called)
                return -EINVAL;
        if (c->dead || x->told_gone)
                return -EPIPE;
        r = dress(MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, KIB(4), stream_read, x, NULL),
                  content_type);
        if (!r)
                return -ENOMEM;
        x->stream.open = true;
        x->stream.max = buffer_max;
        set_stall_timeout(x);
        http_conn_set_deadline(c, HTTP_PHASE_CALL, HTTP_NEVER);
        if (MHD_queue_response(c->mhd, status, r) != MHD_YES)
                http_conn_kill(c);
        MHD_destroy_response(r);
        http_exchange_resume(x);
        return 0;
}

static int stream_room(struct http_stream *s, size_t n)
{
        size_t cap = s->cap ? s->cap : 512;
        char *p;

        if (s->off) {
                memmove(s->buf, s->buf + s->off, s->len - s->off);
                s->len -= s->off;
                s->off = 0;
        }
        while (cap < s->len + n)
                cap *= 2;
        if (cap == s->cap)
                return 0;
        p = realloc(s->buf, cap);
        if (!p)
                return -ENOMEM;
        s->buf = p;
        s->cap = cap;
        return 0;
}

int http_exchange_send(struct http_exchange *x, const void *data, size_t n)
{
        struct http_stream *s = &x->stream;
        size_t waiting = s->len - s->off;

        if (!s->open || s->ended)
                return -EINVAL;
        if (s->cut || x->conn->dead)
                return -EPIPE;
        if (n > s->max || waiting > s->max - n) {
                s->cut = true;
                http_conn_kill(x->conn);
                return -ENOBUFS;
        }
        if (s->len + n > s->cap && stream_room(s, n) < 0) {
                s->cut = true;
                http_conn_kill(x->conn);
                return -ENOMEM;
        }
        if (n)
                memcpy(s->buf + s->len, data, n);
        s->len += n;
        http_exchange_resume(x);
        return 0;
}

void http_exchange_end(struct http_exchange *x)
{
        x->stream.ended = true;
        http_exchange_resume(x);
}
