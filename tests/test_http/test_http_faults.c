/* test_http_faults.c -- the server where memory is missing, and while a worker that is just being
 * started still holds copies of its sockets. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_fixture.h"
#include "support/failing_malloc.h"
#include "support/test.h"

#define HOST "Host: localhost\r\n"

static const char get_now[] = "GET /now?a=1 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";

/* --- a fork holds the sockets --- */

/* A process with copies of every descriptor, as the host's fork has until its execve. */
static pid_t hold_descriptors(void)
{
        pid_t pid = fork();

        if (pid == 0)
                for (;;)
                        pause();
        assert_true(pid > 0);
        return pid;
}

static void turn_often(struct http_fixture *f)
{
        for (int i = 0; i < 50; i++)
                http_fixture_turn(f, 1);
}

/* One that was closed here is still open there, and the kernel goes on telling of it. */
static void leave_while_held(struct http_fixture *f, const char *request)
{
        int fd = http_fixture_connect(f);
        unsigned calls = f->calls;
        pid_t holder;

        http_fixture_sends(f, fd, request);
        turn_often(f);
        holder = hold_descriptors();
        shutdown(fd, SHUT_WR);
        turn_often(f);
        close(fd);
        turn_often(f);
        assert_int_equal(kill(holder, SIGKILL), 0);
        assert_int_equal(waitpid(holder, NULL, 0), holder);
        turn_often(f);
        assert_true(f->calls >= calls);
}

static void test_a_connection_that_a_fork_still_holds_is_forgotten(void **state)
{
        struct http_fixture *f = *state;
        scoped(str) struct str in = {0};

        leave_while_held(f, "GET /now HTTP/1.1\r\n" HOST "\r\n");
        leave_while_held(f, "GET /no");
        leave_while_held(f, "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\nabc");
        leave_while_held(f, "GET /now HTTP/1.1\r\n" HOST "Connection: close\r\n\r\nmore");
        http_fixture_ask(f, &in, get_now, NULL);
        assert_int_equal(http_fixture_status(in.data), 200);
}

/* --- the n-th allocation fails --- */

/* Not /now: the fixture allocates its answer, and holds that it can. */
static const char *const requests[] = {
    "POST /echo HTTP/1.1\r\n" HOST "Connection: close\r\nContent-Length: 5\r\n\r\nhello",
    "POST /echo HTTP/1.1\r\n" HOST "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n0\r\n\r\n",
    "GET /refuse?a=1&b=2 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
    "NONSENSE\r\n\r\n",
};

/* What comes until the connection ends, without an allocation of the test's own. */
static void ask(struct http_fixture *f, const char *request, char *in, size_t size)
{
        int fd = http_fixture_connect(f);
        size_t n = 0;
        ssize_t r = -1;

        http_fixture_sends(f, fd, request);
        for (int turns = 0; turns < 1000 && n + 1 < size && r != 0; turns++) {
                http_fixture_turn(f, 10);
                r = recv(fd, in + n, size - 1 - n, MSG_DONTWAIT);
                if (r < 0 && errno != EAGAIN)
                        break;
                n += r > 0 ? (size_t)r : 0;
        }
        in[n] = '\0';
        close(fd);
}

/* Answered, refused for want of memory, or closed; what comes next is served. */
static void ask_once(struct http_fixture *f, const char *request, size_t nth, bool *ret_failed)
{
        scoped(str) struct str after = {0};
        char in[4096] = "";
        unsigned status;

        failing_malloc_arm(nth);
        ask(f, request, in, sizeof in);
        *ret_failed = failing_malloc_disarm();
        status = in[0] ? http_fixture_status(in) : 0;
        assert_true(*ret_failed || status);
        assert_true(status == 0 || (status >= 200 && status < 600));
        http_fixture_ask(f, &after, get_now, NULL);
        assert_int_equal(http_fixture_status(after.data), 200);
}

static void test_missing_memory_costs_one_client_its_answer_at_most(void **state)
{
        struct http_fixture *f = *state;

        for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
                bool failed = true;
                size_t nth = 1;

                for (; failed && nth < 200; nth++)
                        ask_once(f, requests[i], nth, &failed);
                assert_true(nth > 2 && nth < 200);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_a_connection_that_a_fork_still_holds_is_forgotten,
                                            http_fixture_setup, http_fixture_teardown),
            cmocka_unit_test_setup_teardown(test_missing_memory_costs_one_client_its_answer_at_most,
                                            http_fixture_setup, http_fixture_teardown),
        };

        return cmocka_run_group_tests_name("http_faults", tests, NULL, NULL);
}
