/* The answer's parser against canned bytes: whole, split anywhere, cut short, lying, too large. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/http_response.h"
#include "support/test.h"

static int keep(void *ctx, const char *data, size_t n, struct err *e)
{
        (void)e;
        str_add(ctx, data, n);
        return 0;
}

/* Feeds text[0..n) in pieces of `piece` bytes, then the end. */
static int parse(const char *text, size_t n, size_t piece, struct http_response *p,
                 struct str *body, struct err *e)
{
        *p = (struct http_response){.body = keep, .ctx = body, .body_max = 100};
        for (size_t at = 0; at < n; at += piece) {
                /* A copy of its own size, so that a read behind it is seen. */
                char *copy = mem_dup0(text + at, MIN_OF(piece, n - at));
                int r = http_response_feed(p, copy, MIN_OF(piece, n - at), e);

                free(copy);
                if (r < 0)
                        return r;
        }
        return http_response_end(p, e);
}

static void gives(const char *text, unsigned status, const char *type, const char *want)
{
        for (size_t piece = 1; piece <= strlen(text); piece++) {
                scoped(http_response) struct http_response p;
                scoped(str) struct str body = {0};
                struct err e = {0};
                int r = parse(text, strlen(text), piece, &p, &body, &e);

                if (r < 0)
                        print_error("in pieces of %zu: %s\n", piece, e.msg);
                assert_int_equal(r, 0);
                assert_int_equal(p.status, status);
                assert_string_equal(p.content_type, type);
                assert_string_equal(body.data ? body.data : "", want);
        }
}

static void refuses_n(const char *text, size_t n, int code, const char *words)
{
        for (size_t piece = 1; piece <= n; piece += piece < 40 ? 1 : n) {
                scoped(http_response) struct http_response p;
                scoped(str) struct str body = {0};
                struct err e = {0};
                int r = parse(text, n, piece, &p, &body, &e);

                if (r == 0 || strcmp(e.msg, words) != 0)
                        print_error("in pieces of %zu: %d %s\n", piece, r, e.msg);
                assert_int_equal(r, code);
                assert_string_equal(e.msg, words);
        }
}

static void refuses(const char *text, const char *what)
{
        char words[160];

        snprintf(words, sizeof words, "the answer is not HTTP: %s", what);
        refuses_n(text, strlen(text), -EBADMSG, words);
}

#define OK      "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static void test_whole_answers_however_they_are_split(void **state)
{
        (void)state;
        gives(OK "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 200,
              "application/json", "{}");
        gives("HTTP/1.0 404 Not Found\r\ncontent-length:0\r\n\r\n", 404, "", "");
        gives("HTTP/1.1 500\r\nContent-Length:  3 \t\r\nContent-Length: 3\r\n\r\nabc", 500, "",
              "abc");
        gives("HTTP/1.1 204 No Content\r\n\r\n", 204, "", "");
        gives(OK "\r\nuntil the end", 200, "", "until the end");
        gives(OK "\r\n", 200, "", "");
        gives(CHUNKED "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", 200, "",
              "abc0123456789");
        gives(OK "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200, "", "");
}

static void test_interim_answers_are_passed_over(void **state)
{
        char text[4096] = "";

        (void)state;
        gives("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Type: a/b\r\n"
              "Content-Length: 9\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
              200, "", "x");
        refuses("HTTP/1.1 101 Switching Protocols\r\n\r\n", "it switches protocols unasked");
        for (int i = 0; i < 17; i++)
                strcat(text, "HTTP/1.1 100 Continue\r\n\r\n");
        refuses(text, "interim answers without end");
}

static void test_what_is_no_http_is_refused(void **state)
{
        (void)state;
        refuses("SSH-2.0-OpenSSH_9.2\r\n", "a bad status line");
        refuses("HTTP/2 200 OK\r\n", "a bad status line");
        refuses("HTTP/1.1 2000 OK\r\n", "a bad status line");
        refuses("HTTP/1.1 099 OK\r\n", "a bad status line");
        refuses("HTTP/1.1  200 OK\r\n", "a bad status line");
        refuses("\r\n" OK "\r\n", "a bad status line");
        refuses("HTTP/1.1 200 OK\n", "a line that ends in a bare newline");
        refuses(OK "a: b\rc\r\n", "a NUL or a bare carriage return");
        refuses(OK "no colon\r\n", "a bad header");
        refuses(OK ": x\r\n", "a bad header");
        refuses(OK "a : x\r\n", "a bad header");
        refuses(OK "a: x\r\n folded\r\n", "a bad header");
        refuses_n(OK "a: \0\r\n", strlen(OK) + 6, -EBADMSG,
                  "the answer is not HTTP: a NUL or a bare carriage return");
}

static void test_lies_about_the_length_are_refused(void **state)
{
        (void)state;
        refuses(OK "Content-Length: -1\r\n", "a bad Content-Length");
        refuses(OK "Content-Length: 1, 1\r\n", "a bad Content-Length");
        refuses(OK "Content-Length: 0x10\r\n", "a bad Content-Length");
        refuses(OK "Content-Length:\r\n", "a bad Content-Length");
        refuses(OK "Content-Length: 99999999999999999999\r\n", "a bad Content-Length");
        refuses(OK "Content-Length: 1\r\nContent-Length: 2\r\n", "two lengths");
        refuses(OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "two lengths");
        refuses(OK "Transfer-Encoding: gzip, chunked\r\n",
                "a Transfer-Encoding other than chunked");
        refuses(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "a Transfer-Encoding other than chunked");
        refuses(OK "Content-Length: 1\r\n\r\nab", "more bytes than it said");
        refuses(CHUNKED "0\r\n\r\nx", "more bytes than it said");
        refuses(CHUNKED "3\r\nabcd\r\n", "a chunk longer than it said");
        refuses(CHUNKED "\r\n", "a bad chunk size");
        refuses(CHUNKED "-1\r\n", "a bad chunk size");
        refuses(CHUNKED "0x3\r\n", "a bad chunk size");
        refuses(CHUNKED "3 \r\n", "a bad chunk size");
        refuses(CHUNKED "1000000000000000\r\n", "a bad chunk size");
}

static void test_every_cut_is_noticed(void **state)
{
        static const char text[] = CHUNKED "3\r\nabc\r\n0\r\n\r\n";
        static const char with_length[] = OK "Content-Length: 3\r\n\r\nabc";

        (void)state;
        refuses_n("", 0, 0, "");
        for (size_t n = 1; n < strlen(text); n++)
                refuses_n(text, n, -EBADMSG, "the connection ended in the middle of the answer");
        for (size_t n = 1; n < strlen(with_length); n++) {
                scoped(http_response) struct http_response p;
                scoped(str) struct str body = {0};
                struct err e = {0};

                assert_int_equal(parse(with_length, n, n, &p, &body, &e), -EBADMSG);
        }
}

static void test_nothing_grows_without_bound(void **state)
{
        scoped(str) struct str head = {0};
        scoped(str) struct str chunks = {0};

        (void)state;
        refuses_n(OK "Content-Length: 101\r\n\r\n", strlen(OK) + 23, -EFBIG,
                  "the answer has 101 bytes, 100 are the limit");
        str_adds(&head, OK);
        for (int i = 0; i < 7000; i++)
                str_adds(&head, "x-a: bcd\r\n");
        refuses_n(head.data, head.len, -EFBIG, "the answer's head is larger than 65536 bytes");
        str_adds(&chunks, CHUNKED);
        for (int i = 0; i < 101; i++)
                str_adds(&chunks, "1\r\nx\r\n");
        refuses_n(chunks.data, chunks.len, -EFBIG, "the answer is larger than 100 bytes");
        chunks.len = 0;
        str_addf(&chunks, "%s\r\n%0101d", OK, 0);
        refuses_n(chunks.data, chunks.len, -EFBIG, "the answer is larger than 100 bytes");
        chunks.len = 0;
        str_addf(&chunks, "%s1;%070000d\r\n", CHUNKED, 0);
        refuses_n(chunks.data, chunks.len, -EFBIG, "the answer's head is larger than 65536 bytes");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_whole_answers_however_they_are_split),
            cmocka_unit_test(test_interim_answers_are_passed_over),
            cmocka_unit_test(test_what_is_no_http_is_refused),
            cmocka_unit_test(test_lies_about_the_length_are_refused),
            cmocka_unit_test(test_every_cut_is_noticed),
            cmocka_unit_test(test_nothing_grows_without_bound),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
