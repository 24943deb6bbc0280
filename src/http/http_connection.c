/* http_connection.c -- one client's socket: its requests one after the other, never two at a time.
 *
 * The socket is watched edge-triggered for everything from its first day to its last, so that a
 * request costs no call to epoll. `readable` remembers an edge until the socket was read empty; the
 * end of the client's side wakes us in every phase, whatever it arrived together with. While the
 * owner has a request, nothing more is read: what a client sends ahead waits in `in`, which is
 * small, and then in the kernel, until the client can send no more. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "http/http_connection.h"

#define REQUESTS_MAX 16     /* of one client in a turn; then the others have theirs */
#define BYTES_MAX    MIB(1) /* of body of one client in a turn */

/* What one client was given of this turn. */
struct turn {
        unsigned requests;
        size_t bytes;
};

/* ---- life ---- */

struct http_conn *http_conn_new(struct http_server *s, int socket, const struct sockaddr *from,
                                uint64_t address)
{
        scoped(fd) int fd = socket;
        struct http_conn *c = calloc(1, sizeof *c);
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                 .data.ptr = c};

        if (!c)
                return NULL;
        c->watch = HTTP_WATCH_CLIENT;
        c->server = s;
        c->address = address;
        if (from->sa_family == AF_INET)
                memcpy(&c->from.v4, from, sizeof c->from.v4);
        else if (from->sa_family == AF_INET6)
                memcpy(&c->from.v6, from, sizeof c->from.v6);
        if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
                free(c);
                return NULL;
        }
        c->fd = take_fd(&fd);
        c->readable = true;
        TAILQ_INSERT_HEAD(&s->conns, c, link);
        s->n_conns++;
        http_conn_enter(c, HTTP_PHASE_HEAD, s->now_ns + s->head_ns, false);
        return c;
}

static void close_socket(struct http_conn *c)
{
        struct http_server *s = c->server;

        /* Closing alone would not do: until a worker that is just being started has come to its
         * execve it holds the socket too, and events of it would still come. */
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        if (!c->lingers || c->lost || s->stopping)
                fd_close(c->fd);
        else
                http_linger_add(s, c->fd);
}

void http_conn_free(struct http_conn *c)
{
        struct http_server *s = c->server;

        if (c->x) {
                http_exchange_tell_gone(c->x);
                http_exchange_free(take_ptr(c->x));
        }
        if (c->ready)
                TAILQ_REMOVE(&s->ready, c, ready_link);
        TAILQ_REMOVE(&s->conns, c, link);
        if (c->reserved)
                s->n_reserved--;
        else
                s->n_conns--;
        close_socket(c);
        free(c->in);
        free(c->answer);
        str_done(&c->out);
        free(c);
        s->n_gone++;
        http_accept_refill(s);
}

void http_conn_ready(struct http_conn *c)
{
        if (!c->ready)
                TAILQ_INSERT_TAIL(&c->server->ready, c, ready_link);
        c->ready = true;
}

void http_conn_kill(struct http_conn *c)
{
        c->dead = true;
        http_conn_ready(c);
}

void http_conn_enter(struct http_conn *c, enum http_phase phase, int64_t deadline_ns, bool window)
{
        int64_t now = c->server->now_ns;

        c->phase = phase;
        c->since_ns = now;
        c->limit_ns = deadline_ns;
        c->moved = 0;
        if (window)
                deadline_ns = MIN_OF(deadline_ns, now + MIN_OF(HTTP_WINDOW_NS, c->server->idle_ns));
        c->deadline_ns = deadline_ns;
        http_server_want_scan(c->server, deadline_ns);
}

/* ---- bytes out ---- */

bool http_conn_has_output(const struct http_conn *c)
{
        return c->out_off < c->out.len || c->answer_off < c->answer_size;
}

static void sent(struct http_conn *c, size_t n)
{
        size_t of_out = MIN_OF(n, c->out.len - c->out_off);

        c->moved += n;
        c->out_off += of_out;
        c->answer_off += n - of_out;
        if (c->out_off == c->out.len)
                c->out_off = c->out.len = 0;
}

bool http_conn_flush(struct http_conn *c)
{
        while (!c->dead && http_conn_has_output(c)) {
                struct iovec v[2] = {
                    {c->out.data ? c->out.data + c->out_off : NULL, c->out.len - c->out_off},
                    {c->answer ? c->answer + c->answer_off : NULL, c->answer_size - c->answer_off}};
                struct msghdr m = {.msg_iov = v[0].iov_len ? v : v + 1,
                                   .msg_iovlen = v[0].iov_len && v[1].iov_len ? 2 : 1};
                ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n >= 0)
                        sent(c, (size_t)n);
                else if (errno == EAGAIN)
                        return false;
                else if (errno != EINTR) {
                        c->lost = true;
                        http_conn_kill(c);
                }
        }
        return !c->dead;
}

/* ---- bytes in ---- */

/* What recv says, with the end and the empty socket remembered: >0 bytes, 0 none now. */
static size_t receive(struct http_conn *c, void *buf, size_t size, int flags)
{
        ssize_t n;

        if (!c->readable || c->ended || c->dead)
                return 0;
        do
                n = recv(c->fd, buf, size, flags | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n > 0) {
                /* Less than there was room for: empty, unless the end stands behind it. */
                c->readable = (size_t)n == size || c->half_closed;
                return (size_t)n;
        }
        c->readable = false;
        if (n == 0) {
                c->ended = c->half_closed = true;
        } else if (errno != EAGAIN) {
                c->lost = true;
                http_conn_kill(c);
        }
        return 0;
}

/* Reads into `in`, making room up to `most` bytes in all. */
static bool fill(struct http_conn *c, size_t most)
{
        size_t n, cap = c->in_cap ? c->in_cap : HTTP_IN_FIRST;
        /* All was used, and all of the room had been filled: there is more where that came from. */
        bool grows = c->in_cap && c->in_off == c->in_cap && c->in_cap < most;
        char *p;

        if (c->in_off && (c->in_off == c->in_len || c->in_len == c->in_cap)) {
                memmove(c->in, c->in + c->in_off, c->in_len - c->in_off);
                c->in_len -= c->in_off;
                c->in_off = 0;
        }
        if (c->in_len == c->in_cap || grows) {
                cap = c->in_cap ? MIN_OF(cap * 2, most) : cap;
                p = cap > c->in_cap ? realloc(c->in, cap) : NULL;
                if (!p) {
                        http_conn_kill(c);
                        return false;
                }
                c->in = p;
                c->in_cap = cap;
        }
        n = receive(c, c->in + c->in_len, c->in_cap - c->in_len, 0);
        c->in_len += n;
        return n > 0;
}

/* Between requests a connection keeps little. */
static void shrink(struct http_conn *c)
{
        if (c->out.cap > HTTP_IN_FIRST)
                str_done(&c->out);
        if (c->in_off < c->in_len || c->in_cap <= HTTP_IN_FIRST)
                return;
        free(take_ptr(c->in));
        c->in_off = c->in_len = c->in_cap = 0;
}

/* ---- one phase's share: true when there is more to do at once ---- */

static bool on_early_end(struct http_conn *c)
{
        /* A client that only ended its own side learns why it gets nothing. */
        if (c->ended)
                http_reply_refuse(c, 400, "the request ended before it was complete");
        return c->ended;
}

static bool pump_head(struct http_conn *c, struct turn *turn)
{
        const char *words = "";
        int r = HTTP_HEAD_MORE;

        do {
                if (c->in_len - c->in_off > c->head.size) {
                        if (c->phase == HTTP_PHASE_IDLE)
                                http_conn_enter(c, HTTP_PHASE_HEAD,
                                                c->server->now_ns + c->server->head_ns, false);
                        r = http_head_read(&c->head, c->in + c->in_off, c->in_len - c->in_off,
                                           &words);
                }
        } while (r == HTTP_HEAD_MORE && fill(c, HTTP_IN_MAX));
        if (r == HTTP_HEAD_MORE && c->ended && c->in_len == c->in_off)
                http_conn_kill(c); /* between requests: nothing is owed */
        if (c->dead)
                return false;
        if (r == HTTP_HEAD_MORE)
                return on_early_end(c);
        turn->requests++;
        if (r == HTTP_HEAD_COMPLETE)
                http_exchange_begin(c);
        else
                http_reply_refuse(c, (unsigned)r, words);
        return true;
}

static bool on_chunks(struct http_conn *c, struct turn *turn)
{
        struct http_piece piece;
        const char *words = "";

        while (c->in_off < c->in_len && c->phase == HTTP_PHASE_BODY && !c->dead) {
                if (http_chunks_step(&c->chunks, c->in + c->in_off, c->in_len - c->in_off, &piece,
                                     &words) < 0) {
                        http_reply_refuse(c, 400, words);
                        return true;
                }
                /* What a chunk only announces is too much already. */
                if (c->chunks.left > c->server->body_max) {
                        http_reply_refuse(c, 413, HTTP_TOO_LARGE);
                        return true;
                }
                c->in_off += piece.used;
                turn->bytes += piece.used;
                if (piece.len && !http_exchange_take(c->x, piece.data, piece.len))
                        return true;
                if (piece.ended) {
                        http_exchange_complete(c->x);
                        return true;
                }
        }
        return false;
}

static bool pump_chunks(struct http_conn *c, struct turn *turn)
{
        do {
                if (on_chunks(c, turn))
                        return true;
        } while (turn->bytes < BYTES_MAX && fill(c, HTTP_IN_CHUNK));
        return turn->bytes < BYTES_MAX && !c->dead && on_early_end(c);
}

/* Of an announced length: straight to where it is kept. */
static bool pump_body(struct http_conn *c, struct turn *turn)
{
        size_t waiting = (size_t)MIN_OF((uint64_t)(c->in_len - c->in_off), c->body_left);
        size_t room, n;
        char *to;

        if (c->body_left == HTTP_LENGTH_UNKNOWN)
                return pump_chunks(c, turn);
        if (waiting) {
                c->in_off += waiting;
                c->body_left -= waiting;
                if (!http_exchange_take(c->x, c->in + c->in_off - waiting, waiting))
                        return true;
        }
        while (c->body_left && turn->bytes < BYTES_MAX && c->readable && !c->dead) {
                to = http_exchange_room(c->x, &room);
                if (!to)
                        return true;
                n = receive(c, to, (size_t)MIN_OF((uint64_t)room, c->body_left), 0);
                http_exchange_took(c->x, n);
                c->body_left -= n;
                turn->bytes += n;
        }
        if (c->body_left)
                return turn->bytes < BYTES_MAX && !c->dead && on_early_end(c);
        http_exchange_complete(c->x);
        return true;
}

static bool pump_skip(struct http_conn *c)
{
        size_t n = (size_t)MIN_OF((uint64_t)(c->in_len - c->in_off), c->body_left);

        c->in_off += n;
        c->body_left -= n;
        /* MSG_TRUNC: TCP drops the bytes without copying them. */
        while (c->body_left && (n = receive(c, NULL, (size_t)c->body_left, MSG_TRUNC)))
                c->body_left -= n;
        if (c->body_left) {
                if (c->ended)
                        http_conn_kill(c);
                return false;
        }
        http_conn_enter(c, HTTP_PHASE_IDLE, c->server->now_ns + c->server->idle_ns, false);
        return true;
}

/* The answer has gone out: on to the next request, if there may be one. */
static bool end_exchange(struct http_conn *c)
{
        struct http_server *s = c->server;

        if (c->x) {
                http_exchange_tell_gone(c->x);
                http_exchange_free(take_ptr(c->x));
        }
        free(take_ptr(c->answer));
        c->answer_off = c->answer_size = 0;
        if (c->close_after) {
                /* Closed with bytes unread, the kernel would reset it, and lose the answer. */
                if (!c->readable && c->reserved)
                        c->lingers = false; /* the reserve is short, and all was read */
                c->lingers |= c->in_off < c->in_len || (c->readable && !c->ended);
                http_conn_kill(c);
                return false;
        }
        http_head_reset(&c->head);
        shrink(c);
        http_conn_enter(c, c->body_left ? HTTP_PHASE_SKIP : HTTP_PHASE_IDLE, s->now_ns + s->idle_ns,
                        false);
        return true;
}

static bool pump_stream(struct http_conn *c)
{
        if (!http_conn_flush(c)) {
                /* It moves, or it has just begun to stand still. */
                if (c->deadline_ns == HTTP_NEVER || c->moved)
                        http_conn_enter(c, HTTP_PHASE_STREAM,
                                        c->server->now_ns + c->server->idle_ns, false);
                return false;
        }
        c->deadline_ns = HTTP_NEVER;
        if (c->x->stream_ended)
                return end_exchange(c);
        if (c->out.cap > HTTP_IN_FIRST) { /* it has caught up */
                str_done(&c->out);
                http_server_release_some(c->server, c->x, c->x->stream_held);
                c->x->stream_held = 0;
        }
        http_conn_check_client(c); /* its end may have come together with its request */
        return false;
}

static bool pump_phase(struct http_conn *c, struct turn *turn)
{
        switch (c->phase) {
        case HTTP_PHASE_IDLE:
        case HTTP_PHASE_HEAD:
                return pump_head(c, turn);
        case HTTP_PHASE_BODY:
                (void)http_conn_flush(c); /* "100 Continue" */
                return !c->dead && pump_body(c, turn);
        case HTTP_PHASE_SKIP:
                return pump_skip(c);
        case HTTP_PHASE_SEND:
                return http_conn_flush(c) && end_exchange(c);
        case HTTP_PHASE_STREAM:
                return pump_stream(c);
        case HTTP_PHASE_CALL:
                http_conn_check_client(c); /* its end may have come together with its request */
                return false;
        }
        return false;
}

void http_conn_pump(struct http_conn *c)
{
        struct turn turn = {0};

        while (!c->dead && pump_phase(c, &turn))
                if (turn.requests >= REQUESTS_MAX) {
                        http_conn_ready(c);
                        return;
                }
        if (!c->dead && c->phase == HTTP_PHASE_BODY && turn.bytes >= BYTES_MAX)
                http_conn_ready(c);
}

/* ---- events ---- */

void http_conn_on_event(struct http_conn *c, uint32_t events)
{
        if (c->dead)
                return;
        if (events & (EPOLLERR | EPOLLHUP))
                c->lost = true;
        if (events & EPOLLRDHUP)
                c->half_closed = true;
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))
                c->readable = true;
        http_conn_check_client(c);
        http_conn_pump(c);
}
