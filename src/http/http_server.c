/* http_server.c -- the server's loop: one epoll set that holds the listening socket, the clients
 * and the sockets that are being closed gently. */
#include "http/http_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "http/http_connection.h"

#define EVENTS_MAX   64
#define HEAD_SECONDS 10
#define HELD_MAX     MIB(512)

/* ---- the budget ---- */

/* A little for each is free: it is bounded by the number of connections. */
bool http_server_hold(struct http_server *s, struct http_exchange *x, size_t n)
{
        if (x->held + n > HTTP_HELD_FREE && (s->held > s->held_max || n > s->held_max - s->held))
                return false;
        x->held += n;
        s->held += n;
        return true;
}

void http_server_release_some(struct http_server *s, struct http_exchange *x, size_t n)
{
        s->held -= n;
        x->held -= n;
}

void http_server_release(struct http_server *s, struct http_exchange *x)
{
        http_server_release_some(s, x, x->held);
}

/* ---- deadlines ---- */

void http_server_want_scan(struct http_server *s, int64_t at_ns)
{
        if (at_ns < s->next_scan_ns)
                s->next_scan_ns = at_ns;
}

/* Few connections, rarely: looking at all of them is cheaper than keeping them in order. */
static void scan(struct http_server *s)
{
        int64_t earliest = http_linger_expire(s, false);
        struct http_conn *c;

        s->next_scan_ns = HTTP_NEVER;
        TAILQ_FOREACH (c, &s->conns, link) {
                http_conn_on_time(c);
                if (!c->dead)
                        earliest = MIN_OF(earliest, c->deadline_ns);
        }
        http_server_want_scan(s, earliest);
        if (!s->accepting)
                http_accept_set(s, true);
}

/* ---- the loop's turn ---- */

static void dispatch(struct http_server *s, const struct epoll_event *ev)
{
        enum http_watch *what = ev->data.ptr;

        switch (*what) {
        case HTTP_WATCH_LISTEN:
                s->accept_due = true;
                break;
        case HTTP_WATCH_CLIENT:
                http_conn_on_event(container_of(what, struct http_conn, watch), ev->events);
                break;
        case HTTP_WATCH_LINGER:
                http_linger_drain(s, container_of(what, struct http_linger, watch));
                break;
        }
}

/* Those that are ready now; who becomes so meanwhile waits for the next turn. */
static void run_ready(struct http_server *s)
{
        struct http_conn *last = TAILQ_LAST(&s->ready, http_conns), *c;

        while ((c = TAILQ_FIRST(&s->ready))) {
                bool is_last = c == last;

                TAILQ_REMOVE(&s->ready, c, ready_link);
                c->ready = false;
                if (c->dead)
                        http_conn_free(c);
                else
                        http_conn_pump(c);
                if (is_last)
                        break;
        }
}

void http_server_run(struct http_server *s)
{
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);

        s->now_ns = clock_mono_ns();
        for (int i = 0; i < n; i++)
                dispatch(s, &events[i]);
        /* Frees those that make room: nobody holds an event of theirs any more. */
        if (s->accept_due)
                http_accept_some(s);
        if (s->now_ns >= s->next_scan_ns)
                scan(s);
        run_ready(s);
        if (s->n_gone >= HTTP_MANY) {
                s->n_gone = 0;
                s->handler.calm(s->handler.ctx);
        }
}

int64_t http_server_timeout_ns(struct http_server *s)
{
        if (!TAILQ_EMPTY(&s->ready))
                return 0;
        if (s->next_scan_ns == HTTP_NEVER)
                return -1;
        return MAX_OF(s->next_scan_ns - clock_mono_ns(), 0);
}

/* ---- life ---- */

static int start_listening(struct http_server *s, const char *listen, struct err *e)
{
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &s->listen_watch};
        struct sockaddr_storage addr;
        socklen_t len = sizeof addr;
        int r = http_listen_open(listen, &s->listen_fd, e);

        if (r < 0)
                return r;
        if (getsockname(s->listen_fd, (struct sockaddr *)&addr, &len) < 0 ||
            epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &ev) < 0)
                return err_set_errno(e, -errno, "listen on %s", listen);
        http_listen_format((struct sockaddr *)&addr, s->address);
        s->accepting = true;
        return 0;
}

/* Half of the descriptors at most: the other half is for what serves the clients. */
static unsigned affordable(unsigned connections)
{
        struct rlimit files;

        if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY ||
            connections <= files.rlim_cur / 2)
                return connections;
        return MAX_OF((unsigned)(files.rlim_cur / 2), 1);
}

static void take_options(struct http_server *s, const struct http_options *o)
{
        unsigned head = o->head_seconds ? o->head_seconds : HEAD_SECONDS;

        s->body_max = o->body_max;
        s->held_max = MAX_OF(o->held_max ? o->held_max : HELD_MAX, o->body_max);
        s->connections_max = affordable(o->connections_max);
        s->spares_loopback = o->per_address_max == 0;
        s->per_address_max =
            o->per_address_max ? o->per_address_max : MAX_OF(o->connections_max / 4, 1);
        s->idle_ns = MAX_OF(o->idle_seconds, 1) * NSEC_PER_SEC;
        s->request_ns = MAX_OF(o->request_seconds, 1) * NSEC_PER_SEC;
        s->head_ns = MIN_OF((int64_t)head * NSEC_PER_SEC, s->request_ns);
        s->reserved_for = o->reserved_for;
}

DEFINE_SCOPED(struct http_server *, http_server_free)

int http_server_new(const struct http_options *o, const struct http_handler *handler,
                    struct http_server **ret, struct err *e)
{
        scoped(http_server_free) struct http_server *s = calloc(1, sizeof *s);
        int r;

        if (!s)
                return err_set(e, -ENOMEM, "no memory for the HTTP server");
        take_options(s, o);
        TAILQ_INIT(&s->conns);
        TAILQ_INIT(&s->ready);
        s->handler = *handler;
        s->listen_watch = HTTP_WATCH_LISTEN;
        s->next_scan_ns = HTTP_NEVER;
        s->now_ns = clock_mono_ns();
        s->listen_fd = -1;
        s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        http_accept_refill(s);
        if (s->n_spares < HTTP_RESERVE || s->epoll_fd < 0)
                return err_set_errno(e, -errno, "prepare the HTTP server");
        r = start_listening(s, o->listen, e);
        if (r < 0)
                return r;
        *ret = take_ptr(s);
        return 0;
}

void http_server_free(struct http_server *s)
{
        struct http_conn *c;

        if (!s)
                return;
        s->stopping = true;
        while ((c = TAILQ_FIRST(&s->conns)))
                http_conn_free(c);
        http_linger_expire(s, true);
        while (s->n_spares)
                fd_close(s->spares[--s->n_spares]);
        fd_close(s->listen_fd);
        fd_close(s->epoll_fd);
        free(s);
}

int http_server_fd(const struct http_server *s)
{
        return s->epoll_fd;
}

void http_server_address(const struct http_server *s, char *buf)
{
        memcpy(buf, s->address, sizeof s->address);
}

void http_server_stop_listening(struct http_server *s)
{
        s->listen_fd = fd_close(s->listen_fd);
        s->accepting = false;
}

bool http_server_is_answering(const struct http_server *s)
{
        const struct http_conn *c;

        TAILQ_FOREACH (c, &s->conns, link)
                if (c->phase == HTTP_PHASE_SEND && !c->dead)
                        return true;
        return false;
}

unsigned http_server_exchanges(const struct http_server *s)
{
        return s->exchanges;
}
