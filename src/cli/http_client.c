#include "cli/http_client.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

/* ---- where to ---- */

/* "HOST[:PORT]" of `n` bytes. */
static int parse_authority(const char *text, size_t n, struct http_client_url *u, struct err *e)
{
        bool v6 = n > 0 && text[0] == '[';
        const char *bracket = v6 ? memchr(text, ']', n) : NULL;
        const char *host = text + v6, *after;
        size_t host_len;

        if (v6 && !bracket)
                return err_set(e, -EINVAL, "an IPv6 address ends in ]");
        host_len = v6 ? (size_t)(bracket - host) : strcspn(host, ":/");
        host_len = MIN_OF(host_len, n);
        after = host + host_len + v6;
        if (host_len == 0 || host_len >= sizeof u->host || memchr(host, '@', host_len))
                return err_set(e, -EINVAL, "has no host name that can be used");
        memcpy(u->host, host, host_len);
        u->host[host_len] = '\0';
        snprintf(u->port, sizeof u->port, "80");
        if (after == text + n)
                return 0;
        size_t digits = strspn(after + 1, "0123456789");

        if (*after != ':' || digits == 0 || digits > 5 || after + 1 + digits != text + n ||
            atoi(after + 1) > 65535)
                return err_set(e, -EINVAL, "has no port that can be used");
        snprintf(u->port, sizeof u->port, "%.*s", (int)digits, after + 1);
        return 0;
}

int http_client_url_parse(const char *url, struct http_client_url *ret, struct err *e)
{
        struct http_client_url u = {0};
        size_t n = strlen(url), authority;
        const char *rest;
        int r;

        for (size_t i = 0; i < n; i++)
                if (url[i] <= ' ' || url[i] > '~' || strchr("?#\"<>\\", url[i]))
                        return err_set(e, -EINVAL, "%.60s: is no URL of a host", url);
        if (!strncasecmp(url, "https://", 8))
                return err_set(e, -EINVAL,
                               "%.60s: https is not spoken here; ask on loopback, or "
                               "through a tunnel such as ssh -L",
                               url);
        if (strncasecmp(url, "http://", 7) != 0 || n >= sizeof u.base)
                return err_set(e, -EINVAL, "%.60s: must begin with http:// and be short", url);
        rest = url + 7;
        authority = strcspn(rest, "/");
        r = parse_authority(rest, authority, &u, e);
        if (r < 0)
                return err_wrap(e, r, "%.60s", url);
        rest += authority;
        n = strlen(rest);
        while (n > 0 && rest[n - 1] == '/')
                n--;
        if (n >= sizeof u.path)
                return err_set(e, -EINVAL, "%.60s: the path is too long", url);
        memcpy(u.path, rest, n);
        snprintf(u.base, sizeof u.base, "%s", url);
        *ret = u;
        return 0;
}

int http_client_read_token(const char *path, char **ret, struct err *e)
{
        scoped(free) char *text = NULL;
        size_t size, n;
        int r = fd_read_file(AT_FDCWD, path, 4096, &text, &size, e);

        if (r < 0)
                return r;
        n = strcspn(text, "\r\n");
        for (size_t i = 0; i < n; i++)
                if (text[i] <= ' ' || text[i] > '~')
                        n = 0;
        if (n == 0)
                return err_set(e, -EINVAL, "%s: the first line is no token", path);
        *ret = mem_dup0(text, n);
        return *ret ? 0 : err_set_errno(e, -ENOMEM, "read %s", path);
}

static int no_host(const struct http_client_url *u, int code, struct err *e)
{
        if (code == -ECONNREFUSED)
                return err_set(e, code, "no host answers at %s; start one with: forgesyte serve",
                               u->base);
        return err_set_errno(e, code, "connect to %s", u->base);
}

static int connect_one(const struct addrinfo *a)
{
        scoped(fd) int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        int r;

        if (fd < 0 || connect(fd, a->ai_addr, a->ai_addrlen) < 0)
                return -errno;
        r = fd_set_nonblock(fd);
        return r < 0 ? r : take_fd(&fd);
}

/* Tries every address of the name; the first refusal is what one hears of. */
static int connect_to(const struct http_client_url *u, struct err *e)
{
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        struct addrinfo *list = NULL;
        int code = getaddrinfo(u->host, u->port, &hints, &list), fd = -EHOSTUNREACH;

        if (code != 0)
                return err_set(e, -EHOSTUNREACH, "%s: %s", u->base, gai_strerror(code));
        for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
                fd = connect_one(a);
        freeaddrinfo(list);
        return fd < 0 ? no_host(u, fd, e) : fd;
}

/* ---- the exchange ---- */

/* head and body are what is still to be sent; the answer may begin before they are. */
struct exchange {
        const struct http_client_request *request;
        struct http_client_answer *answer;
        struct http_response response;
        struct str head;
        size_t sent;
        int fd;
};

static int collect(void *ctx, const char *data, size_t n, struct err *e)
{
        struct exchange *x = ctx;
        bool good = x->response.status / 100 == 2;

        if (good && x->request->on_body)
                return x->request->on_body(x->request->ctx, data, n, e);
        str_add(&x->answer->body, data, n);
        return x->answer->body.bad ? err_set_errno(e, -ENOMEM, "keep the answer") : 0;
}

static void write_head(struct str *s, const struct http_client_url *u,
                       const struct http_client_request *q)
{
        bool v6 = strchr(u->host, ':') != NULL;

        str_addf(s, "%s %s%s HTTP/1.1\r\n", q->method, u->path, q->path);
        str_addf(s, "Host: %s%s%s:%s\r\n", v6 ? "[" : "", u->host, v6 ? "]" : "", u->port);
        str_adds(s, "User-Agent: forgesyte\r\nAccept: */*\r\nConnection: close\r\n");
        if (q->token)
                str_addf(s, "Authorization: Bearer %s\r\n", q->token);
        if (q->content_type)
                str_addf(s, "Content-Type: %s\r\n", q->content_type);
        if (q->body || strcmp(q->method, "GET") != 0)
                str_addf(s, "Content-Length: %zu\r\n", q->body_size);
        str_adds(s, "\r\n");
}

static size_t unsent(const struct exchange *x)
{
        return x->head.len + x->request->body_size - x->sent;
}

/* A server that refuses a body early closes its end; what it said is read all the same. */
static int send_some(struct exchange *x, struct err *e)
{
        bool in_head = x->sent < x->head.len;
        const char *from =
            in_head ? x->head.data + x->sent : x->request->body + x->sent - x->head.len;
        size_t n = in_head ? x->head.len - x->sent : unsent(x);
        ssize_t w = send(x->fd, from, n, MSG_NOSIGNAL);

        if (w < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (w < 0 && (errno == EPIPE || errno == ECONNRESET)) {
                x->sent = x->head.len + x->request->body_size;
                return 0;
        }
        if (w < 0)
                return err_set_errno(e, -errno, "send to the host");
        x->sent += (size_t)w;
        return 0;
}

/* 1: the answer is complete. */
static int receive_some(struct exchange *x, struct err *e)
{
        char buf[32768];
        ssize_t n = recv(x->fd, buf, sizeof buf, 0);
        int r;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n < 0)
                return err_set_errno(e, -errno, "read the host's answer");
        if (n == 0) {
                r = http_response_end(&x->response, e);
                return r < 0 ? r : 1;
        }
        r = http_response_feed(&x->response, buf, (size_t)n, e);
        return r < 0 ? r : x->response.state == HTTP_RESPONSE_DONE;
}

static int wait_ready(struct exchange *x, int64_t quiet_since, struct pollfd *p, struct err *e)
{
        unsigned idle = x->request->idle_ms;
        int timeout = x->request->tick ? 100 : idle ? (int)MIN_OF(idle, 1000U) : -1;
        int n;

        /* Once the final head is there, the rest of the request is of no interest to the server. */
        *p = (struct pollfd){x->fd, POLLIN, 0};
        if (unsent(x) && !x->response.status)
                p->events |= POLLOUT;
        n = poll(p, 1, timeout);
        if (n < 0 && errno != EINTR)
                return err_set_errno(e, -errno, "wait for the host");
        if (n > 0)
                return 1;
        if (x->request->tick)
                x->request->tick(x->request->ctx);
        if (idle && clock_mono_ns() - quiet_since > idle * NSEC_PER_MSEC)
                return err_set(e, -ETIMEDOUT, "the host says nothing for %u s", idle / 1000);
        return 0;
}

static int exchange_run(struct exchange *x, struct err *e)
{
        int64_t quiet_since = clock_mono_ns();

        for (;;) {
                struct pollfd p;
                int r = wait_ready(x, quiet_since, &p, e);

                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                quiet_since = clock_mono_ns();
                if (p.revents & POLLOUT)
                        r = send_some(x, e);
                if (r >= 0 && (p.revents & (POLLIN | POLLHUP | POLLERR)))
                        r = receive_some(x, e);
                else if (r >= 0)
                        r = 0;
                if (r != 0)
                        return MIN_OF(r, 0);
        }
}

int http_client_run(const struct http_client_url *url, const struct http_client_request *request,
                    struct http_client_answer *ret, struct err *e)
{
        struct http_client_answer answer = {0};
        struct exchange x = {.request = request, .answer = &answer, .fd = -1};
        int r;

        x.response =
            (struct http_response){.body = collect, .ctx = &x, .body_max = request->answer_max};
        write_head(&x.head, url, request);
        r = x.head.bad ? err_set_errno(e, -ENOMEM, "write a request") : connect_to(url, e);
        if (r >= 0) {
                x.fd = r;
                r = exchange_run(&x, e);
        }
        answer.status = x.response.status;
        memcpy(answer.content_type, x.response.content_type, sizeof answer.content_type);
        fd_close(x.fd);
        str_done(&x.head);
        http_response_done(&x.response);
        if (r < 0) {
                str_done(&answer.body);
                return r;
        }
        *ret = answer;
        return 0;
}
