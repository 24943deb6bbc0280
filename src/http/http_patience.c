/* http_patience.c -- what a connection does while nothing happens on it: whether its client is
 * still there, and for how long it is waited for. */
#include <errno.h>
#include <sys/socket.h>

#include "http/http_connection.h"

#define PROBE_NS NSEC_PER_SEC

static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* ---- clients that leave ---- */

static void give_up(struct http_conn *c)
{
        c->lost = true;
        http_conn_kill(c);
        /* At once: whatever the owner does for nobody costs others. */
        if (c->x)
                http_exchange_tell_gone(c->x);
}

/* A FIN tells nothing: the client may have closed, or may only have ended its side and wait. An
 * interim response tells: who waits ignores it, who is gone answers with a reset. */
static void probe(struct http_conn *c)
{
        ssize_t n;

        if (!http_conn_flush(c)) { /* half an interim response of ours is still on its way */
                if (c->lost)
                        give_up(c);
                return;
        }
        n = send(c->fd, interim, sizeof interim - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

        c->deadline_ns = c->server->now_ns + PROBE_NS;
        http_server_want_scan(c->server, c->deadline_ns);
        if (n < 0 ? errno != EAGAIN && errno != EINTR : n < (ssize_t)sizeof interim - 1)
                give_up(c);
}

/* In the middle of a stream there is nothing to probe with, and nobody ends his side to listen to
 * one without end. */
void http_conn_check_client(struct http_conn *c)
{
        bool waits = c->phase == HTTP_PHASE_CALL || c->phase == HTTP_PHASE_STREAM;

        if (c->dead || (!waits && c->phase != HTTP_PHASE_SEND))
                return;
        if (c->lost || (c->half_closed && c->phase == HTTP_PHASE_STREAM && !c->x->stream_ended))
                give_up(c);
        else if (c->half_closed && c->phase == HTTP_PHASE_CALL && c->head.version_11 &&
                 (c->deadline_ns == HTTP_NEVER || c->deadline_ns <= c->server->now_ns))
                probe(c);
}

/* ---- deadlines ---- */

/* A window has passed: did enough move in it? Then the next one begins. */
static bool moves(struct http_conn *c, size_t rate)
{
        int64_t window = MIN_OF(HTTP_WINDOW_NS, c->server->idle_ns);

        if (c->server->now_ns >= c->limit_ns || c->moved < rate * (size_t)(window / NSEC_PER_SEC))
                return false;
        c->moved = 0;
        c->deadline_ns = MIN_OF(c->limit_ns, c->server->now_ns + window);
        return true;
}

static void on_deadline(struct http_conn *c)
{
        switch (c->phase) {
        case HTTP_PHASE_HEAD:
                if (c->in_len > c->in_off)
                        http_reply_refuse(c, 408, "the request did not arrive in time");
                else
                        http_conn_kill(c);
                break;
        case HTTP_PHASE_BODY:
                if (!moves(c, HTTP_BODY_RATE_MIN))
                        http_reply_refuse(c, 408, "the request did not arrive in time");
                break;
        case HTTP_PHASE_SEND:
                if (!moves(c, HTTP_SEND_RATE_MIN))
                        give_up(c);
                break;
        case HTTP_PHASE_IDLE:
        case HTTP_PHASE_SKIP:
        case HTTP_PHASE_STREAM:
                give_up(c);
                break;
        case HTTP_PHASE_CALL:
                break;
        }
        http_conn_ready(c);
}

void http_conn_on_time(struct http_conn *c)
{
        if (c->dead)
                return;
        http_conn_check_client(c);
        if (!c->dead && c->deadline_ns <= c->server->now_ns)
                on_deadline(c);
}
