/* test_http_head.c -- the two pure parsers between a socket and a request: heads and chunks. Each
 * input goes in whole and byte by byte, and must come out the same. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/http_chunks.h"
#include "http/http_head.h"
#include "support/test.h"

#define LINE "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

/* step: how many bytes come at a time. *ret_looked: how many had come when it was decided. */
static int read_in_steps(struct http_head *h, const char *bytes, size_t n, size_t step,
                         size_t *ret_looked)
{
        const char *words = NULL;
        int r = HTTP_HEAD_MORE;

        http_head_reset(h);
        for (size_t came = 0; r == HTTP_HEAD_MORE && came < n;) {
                came = came + step < n ? came + step : n;
                r = http_head_read(h, bytes, came, &words);
                *ret_looked = came;
        }
        assert_true(r == HTTP_HEAD_MORE || r == HTTP_HEAD_COMPLETE || (words && *words));
        return r;
}

struct sample {
        int result;
        const char *bytes;
};

static void check_samples(const struct sample *samples, size_t count)
{
        struct http_head *h = calloc(1, sizeof *h);

        for (size_t i = 0; i < count; i++) {
                size_t n = strlen(samples[i].bytes), looked;

                for (size_t step = 1; step <= n; step = step < 3 ? step + 1 : step + n / 3) {
                        int r = read_in_steps(h, samples[i].bytes, n, step, &looked);

                        if (r != samples[i].result)
                                fail_msg("%s in steps of %zu: %d", samples[i].bytes, step, r);
                }
        }
        free(h);
}

static void test_takes_what_is_well_formed(void **state)
{
        static const struct sample good[] = {
            {HTTP_HEAD_COMPLETE, LINE "\r\n"},
            {HTTP_HEAD_COMPLETE, "\r\n" LINE "\r\n"},
            {HTTP_HEAD_COMPLETE, "GET / HTTP/1.0\r\n\r\n"},
            {HTTP_HEAD_COMPLETE, LINE "X:\r\nY:\t a b \t\r\nZ: \xc3\xa4\r\n\r\n"},
            {HTTP_HEAD_COMPLETE, LINE "Content-Length: 0\r\n\r\n"},
            {HTTP_HEAD_COMPLETE, POST "Content-Length:5\r\n\r\nhello"},
            {HTTP_HEAD_COMPLETE, POST "Transfer-Encoding: Chunked\r\n\r\n"},
            {HTTP_HEAD_COMPLETE, POST "Content-Length: 9999999999999999999\r\n\r\n"},
            {HTTP_HEAD_COMPLETE, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
            {HTTP_HEAD_MORE, "GET"},
            {HTTP_HEAD_MORE, LINE "X: a\r"},
            {HTTP_HEAD_MORE, LINE},
            {HTTP_HEAD_MORE, "\r\n"},
        };

        (void)state;
        check_samples(good, ARRAY_LEN(good));
}

static void test_refuses_what_could_be_read_in_two_ways(void **state)
{
        static const struct sample bad[] = {
            {400, "\r\n\r\n" LINE "\r\n"},
            {400, "\n" LINE "\r\n"},
            {400, " GET / HTTP/1.1\r\n"},
            {400, "GET / HTTP/1.1 \r\n"},
            {400, "GET /  HTTP/1.1\r\n"},
            {400, "GET\t/ HTTP/1.1\r\n"},
            {400, "GET /\r\n"},
            {400, "GET / http/1.1\r\n"},
            {400, "GET / HTTP/1.1x\r\n"},
            {400, "G(T / HTTP/1.1\r\n"},
            {400, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n"},
            {400, "GET / HTTP/1.1\n"},
            {400, LINE "X: a\n"},
            {400, LINE "X: a\rb\r\n"},
            {400, LINE "X: a\r\r\n"},
            {400, LINE " X: a\r\n"},
            {400, LINE "X: a\r\n\tb\r\n"},
            {400, LINE "X : a\r\n"},
            {400, LINE ": a\r\n"},
            {400, LINE "X\r\n"},
            {400, LINE "X: \x1b[2J\r\n"},
            {400, LINE "X: \x7f\r\n"},
            {400, "GET / HTTP/1.1\r\n\r\n"},
            {400, LINE "Host: a\r\n\r\n"},
            {400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
            {400, LINE "Origin: a\r\norigin: b\r\n\r\n"},
            {400, LINE "Authorization: a\r\nAuthorization: b\r\n\r\n"},
            {400, LINE "Content-Length: 5\r\n\r\n"},
            {400, "HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
            {400, POST "Content-Length:  5\r\n\r\n"},
            {400, POST "Content-Length:\t5\r\n\r\n"},
            {400, POST "Content-Length: 5 \r\n\r\n"},
            {400, POST "Content-Length: \r\n\r\n"},
            {400, POST "Content-Length: 10000000000000000000\r\n\r\n"},
            {400, POST "Content-Length: 5, 5\r\n\r\n"},
            {400, POST "Content-Length: 0x5\r\n\r\n"},
            {400, POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"},
            {400, POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
            {400, POST "Transfer-Encoding: chunked, chunked\r\n\r\n"},
            {400, POST "Transfer-Encoding: chunked;q=1\r\n\r\n"},
            {400, POST "Transfer-Encoding:  chunked\r\n\r\n"},
            {400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n"},
            {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
            {501, POST "Transfer-Encoding: xchunked\r\n\r\n"},
            {501, POST "Transfer-Encoding: gzip\r\n\r\n"},
            {415, POST "Content-Encoding: br\r\n\r\n"},
            {417, POST "Expect: cake\r\n\r\n"},
            {417, POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"},
            {501, "get / HTTP/1.1\r\n"},
            {501, "TRACE / HTTP/1.1\r\n"},
            {505, "GET / HTTP/2.0\r\n"},
            {505, "GET / HTTP/1.2\r\n"},
            {505, "GET / HTTP/0.9\r\n"},
            {505, "PRI * HTTP/2.0\r\n"},
        };

        (void)state;
        check_samples(bad, ARRAY_LEN(bad));
}

static void test_needs_no_more_bytes_than_show_the_fault(void **state)
{
        static const char hello[] = "\x16\x03\x01\x02\x00\x01";
        struct http_head *h = calloc(1, sizeof *h);
        size_t looked;

        (void)state;
        assert_int_equal(read_in_steps(h, hello, sizeof hello - 1, 1, &looked), 400);
        assert_int_equal(looked, 1);
        assert_int_equal(read_in_steps(h, "GET /\0 HTTP", 11, 1, &looked), 400);
        assert_int_equal(looked, 6);
        free(h);
}

static void test_holds_its_limits(void **state)
{
        struct http_head *h = calloc(1, sizeof *h);
        scoped(str) struct str s = {0};
        size_t looked;

        (void)state;
        str_adds(&s, "GET /");
        while (s.len < HTTP_LINE_MAX - 9)
                str_addc(&s, 'a');
        str_adds(&s, " HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(read_in_steps(h, s.data, s.len, 1000, &looked), HTTP_HEAD_COMPLETE);
        str_done(&s);
        str_adds(&s, "GET /");
        while (s.len < HTTP_LINE_MAX + 2)
                str_addc(&s, 'a');
        assert_int_equal(read_in_steps(h, s.data, s.len, 1, &looked), 414);
        str_done(&s);

        str_adds(&s, LINE);
        for (int i = 0; i < 99; i++)
                str_addf(&s, "X-%d: 1\r\n", i);
        str_adds(&s, "\r\n");
        assert_int_equal(read_in_steps(h, s.data, s.len, 7, &looked), HTTP_HEAD_COMPLETE);
        assert_int_equal(h->n, HTTP_HEADERS_MAX);
        s.len -= 2;
        str_adds(&s, "Y: 1\r\n");
        assert_int_equal(read_in_steps(h, s.data, s.len, 7, &looked), 431);
        str_done(&s);

        str_adds(&s, LINE "X: ");
        while (s.len < HTTP_HEAD_MAX - 4)
                str_addc(&s, 'a');
        str_adds(&s, "\r\n\r\n");
        assert_int_equal(read_in_steps(h, s.data, s.len, 5000, &looked), HTTP_HEAD_COMPLETE);
        assert_int_equal(h->size, HTTP_HEAD_MAX);
        s.len -= 4;
        str_adds(&s, "a\r\n\r\n");
        assert_int_equal(read_in_steps(h, s.data, s.len, 5000, &looked), 431);
        free(h);
}

static void test_says_what_is_in_it(void **state)
{
        static const char head[] = "POST /x?y HTTP/1.1\r\nHost: a\r\nX-Y:  b c\t\r\nConnection: "
                                   "x, Close\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\n"
                                   "and more";
        struct http_head *h = calloc(1, sizeof *h);
        size_t looked;

        (void)state;
        assert_int_equal(read_in_steps(h, head, sizeof head - 1, 5, &looked), HTTP_HEAD_COMPLETE);
        assert_int_equal(h->size, sizeof head - 1 - 8);
        assert_int_equal(strncmp(head + h->method, "POST", h->method_len), 0);
        assert_int_equal(strncmp(head + h->target, "/x?y", h->target_len), 0);
        assert_int_equal(h->n, 5);
        assert_int_equal(h->fields[1].value_len, 3);
        assert_int_equal(strncmp(head + h->fields[1].value, "b c", 3), 0);
        assert_true(h->version_11 && !h->keep_alive && h->has_body && h->expects_continue);
        assert_true(h->length == 12);
        assert_int_equal(read_in_steps(h, LINE "\r\n", sizeof LINE + 1, 1, &looked),
                         HTTP_HEAD_COMPLETE);
        assert_true(h->keep_alive && !h->has_body && !h->expects_continue && h->length == 0);
        free(h);
}

static void test_close_is_meant_wherever_it_stands(void **state)
{
        static const char *const heads[] = {
            LINE "Connection: close\r\nConnection: keep-alive\r\n\r\n",
            LINE "Connection: keep-alive, close\r\n\r\n",
            LINE "Connection: close, keep-alive\r\n\r\n",
        };
        struct http_head *h = calloc(1, sizeof *h);
        size_t looked;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
                assert_int_equal(read_in_steps(h, heads[i], strlen(heads[i]), 7, &looked),
                                 HTTP_HEAD_COMPLETE);
                assert_false(h->keep_alive);
        }
        free(h);
}

/* ---- chunks ---- */

/* 0 and the text, -EBADMSG, or 1 when the end has not come. */
static int decode(const char *in, size_t n, size_t step, struct str *to, size_t *ret_rest)
{
        struct http_chunks c = {0};
        struct http_piece piece = {0};
        const char *words = NULL;
        size_t at = 0;

        while (at < n && !piece.ended) {
                if (http_chunks_step(&c, in + at, step < n - at ? step : n - at, &piece, &words)) {
                        assert_true(words && *words);
                        return -EBADMSG;
                }
                assert_true(piece.used > 0 || piece.ended);
                str_add(to, piece.data, piece.len);
                at += piece.used;
        }
        *ret_rest = n - at;
        return piece.ended ? 0 : 1;
}

static void test_takes_chunks_apart_wherever_they_are_cut(void **state)
{
        static const char in[] = "5\r\nhello\r\n00B;a=\"b\";c\r\n beautiful \r\n1\r\n\r\r\n0;x\r\n"
                                 "X: y\r\nLong-Name-Of-A-Trailer: z\r\n\r\nGET";

        (void)state;
        for (size_t step = 1; step < sizeof in; step++) {
                scoped(str) struct str got = {0};
                size_t rest;

                assert_int_equal(decode(in, sizeof in - 1, step, &got, &rest), 0);
                assert_string_equal(got.data, "hello beautiful \r");
                assert_int_equal(rest, 3);
        }
        for (size_t n = 1; n < sizeof in - 4; n++) { /* no prefix of it passes for the whole */
                scoped(str) struct str got = {0};
                size_t rest;

                assert_int_equal(decode(in, n, n, &got, &rest), 1);
        }
}

static void test_refuses_chunks_that_are_malformed(void **state)
{
        static const char *const bad[] = {
            "\r\n",
            ";x\r\n",
            "x\r\n",
            "-1\r\n",
            "+5\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            " 5\r\nhello\r\n",
            "5 \r\nhello\r\n",
            "5\nhello\r\n",
            "5\r\rhello",
            "5\r\nhelloX",
            "5\r\nhello\n",
            "5\r\nhello\rX",
            "10000000000000000\r\n",
            "00000000000000005\r\nhello\r\n",
            "5;\x01\r\n",
            "5;a\nb\r\n",
            "0\r\n X: y\r\n",
            "0\r\n: y\r\n",
            "0\r\nX\r\n",
            "0\r\nX : y\r\n",
            "0\r\nX: \x7f\r\n",
            "0\r\nContent-Length: 5\r\n\r\n",
            "0\r\ntransfer-encoding: chunked\r\n\r\n",
            "0\r\nHost: evil\r\n\r\n",
            "0\r\nAuthorization: x\r\n\r\n",
            "0\r\n\rX",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                for (size_t step = 1; step <= strlen(bad[i]); step++) {
                        scoped(str) struct str got = {0};
                        size_t rest;

                        if (decode(bad[i], strlen(bad[i]), step, &got, &rest) != -EBADMSG)
                                fail_msg("%s in steps of %zu", bad[i], step);
                }
}

static void test_bounds_what_stands_between_chunks(void **state)
{
        scoped(str) struct str lng = {0}, many = {0}, got = {0};
        size_t rest;

        (void)state;
        str_adds(&lng, "5;");
        while (lng.len < 300)
                str_addc(&lng, 'x');
        assert_int_equal(decode(lng.data, lng.len, lng.len, &got, &rest), -EBADMSG);
        str_adds(&many, "0\r\n");
        while (many.len < KIB(5))
                str_adds(&many, "X: y\r\n");
        assert_int_equal(decode(many.data, many.len, 100, &got, &rest), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_takes_what_is_well_formed),
            cmocka_unit_test(test_refuses_what_could_be_read_in_two_ways),
            cmocka_unit_test(test_needs_no_more_bytes_than_show_the_fault),
            cmocka_unit_test(test_holds_its_limits),
            cmocka_unit_test(test_says_what_is_in_it),
            cmocka_unit_test(test_close_is_meant_wherever_it_stands),
            cmocka_unit_test(test_takes_chunks_apart_wherever_they_are_cut),
            cmocka_unit_test(test_refuses_chunks_that_are_malformed),
            cmocka_unit_test(test_bounds_what_stands_between_chunks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
