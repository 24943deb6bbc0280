/* http_exchange.c -- one request from its first line to its end, as libmicrohttpd tells it.
 *
 * libmicrohttpd calls http_exchange_begin with the request line, http_exchange_access once with the
 * head, once per piece of body and once at the end, and http_exchange_completed when the exchange
 * is over, however that came. A request without a body is judged (handler->head) only in the last
 * of these calls: an answer given in the first one would cost the connection. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "http/http_connection.h"

#define BODY_FIRST KIB(256) /* reserved at once for a body that announces its length */

static void exchange_free(struct http_exchange *x)
{
        if (x->pending)
                MHD_destroy_response(x->pending);
        http_target_done(&x->target);
        free(x->stream.buf);
        free(x->body);
        free(x);
}

/* MHD_OPTION_URI_LOG_CALLBACK: the only place that sees the target before it is taken apart. */
void *http_exchange_begin(void *server, const char *uri, struct MHD_Connection *mhd)
{
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        struct http_conn *c = info ? info->socket_context : NULL;
        struct http_server *s = server;
        size_t n = uri ? strlen(uri) : 0;
        struct http_exchange *x;

        if (!c || c->dead || s->stopping)
                return NULL;
        x = malloc(sizeof *x + n + 1);
        if (!x)
                return NULL;
        *x = (struct http_exchange){.conn = c, .uri = uri, .raw_len = n};
        memcpy(x->raw, uri ? uri : "", n + 1);
        c->x = x;
        if (c->phase == HTTP_PHASE_IDLE)
                http_conn_set_deadline(c, HTTP_PHASE_READ, s->now_ns + s->request_ns);
        return x;
}

void http_exchange_tell_gone(struct http_exchange *x)
{
        struct http_server *s = x->conn->server;

        if (x->told_gone || !x->called || x->answered)
                return;
        x->told_gone = true;
        s->handler.gone(s->handler.ctx, x);
}

/* MHD_OPTION_NOTIFY_COMPLETED */
void http_exchange_completed(void *server, struct MHD_Connection *mhd, void **con_cls,
                             enum MHD_RequestTerminationCode why unused_param)
{
        struct http_exchange *x = *con_cls;
        struct http_server *s = server;
        struct http_conn *c = x ? x->conn : NULL;

        if (!x)
                return;
        *con_cls = NULL;
        http_exchange_tell_gone(x);
        if (x->called)
                s->exchanges--;
        if (c->timed) {
                MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
                c->timed = false;
        }
        c->x = NULL;
        http_conn_set_deadline(c, HTTP_PHASE_IDLE, s->now_ns + s->idle_ns);
        exchange_free(x);
}

/* Hang-ups of a suspended client: libmicrohttpd does not look. The watch is edge-triggered and
 * stays for the connection's life, so that it costs one system call per connection, not per call.
 */
static void watch_client(struct http_conn *c)
{
        struct epoll_event ev = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = c};

        if (!c->watched)
                c->watched = epoll_ctl(c->server->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == 0;
        else if (c->lost || c->half_closed) {
                c->probe_ns = 0;
                c->server->next_scan_ns = 0;
        }
}

void http_exchange_suspend(struct http_exchange *x)
{
        x->suspended = true;
        MHD_suspend_connection(x->conn->mhd);
        watch_client(x->conn);
}

void http_exchange_resume(struct http_exchange *x)
{
        if (!x->suspended)
                return;
        x->suspended = false;
        MHD_resume_connection(x->conn->mhd);
        x->conn->server->resumed = true;
}

void http_exchange_lost(struct http_exchange *x)
{
        x->conn->dead = true;
        http_exchange_tell_gone(x);
        http_conn_kill(x->conn);
}

/* ---- the body ---- */

/* Room for n more bytes and a NUL: by doubling, never beyond what was announced or is allowed. */
static int body_reserve(struct http_exchange *x, size_t n)
{
        size_t most = MIN_OF(x->body_expected, x->conn->server->body_max) + 1;
        size_t cap = x->body_cap;
        char *p;

        if (!cap)
                cap = x->body_expected == SIZE_MAX ? KIB(4) : BODY_FIRST;
        while (cap < x->body_len + n + 1)
                cap *= 2;
        cap = MIN_OF(cap, most);
        if (cap == x->body_cap)
                return 0;
        p = realloc(x->body, cap);
        if (!p)
                return -ENOMEM;
        x->body = p;
        x->body_cap = cap;
        return 0;
}

/* Answers where libmicrohttpd would not take an answer any more, and has it close. */
static enum MHD_Result cut_body(struct http_exchange *x, unsigned status, const char *words)
{
        x->conn->lingers = true;
        http_reply_refuse_raw(x->conn->server, x->conn->fd, status, words);
        return MHD_NO;
}

static enum MHD_Result take_body(struct http_exchange *x, const char *data, size_t *n)
{
        x->body_seen += *n;
        if (x->pending) { /* refused already: read on only to keep the connection */
                *n = 0;
                return MHD_YES;
        }
        if (*n > x->conn->server->body_max - x->body_len)
                return cut_body(x, MHD_HTTP_CONTENT_TOO_LARGE,
                                "the request's body is larger than this server takes");
        if (body_reserve(x, *n) < 0)
                return cut_body(x, MHD_HTTP_SERVICE_UNAVAILABLE,
                                "the server is out of memory for this body");
        memcpy(x->body + x->body_len, data, *n);
        x->body_len += *n;
        x->body[x->body_len] = '\0';
        *n = 0;
        return MHD_YES;
}

/* ---- the three moments ---- */

/* Asks the owner. False: answered (or, against the contract, not: then the connection dies). */
static bool is_wanted(struct http_exchange *x)
{
        struct http_server *s = x->conn->server;

        x->asked = true;
        return s->handler.head(s->handler.ctx, x) == 0 && !x->answered;
}

static enum MHD_Result on_head(struct http_exchange *x, const char *version)
{
        const char *words = "";
        unsigned status;
        int r;

        x->head_checked = true;
        x->version_11 = strcmp(version, "HTTP/1.0") != 0;
        status = http_head_check(x, version, &words);
        if (!status) {
                r = http_target_parse(x->raw, x->raw_len, &x->target, &words);
                if (r == -ENOMEM)
                        return MHD_NO;
                status = r < 0 ? MHD_HTTP_BAD_REQUEST : 0;
        }
        if (status) {
                http_reply_refuse(x, status, words);
                return x->answered ? MHD_YES : MHD_NO;
        }
        if (!x->has_body)
                return MHD_YES;
        http_conn_look_soon(x->conn);
        if (is_wanted(x))
                return MHD_YES;
        return x->answered ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_end(struct http_exchange *x)
{
        struct http_server *s = x->conn->server;

        if (x->called) /* resumed without an answer: only the dead are */
                return MHD_NO;
        if (x->pending)
                return http_reply_pending(x);
        if (!x->asked && !is_wanted(x))
                return x->answered ? MHD_YES : MHD_NO;
        http_conn_set_deadline(x->conn, HTTP_PHASE_CALL, HTTP_NEVER);
        x->called = true;
        s->exchanges++;
        s->handler.request(s->handler.ctx, x);
        if (x->conn->dead)
                return MHD_NO;
        if (!x->answered && !x->stream.open)
                http_exchange_suspend(x);
        return MHD_YES;
}

enum MHD_Result http_exchange_access(void *server, struct MHD_Connection *mhd unused_param,
                                     const char *url unused_param, const char *method,
                                     const char *version, const char *data, size_t *data_size,
                                     void **con_cls)
{
        struct http_exchange *x = *con_cls;
        enum MHD_Result r;

        if (!x || x->conn->dead || ((struct http_server *)server)->stopping)
                return MHD_NO;
        x->method = method;
        x->in_callback = true;
        if (!x->head_checked)
                r = on_head(x, version);
        else if (*data_size)
                r = take_body(x, data, data_size);
        else
                r = on_end(x);
        x->in_callback = false;
        return r;
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
        return MHD_lookup_connection_value(x->conn->mhd, MHD_HEADER_KIND, name);
}

struct count {
        const char *name;
        size_t len;
        unsigned n;
};

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind unused_param,
                                    const char *name, size_t name_len,
                                    const char *value unused_param, size_t value_len unused_param)
{
        struct count *c = ctx;

        c->n += name_len == c->len && strncasecmp(name, c->name, c->len) == 0;
        return MHD_YES;
}

unsigned http_exchange_header_count(const struct http_exchange *x, const char *name)
{
        struct count c = {name, strlen(name), 0};

        MHD_get_connection_values_n(x->conn->mhd, MHD_HEADER_KIND, count_header, &c);
        return c.n;
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
        const union MHD_ConnectionInfo *info;

        if (x->conn->peer[0] == '\0') {
                info = MHD_get_connection_info(x->conn->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
                if (info)
                        http_listen_format(info->client_addr, x->conn->peer);
        }
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
