/* http_server.c -- the server's loop: one epoll set that holds the listening socket,
 * libmicrohttpd's own epoll set, the sockets of suspended clients (for hang-ups) and those being
 * closed gently. */
#include "http/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "http/http_connection.h"

#define EVENTS_MAX   64
#define TURNS_MAX    8  /* of libmicrohttpd per turn of the owner's loop */
#define ACCEPTS_MAX  64 /* per turn */
#define PROBE_NS     NSEC_PER_SEC
#define SCAN_NS      (250 * NSEC_PER_MSEC)
#define STRIKES_MAX  4
#define CRAWL_NS     (5 * NSEC_PER_SEC) /* a body is given that long to get going */
#define CRAWL_RATE   1024               /* bytes per second */
#define CONN_RESERVE 64                 /* libmicrohttpd's own limit is ours and this */

static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* ---- connections ---- */

static void want_scan(struct http_server *s, int64_t at)
{
        if (at < s->next_scan_ns)
                s->next_scan_ns = at;
}

void http_conn_set_deadline(struct http_conn *c, enum http_phase phase, int64_t deadline_ns)
{
        c->phase = phase;
        c->deadline_ns = deadline_ns;
        want_scan(c->server, deadline_ns);
}

void http_conn_look_soon(struct http_conn *c)
{
        c->strikes = 0;
        want_scan(c->server, c->server->now_ns + HTTP_LOOK_NS);
}

void http_conn_kill(struct http_conn *c)
{
        c->dead = true;
        shutdown(c->fd, SHUT_RDWR);
        if (c->x)
                http_exchange_resume(c->x);
        c->server->resumed = true;
}

static struct http_conn *conn_new(struct http_server *s, struct MHD_Connection *mhd, int fd)
{
        struct http_conn *c = calloc(1, sizeof *c);

        if (!c)
                return NULL;
        c->watch = HTTP_WATCH_CLIENT;
        c->server = s;
        c->mhd = mhd;
        c->fd = fd;
        c->next = s->conns;
        if (c->next)
                c->next->prev = c;
        s->conns = c;
        s->n_conns++;
        http_conn_set_deadline(c, HTTP_PHASE_READ, s->now_ns + s->request_ns);
        return c;
}

static void conn_free(struct http_conn *c)
{
        struct http_server *s = c->server;
        int copy;

        /* By hand: the copy would keep a closed descriptor's watch alive. */
        if (c->watched)
                epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        if (c->lingers && !s->stopping) {
                copy = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
                if (copy >= 0)
                        http_linger_add(s, copy);
        }
        if (c->prev)
                c->prev->next = c->next;
        else
                s->conns = c->next;
        if (c->next)
                c->next->prev = c->prev;
        s->n_conns--;
        free(c);
}

/* MHD_OPTION_NOTIFY_CONNECTION */
static void on_connection(void *server, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
        const union MHD_ConnectionInfo *info;

        if (what == MHD_CONNECTION_NOTIFY_STARTED) {
                info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
                *context = info ? conn_new(server, mhd, info->connect_fd) : NULL;
                if (info && !*context) /* no memory: nobody would watch over it */
                        shutdown(info->connect_fd, SHUT_RDWR);
        } else if (*context) {
                conn_free(*context);
                *context = NULL;
        }
}

/* ---- clients that leave ---- */

/* A FIN tells nothing: the client may have closed, or may only have ended its side and wait. An
 * interim response tells: who waits ignores it, who is gone answers with a reset. */
static void probe(struct http_conn *c)
{
        ssize_t n = send(c->fd, interim, sizeof interim - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

        c->probe_ns = c->server->now_ns + PROBE_NS;
        want_scan(c->server, c->probe_ns);
        if (n < 0 ? errno != EAGAIN && errno != EINTR : n < (ssize_t)sizeof interim - 1)
                http_exchange_lost(c->x);
}

/* Looks after a suspended client of which something was heard. */
static void check_client(struct http_conn *c)
{
        if (!c->x || !c->x->suspended || c->dead)
                return;
        if (c->lost)
                http_exchange_lost(c->x);
        else if (c->half_closed && c->x->stream.open)
                /* In the middle of an answer there is nothing to probe with, and nobody ends his
                 * side to listen to an endless stream. */
                http_exchange_lost(c->x);
        else if (c->half_closed && c->x->version_11 && c->probe_ns <= c->server->now_ns)
                probe(c);
}

static void on_client_event(struct http_conn *c, uint32_t events)
{
        if (events & (EPOLLERR | EPOLLHUP))
                c->lost = true;
        if (events & EPOLLRDHUP)
                c->half_closed = true;
        check_client(c);
}

/* ---- deadlines ---- */

static void on_deadline(struct http_conn *c)
{
        if (c->phase == HTTP_PHASE_READ)
                http_reply_refuse_raw(c->server, c->fd, MHD_HTTP_REQUEST_TIMEOUT,
                                      "the request did not arrive in time");
        http_conn_kill(c);
}

/* A chunk's size line that outgrows libmicrohttpd's buffer makes it neither read on nor give up,
 * but ask for its next turn at once, for ever. Bytes that wait in the socket over several turns
 * show it. */
static void look_at_body(struct http_conn *c)
{
        int waiting = 0;

        if (c->phase != HTTP_PHASE_READ || !c->x || !c->x->has_body)
                return;
        if (ioctl(c->fd, FIONREAD, &waiting) < 0 || !waiting || c->looked_at != c->x->body_seen)
                c->strikes = 0;
        else if (++c->strikes == STRIKES_MAX) {
                http_reply_refuse_raw(c->server, c->fd, MHD_HTTP_BAD_REQUEST,
                                      "the request's body is malformed");
                http_conn_kill(c);
                return;
        }
        c->looked_at = c->x->body_seen;
        want_scan(c->server, c->server->now_ns + HTTP_LOOK_NS);
}

/* Few connections, rarely: looking at all of them is cheaper than keeping them in order. */
static void scan(struct http_server *s)
{
        int64_t earliest = http_linger_expire(s, false);

        s->next_scan_ns = HTTP_NEVER;
        for (struct http_conn *c = s->conns; c; c = c->next) {
                if (c->dead)
                        continue;
                check_client(c);
                look_at_body(c);
                if (!c->dead && c->deadline_ns <= s->now_ns)
                        on_deadline(c);
                if (!c->dead)
                        earliest = MIN_OF(earliest, c->deadline_ns);
        }
        want_scan(s, earliest);
        if (!s->accepting && s->listen_fd >= 0)
                want_scan(s, s->now_ns + SCAN_NS);
}

/* ---- accepting ---- */

static void set_accepting(struct http_server *s, bool on)
{
        struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.ptr = &s->listen_watch};

        if (s->listen_fd >= 0 && epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->listen_fd, &ev) == 0)
                s->accepting = on;
        if (!on)
                want_scan(s, clock_mono_ns() + SCAN_NS);
}

static void refuse_client(struct http_server *s, int fd, const char *words)
{
        http_reply_refuse_raw(s, fd, MHD_HTTP_SERVICE_UNAVAILABLE, words);
        http_linger_add(s, fd);
}

/* Out of descriptors: a client left in the backlog would wake the loop for ever, so it is taken on
 * the spare one and closed; when even that fails, listening pauses for a moment. */
static void on_no_descriptors(struct http_server *s)
{
        int fd;

        s->spare_fd = fd_close(s->spare_fd);
        fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
                http_reply_refuse_raw(s, fd, MHD_HTTP_SERVICE_UNAVAILABLE,
                                      "the server is out of descriptors");
        fd_close(fd);
        s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || s->spare_fd < 0)
                set_accepting(s, false);
}

/* Nothing has come on it, or a head that is not complete, or a body that hardly moves: who holds
 * many of these would keep everybody else out, the health checks too. */
static bool is_crawling(const struct http_conn *c)
{
        int64_t age = c->server->request_ns - (c->deadline_ns - c->server->now_ns);

        if (c->phase != HTTP_PHASE_READ)
                return false;
        if (!c->x || !c->x->head_checked)
                return true;
        return age > CRAWL_NS && (int64_t)c->x->body_seen < age / NSEC_PER_SEC * CRAWL_RATE;
}

/* Under pressure the connection that has been idle for longest makes room, or else the one that has
 * crawled for longest. */
static bool close_an_idle_one(struct http_server *s)
{
        struct http_conn *oldest = NULL;

        for (struct http_conn *c = s->conns; c; c = c->next) {
                bool idle = c->phase == HTTP_PHASE_IDLE;

                if (c->dead || (!idle && !is_crawling(c)))
                        continue;
                if (!oldest || (idle && oldest->phase != HTTP_PHASE_IDLE) ||
                    (idle == (oldest->phase == HTTP_PHASE_IDLE) &&
                     c->deadline_ns < oldest->deadline_ns))
                        oldest = c;
        }
        if (oldest)
                http_conn_kill(oldest);
        return oldest != NULL;
}

static bool accept_one(struct http_server *s)
{
        struct sockaddr_storage addr;
        socklen_t len = sizeof addr;
        int fd =
            accept4(s->listen_fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
                if (errno == EINTR || errno == ECONNABORTED)
                        return true;
                if (errno == EMFILE || errno == ENFILE)
                        on_no_descriptors(s);
                else if (errno != EAGAIN)
                        set_accepting(s, false);
                return false;
        }
        if (s->n_conns >= s->connections_max + CONN_RESERVE / 2 ||
            (s->n_conns >= s->connections_max && !close_an_idle_one(s)))
                refuse_client(s, fd, "the server has as many connections as it takes");
        else
                (void)MHD_add_connection(s->mhd, fd, (struct sockaddr *)&addr, len);
        return true;
}

static void on_listen_event(struct http_server *s)
{
        s->resumed = true;
        for (int i = 0; i < ACCEPTS_MAX && s->listen_fd >= 0; i++) {
                /* Those that made room are closed in this turn; the others wait for that. */
                if (i > 0 && s->n_conns >= s->connections_max + CONN_RESERVE / 2)
                        break;
                if (!accept_one(s))
                        break;
        }
}

/* ---- the loop's turn ---- */

static void dispatch(struct http_server *s, const struct epoll_event *ev)
{
        enum http_watch *what = ev->data.ptr;

        switch (*what) {
        case HTTP_WATCH_LISTEN:
                on_listen_event(s);
                break;
        case HTTP_WATCH_MHD:
                break;
        case HTTP_WATCH_CLIENT:
                on_client_event(container_of(what, struct http_conn, watch), ev->events);
                break;
        case HTTP_WATCH_LINGER:
                http_linger_drain(s, container_of(what, struct http_linger, watch));
                break;
        }
}

void http_server_run(struct http_server *s)
{
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);
        MHD_UNSIGNED_LONG_LONG wait;

        s->now_ns = clock_mono_ns();
        for (int i = 0; i < n; i++)
                dispatch(s, &events[i]);
        if (s->now_ns >= s->next_scan_ns) {
                if (!s->accepting)
                        set_accepting(s, true);
                scan(s);
        }
        for (int i = 0; i < TURNS_MAX; i++) {
                s->resumed = false;
                MHD_run(s->mhd);
                if (!s->resumed && (!MHD_get_timeout(s->mhd, &wait) || wait > 0))
                        break;
        }
}

int64_t http_server_timeout_ns(struct http_server *s)
{
        MHD_UNSIGNED_LONG_LONG wait;
        int64_t left = HTTP_NEVER;

        if (s->resumed)
                return 0;
        if (MHD_get_timeout(s->mhd, &wait)) {
                if (wait == 0)
                        return 0;
                left = (int64_t)wait * NSEC_PER_MSEC;
        }
        if (s->next_scan_ns != HTTP_NEVER)
                left = MIN_OF(left, MAX_OF(s->next_scan_ns - clock_mono_ns(), 0));
        return left == HTTP_NEVER ? -1 : left;
}

/* ---- life ---- */

static size_t keep_escapes(void *ctx unused_param, struct MHD_Connection *mhd unused_param, char *s)
{
        return strlen(s);
}

static int start_daemon(struct http_server *s, struct err *e)
{
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &s->mhd_watch};
        const union MHD_DaemonInfo *info;

        s->mhd = MHD_start_daemon(
            MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, 0,
            NULL, NULL, http_exchange_access, s, MHD_OPTION_NOTIFY_COMPLETED,
            http_exchange_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
            MHD_OPTION_URI_LOG_CALLBACK, http_exchange_begin, s, MHD_OPTION_UNESCAPE_CALLBACK,
            keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT, s->connections_max + CONN_RESERVE,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_POOL_SIZE,
            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
        if (!s->mhd)
                return err_set(e, -ENOMEM, "start libmicrohttpd");
        info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
        if (!info || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &ev) < 0)
                return err_set(e, -EINVAL, "this libmicrohttpd has no epoll");
        s->layout_known = strcmp(MHD_get_version(), "0.9.75") == 0;
        return 0;
}

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

DEFINE_SCOPED(struct http_server *, http_server_free)

int http_server_new(const struct http_options *o, const struct http_handler *handler,
                    struct http_server **ret, struct err *e)
{
        scoped(http_server_free) struct http_server *s = calloc(1, sizeof *s);
        int r;

        if (!s)
                return err_set(e, -ENOMEM, "no memory for the HTTP server");
        s->body_max = o->body_max;
        s->connections_max = o->connections_max;
        s->idle_ns = MAX_OF(o->idle_seconds, 1) * NSEC_PER_SEC;
        s->request_ns = MAX_OF(o->request_seconds, 1) * NSEC_PER_SEC;
        s->handler = *handler;
        s->listen_watch = HTTP_WATCH_LISTEN;
        s->mhd_watch = HTTP_WATCH_MHD;
        s->next_scan_ns = HTTP_NEVER;
        s->listen_fd = -1;
        s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (s->spare_fd < 0 || s->epoll_fd < 0)
                return err_set_errno(e, -errno, "prepare the HTTP server");
        r = start_listening(s, o->listen, e);
        if (r < 0)
                return r;
        r = start_daemon(s, e);
        if (r < 0)
                return r;
        *ret = take_ptr(s);
        return 0;
}

void http_server_free(struct http_server *s)
{
        if (!s)
                return;
        s->stopping = true;
        for (struct http_conn *c = s->conns; c; c = c->next) {
                if (c->x)
                        http_exchange_tell_gone(c->x);
                /* libmicrohttpd must not be stopped with a connection suspended. */
                http_conn_kill(c);
        }
        if (s->mhd)
                MHD_stop_daemon(s->mhd);
        http_linger_expire(s, true);
        fd_close(s->listen_fd);
        fd_close(s->spare_fd);
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
        for (const struct http_conn *c = s->conns; c; c = c->next)
                if (c->phase == HTTP_PHASE_SEND && !c->dead)
                        return true;
        return false;
}

unsigned http_server_exchanges(const struct http_server *s)
{
        return s->exchanges;
}
