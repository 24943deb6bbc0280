/* http_connection.h -- what the server's own files share: server, connection, exchange.
 * Nobody outside src/http includes this.
 *
 *   http_server.c      the loop: readiness, the ready list, deadlines
 *   http_accept.c      who gets in: caps, the reserve, running out of descriptors
 *   http_connection.c  one client: bytes in, bytes out, from one request to the next
 *   http_patience.c    the same while nothing happens: deadlines, clients that have left
 *   http_exchange.c    one request: its head, its body, what the owner reads of it
 *   http_reply.c       answers, refusals, streams
 *   http_linger.c      closing so that the last answer is not lost
 *
 * Pure, and fuzzed: http_head, http_chunks, http_target, http_guard.
 * Threads: the loop's only.     Owns: nothing of its own; see each struct. */
#ifndef FORGESYTE_HTTP_HTTP_CONNECTION_H
#define FORGESYTE_HTTP_HTTP_CONNECTION_H

#include <netinet/in.h>
#include <sys/queue.h>

#include "base/str.h"
#include "http/http_chunks.h"
#include "http/http_head.h"
#include "http/http_listen.h"
#include "http/http_server.h"
#include "http/http_target.h"

#define HTTP_IN_FIRST       KIB(4) /* room for what comes in; kept between requests */
#define HTTP_IN_MAX         (HTTP_HEAD_MAX + KIB(4))
#define HTTP_IN_CHUNK       KIB(64) /* the same while chunks come */
#define HTTP_DRAIN_MAX      KIB(64) /* a refused body up to this is read: the connection lives */
#define HTTP_LINGERS_MAX    64
#define HTTP_LINGER_SECONDS 3
#define HTTP_RESERVE        8 /* connections, and descriptors, kept for http_options.reserved_for */
#define HTTP_NEVER          INT64_MAX

#define HTTP_TOO_LARGE "the request's body is larger than this server takes"

/* What must move in each window, or the connection is cut: a body on its way in, an answer on its
 * way out. */
#define HTTP_WINDOW_NS     (10 * NSEC_PER_SEC)
#define HTTP_BODY_RATE_MIN KIB(1) /* bytes per second */
#define HTTP_SEND_RATE_MIN KIB(4)
#define HTTP_BODY_RATE_GOOD                                                                        \
        KIB(256)     /* a body's whole time is request_seconds and its size by this */
#define HTTP_MANY 64 /* connections that have gone are worth telling the owner of */
/* What is held for one exchange without asking the budget. */
#define HTTP_HELD_FREE KIB(64)

/* What an event of our epoll set points to: the first member of whatever it is. */
enum http_watch { HTTP_WATCH_LISTEN, HTTP_WATCH_CLIENT, HTTP_WATCH_LINGER };

/* What a connection is at, and what a deadline that passes means. */
enum http_phase {
        HTTP_PHASE_IDLE,   /* between requests: close without words */
        HTTP_PHASE_HEAD,   /* a head on its way: 408 */
        HTTP_PHASE_BODY,   /* its body on its way: 408 */
        HTTP_PHASE_CALL,   /* the owner has it: no deadline of ours */
        HTTP_PHASE_SEND,   /* a plain answer on its way: close */
        HTTP_PHASE_STREAM, /* a stream is open: close when its reader stands still */
        HTTP_PHASE_SKIP,   /* the rest of a refused body on its way: close */
};

struct http_conn {
        enum http_watch watch;
        enum http_phase phase;
        struct http_server *server;
        struct http_exchange *x; /* the one under way, or NULL */
        TAILQ_ENTRY(http_conn) link, ready_link;
        int fd;
        int64_t since_ns;    /* of the phase, or of the request */
        int64_t deadline_ns; /* when to look at it next */
        int64_t limit_ns;    /* the end of a phase that is looked at by windows */
        size_t moved;        /* bytes of body or answer since the window began */
        bool ready;          /* in the ready list: http_conn_pump is due */
        bool readable;       /* the socket may hold bytes, or the end */
        bool half_closed;    /* the client has sent FIN */
        bool ended;          /* and all before it was read */
        bool lost;           /* reset: nobody is there */
        bool dead;           /* we gave it up; the next turn frees it */
        bool lingers;        /* closes with unread bytes: give the client time to read our answer */
        bool reserved;       /* one of the reserve: answers what the reserve is for, once */
        bool close_after;    /* no request follows the one under way */

        char *in; /* what was read and is not used yet: in[in_off..in_len) */
        size_t in_off, in_len, in_cap;
        struct http_head head;
        uint64_t body_left; /* announced and not taken; HTTP_LENGTH_UNKNOWN: chunks say */
        struct http_chunks chunks;

        struct str out; /* heads and streams on their way out: from out_off */
        size_t out_off;
        char *answer; /* then a plain answer's body */
        size_t answer_size, answer_off;

        uint64_t address; /* whom the cap per address counts it to; 0: nobody */
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } from;
        char peer[HTTP_ADDRESS_SIZE];
};

struct http_exchange {
        struct http_conn *conn;
        struct http_target target;
        char *body;
        size_t body_len, body_cap, body_seen; /* seen: before an owner took it away */
        size_t held;                          /* charged to the server's budget */
        bool called;                          /* handler->request was called */
        bool answered;                        /* a plain reply was given */
        bool streams, stream_ended;
        bool chunked; /* a stream's pieces go out as chunks */
        bool told_gone;
        size_t stream_max, stream_held; /* held: of `held`, for what a stream has unread */
        void *data;
        const char *method;
        struct http_field *fields; /* behind `text` */
        size_t n_fields;
        char text[]; /* the head, names and values NUL-terminated, the target decoded in place */
};

struct http_linger {
        enum http_watch watch;
        int fd;
        int64_t deadline_ns;
        struct http_linger *next;
};

TAILQ_HEAD(http_conns, http_conn);

struct http_server {
        size_t body_max;
        size_t held, held_max; /* bodies, unread answers, streams: now, and at most */
        unsigned connections_max, per_address_max;
        bool spares_loopback; /* the cap per address is not for this machine's own clients */
        int64_t idle_ns, request_ns, head_ns;
        const char *const *reserved_for;
        struct http_handler handler;
        int epoll_fd, listen_fd;
        int spares[HTTP_RESERVE]; /* given up, one by one, when descriptors run out */
        unsigned n_spares;
        enum http_watch listen_watch;
        struct http_conns conns, ready;
        unsigned n_conns, n_reserved, exchanges, n_lingers;
        unsigned n_gone; /* connections, since the owner was told */
        struct http_linger *lingers;
        int64_t now_ns;       /* as of the loop's last turn, or the last answer */
        int64_t next_scan_ns; /* no deadline passes before this */
        int64_t date_s;       /* of `date` */
        char date[40];
        bool accepting, accept_due, stopping;
        char address[HTTP_ADDRESS_SIZE];
};

/* ---- http_server.c ---- */
void http_server_want_scan(struct http_server *s, int64_t at_ns);
/* n more bytes held for a client. False: the budget is spent, nothing was charged. */
bool http_server_hold(struct http_server *s, struct http_exchange *x, size_t n) must_check;
/* All that x holds; n bytes of it. */
void http_server_release(struct http_server *s, struct http_exchange *x);
void http_server_release_some(struct http_server *s, struct http_exchange *x, size_t n);

/* ---- http_accept.c ---- */
void http_accept_some(struct http_server *s);
void http_accept_set(struct http_server *s, bool on);
/* Fills the reserve of descriptors again. */
void http_accept_refill(struct http_server *s);
/* May a connection of the reserve have this answered? */
bool http_accept_is_reserved_for(const struct http_server *s, const char *path);

/* ---- http_connection.c ---- */
/* Takes the socket. NULL: no memory, and it is closed. */
struct http_conn *http_conn_new(struct http_server *s, int socket, const struct sockaddr *from,
                                uint64_t address);
/* Frees it, telling the owner what it is owed. Only where nobody else holds the connection: the
 * loop's own lists. */
void http_conn_free(struct http_conn *c);
void http_conn_on_event(struct http_conn *c, uint32_t events);
/* As far as it goes now: reads, parses, asks the owner, writes. */
void http_conn_pump(struct http_conn *c);
/* Has the loop pump it at the end of this turn. */
void http_conn_ready(struct http_conn *c);
/* Gives it up; freed in the loop's turn. */
void http_conn_kill(struct http_conn *c);
/* window: looked at in windows of HTTP_WINDOW_NS until deadline_ns. */
void http_conn_enter(struct http_conn *c, enum http_phase phase, int64_t deadline_ns, bool window);
/* Writes what is there. False: something is left, or the connection died. */
bool http_conn_flush(struct http_conn *c);
bool http_conn_has_output(const struct http_conn *c);

/* ---- http_patience.c ---- */
/* Something was heard of the client, or it is time to look: gives it up if it has left. */
void http_conn_check_client(struct http_conn *c);
/* That, and deadlines. */
void http_conn_on_time(struct http_conn *c);

/* ---- http_exchange.c ---- */
/* The head is complete: makes the exchange and asks the owner; refuses what is wrong with it. */
void http_exchange_begin(struct http_conn *c);
/* n bytes of body came. False: refused. */
bool http_exchange_take(struct http_exchange *x, const char *data, size_t n) must_check;
/* Room for at least one more byte of the body, and how much there is. NULL: refused. */
char *http_exchange_room(struct http_exchange *x, size_t *ret_size);
void http_exchange_took(struct http_exchange *x, size_t n);
/* All of it is here: asks the owner. */
void http_exchange_complete(struct http_exchange *x);
/* Tells the owner once, if it is owed that. */
void http_exchange_tell_gone(struct http_exchange *x);
void http_exchange_free(struct http_exchange *x);

/* ---- http_reply.c ---- */
/* An answer of the server's own, in the owner's words, in place of whatever is under way; the
 * connection closes behind it. */
void http_reply_refuse(struct http_conn *c, unsigned status, const char *words);
/* The same straight to a socket that never became a connection. */
void http_reply_refuse_raw(struct http_server *s, int fd, unsigned status, const char *words);
void http_reply_continue(struct http_conn *c);

/* ---- http_linger.c ---- */
/* Ends our side of fd and drains the other until it ends or time is up. Takes fd. */
void http_linger_add(struct http_server *s, int take_fd);
void http_linger_drain(struct http_server *s, struct http_linger *l);
/* Closes those whose time is up, or all; returns when the next one's is. */
int64_t http_linger_expire(struct http_server *s, bool all);

#endif
