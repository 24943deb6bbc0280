/* test_http_clients.c -- clients that leave, half leave, dawdle or only listen, and what the owner
 * is told of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_fixture.h"
#include "support/test.h"

#define HOST "Host: localhost\r\n"

static const char get_now[] = "GET /now HTTP/1.1\r\n" HOST "\r\n";
static const char get_later[] = "GET /later HTTP/1.1\r\n" HOST "\r\n";
static const char get_stream[] = "GET /stream HTTP/1.1\r\n" HOST "\r\n";

static int start(void **state)
{
        struct http_fixture *f = calloc(1, sizeof *f);

        http_fixture_init(f);
        f->options.idle_seconds = f->options.request_seconds = 1;
        http_fixture_start(f);
        *state = f;
        return 0;
}

static void answer(struct http_fixture *f, const char *text)
{
        http_exchange_reply(
            f->held,
            &(struct http_reply){.status = 200, .take_body = strdup(text), .size = strlen(text)});
        f->held = NULL;
}

static void test_answers_later(void **state)
{
        struct http_fixture *f = *state;
        int fd = http_fixture_held_client(f, get_later);

        for (int i = 0; i < 10; i++) { /* the same connection, again and again */
                scoped(str) struct str in = {0};

                assert_int_equal(http_server_exchanges(f->server), 1);
                answer(f, "later");
                http_fixture_read(f, fd, &in, "later");
                assert_int_equal(http_fixture_status(in.data), 200);
                http_fixture_sends(f, fd, get_later);
                assert_true(HTTP_FIXTURE_UNTIL(f, f->held));
        }
        answer(f, "x");
        close(fd);
        assert_int_equal(f->gone, 0);
}

static void test_an_answer_may_take_longer_than_a_request(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_held_client(f, get_later);
        int64_t until = clock_mono_ns() + 2500 * NSEC_PER_MSEC;

        while (clock_mono_ns() < until)
                http_fixture_turn(f, 100);
        assert_non_null(f->held);
        answer(f, "later");
        http_fixture_read(f, fd, &in, "later");
        assert_int_equal(http_fixture_status(in.data), 200);
        close(fd);
}

static void test_notices_a_client_that_left(void **state)
{
        struct http_fixture *f = *state;
        int fd = http_fixture_held_client(f, get_later);
        int64_t began = clock_mono_ns();

        close(fd);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->gone));
        assert_true(clock_mono_ns() - began < 2 * NSEC_PER_SEC);
        for (int i = 0; i < 10; i++)
                http_fixture_turn(f, 1);
        assert_string_equal(f->trace.data, "head request gone ");
        assert_int_equal(http_server_exchanges(f->server), 0);
}

static void test_notices_a_client_that_reset(void **state)
{
        struct http_fixture *f = *state;
        struct linger reset = {1, 0};
        int fd = http_fixture_held_client(f, get_later);

        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->gone));
        for (int i = 0; i < 10; i++)
                http_fixture_turn(f, 1);
        assert_int_equal(f->gone, 1);
}

static void test_notices_one_that_left_with_its_second_request(void **state)
{
        struct http_fixture *f = *state;
        int fd = http_fixture_held_client(f, get_later);
        scoped(str) struct str in = {0};

        answer(f, "later");
        http_fixture_read(f, fd, &in, "later");
        http_fixture_sends(f, fd, get_later);
        close(fd);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->gone == 1));
        assert_int_equal(http_server_exchanges(f->server) <= 1, 1);
}

static void test_answers_a_half_closed_client(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int bystander = http_fixture_connect(f), fd = http_fixture_held_client(f, get_later);
        int64_t until = clock_mono_ns() + 1500 * NSEC_PER_MSEC;
        const char *at;

        shutdown(fd, SHUT_WR);
        while (clock_mono_ns() < until) /* through more than one probe */
                http_fixture_turn(f, 50);
        assert_int_equal(f->gone, 0);
        answer(f, "later");
        at = http_fixture_read(f, fd, &in, NULL);
        assert_true(http_fixture_count(at, "HTTP/1.1 100 Continue\r\n\r\n") >= 2);
        while (strncmp(at, "HTTP/1.1 100 Continue\r\n\r\n", 25) == 0)
                at += 25;
        assert_int_equal(http_fixture_status(at), 200);
        assert_non_null(strstr(at, "later"));
        close(fd);
        close(bystander);
}

static void test_answers_one_that_half_closed_before_it_was_served(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0}, now = {0};
        int fd = http_fixture_connect(f);

        (void)!write(fd, get_now, strlen(get_now));
        shutdown(fd, SHUT_WR);
        http_fixture_read(f, fd, &now, NULL);
        assert_int_equal(http_fixture_status(now.data), 200);
        close(fd);
        fd = http_fixture_connect(f);
        (void)!write(fd, get_later, strlen(get_later));
        shutdown(fd, SHUT_WR);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->held));
        answer(f, "later");
        http_fixture_read(f, fd, &in, NULL);
        assert_non_null(strstr(in.data, "HTTP/1.1 200"));
        close(fd);
        assert_int_equal(f->gone, 0);
}

static void test_a_half_closed_client_that_then_leaves_is_noticed(void **state)
{
        struct http_fixture *f = *state;
        int fd = http_fixture_held_client(f, get_later);

        shutdown(fd, SHUT_WR);
        for (int i = 0; i < 10; i++)
                http_fixture_turn(f, 10);
        assert_int_equal(f->gone, 0);
        close(fd);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->gone));
}

static void test_http_10_gets_no_interim_answer(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_held_client(f, "GET /later HTTP/1.0\r\n" HOST "\r\n");

        shutdown(fd, SHUT_WR);
        for (int i = 0; i < 10; i++)
                http_fixture_turn(f, 10);
        assert_int_equal(f->gone, 0);
        answer(f, "later");
        assert_int_equal(http_fixture_status(http_fixture_read(f, fd, &in, NULL)), 200);
        assert_null(strstr(in.data, "100 Continue"));
        close(fd);
}

static void test_leaving_during_the_upload_starts_no_call(void **state)
{
        struct http_fixture *f = *state;
        int fd = http_fixture_connect(f);

        http_fixture_sends(f, fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 50\r\n\r\nhello");
        close(fd);
        for (int i = 0; i < 20; i++)
                http_fixture_turn(f, 5);
        assert_string_equal(f->trace.data, "head ");
        assert_int_equal(http_server_exchanges(f->server), 0);
}

static void test_an_answer_to_one_that_just_left_harms_nobody(void **state)
{
        struct http_fixture *f = *state;

        for (int i = 0; i < 50; i++) {
                int fd = http_fixture_held_client(f, get_later);

                close(fd);
                answer(f, "later"); /* before the server has looked */
                http_fixture_turn(f, 1);
        }
        assert_int_equal(f->gone, 0);
        for (int i = 0; i < 20; i++)
                http_fixture_turn(f, 2);
        assert_int_equal(http_server_exchanges(f->server), 0);
}

/* ---- deadlines ---- */

static void test_a_slow_head_is_cut_with_408(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_connect(f);
        int64_t began = clock_mono_ns();

        for (const char *p = "GET /now HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaa"; *p; p++) {
                if (send(fd, p, 1, MSG_NOSIGNAL) < 0)
                        break;
                for (int i = 0; i < 5; i++)
                        http_fixture_turn(f, 20);
        }
        assert_int_equal(http_fixture_status(http_fixture_read(f, fd, &in, NULL)), 408);
        assert_true(clock_mono_ns() - began < 8 * NSEC_PER_SEC);
        assert_int_equal(f->calls, 0);
        close(fd);
}

static void test_a_slow_body_is_cut_with_408(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_connect(f);

        http_fixture_sends(f, fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 500\r\n\r\n");
        for (int i = 0; i < 100 && send(fd, "x", 1, MSG_NOSIGNAL) == 1; i++)
                for (int j = 0; j < 5; j++)
                        http_fixture_turn(f, 20);
        assert_int_equal(http_fixture_status(http_fixture_read(f, fd, &in, NULL)), 408);
        assert_string_equal(f->trace.data, "head ");
        close(fd);
}

static void test_an_idle_connection_is_closed_without_words(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_connect(f);
        int64_t began;

        http_fixture_sends(f, fd, get_now);
        http_fixture_read(f, fd, &in, "kk");
        began = clock_mono_ns();
        http_fixture_read(f, fd, &in, NULL);
        assert_true(clock_mono_ns() - began < 3 * NSEC_PER_SEC);
        assert_int_equal(http_fixture_count(in.data, "HTTP/1.1"), 1);
        close(fd);
}

static void test_a_reader_that_stalls_is_closed(void **state)
{
        struct http_fixture *f = *state;
        int fd = http_fixture_connect(f), small = 4096;
        unsigned before = http_server_exchanges(f->server);

        f->reply_size = MIB(32);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        http_fixture_sends(f, fd, get_now);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->calls == 1));
        assert_true(HTTP_FIXTURE_UNTIL(f, http_server_exchanges(f->server) == before));
        close(fd);
}

static void test_one_that_never_reads_its_pipelined_answers_is_closed(void **state)
{
        struct http_fixture *f = *state;
        int fd = http_fixture_connect(f);
        int64_t until = clock_mono_ns() + 20 * NSEC_PER_SEC;
        bool cut = false;

        f->reply_size = KIB(32);
        while (!cut && clock_mono_ns() < until) {
                cut = send(fd, get_now, sizeof get_now - 1, MSG_NOSIGNAL) < 0 && errno != EAGAIN;
                http_fixture_turn(f, 1);
        }
        assert_true(cut);
        close(fd);
}

static void test_waits_for_nothing_when_nothing_is_due(void **state)
{
        struct http_fixture *f = *state;
        int fd = http_fixture_connect(f);
        int64_t wait;

        assert_int_equal(http_server_timeout_ns(f->server), -1);
        http_fixture_turn(f, 20);
        wait = http_server_timeout_ns(f->server);
        assert_true(wait > 0 && wait <= NSEC_PER_SEC);
        close(fd);
}

/* ---- streams ---- */

static void test_streams_until_the_client_leaves(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_held_client(f, get_stream);

        http_fixture_read(f, fd, &in, "\r\n\r\n");
        assert_non_null(strstr(in.data, "Content-Type: text/event-stream\r\n"));
        assert_non_null(strstr(in.data, "Transfer-Encoding: chunked\r\n"));
        for (int i = 0; i < 10; i++) {
                char line[32];

                snprintf(line, sizeof line, "data: %d\n\n", i);
                assert_int_equal(http_exchange_send(f->held, line, strlen(line)), 0);
                http_fixture_read(f, fd, &in, line);
        }
        close(fd);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->gone));
        for (int i = 0; i < 10; i++)
                http_fixture_turn(f, 1);
        assert_string_equal(f->trace.data, "head request gone ");
        assert_int_equal(http_server_exchanges(f->server), 0);
}

static void test_a_quiet_stream_is_left_alone(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_held_client(f, get_stream);
        int64_t until = clock_mono_ns() + 2500 * NSEC_PER_MSEC;

        while (clock_mono_ns() < until)
                http_fixture_turn(f, 100);
        assert_non_null(f->held);
        assert_int_equal(http_exchange_send(f->held, "tick", 4), 0);
        http_fixture_read(f, fd, &in, "tick");
        close(fd);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->gone));
}

static void test_a_stream_that_ends_arrives_whole(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_held_client(f, get_stream);

        for (int i = 0; i < 100; i++)
                assert_int_equal(http_exchange_send(f->held, "0123456789", 10), 0);
        http_exchange_end(f->held);
        http_fixture_read(f, fd, &in, "\r\n0\r\n\r\n");
        assert_int_equal(http_fixture_count(in.data, "0123456789"), 100);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->gone));
        /* The connection lives on. */
        str_done(&in);
        http_fixture_sends(f, fd, get_now);
        http_fixture_read(f, fd, &in, "kk");
        close(fd);
}

static void test_a_stream_to_http_10_ends_with_the_connection(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_held_client(f, "GET /stream HTTP/1.0\r\n" HOST "\r\n");

        assert_int_equal(http_exchange_send(f->held, "hello", 5), 0);
        http_fixture_read(f, fd, &in, "hello");
        http_exchange_end(f->held);
        http_fixture_read(f, fd, &in, NULL);
        assert_null(strstr(in.data, "chunked"));
        assert_true(HTTP_FIXTURE_UNTIL(f, f->gone));
        close(fd);
}

static void test_head_of_a_stream_ends_at_once(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = http_fixture_connect(f);

        http_fixture_sends(f, fd, "HEAD /stream HTTP/1.1\r\n" HOST "\r\n");
        http_fixture_read(f, fd, &in, "\r\n\r\n");
        assert_int_equal(http_fixture_status(in.data), 200);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->gone == 1));
        close(fd);
}

static void test_a_stream_nobody_reads_is_cut_at_its_bound(void **state)
{
        struct http_fixture *f = *state;
        int fd = http_fixture_held_client(f, get_stream);
        static const char block[4096];
        size_t sent = 0;
        int r = 0;

        while (r == 0 && sent < MIB(64)) {
                r = http_exchange_send(f->held, block, sizeof block);
                sent += sizeof block;
                if (r == 0)
                        http_fixture_turn(f, 0);
        }
        assert_int_equal(r, -ENOBUFS);
        assert_int_equal(f->gone, 0); /* never from inside send */
        assert_int_equal(http_exchange_send(f->held, block, 1), -EPIPE);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->gone));
        close(fd);
}

/* ---- the end ---- */

static void test_ends_everything_when_freed(void **state)
{
        struct http_fixture *f = *state;
        int later = http_fixture_held_client(f, get_later);
        int idle = http_fixture_connect(f), partial = http_fixture_connect(f), stream;

        f->held = NULL;
        stream = http_fixture_held_client(f, get_stream);
        http_fixture_sends(f, partial, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nx");
        http_fixture_turn(f, 5);
        http_server_free(f->server);
        f->server = NULL;
        assert_int_equal(f->gone, 2);
        close(later);
        close(idle);
        close(partial);
        close(stream);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, http_fixture_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
            T(test_answers_later),
            T(test_an_answer_may_take_longer_than_a_request),
            T(test_notices_a_client_that_left),
            T(test_notices_a_client_that_reset),
            T(test_notices_one_that_left_with_its_second_request),
            cmocka_unit_test_setup_teardown(test_answers_a_half_closed_client, http_fixture_setup,
                                            http_fixture_teardown),
            T(test_answers_one_that_half_closed_before_it_was_served),
            T(test_a_half_closed_client_that_then_leaves_is_noticed),
            T(test_http_10_gets_no_interim_answer),
            T(test_leaving_during_the_upload_starts_no_call),
            T(test_an_answer_to_one_that_just_left_harms_nobody),
            T(test_a_slow_head_is_cut_with_408),
            T(test_a_slow_body_is_cut_with_408),
            T(test_an_idle_connection_is_closed_without_words),
            T(test_a_reader_that_stalls_is_closed),
            T(test_one_that_never_reads_its_pipelined_answers_is_closed),
            T(test_waits_for_nothing_when_nothing_is_due),
            T(test_streams_until_the_client_leaves),
            T(test_a_quiet_stream_is_left_alone),
            T(test_a_stream_that_ends_arrives_whole),
            T(test_a_stream_to_http_10_ends_with_the_connection),
            T(test_head_of_a_stream_ends_at_once),
            T(test_a_stream_nobody_reads_is_cut_at_its_bound),
            T(test_ends_everything_when_freed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
