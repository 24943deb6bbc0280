/* test_log.c -- the host's log never waits for who reads it. */
#include "support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

static size_t drain(int fd, char *into, size_t max)
{
        size_t n = 0;
        ssize_t r;

        while (n < max && (r = read(fd, into + n, max - n)) > 0)
                n += (size_t)r;
        into[n] = '\0';
        return n;
}

static void test_a_pipe_that_nobody_reads_stops_nobody(void **state)
{
        static char text[1 << 20];
        atomic_uint lost = 0;
        struct log piped = {.level = LOG_LEVEL_INFO, .lost = &lost};
        int ends[2];

        (void)state;
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(fd_set_nonblock(ends[0]), 0);
        piped.fd = ends[1];
        /* 64 KiB are the pipe's; with a write that waits this would never come to its end. */
        for (int i = 0; i < 5000; i++)
                log_write(&piped, LOG_LEVEL_INFO, "line %d, and forty more bytes to make it longer",
                          i);
        assert_in_range(drain(ends[0], text, sizeof text - 1), 1000, 128 << 10);
        assert_non_null(strstr(text, "info line 0,"));
        assert_null(strstr(text, "line 4999"));
        log_write(&piped, LOG_LEVEL_INFO, "again");
        drain(ends[0], text, sizeof text - 1);
        assert_non_null(strstr(text, "lines are missing here"));
        assert_non_null(strstr(text, "info again\n"));
        log_write(&piped, LOG_LEVEL_INFO, "once");
        drain(ends[0], text, sizeof text - 1);
        assert_null(strstr(text, "missing"));
        close(ends[0]);
        close(ends[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_pipe_that_nobody_reads_stops_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
