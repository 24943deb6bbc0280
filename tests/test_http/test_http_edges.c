/* test_http_edges.c -- what the kernel and the clock say at the worst moment: a socket that takes
 * nothing more and then is gone, an answer minutes after the last turn, a probe that is due while
 * somebody else is looked at. The linker puts our clock and our calls in the place of theirs. */
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

int64_t __real_clock_mono_ns(void);
int64_t __wrap_clock_mono_ns(void);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __real_recv(int fd, void *buf, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags);

static int64_t jump_ns;    /* how far our clock is ahead */
static int interim_errno;  /* of sending "100 Continue"; 0: it goes out */
static size_t largest_ask; /* of the server's calls to recv */

int64_t __wrap_clock_mono_ns(void)
{
        return __real_clock_mono_ns() + jump_ns;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
        const struct iovec *v = m->msg_iov;

        if (!interim_errno || v->iov_len < 12 || memcmp(v->iov_base, "HTTP/1.1 100", 12) != 0)
                return __real_sendmsg(fd, m, flags);
        errno = interim_errno;
        return -1;
}

ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags)
{
        if (flags & MSG_DONTWAIT) /* the fixture's own sockets need no flag */
                largest_ask = MAX_OF(largest_ask, size);
        return __real_recv(fd, buf, size, flags);
}

static int start(void **state)
{
        jump_ns = 0;
        interim_errno = 0;
        largest_ask = 0;
        return http_fixture_setup(state);
}

static void turn_often(struct http_fixture *f)
{
        for (int i = 0; i < 20; i++)
                http_fixture_turn(f, 1);
}

/* --- sockets --- */

static const char post_waits[] =
    "POST /now HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n";

/* "100 Continue" finds a full socket, and then nobody. */
static void lose_interim(struct http_fixture *f, const char *body)
{
        int fd = http_fixture_connect(f);

        interim_errno = EAGAIN;
        http_fixture_sends(f, fd, post_waits);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->trace.len));
        interim_errno = EPIPE;
        http_fixture_sends(f, fd, body);
        turn_often(f);
        interim_errno = 0;
        assert_string_equal(f->trace.data, "head ");
        assert_int_equal(http_server_exchanges(f->server), 0);
        close(fd);
}

static void test_a_client_lost_before_its_body_does_not_spin(void **state)
{
        lose_interim(*state, "ab");
}

static void test_a_client_lost_before_its_body_starts_no_call(void **state)
{
        lose_interim(*state, "abcd");
}

static void test_a_chunked_body_is_read_in_large_pieces(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        scoped(free) char *body = calloc(1, MIB(1));
        int fd = http_fixture_connect(f);

        http_fixture_sends(
            f, fd, "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n100000\r\n");
        http_fixture_send(f, fd, body, MIB(1));
        http_fixture_sends(f, fd, "\r\n0\r\n\r\n");
        http_fixture_read(f, fd, &in, "kk");
        assert_int_equal(http_fixture_status(in.data), 200);
        assert_int_equal(f->body_len, MIB(1));
        assert_true(largest_ask >= KIB(32));
        close(fd);
}

/* --- clocks --- */

static void test_an_answer_minutes_after_the_last_turn_costs_no_connection(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0}, again = {0};
        int fd = http_fixture_held_client(f, get_later);

        turn_often(f);
        jump_ns = 300 * NSEC_PER_SEC;
        http_exchange_reply(f->held, &(struct http_reply){200, NULL, strdup("later"), 5, {NULL}});
        http_fixture_read(f, fd, &in, "later");
        turn_often(f);
        http_fixture_sends(f, fd, get_now);
        http_fixture_read(f, fd, &again, "kk");
        assert_int_equal(http_fixture_status(again.data), 200);
        close(fd);
}

static void test_a_look_at_somebody_else_forgets_no_probe(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int bystander = http_fixture_connect(f), fd;

        turn_often(f);
        jump_ns = 9 * NSEC_PER_SEC + 500 * NSEC_PER_MSEC;
        http_fixture_turn(f, 0);
        fd = http_fixture_held_client(f, get_later);
        shutdown(fd, SHUT_WR);
        turn_often(f); /* probed now, and due again in a second */
        jump_ns += 600 * NSEC_PER_MSEC;
        turn_often(f); /* the bystander has had its 10 s */
        http_fixture_read(f, fd, &in, "100 Continue\r\n\r\n");
        close(fd); /* all was read: without a reset */
        turn_often(f);
        assert_int_equal(f->gone, 0); /* nothing says so by itself */
        jump_ns += NSEC_PER_SEC;
        assert_true(http_server_timeout_ns(f->server) == 0);
        assert_true(HTTP_FIXTURE_UNTIL(f, f->gone));
        close(bystander);
}

/* --- an end that comes together with the request --- */

/* As the second of its connection: the first comes before there is an event to tell. */
static int send_and_end(struct http_fixture *f, const char *request)
{
        scoped(str) struct str in = {0};
        int fd = http_fixture_connect(f);

        http_fixture_sends(f, fd, get_now);
        http_fixture_read(f, fd, &in, "kk");
        turn_often(f);
        str_done(&f->trace);
        assert_int_equal(write(fd, request, strlen(request)), strlen(request));
        shutdown(fd, SHUT_WR);
        return fd;
}

static void test_who_left_with_its_request_is_noticed_at_once(void **state)
{
        struct http_fixture *f = *state;

        close(send_and_end(f, get_later));
        turn_often(f);
        assert_string_equal(f->trace.data, "head request gone ");
}

static void test_a_stream_asked_for_at_the_end_is_over(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};
        int fd = send_and_end(f, get_stream);

        http_fixture_read(f, fd, &in, NULL);
        assert_int_equal(http_fixture_status(in.data), 200);
        assert_string_equal(f->trace.data, "head request gone ");
        close(fd);
}

/* --- what a stream held --- */

static void test_a_reader_that_caught_up_holds_nothing(void **state)
{
        static char piece[KIB(256)];
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0}, big = {0};
        char head[128];
        int fd, other;

        http_server_free(f->server);
        f->options.held_max = f->options.body_max = KIB(600);
        f->stream_max = MIB(1);
        http_fixture_start(f);
        fd = http_fixture_held_client(f, get_stream);
        memset(piece, 'p', sizeof piece);
        piece[sizeof piece - 1] = '!';
        assert_int_equal(http_exchange_send(f->held, piece, sizeof piece), 0);
        http_fixture_read(f, fd, &in, "!\r\n");
        turn_often(f);
        other = http_fixture_connect(f);
        snprintf(head, sizeof head, "POST /now HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n",
                 (int)KIB(400));
        http_fixture_sends(f, other, head);
        http_fixture_send(f, other, piece, KIB(200));
        http_fixture_send(f, other, piece, KIB(200));
        http_fixture_read(f, other, &big, "kk");
        assert_int_equal(http_fixture_status(big.data), 200);
        close(other);
        close(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, http_fixture_teardown)
        const struct CMUnitTest tests[] = {
            T(test_a_client_lost_before_its_body_does_not_spin),
            T(test_a_client_lost_before_its_body_starts_no_call),
            T(test_a_chunked_body_is_read_in_large_pieces),
            T(test_an_answer_minutes_after_the_last_turn_costs_no_connection),
            T(test_a_look_at_somebody_else_forgets_no_probe),
            T(test_who_left_with_its_request_is_noticed_at_once),
            T(test_a_stream_asked_for_at_the_end_is_over),
            T(test_a_reader_that_caught_up_holds_nothing),
        };
#undef T

        return cmocka_run_group_tests_name("http_edges", tests, NULL, NULL);
}
