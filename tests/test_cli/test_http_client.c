/* URLs and tokens, and whole exchanges with a thread that answers canned bytes on loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/http_client.h"
#include "support/test.h"

/* ---- URLs ---- */

static void url_is(const char *url, const char *host, const char *port, const char *path)
{
        struct http_client_url u;
        struct err e;

        assert_int_equal(http_client_url_parse(url, &u, &e), 0);
        assert_string_equal(u.host, host);
        assert_string_equal(u.port, port);
        assert_string_equal(u.path, path);
}

static void test_urls_of_hosts(void **state)
{
        (void)state;
        url_is("http://127.0.0.1:8000", "127.0.0.1", "8000", "");
        url_is("HTTP://example.org", "example.org", "80", "");
        url_is("http://[::1]:9", "::1", "9", "");
        url_is("http://[::1]", "::1", "80", "");
        url_is("http://host:1/", "host", "1", "");
        url_is("http://host:1/behind/a/proxy/", "host", "1", "/behind/a/proxy");
}

static void test_what_is_no_url_of_a_host(void **state)
{
        static const char *const bad[] = {
            "",
            "127.0.0.1:8000",
            "http:/x",
            "http://",
            "http://:80",
            "http://h:",
            "http://h:x",
            "http://h:99999",
            "http://h:123456",
            "http://u@h",
            "http://u:p@h",
            "http://[::1",
            "http://[]",
            "http://[::1]x",
            "http://h/?q",
            "http://h/ x",
            "http://h/\r\nHost: x",
            "http://h#f",
            "https://h",
            "file:///etc",
            "http://h:80x/",
        };
        struct http_client_url u;
        struct err e;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                if (http_client_url_parse(bad[i], &u, &e) != -EINVAL)
                        fail_msg("%s was taken", bad[i]);
}

static void test_a_token_is_one_printable_line(void **state)
{
        static const char *const good[] = {"secret-token", "secret-token\n",
                                           "secret-token\r\nmore"};
        static const char *const bad[] = {"", "\n", "two words", "tab\t", "\x80"};
        struct err e;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(good) + ARRAY_LEN(bad); i++) {
                scoped(fd) int fd =
                    open("test_http_client.token", O_WRONLY | O_CREAT | O_TRUNC, 0600);
                scoped(free) char *token = NULL;
                bool ok = i < ARRAY_LEN(good);
                const char *text = ok ? good[i] : bad[i - ARRAY_LEN(good)];

                assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
                assert_int_equal(http_client_read_token("test_http_client.token", &token, &e),
                                 ok ? 0 : -EINVAL);
                assert_true(!ok || !strcmp(token, "secret-token"));
        }
        unlink("test_http_client.token");
}

/* ---- a server with one answer ---- */

/* reads: how much of the request it takes before it answers; SIZE_MAX: until the peer is done. */
struct server {
        int listener;
        struct http_client_url url;
        const char *answer;
        size_t reads;
        struct str request;
        pthread_t thread;
};

static void *serve(void *arg)
{
        struct server *s = arg;
        scoped(fd) int fd = accept(s->listener, NULL, NULL);
        char buf[4096];

        while (s->request.len < s->reads) {
                ssize_t n = read(fd, buf, MIN_OF(sizeof buf, s->reads - s->request.len));

                if (n <= 0)
                        break;
                str_add(&s->request, buf, (size_t)n);
                if (s->reads == SIZE_MAX && strstr(s->request.data, "\r\n\r\n"))
                        break;
        }
        /* The client may have what it wants and be gone. */
        if (fd_write_all(fd, s->answer, strlen(s->answer)) < 0)
                return NULL;
        return NULL;
}

static void server_start(struct server *s, const char *answer, size_t reads)
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof a;
        char url[64];
        struct err e;

        *s = (struct server){.answer = answer, .reads = reads};
        s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(s->listener, (struct sockaddr *)&a, size), 0);
        assert_int_equal(listen(s->listener, 1), 0);
        assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &size), 0);
        snprintf(url, sizeof url, "http://127.0.0.1:%u", ntohs(a.sin_port));
        assert_int_equal(http_client_url_parse(url, &s->url, &e), 0);
        assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
        pthread_join(s->thread, NULL);
        close(s->listener);
        str_done(&s->request);
}

static void test_a_request_and_its_answer(void **state)
{
        struct http_client_request q = {
            .method = "GET", .path = "/v1/plugins", .token = "t", .answer_max = 100};
        struct http_client_answer a;
        struct server s;
        char want[256];
        struct err e;

        (void)state;
        server_start(&s, "HTTP/1.1 200 OK\r\nContent-Type: x/y\r\nContent-Length: 2\r\n\r\n{}",
                     SIZE_MAX);
        assert_int_equal(http_client_run(&s.url, &q, &a, &e), 0);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.content_type, "x/y");
        assert_string_equal(a.body.data, "{}");
        str_done(&a.body);
        pthread_join(s.thread, NULL);
        snprintf(want, sizeof want,
                 "GET /v1/plugins HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nUser-Agent: forgesyte\r\n"
                 "Accept: */*\r\nConnection: close\r\nAuthorization: Bearer t\r\n\r\n",
                 s.url.port);
        assert_string_equal(s.request.data, want);
        close(s.listener);
        str_done(&s.request);
}

/* The server reads 1000 bytes of many, refuses and closes: its words must still arrive. */
static void test_an_early_refusal_is_heard(void **state)
{
        scoped(free) char *body = calloc(1, MIB(8));
        struct http_client_request q = {
            .method = "POST", .path = "/x", .body = body, .body_size = MIB(8), .answer_max = 100};
        struct http_client_answer a;
        struct server s;
        struct err e;

        (void)state;
        server_start(&s, "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig", 1000);
        assert_int_equal(http_client_run(&s.url, &q, &a, &e), 0);
        assert_int_equal(a.status, 413);
        assert_string_equal(a.body.data, "big");
        str_done(&a.body);
        server_stop(&s);
}

static int take(void *ctx, const char *data, size_t n, struct err *e)
{
        str_add(ctx, data, n);
        /* A reader that has had enough ends the exchange with its own code. */
        return ((struct str *)ctx)->len >= 6 ? err_set(e, -EPIPE, "enough") : 0;
}

static void test_a_stream_comes_as_it_comes(void **state)
{
        scoped(str) struct str got = {0};
        struct http_client_request q = {
            .method = "GET", .path = "/", .answer_max = UINT64_MAX, .on_body = take, .ctx = &got};
        struct http_client_answer a;
        struct server s;
        struct err e;

        (void)state;
        server_start(
            &s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n",
            SIZE_MAX);
        assert_int_equal(http_client_run(&s.url, &q, &a, &e), -EPIPE);
        assert_string_equal(got.data, "abcdef");
        server_stop(&s);
        got.len = 0;
        server_start(&s, "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", SIZE_MAX);
        assert_int_equal(http_client_run(&s.url, &q, &a, &e), 0);
        assert_int_equal(got.len, 0);
        assert_string_equal(a.body.data, "no");
        str_done(&a.body);
        server_stop(&s);
}

static void test_a_cut_answer_is_no_answer(void **state)
{
        struct http_client_request q = {.method = "GET", .path = "/", .answer_max = 100};
        struct http_client_answer a;
        struct server s;
        struct err e;

        (void)state;
        server_start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", SIZE_MAX);
        assert_int_equal(http_client_run(&s.url, &q, &a, &e), -EBADMSG);
        assert_string_equal(e.msg, "the connection ended in the middle of the answer");
        server_stop(&s);
        server_start(&s, "", SIZE_MAX);
        assert_int_equal(http_client_run(&s.url, &q, &a, &e), -EBADMSG);
        assert_string_equal(e.msg, "the connection ended without an answer");
        server_stop(&s);
}

static void test_silence_has_an_end(void **state)
{
        struct http_client_request q = {
            .method = "GET", .path = "/", .answer_max = 100, .idle_ms = 50};
        struct http_client_answer a;
        struct server s;
        struct err e;

        (void)state;
        /* It waits for more of a request than there is, until the client hangs up. */
        server_start(&s, "", SIZE_MAX - 1);
        assert_int_equal(http_client_run(&s.url, &q, &a, &e), -ETIMEDOUT);
        server_stop(&s);
}

static void test_nobody_there_says_how_to_start_one(void **state)
{
        struct http_client_request q = {.method = "GET", .path = "/", .answer_max = 100};
        struct http_client_answer a;
        struct server s;
        char want[320];
        struct err e;

        (void)state;
        server_start(&s, "", 0);
        shutdown(s.listener, SHUT_RDWR);
        server_stop(&s);
        assert_int_equal(http_client_run(&s.url, &q, &a, &e), -ECONNREFUSED);
        snprintf(want, sizeof want, "no host answers at %s; start one with: forgesyte serve",
                 s.url.base);
        assert_string_equal(e.msg, want);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_urls_of_hosts),
            cmocka_unit_test(test_what_is_no_url_of_a_host),
            cmocka_unit_test(test_a_token_is_one_printable_line),
            cmocka_unit_test(test_a_request_and_its_answer),
            cmocka_unit_test(test_an_early_refusal_is_heard),
            cmocka_unit_test(test_a_stream_comes_as_it_comes),
            cmocka_unit_test(test_a_cut_answer_is_no_answer),
            cmocka_unit_test(test_silence_has_an_end),
            cmocka_unit_test(test_nobody_there_says_how_to_start_one),
        };

        /* The host's end may be gone while the server thread still writes. */
        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
