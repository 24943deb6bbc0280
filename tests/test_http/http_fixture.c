/* http_fixture.c -- see the header. */
#include "http_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "support/test.h"

static void reply_text(struct http_exchange *x, unsigned status, const char *text, size_t n)
{
        http_exchange_reply(
            x, &(struct http_reply){.status = status, .take_body = mem_dup0(text, n), .size = n});
}

static int on_head(void *ctx, struct http_exchange *x)
{
        struct http_fixture *f = ctx;

        str_adds(&f->trace, "head ");
        if (strcmp(http_exchange_path(x), "/refuse") != 0)
                return 0;
        reply_text(x, 404, "nothing here", 12);
        return 1;
}

static void on_param(void *ctx, const char *name, const char *value)
{
        str_addf(ctx, "%s=%s;", name, value);
}

static void on_request(void *ctx, struct http_exchange *x)
{
        struct http_fixture *f = ctx;
        const char *path = http_exchange_path(x);
        size_t n = 0;

        f->calls++;
        str_adds(&f->trace, "request ");
        snprintf(f->path, sizeof f->path, "%s", path);
        snprintf(f->peer, sizeof f->peer, "%s", http_exchange_peer(x));
        str_done(&f->params);
        http_exchange_each_query(x, on_param, &f->params);
        http_exchange_body(x, &f->body_len);
        if (strcmp(path, "/later") == 0) {
                f->held = x;
        } else if (strcmp(path, "/stream") == 0) {
                assert_int_equal(http_exchange_stream(x, 200, "text/event-stream", f->stream_max),
                                 0);
                f->held = x;
        } else if (strcmp(path, "/echo") == 0) {
                char *body = http_exchange_take_body(x, &n);

                http_exchange_reply(
                    x, &(struct http_reply){.status = 200, .take_body = body, .size = n});
        } else {
                char *body = malloc(f->reply_size);

                assert_non_null(body);
                memset(body, 'k', f->reply_size);
                http_exchange_reply(x, &(struct http_reply){.status = 200,
                                                            .content_type = "text/plain",
                                                            .take_body = body,
                                                            .size = f->reply_size,
                                                            .extra = {"X-Extra", "1", NULL}});
        }
}

static void on_gone(void *ctx, struct http_exchange *x)
{
        struct http_fixture *f = ctx;

        f->gone++;
        str_adds(&f->trace, "gone ");
        if (f->held == x)
                f->held = NULL;
}

static char *on_refusal(void *ctx unused_param, unsigned status, const char *words,
                        size_t *ret_size)
{
        char *text = NULL;
        int n = asprintf(&text, "{\"status\":%u,\"error\":\"%s\"}", status, words);

        *ret_size = n < 0 ? 0 : (size_t)n;
        return n < 0 ? NULL : text;
}

static void on_calm(void *ctx unused_param)
{
}

void http_fixture_init(struct http_fixture *f)
{
        *f = (struct http_fixture){.options = {.listen = "127.0.0.1:0",
                                               .body_max = MIB(64),
                                               .connections_max = 64,
                                               .idle_seconds = 30,
                                               .request_seconds = 30},
                                   .reply_size = 2,
                                   .stream_max = KIB(64)};
}

void http_fixture_start(struct http_fixture *f)
{
        struct http_handler handler = {f, on_head, on_request, on_gone, on_refusal, on_calm};
        struct err e = {0};
        char address[64];

        if (http_server_new(&f->options, &handler, &f->server, &e) < 0)
                fail_msg("%s", e.msg);
        http_server_address(f->server, address);
        f->port = atoi(strrchr(address, ':') + 1);
}

void http_fixture_stop(struct http_fixture *f)
{
        http_server_free(f->server);
        str_done(&f->trace);
        str_done(&f->params);
}

int http_fixture_connect(struct http_fixture *f)
{
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)f->port),
                                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        assert_int_equal(fd_set_nonblock(fd), 0);
        return fd;
}

void http_fixture_turn(struct http_fixture *f, int ms)
{
        struct pollfd p = {http_server_fd(f->server), POLLIN, 0};
        int64_t ns = http_server_timeout_ns(f->server);

        if (ns >= 0 && ns / NSEC_PER_MSEC + 1 < ms)
                ms = ns == 0 ? 0 : (int)(ns / NSEC_PER_MSEC + 1);
        poll(&p, 1, ms);
        http_server_run(f->server);
}

void http_fixture_send(struct http_fixture *f, int fd, const char *bytes, size_t n)
{
        int64_t give_up = clock_mono_ns() + 20 * NSEC_PER_SEC;

        while (n && clock_mono_ns() < give_up) {
                ssize_t w = send(fd, bytes, n, MSG_NOSIGNAL);

                if (w < 0 && errno != EAGAIN)
                        return; /* refused: the answer tells */
                if (w > 0) {
                        bytes += w;
                        n -= (size_t)w;
                }
                http_fixture_turn(f, 0);
        }
        assert_int_equal(n, 0);
}

void http_fixture_sends(struct http_fixture *f, int fd, const char *text)
{
        http_fixture_send(f, fd, text, strlen(text));
}

const char *http_fixture_read(struct http_fixture *f, int fd, struct str *in, const char *text)
{
        int64_t give_up = clock_mono_ns() + 20 * NSEC_PER_SEC;
        size_t seen = 0;

        while (clock_mono_ns() < give_up) {
                char *to = str_reserve(in, KIB(64));
                ssize_t n = recv(fd, to, KIB(64), 0);

                *to = n > 0 ? *to : '\0';
                if (n == 0 || (n < 0 && errno != EAGAIN))
                        return in->data;
                if (n > 0) {
                        in->len += (size_t)n;
                        in->data[in->len] = '\0';
                        if (text && memmem(in->data + seen, in->len - seen, text, strlen(text)))
                                return in->data;
                        seen = in->len > strlen(text ? text : "")
                                   ? in->len - strlen(text ? text : "")
                                   : 0;
                }
                http_fixture_turn(f, n > 0 ? 0 : 2);
        }
        fail_msg("no answer in time; so far: %.200s", in->data ? in->data : "");
        return NULL;
}

const char *http_fixture_ask(struct http_fixture *f, struct str *in, const char *request,
                             const char *until)
{
        int fd = http_fixture_connect(f);

        http_fixture_sends(f, fd, request);
        http_fixture_read(f, fd, in, until);
        close(fd);
        return in->data ? in->data : "";
}

int http_fixture_held_client(struct http_fixture *f, const char *request)
{
        int fd = http_fixture_connect(f);

        http_fixture_sends(f, fd, request);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->held));
        return fd;
}

int http_fixture_setup(void **state)
{
        struct http_fixture *f = calloc(1, sizeof *f);

        http_fixture_init(f);
        http_fixture_start(f);
        *state = f;
        return 0;
}

int http_fixture_teardown(void **state)
{
        http_fixture_stop(*state);
        free(*state);
        return 0;
}

unsigned http_fixture_status(const char *text)
{
        return text && strncmp(text, "HTTP/1.1 ", 9) == 0 ? (unsigned)atoi(text + 9) : 0;
}

unsigned http_fixture_count(const char *text, const char *what)
{
        unsigned n = 0;

        for (; text && (text = strstr(text, what)); text += strlen(what))
                n++;
        return n;
}
