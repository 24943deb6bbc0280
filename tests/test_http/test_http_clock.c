/* test_http_clock.c -- deadlines hold though the clock on the wall jumps: they are counted on the
 * monotonic one. The linker puts our clock in the place of the real one. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_fixture.h"
#include "support/test.h"

#define HOST "Host: localhost\r\n"
#define YEAR (365 * 24 * 3600 * NSEC_PER_SEC)

int64_t __real_clock_real_ns(void);
int64_t __wrap_clock_real_ns(void);

static int64_t jump_ns;

int64_t __wrap_clock_real_ns(void)
{
        return __real_clock_real_ns() + jump_ns;
}

/* The year that the answer's Date says. */
static int year_of(const char *answer)
{
        const char *date = strstr(answer, "Date: ");

        return date ? atoi(date + strlen("Date: Sun, 22 Nov ")) : 0;
}

static void test_w39_a_jump_of_years_ends_no_connection(void **state)
{
        static const int64_t jumps[] = {0, 20 * YEAR, -20 * YEAR, 0};
        struct http_fixture f;
        int fd, slow, before = 0;

        (void)state;
        jump_ns = 0;
        http_fixture_init(&f);
        http_fixture_start(&f);
        fd = http_fixture_connect(&f);
        slow = http_fixture_connect(&f);
        http_fixture_sends(&f, slow, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 8\r\n\r\n");
        for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
                scoped(str) struct str in = {0};

                jump_ns = jumps[i];
                http_fixture_sends(&f, fd, "GET /now HTTP/1.1\r\n" HOST "\r\n");
                http_fixture_sends(&f, slow, "ab");
                http_fixture_read(&f, fd, &in, "kk");
                assert_int_equal(http_fixture_status(in.data), 200);
                assert_true(i == 0 || abs(year_of(in.data) - before) >= 19);
                before = year_of(in.data);
        }
        {
                scoped(str) struct str in = {0};

                http_fixture_read(&f, slow, &in, "abababab");
                assert_int_equal(http_fixture_status(in.data), 200);
        }
        close(fd);
        close(slow);
        http_fixture_stop(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_w39_a_jump_of_years_ends_no_connection),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
