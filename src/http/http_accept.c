/* http_accept.c -- who gets in, when not everybody can.
 *
 * Every client but the last few may ask for anything. When all their slots are taken, whoever asks
 * nothing (idle, or crawling through its request) makes room: the one that has done so for longest
 * first, and last those that have just had an answer. When nobody does, the reserve is what is
 * left: a few connections, each on a short lease, that are answered health and nothing else. The
 * reserve has descriptors of its own, held open as spares, so that it also works when the process
 * has run out of them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "http/http_connection.h"

#define ACCEPTS_MAX 64 /* per turn */
#define TRIES_MAX   16
#define PAUSE_NS    (250 * NSEC_PER_MSEC)
#define GRACE_NS    (20 * NSEC_PER_MSEC) /* after which silence counts */
#define LEASE_NS    (2 * NSEC_PER_SEC)   /* of a connection of the reserve, for its request */
#define CRAWL_NS    (5 * NSEC_PER_SEC)   /* a body is given that long to get going */
#define V6_NETWORK  8                    /* bytes of an IPv6 address that one client has: a /64 */

/* ---- addresses ---- */

/* One number for what counts as one client. */
static uint64_t client_key(const struct sockaddr *from)
{
        const struct sockaddr_in6 *in6 = (const void *)from;
        uint64_t key = 0;
        uint32_t v4 = 0;

        if (from->sa_family == AF_INET) {
                memcpy(&v4, &((const struct sockaddr_in *)(const void *)from)->sin_addr, sizeof v4);
        } else if (from->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
                memcpy(&v4, in6->sin6_addr.s6_addr + 12, sizeof v4);
        } else if (from->sa_family == AF_INET6) {
                memcpy(&key, in6->sin6_addr.s6_addr, V6_NETWORK);
                return key | 1;
        }
        return (uint64_t)v4 << 32 | 1;
}

static bool is_loopback(const struct sockaddr *from)
{
        const struct sockaddr_in6 *in6 = (const void *)from;

        if (from->sa_family == AF_INET)
                return ntohl(((const struct sockaddr_in *)(const void *)from)->sin_addr.s_addr) >>
                           24 ==
                       127;
        return from->sa_family == AF_INET6 &&
               (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
                (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && in6->sin6_addr.s6_addr[12] == 127));
}

static bool has_too_many(const struct http_server *s, const struct sockaddr *from, uint64_t key)
{
        const struct http_conn *c;
        unsigned n = 0;

        if (s->spares_loopback && is_loopback(from))
                return false;
        TAILQ_FOREACH (c, &s->conns, link)
                n += c->address == key && !c->dead;
        return n >= s->per_address_max;
}

/* ---- making room ---- */

/* Nothing has come on it, or a head that is not complete, or a body that hardly moves: who holds
 * many of these would keep everybody else out. */
static bool is_crawling(const struct http_conn *c)
{
        int64_t age = c->server->now_ns - c->since_ns;

        if (c->phase == HTTP_PHASE_HEAD)
                return true;
        return c->phase == HTTP_PHASE_BODY && age > CRAWL_NS &&
               c->x->body_seen < (size_t)(age / NSEC_PER_SEC) * HTTP_BODY_RATE_MIN;
}

/* One that has asked and may ask again at any moment is no hoarder yet. */
static bool is_between_requests(const struct http_conn *c)
{
        return c->phase == HTTP_PHASE_IDLE && c->server->now_ns - c->since_ns < CRAWL_NS;
}

static struct http_conn *worst_that_asks_nothing(struct http_server *s)
{
        struct http_conn *c, *worst = NULL;

        TAILQ_FOREACH (c, &s->conns, link) {
                if (c->reserved || (!c->dead && c->phase != HTTP_PHASE_IDLE && !is_crawling(c)))
                        continue;
                if (!worst || is_between_requests(c) < is_between_requests(worst) ||
                    (is_between_requests(c) == is_between_requests(worst) &&
                     c->since_ns <= worst->since_ns))
                        worst = c;
        }
        return worst;
}

/* Whose lease has run for longest, unless the owner is at its answer. There are few, so each has a
 * moment in which a request that was sent at once arrives. */
static struct http_conn *oldest_of_the_reserve(struct http_server *s)
{
        struct http_conn *c, *oldest = NULL;

        TAILQ_FOREACH (c, &s->conns, link) {
                bool had_its_time =
                    c->phase == HTTP_PHASE_HEAD && s->now_ns - c->since_ns > GRACE_NS;

                if (c->reserved && (c->dead || had_its_time) &&
                    (!oldest || c->since_ns <= oldest->since_ns))
                        oldest = c;
        }
        return oldest;
}

/* Closes one that `pick` finds. What it asks may have come and not been read yet: then it stays. */
static bool close_one(struct http_server *s, struct http_conn *(*pick)(struct http_server *))
{
        struct http_conn *c;

        for (int i = 0; i < TRIES_MAX && (c = pick(s)); i++) {
                c->readable = true;
                http_conn_pump(c);
                if (!c->dead && c->phase != HTTP_PHASE_IDLE && !is_crawling(c))
                        continue;
                http_conn_free(c);
                return true;
        }
        return false;
}

static bool close_one_that_asks_nothing(struct http_server *s)
{
        return close_one(s, worst_that_asks_nothing);
}

static bool close_one_of_the_reserve(struct http_server *s)
{
        return close_one(s, oldest_of_the_reserve);
}

bool http_accept_is_reserved_for(const struct http_server *s, const char *path)
{
        for (const char *const *p = s->reserved_for; p && *p; p++)
                if (strcmp(*p, path) == 0)
                        return true;
        return false;
}

/* ---- descriptors ---- */

void http_accept_refill(struct http_server *s)
{
        while (s->n_spares < HTTP_RESERVE && !s->stopping) {
                int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

                if (fd < 0)
                        return;
                s->spares[s->n_spares++] = fd;
        }
}

/* Out of descriptors. A client left in the backlog would wake the loop for ever, so room is made
 * for it as for any other; what becomes free goes to the reserve first, if that lacks some. */
enum room { NO_ROOM, ROOM, ROOM_OF_THE_RESERVE };

static enum room make_room(struct http_server *s)
{
        bool is_whole = s->n_spares == HTTP_RESERVE;

        if (close_one_that_asks_nothing(s) && is_whole)
                return ROOM;
        if (s->n_spares == 0 && !close_one_of_the_reserve(s))
                return NO_ROOM;
        if (s->n_spares)
                fd_close(s->spares[--s->n_spares]);
        return ROOM_OF_THE_RESERVE;
}

void http_accept_set(struct http_server *s, bool on)
{
        struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.ptr = &s->listen_watch};

        if (s->listen_fd >= 0 && epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->listen_fd, &ev) == 0)
                s->accepting = on;
        if (!on)
                http_server_want_scan(s, clock_mono_ns() + PAUSE_NS);
}

/* ---- accepting ---- */

static void refuse_client(struct http_server *s, int fd, const char *words)
{
        http_reply_refuse_raw(s, fd, 503, words);
        http_linger_add(s, fd);
}

static void let_in(struct http_server *s, int fd, const struct sockaddr *from, bool reserved)
{
        uint64_t key = client_key(from);
        struct http_conn *c;

        if (has_too_many(s, from, key)) {
                refuse_client(s, fd, "this address has as many connections as it may; try again");
                return;
        }
        if (!reserved && s->n_conns >= s->connections_max && !close_one_that_asks_nothing(s))
                reserved = true;
        if (reserved && s->n_reserved >= HTTP_RESERVE && !close_one_of_the_reserve(s)) {
                refuse_client(s, fd, "the server has as many connections as it takes; try again");
                return;
        }
        c = http_conn_new(s, fd, from, key);
        if (c && reserved) {
                c->reserved = true;
                s->n_conns--;
                s->n_reserved++;
                http_conn_enter(c, HTTP_PHASE_HEAD, s->now_ns + MIN_OF(LEASE_NS, s->head_ns),
                                false);
        }
        /* Before the next one is let in, who might need its place. */
        if (c)
                http_conn_pump(c);
}

/* accept() is out of descriptors before it looks for a client. */
static bool somebody_waits(const struct http_server *s)
{
        struct pollfd p = {.fd = s->listen_fd, .events = POLLIN};

        return poll(&p, 1, 0) > 0;
}

/* Takes the next client of the backlog. True: there may be more. */
static bool accept_one(struct http_server *s, enum room room)
{
        struct sockaddr_storage addr;
        socklen_t len = sizeof addr;
        int fd =
            accept4(s->listen_fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
                let_in(s, fd, (struct sockaddr *)&addr, room == ROOM_OF_THE_RESERVE);
                return true;
        }
        if (errno == EINTR || errno == ECONNABORTED)
                return true;
        if (errno == EAGAIN)
                return false;
        if (room == NO_ROOM && (errno == EMFILE || errno == ENFILE)) {
                if (!somebody_waits(s))
                        return false;
                room = make_room(s);
                if (room != NO_ROOM)
                        return accept_one(s, room);
        }
        http_accept_set(s, false); /* for a moment */
        return false;
}

void http_accept_some(struct http_server *s)
{
        s->accept_due = false;
        for (int i = 0; i < ACCEPTS_MAX && s->listen_fd >= 0; i++)
                if (!accept_one(s, NO_ROOM))
                        return;
}
