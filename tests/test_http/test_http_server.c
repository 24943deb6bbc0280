/* test_http_server.c -- requests as bytes, answers as bytes: framing, refusals, limits. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_fixture.h"
#include "support/test.h"

#define HOST "Host: localhost\r\n"

static void test_answers_with_the_headers_that_are_always_sent(void **state)
{
        scoped(str) struct str in = {0};
        const char *got = http_fixture_ask(*state, &in, "GET /now HTTP/1.1\r\n" HOST "\r\n", "kk");
        struct http_fixture *f = *state;

        assert_int_equal(http_fixture_status(got), 200);
        assert_non_null(strstr(got, "\r\nCache-Control: no-store\r\n"));
        assert_non_null(strstr(got, "\r\nX-Content-Type-Options: nosniff\r\n"));
        assert_non_null(strstr(got, "\r\nContent-Type: text/plain\r\n"));
        assert_non_null(strstr(got, "\r\nX-Extra: 1\r\n"));
        assert_non_null(strstr(got, "\r\nContent-Length: 2\r\n"));
        assert_string_equal(f->trace.data, "head request ");
        assert_int_equal(strncmp(f->peer, "127.0.0.1:", 10), 0);
}

static void test_head_gets_the_headers_and_no_body(void **state)
{
        scoped(str) struct str in = {0};
        const char *got = http_fixture_ask(
            *state, &in, "HEAD /now HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", NULL);

        assert_int_equal(http_fixture_status(got), 200);
        assert_non_null(strstr(got, "Content-Length: 2\r\n"));
        assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
}

static void test_head_gets_no_body_with_a_refusal_either(void **state)
{
        scoped(str) struct str in = {0};
        const char *got =
            http_fixture_ask(*state, &in, "HEAD /now HTTP/1.1\r\n" HOST HOST "\r\n", NULL);

        assert_int_equal(http_fixture_status(got), 400);
        assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
}

static void test_keeps_the_connection_for_more_requests(void **state)
{
        struct http_fixture *f = *state;
        int fd = http_fixture_connect(f);

        for (int i = 0; i < 20; i++) {
                scoped(str) struct str in = {0};

                http_fixture_sends(f, fd, "GET /now HTTP/1.1\r\n" HOST "\r\n");
                assert_int_equal(http_fixture_status(http_fixture_read(f, fd, &in, "kk")), 200);
        }
        close(fd);
        assert_int_equal(f->calls, 20);
        assert_int_equal(http_server_exchanges(f->server), 0);
}

static void test_answers_a_thousand_pipelined_requests_in_order(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str out = {0}, in = {0};
        int fd = http_fixture_connect(f);
        const char *at;

        for (int i = 0; i < 1000; i++)
                str_addf(&out, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\n<%04d>", i);
        http_fixture_send(f, fd, out.data, out.len);
        at = http_fixture_read(f, fd, &in, "<0999>");
        for (int i = 0; i < 1000; i++) {
                char want[8];

                snprintf(want, sizeof want, "<%04d>", i);
                at = strstr(at, want);
                assert_non_null(at);
        }
        close(fd);
}

static void test_a_refusal_at_the_head_reads_a_small_body_and_lives_on(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_connect(f);

        http_fixture_sends(f, fd,
                           "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"
                           "GET /refuse HTTP/1.1\r\n" HOST "\r\n"
                           "GET /now HTTP/1.1\r\n" HOST "\r\n");
        http_fixture_read(f, fd, &in, "kk");
        assert_int_equal(http_fixture_count(in.data, "HTTP/1.1 404"), 2);
        assert_int_equal(http_fixture_count(in.data, "HTTP/1.1 200"), 1);
        assert_string_equal(f->trace.data, "head head head request ");
        close(fd);
}

static void test_a_refusal_at_the_head_closes_before_a_large_body(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0}, out = {0};
        int fd = http_fixture_connect(f);

        str_adds(&out, "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 8000000\r\n\r\n");
        assert_non_null(str_reserve(&out, 8000000));
        memset(out.data + out.len, 'x', 8000000);
        http_fixture_send(f, fd, out.data, out.len + 8000000);
        /* All of it was sent, and the answer is still there to be read: no reset. */
        assert_int_equal(http_fixture_status(http_fixture_read(f, fd, &in, NULL)), 404);
        assert_non_null(strstr(in.data, "nothing here"));
        close(fd);
}

static void test_refuses_64_mib_plus_one_before_reading_it(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        const char *got = http_fixture_ask(
            f, &in, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 67108865\r\n\r\n", NULL);

        assert_int_equal(http_fixture_status(got), 413);
        assert_non_null(strstr(got, "{\"status\":413"));
        assert_null(f->trace.data);
}

static void test_takes_64_mib_whole(void **state)
{
        struct http_fixture *f = *state;
        scoped(free) char *body = malloc(MIB(64));
        scoped(str) struct str in = {0};
        int fd = http_fixture_connect(f);

        for (size_t i = 0; i < MIB(64); i++)
                body[i] = (char)(i * 2654435761u >> 13);
        http_fixture_sends(f, fd,
                           "POST /later HTTP/1.1\r\n" HOST "Content-Length: 67108864\r\n\r\n");
        http_fixture_send(f, fd, body, MIB(64));
        assert_true(HTTP_FIXTURE_UNTIL(f, f->held));
        size_t n;
        scoped(free) char *got = http_exchange_take_body(f->held, &n);
        assert_int_equal(n, MIB(64));
        assert_memory_equal(got, body, MIB(64));
        assert_int_equal(got[n], '\0');
        http_exchange_reply(f->held, &(struct http_reply){.status = 204});
        assert_int_equal(http_fixture_status(http_fixture_read(f, fd, &in, "\r\n\r\n")), 204);
        close(fd);
}

static void test_cuts_a_chunked_body_at_the_limit_with_413(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0}, chunk = {0};
        int fd = http_fixture_connect(f);

        str_adds(&chunk, "100000\r\n");
        assert_non_null(str_reserve(&chunk, MIB(1) + 2));
        memset(chunk.data + chunk.len, 'x', MIB(1));
        memcpy(chunk.data + chunk.len + MIB(1), "\r\n", 2);
        http_fixture_sends(f, fd,
                           "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 66; i++)
                http_fixture_send(f, fd, chunk.data, chunk.len + MIB(1) + 2);
        assert_int_equal(http_fixture_status(http_fixture_read(f, fd, &in, NULL)), 413);
        assert_non_null(strstr(in.data, "\"error\":"));
        assert_int_equal(f->calls, 0);
        close(fd);
}

static void test_reads_chunks(void **state)
{
        scoped(str) struct str in = {0};
        const char *got =
            http_fixture_ask(*state, &in,
                             "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                             "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
                             "hello world");

        assert_int_equal(http_fixture_status(got), 200);
        assert_non_null(strstr(got, "Content-Length: 11\r\n"));
}

static void test_says_continue_before_a_body_that_waits_for_it(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_connect(f);

        http_fixture_sends(f, fd,
                           "POST /echo HTTP/1.1\r\n" HOST
                           "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        http_fixture_read(f, fd, &in, "100 Continue\r\n\r\n");
        http_fixture_sends(f, fd, "hello");
        http_fixture_read(f, fd, &in, "hello");
        assert_non_null(strstr(in.data, "HTTP/1.1 200"));
        close(fd);
}

static void test_a_refusal_comes_instead_of_continue(void **state)
{
        scoped(str) struct str in = {0};
        const char *got = http_fixture_ask(*state, &in,
                                           "POST /refuse HTTP/1.1\r\n" HOST
                                           "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
                                           NULL);

        assert_int_equal(http_fixture_status(got), 404);
        assert_null(strstr(got, "100 Continue"));
}

/* What the handler must never see, and the status that is the answer. */
static const struct {
        unsigned status;
        const char *request;
} refused[] = {
    {400, "GET /a%2fb HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /..%2Fetc HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /a%00b HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /a%zz HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /a% HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /a%c0%af HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /a%0ab HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /\xff HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET http://localhost/now HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET now HTTP/1.1\r\n" HOST "\r\n"},
    {400, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"},
    {501, "CONNECT localhost:80 HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /now#x HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /now?a=1&a=2 HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /now?a=1&%61=2 HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /now?=2 HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /now?a=%zz HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /now?a=%00 HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /now?a=%ff HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /now\r\n" HOST "\r\n"},
    {505, "GET /now HTTP/2.0\r\n" HOST "\r\n"},
    {505, "GET /now HTTP/0.9\r\n" HOST "\r\n"},
    {400, "GET /now HTTP/1.1\r\n\r\n"},
    {400, "GET  / now HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET  /now HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /now HTTP/1.1\r\n" HOST "no colon\r\n\r\n"},
    {400, "GET /now HTTP/1.1\r\n" HOST "X : 1\r\n\r\n"},
    {400, "GET /now HTTP/1.1\r\n" HOST "X\t: 1\r\n\r\n"},
    {400, "GET /now HTTP/1.1\r\n" HOST ": 1\r\n\r\n"},
    {400, "GET /now HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"},
    {400, "GET /now HTTP/1.1\r\n X: a\r\n" HOST "\r\n"},
    {400, "GET /now HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"},
    {400, "GET /now HTTP/1.1\r\n" HOST "X: a\nY: b\r\n\r\n"},
    {400, "GET /now HTTP/1.1\n" HOST "\n"},
    {400, "GET /now HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\nhello"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\nhello"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\nhello"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\nhello"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\nhello"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {501, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n"},
    {400, "POST /echo HTTP/1.1\r\n" HOST
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n"},
    {400, "POST /echo HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"},
    {417, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: cake\r\n\r\nhello"},
    {415,
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Encoding: gzip\r\n\r\nhello"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX\r\n"},
    {400, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\nhello\r\n"},
    {400, "POST /echo HTTP/1.1\r\n" HOST
          "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\nhello\r\n"},
    {400, "\x16\x03\x01\x02\r\n\r\n"},
};

static void test_refuses_what_is_malformed_or_ambiguous(void **state)
{
        struct http_fixture *f = *state;

        for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
                scoped(str) struct str in = {0};
                unsigned status =
                    http_fixture_status(http_fixture_ask(f, &in, refused[i].request, NULL));

                if (status != refused[i].status)
                        fail_msg("%s is %u, not %u", refused[i].request, status, refused[i].status);
        }
        assert_int_equal(f->calls, 0);
        assert_int_equal(f->gone, 0);
}

static void test_refuses_a_nul_in_the_head(void **state)
{
        static const char nul[] = "GET /now HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n";
        static const char nul_in_path[] = "GET /now\0x HTTP/1.1\r\n" HOST "\r\n";
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0}, in2 = {0};
        int fd = http_fixture_connect(f);

        http_fixture_send(f, fd, nul, sizeof nul - 1);
        assert_int_equal(http_fixture_status(http_fixture_read(f, fd, &in, NULL)), 400);
        close(fd);
        fd = http_fixture_connect(f);
        http_fixture_send(f, fd, nul_in_path, sizeof nul_in_path - 1);
        assert_int_equal(http_fixture_status(http_fixture_read(f, fd, &in2, NULL)), 400);
        close(fd);
        assert_int_equal(f->calls, 0);
}

static void test_refuses_a_head_that_is_too_large(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str many = {0}, lng = {0}, url = {0}, params = {0}, in = {0};

        str_adds(&many, "GET /now HTTP/1.1\r\n" HOST);
        for (int i = 0; i < 101; i++)
                str_addf(&many, "X-%d: 1\r\n", i);
        str_adds(&many, "\r\n");
        assert_int_equal(http_fixture_status(http_fixture_ask(f, &in, many.data, NULL)), 431);

        str_adds(&lng, "GET /now HTTP/1.1\r\n" HOST "X: ");
        for (int i = 0; i < 33000; i++)
                str_addc(&lng, 'x');
        str_adds(&lng, "\r\n\r\n");
        str_done(&in);
        assert_int_equal(http_fixture_status(http_fixture_ask(f, &in, lng.data, NULL)), 431);

        str_adds(&url, "GET /");
        for (int i = 0; i < 60000; i++)
                str_addc(&url, 'x');
        str_adds(&url, " HTTP/1.1\r\n" HOST "\r\n");
        str_done(&in);
        assert_int_equal(http_fixture_status(http_fixture_ask(f, &in, url.data, NULL)), 414);

        str_adds(&params, "GET /now?");
        for (int i = 0; i < 65; i++)
                str_addf(&params, "p%d=1&", i);
        str_adds(&params, " HTTP/1.1\r\n" HOST "\r\n");
        str_done(&in);
        assert_int_equal(http_fixture_status(http_fixture_ask(f, &in, params.data, NULL)), 400);
        assert_int_equal(f->calls, 0);
}

static void test_takes_a_head_just_within_the_limits(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str out = {0}, in = {0};

        str_adds(&out, "POST /echo?");
        for (int i = 0; i < 64; i++)
                str_addf(&out, "p%d=%d&", i, i);
        str_adds(&out, " HTTP/1.1\r\n" HOST "Content-Length: 5\r\nX: ");
        while (out.len < KIB(31))
                str_addc(&out, 'x');
        str_adds(&out, "\r\n\r\nhello");
        assert_int_equal(http_fixture_status(http_fixture_ask(f, &in, out.data, "hello")), 200);
        assert_non_null(strstr(f->params.data, "p63=63;"));
}

static void test_decodes_path_and_query(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};

        http_fixture_ask(
            f, &in, "GET /n%C3%a4me+x/%41?a=1%262&b=x+y%2By&c&d=&e==%3d HTTP/1.1\r\n" HOST "\r\n",
            "kk");
        assert_string_equal(f->path, "/n\xc3\xa4me+x/A");
        assert_string_equal(f->params.data, "a=1&2;b=x y+y;c=;d=;e===;");
}

static void test_a_chunk_line_without_end_does_not_spin(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0}, ext = {0};
        int fd = http_fixture_connect(f);
        unsigned turns = 0;

        http_fixture_sends(f, fd,
                           "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5;");
        for (int i = 0; i < 200000; i++)
                str_addc(&ext, 'x');
        (void)!send(fd, ext.data, ext.len, MSG_NOSIGNAL);
        /* Far below request_seconds, it is recognized and cut. */
        int64_t began = clock_mono_ns();
        http_fixture_read(f, fd, &in, "malformed");
        assert_true(clock_mono_ns() - began < 5 * NSEC_PER_SEC);
        assert_int_equal(http_fixture_status(in.data), 400);
        close(fd);
        for (; turns < 50; turns++)
                http_fixture_turn(f, 5);
        assert_true(http_server_timeout_ns(f->server) != 0);
}

static void test_names_the_address_that_is_taken(void **state)
{
        struct http_fixture *f = *state;
        struct http_server *second = NULL;
        char listen[32], want[64];
        struct http_options o = f->options;
        struct http_handler none = {0};
        struct err e = {0};

        snprintf(listen, sizeof listen, "127.0.0.1:%d", f->port);
        snprintf(want, sizeof want, "%s is taken", listen);
        o.listen = listen;
        assert_int_equal(http_server_new(&o, &none, &second, &e), -EADDRINUSE);
        assert_non_null(strstr(e.msg, want));
        assert_null(second);
}

static void test_listens_where_it_is_told(void **state)
{
        static const struct {
                const char *listen, *bound;
        } good[] = {{"127.0.0.1:0", "127.0.0.1:"},
                    {":0", "127.0.0.1:"},
                    {"localhost:0", "127.0.0.1:"},
                    {"[::1]:0", "[::1]:"}};
        static const char *const bad[] = {
            "",        "8000",          "127.0.0.1",    "127.0.0.1:", "::1:8000",
            "[::1:80", "1.2.3.4:99999", "127.0.0.1:8x", "[]x:80",     "203.0.113.7:0"};
        struct http_handler none = {0};
        struct http_options o = {.body_max = 1, .connections_max = 1};
        char address[64];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                struct http_server *s = NULL;
                struct err e = {0};

                o.listen = good[i].listen;
                if (http_server_new(&o, &none, &s, &e) < 0) {
                        assert_non_null(strchr(good[i].listen, '[')); /* no IPv6 here */
                        continue;
                }
                http_server_address(s, address);
                assert_int_equal(strncmp(address, good[i].bound, strlen(good[i].bound)), 0);
                http_server_free(s);
        }
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct http_server *s = NULL;
                struct err e = {0};

                o.listen = bad[i];
                assert_true(http_server_new(&o, &none, &s, &e) < 0);
                assert_true(e.msg[0] != '\0');
        }
}

static void test_refuses_connections_beyond_the_cap_with_503(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fds[64];

        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
                fds[i] = http_fixture_connect(f);
                http_fixture_sends(f, fds[i],
                                   "POST /echo HTTP/1.1\r\nContent-Length: 9\r\n" HOST "\r\nab");
                http_fixture_turn(f, 1);
        }
        assert_int_equal(http_fixture_status(
                             http_fixture_ask(f, &in, "GET /now HTTP/1.1\r\n" HOST "\r\n", NULL)),
                         503);
        for (size_t i = 0; i < ARRAY_LEN(fds); i++)
                close(fds[i]);
        for (int i = 0; i < 20; i++)
                http_fixture_turn(f, 2);
        str_done(&in);
        assert_int_equal(http_fixture_status(
                             http_fixture_ask(f, &in, "GET /now HTTP/1.1\r\n" HOST "\r\n", "kk")),
                         200);
}

static void test_an_idle_connection_makes_room_for_a_new_one(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fds[64];

        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
                scoped(str) struct str first = {0};

                fds[i] = http_fixture_connect(f);
                http_fixture_sends(f, fds[i], "GET /now HTTP/1.1\r\n" HOST "\r\n");
                http_fixture_read(f, fds[i], &first, "kk");
        }
        assert_int_equal(http_fixture_status(
                             http_fixture_ask(f, &in, "GET /now HTTP/1.1\r\n" HOST "\r\n", "kk")),
                         200);
        for (size_t i = 0; i < ARRAY_LEN(fds); i++)
                close(fds[i]);
}

static void test_whoever_holds_connections_without_asking_makes_room(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fds[200];

        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
                fds[i] = http_fixture_connect(f);
                if (i % 2)
                        http_fixture_sends(f, fds[i], "GET /now HTTP/1.1\r\nHo");
        }
        assert_int_equal(http_fixture_status(
                             http_fixture_ask(f, &in, "GET /now HTTP/1.1\r\n" HOST "\r\n", "kk")),
                         200);
        for (size_t i = 0; i < ARRAY_LEN(fds); i++)
                close(fds[i]);
}

static void test_survives_running_out_of_descriptors(void **state)
{
        struct http_fixture *f = *state;
        struct rlimit before, tight;
        scoped(str) struct str in = {0};
        int fd = http_fixture_connect(f), probe = dup(0);
        unsigned turns = 0;
        int64_t until;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        tight = before;
        tight.rlim_cur = (rlim_t)probe;
        close(probe);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
        until = clock_mono_ns() + NSEC_PER_SEC / 2;
        while (clock_mono_ns() < until) {
                http_fixture_turn(f, 500);
                turns++;
        }
        setrlimit(RLIMIT_NOFILE, &before);
        assert_true(turns < 50); /* it did not spin */
        close(fd);
        assert_int_equal(http_fixture_status(
                             http_fixture_ask(f, &in, "GET /now HTTP/1.1\r\n" HOST "\r\n", "kk")),
                         200);
}

static void test_listens_no_more_and_serves_on(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_connect(f), other;

        http_fixture_sends(f, fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
        assert_true(HTTP_FIXTURE_UNTIL(f, f->held));
        http_server_stop_listening(f->server);
        other = socket(AF_INET, SOCK_STREAM, 0);
        close(other);
        assert_int_equal(http_server_exchanges(f->server), 1);
        http_exchange_reply(f->held, &(struct http_reply){.status = 200});
        http_fixture_read(f, fd, &in, "\r\n\r\n");
        assert_int_equal(http_fixture_status(in.data), 200);
        assert_non_null(strstr(in.data, "Content-Length: 0\r\n"));
        for (int i = 0; i < 5; i++)
                http_fixture_turn(f, 1);
        assert_int_equal(http_server_exchanges(f->server), 0);
        close(fd);
}

static void test_sends_a_large_answer_to_a_reader_that_dawdles(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_connect(f);

        f->reply_size = MIB(8);
        http_fixture_sends(f, fd, "GET /now HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
        for (int i = 0; i < 50; i++)
                http_fixture_turn(f, 1);
        http_fixture_read(f, fd, &in, NULL);
        assert_int_equal(http_fixture_status(in.data), 200);
        assert_int_equal(in.len - (size_t)(strstr(in.data, "\r\n\r\n") + 4 - in.data), MIB(8));
        close(fd);
}

/* Every test in this file runs with SIGPIPE at its default: dying of it would be noticed. */
static void test_a_reset_during_the_answer_kills_nobody(void **state)
{
        struct http_fixture *f = *state;
        struct linger reset = {1, 0};
        scoped(str) struct str in = {0};

        assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
        f->reply_size = MIB(8);
        for (int i = 0; i < 20; i++) {
                int fd = http_fixture_connect(f);

                http_fixture_sends(f, fd, "GET /now HTTP/1.1\r\n" HOST "\r\n");
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
                close(fd);
                http_fixture_turn(f, 1);
                http_fixture_turn(f, 1);
        }
        f->reply_size = 2;
        assert_int_equal(http_fixture_status(
                             http_fixture_ask(f, &in, "GET /now HTTP/1.1\r\n" HOST "\r\n", "kk")),
                         200);
}

static uint32_t next_random(uint32_t *seed)
{
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        return *seed;
}

static void test_no_mutated_request_breaks_the_server(void **state)
{
        static const char *const seeds[] = {
            "GET /now?a=1&b=%41 HTTP/1.1\r\n" HOST "Connection: close\r\nAccept: */*\r\n\r\n",
            "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"
            "GET /now HTTP/1.1\r\n" HOST "\r\n",
            "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
            "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX: y\r\n\r\n",
            "POST /refuse HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        };
        static const char bytes[] = "\r\n :/?&=%0159aA\0\xff;,";
        struct http_fixture *f = *state;
        scoped(str) struct str last = {0};
        uint32_t seed = 0x5eed;

        for (int i = 0; i < 3000; i++) {
                scoped(str) struct str out = {0}, in = {0};
                int fd = http_fixture_connect(f);

                str_adds(&out, seeds[next_random(&seed) % ARRAY_LEN(seeds)]);
                for (uint32_t j = next_random(&seed) % 4; j > 0; j--)
                        out.data[next_random(&seed) % out.len] =
                            bytes[next_random(&seed) % (sizeof bytes - 1)];
                if (next_random(&seed) % 4 == 0)
                        out.len -= next_random(&seed) % out.len;
                http_fixture_send(f, fd, out.data, out.len);
                shutdown(fd, SHUT_WR);
                http_fixture_read(f, fd, &in, NULL);
                close(fd);
        }
        assert_int_equal(f->gone, 0);
        assert_int_equal(http_fixture_status(
                             http_fixture_ask(f, &last, "GET /now HTTP/1.1\r\n" HOST "\r\n", "kk")),
                         200);
        assert_int_equal(http_server_exchanges(f->server) <= 1, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, http_fixture_setup, http_fixture_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            T(test_answers_with_the_headers_that_are_always_sent),
            T(test_head_gets_the_headers_and_no_body),
            T(test_head_gets_no_body_with_a_refusal_either),
            T(test_keeps_the_connection_for_more_requests),
            T(test_answers_a_thousand_pipelined_requests_in_order),
            T(test_a_refusal_at_the_head_reads_a_small_body_and_lives_on),
            T(test_a_refusal_at_the_head_closes_before_a_large_body),
            T(test_refuses_64_mib_plus_one_before_reading_it),
            T(test_takes_64_mib_whole),
            T(test_cuts_a_chunked_body_at_the_limit_with_413),
            T(test_reads_chunks),
            T(test_says_continue_before_a_body_that_waits_for_it),
            T(test_a_refusal_comes_instead_of_continue),
            T(test_refuses_what_is_malformed_or_ambiguous),
            T(test_refuses_a_nul_in_the_head),
            T(test_refuses_a_head_that_is_too_large),
            T(test_takes_a_head_just_within_the_limits),
            T(test_decodes_path_and_query),
            T(test_a_chunk_line_without_end_does_not_spin),
            T(test_names_the_address_that_is_taken),
            T(test_listens_where_it_is_told),
            T(test_refuses_connections_beyond_the_cap_with_503),
            T(test_an_idle_connection_makes_room_for_a_new_one),
            T(test_whoever_holds_connections_without_asking_makes_room),
            T(test_survives_running_out_of_descriptors),
            T(test_listens_no_more_and_serves_on),
            T(test_sends_a_large_answer_to_a_reader_that_dawdles),
            T(test_a_reset_during_the_answer_kills_nobody),
            T(test_no_mutated_request_breaks_the_server),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
