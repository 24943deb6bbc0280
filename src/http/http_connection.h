/* http_connection.h -- what the server's own files share: server, connection, exchange.
 * Nobody outside src/http includes this.
 *
 *   http_server.c   the loop: readiness, accepting, deadlines     http_head.c    smuggling checks
 *   http_exchange.c a request coming in, libmicrohttpd's callbacks http_reply.c  answers, streams
 *   http_linger.c   closing so that the last answer is not lost
 *
 * Threads: the loop's only.     Owns: nothing of its own; see each struct. */
#ifndef FORGESYTE_HTTP_HTTP_CONNECTION_H
#define FORGESYTE_HTTP_HTTP_CONNECTION_H

#include <microhttpd.h>

#include "http/http_listen.h"
#include "http/http_server.h"
#include "http/http_target.h"

#define HTTP_POOL_SIZE   KIB(48) /* libmicrohttpd's memory for one connection */
#define HTTP_HEAD_MAX    KIB(32)
#define HTTP_HEADERS_MAX 100
#define HTTP_DRAIN_MAX                                                                             \
        KIB(64) /* a refused body up to this is read so that the connection lives                  \
                 */
#define HTTP_LINGERS_MAX    64
#define HTTP_LINGER_SECONDS 3
#define HTTP_SEND_RATE_MIN  KIB(4) /* bytes per second a reader must manage on average */
#define HTTP_LOOK_NS        (50 * NSEC_PER_MSEC) /* between looks at a body on its way */
#define HTTP_NEVER          INT64_MAX

/* What an event of our epoll set points to: the first member of whatever it is. */
enum http_watch { HTTP_WATCH_LISTEN, HTTP_WATCH_MHD, HTTP_WATCH_CLIENT, HTTP_WATCH_LINGER };

/* What a deadline that passes means. */
enum http_phase {
        HTTP_PHASE_IDLE, /* between requests: close without words */
        HTTP_PHASE_READ, /* head or body on its way: 408 */
        HTTP_PHASE_CALL, /* the owner has it: no deadline of ours */
        HTTP_PHASE_SEND, /* the answer on its way: close */
};

struct http_conn {
        enum http_watch watch;
        enum http_phase phase;
        struct http_server *server;
        struct MHD_Connection *mhd;
        struct http_exchange *x; /* the one under way, or NULL */
        struct http_conn *prev, *next;
        int fd; /* libmicrohttpd's to close */
        int64_t deadline_ns, probe_ns;
        bool watched;     /* in our epoll set, for hang-ups */
        bool half_closed; /* the client has sent FIN */
        bool lost;        /* reset: nobody is there */
        bool dead;        /* we gave it up; libmicrohttpd will close it */
        bool lingers;     /* closes with unread bytes: give the client time to read our answer */
        unsigned strikes; /* looks at a body that waits unread */
        size_t looked_at; /* what had been read of it then */
        bool timed;       /* has a stall time-out of libmicrohttpd's own */
        char peer[HTTP_ADDRESS_SIZE];
};

struct http_stream {
        char *buf;
        size_t len, off, cap, max;
        bool open, ended, cut;
};

struct http_exchange {
        struct http_conn *conn;
        const char *method;
        struct http_target target;
        char *body;
        size_t body_len, body_cap, body_expected; /* SIZE_MAX: chunked */
        size_t body_seen;                         /* taken or thrown away */
        bool head_checked;                        /* libmicrohttpd's first call is over */
        bool has_body;
        bool expects_continue;
        bool version_11;
        bool asked;     /* handler->head was called */
        bool called;    /* handler->request was called */
        bool answered;  /* a plain reply was given */
        bool told_gone; /* handler->gone was called, or need not be */
        bool suspended;
        bool in_callback;
        void *data;
        struct http_stream stream;
        struct MHD_Response *pending; /* an answer that waits for the end of a refused body */
        unsigned pending_status;
        const char *uri; /* in libmicrohttpd's memory: only to compare addresses with */
        size_t raw_len;
        char raw[]; /* the target, decoded in place */
};

struct http_linger {
        enum http_watch watch;
        int fd;
        int64_t deadline_ns;
        struct http_linger *next;
};

struct http_server {
        size_t body_max;
        unsigned connections_max;
        int64_t idle_ns, request_ns;
        struct http_handler handler;
        struct MHD_Daemon *mhd;
        int epoll_fd, listen_fd;
        int spare_fd; /* given up to accept and refuse a client when descriptors run out */
        enum http_watch listen_watch, mhd_watch;
        struct http_conn *conns;
        unsigned n_conns, exchanges, n_lingers;
        struct http_linger *lingers;
        int64_t now_ns;       /* as of the loop's last turn */
        int64_t next_scan_ns; /* no deadline passes before this */
        bool resumed;         /* something waits for the next turn */
        bool accepting, stopping;
        bool layout_known; /* this libmicrohttpd keeps the head where http_head.c looks for it */
        char address[HTTP_ADDRESS_SIZE];
};

/* ---- http_server.c ---- */
void http_conn_set_deadline(struct http_conn *c, enum http_phase phase, int64_t deadline_ns);
/* A body is on its way. */
void http_conn_look_soon(struct http_conn *c);
/* Makes libmicrohttpd close the connection at its next turn, without telling anybody. */
void http_conn_kill(struct http_conn *c);

/* ---- http_exchange.c: libmicrohttpd's callbacks ---- */
void *http_exchange_begin(void *server, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_exchange_access(void *server, struct MHD_Connection *mhd, const char *url,
                                     const char *method, const char *version, const char *data,
                                     size_t *data_size, void **x);
void http_exchange_completed(void *server, struct MHD_Connection *mhd, void **x,
                             enum MHD_RequestTerminationCode why);
/* The client has left: tells the owner and closes. */
void http_exchange_lost(struct http_exchange *x);
/* Tells the owner once, if it is owed that. */
void http_exchange_tell_gone(struct http_exchange *x);
void http_exchange_suspend(struct http_exchange *x);
void http_exchange_resume(struct http_exchange *x);

/* ---- http_head.c ---- */
/* What is wrong with the head as a whole: a status with static words, 0 when nothing is. Fills
 * has_body, body_expected and expects_continue. */
unsigned http_head_check(struct http_exchange *x, const char *version, const char **ret_words);

/* ---- http_reply.c ---- */
/* An answer of the server's own, in the owner's words; the connection closes behind it. */
void http_reply_refuse(struct http_exchange *x, unsigned status, const char *words);
/* The same straight to a socket, where libmicrohttpd would not take an answer any more. */
void http_reply_refuse_raw(struct http_server *s, int fd, unsigned status, const char *words);
/* Queues what waited for the end of a refused body. */
enum MHD_Result http_reply_pending(struct http_exchange *x);

/* ---- http_linger.c ---- */
/* Ends our side of fd and drains the other until it ends or time is up. Takes fd. */
void http_linger_add(struct http_server *s, int take_fd);
void http_linger_drain(struct http_server *s, struct http_linger *l);
/* Closes those whose time is up, or all; returns when the next one's is. */
int64_t http_linger_expire(struct http_server *s, bool all);

#endif
