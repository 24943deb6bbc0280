/* test_http_guard.c -- who may ask: the truth table of Host, Origin and token. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "http/http_guard.h"
#include "support/test.h"

enum {
        OK = HTTP_GUARD_OK,
        BAD = HTTP_GUARD_BAD_REQUEST,
        UNAUTH = HTTP_GUARD_UNAUTHORIZED,
        FORBIDDEN = HTTP_GUARD_FORBIDDEN
};

static struct http_guard *guard(const char *listen, const char *const *hosts, const char *token)
{
        struct http_guard *g = NULL;
        struct err e = {0};

        if (http_guard_new(listen, hosts, token, &g, &e) < 0)
                fail_msg("%s", e.msg);
        return g;
}

struct row {
        int want;
        const char *host, *origin, *authorization;
};

static void check(const struct http_guard *g, const struct row *rows, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const char *words = NULL;
                int got = (int)http_guard_check(g, rows[i].host, rows[i].host != NULL,
                                                rows[i].origin, rows[i].authorization, &words);

                if (got != rows[i].want)
                        fail_msg("Host %s, Origin %s: %d, not %d", rows[i].host,
                                 rows[i].origin ? rows[i].origin : "-", got, rows[i].want);
                assert_true((words[0] == '\0') == (got == OK));
        }
}

static void test_loopback_answers_to_its_own_names_only(void **state)
{
        static const struct row rows[] = {
            {OK, "127.0.0.1:8000", NULL, NULL},
            {OK, "localhost:8000", NULL, NULL},
            {OK, "LocalHost:8000", NULL, NULL},
            {OK, "[::1]:8000", NULL, NULL},
            {OK, "[0:0:0:0:0:0:0:1]:8000", NULL, NULL},
            {BAD, NULL, NULL, NULL},
            {BAD, "", NULL, NULL},
            {BAD, "localhost", NULL, NULL},
            {BAD, "127.0.0.1", NULL, NULL},
            {BAD, "localhost:8001", NULL, NULL},
            {BAD, "localhost:80", NULL, NULL},
            {BAD, "localhost:", NULL, NULL},
            {BAD, "localhost:0", NULL, NULL},
            {BAD, "localhost:8000x", NULL, NULL},
            {BAD, "localhost:+8000", NULL, NULL},
            {BAD, "localhost:08000 ", NULL, NULL},
            {BAD, "localhost:73536", NULL, NULL},
            {BAD, "localhost:8000:8000", NULL, NULL},
            {BAD, "localhost.:8000", NULL, NULL},
            {BAD, "localhost.evil:8000", NULL, NULL},
            {BAD, "evil.example", NULL, NULL},
            {BAD, "evil.example:8000", NULL, NULL},
            {BAD, "127.0.0.1@evil.example:8000", NULL, NULL},
            {BAD, "localhost:8000@evil.example", NULL, NULL},
            {BAD, "127.0.0.1.evil.example:8000", NULL, NULL},
            {BAD, "0x7f.1:8000", NULL, NULL},
            {BAD, "2130706433:8000", NULL, NULL},
            {BAD, "127.0.0.2:8000", NULL, NULL},
            {BAD, "0.0.0.0:8000", NULL, NULL},
            {BAD, "[::]:8000", NULL, NULL},
            {BAD, "[::1%25lo]:8000", NULL, NULL},
            {BAD, "[::ffff:127.0.0.1]:8000", NULL, NULL},
            {BAD, "[::1:8000", NULL, NULL},
            {BAD, "[]:8000", NULL, NULL},
            {BAD, "::1:8000", NULL, NULL},
            {BAD, "local host:8000", NULL, NULL},
            {BAD, "localhost/:8000", NULL, NULL},
        };
        struct http_guard *g = guard("127.0.0.1:8000", NULL, NULL);
        const char *words;

        (void)state;
        check(g, rows, ARRAY_LEN(rows));
        assert_int_equal(http_guard_check(g, "localhost:8000", 2, NULL, NULL, &words), BAD);
        http_guard_free(g);
}

static void test_pages_of_other_origins_are_forbidden(void **state)
{
        static const struct row rows[] = {
            {OK, "localhost:8000", "http://localhost:8000", NULL},
            {OK, "localhost:8000", "http://127.0.0.1:8000", NULL},
            {OK, "localhost:8000", "HTTP://LOCALHOST:8000", NULL},
            {OK, "localhost:8000", "http://[::1]:8000", NULL},
            {FORBIDDEN, "localhost:8000", "null", NULL},
            {FORBIDDEN, "localhost:8000", "", NULL},
            {FORBIDDEN, "localhost:8000", "http://", NULL},
            {FORBIDDEN, "localhost:8000", "localhost:8000", NULL},
            {FORBIDDEN, "localhost:8000", "http://localhost", NULL},
            {FORBIDDEN, "localhost:8000", "https://localhost", NULL},
            {FORBIDDEN, "localhost:8000", "http://localhost:3000", NULL},
            {FORBIDDEN, "localhost:8000", "http://evil.example", NULL},
            {FORBIDDEN, "localhost:8000", "http://evil.example:8000", NULL},
            {FORBIDDEN, "localhost:8000", "http://localhost:8000.evil.example", NULL},
            {FORBIDDEN, "localhost:8000", "http://localhost:8000/", NULL},
            {FORBIDDEN, "localhost:8000", "http://localhost:8000@evil.example", NULL},
            {FORBIDDEN, "localhost:8000", "file://localhost:8000", NULL},
            {FORBIDDEN, "localhost:8000", "http://localhost:8000 http://evil.example", NULL},
            {BAD, "evil.example:8000", "http://evil.example:8000", NULL},
        };
        struct http_guard *g = guard("[::1]:8000", NULL, NULL);

        (void)state;
        check(g, rows, ARRAY_LEN(rows));
        http_guard_free(g);
}

static void test_port_80_needs_no_port(void **state)
{
        static const struct row rows[] = {
            {OK, "localhost", "http://localhost", NULL},
            {OK, "localhost:80", "http://127.0.0.1:80", NULL},
            {FORBIDDEN, "localhost", "https://localhost", NULL},
        };
        struct http_guard *g = guard("127.0.0.1:80", NULL, NULL);

        (void)state;
        check(g, rows, ARRAY_LEN(rows));
        http_guard_free(g);
}

static void test_allowed_hosts_add_names(void **state)
{
        static const char *const hosts[] = {"Forge.Example", "proxy.example:8443", NULL};
        static const struct row rows[] = {
            {OK, "forge.example", NULL, NULL},
            {OK, "forge.example:8000", "https://forge.example", NULL},
            {OK, "forge.example", "http://forge.example:8000", NULL},
            {OK, "proxy.example:8443", "https://proxy.example:8443", NULL},
            {BAD, "forge.example:81", NULL, NULL},
            {BAD, "proxy.example", NULL, NULL},
            {BAD, "proxy.example:8000", NULL, NULL},
            {FORBIDDEN, "forge.example", "https://proxy.example", NULL},
            {BAD, "192.168.1.5:8001", NULL, NULL},
        };
        struct http_guard *g = guard("192.168.1.5:8000", hosts, NULL);

        (void)state;
        check(g, rows, ARRAY_LEN(rows));
        http_guard_free(g);
}

static void test_bound_to_all_a_literal_address_is_no_rebinding(void **state)
{
        static const struct row rows[] = {
            {OK, "192.168.1.5:8000", NULL, NULL},
            {OK, "192.168.1.5:8000", "http://192.168.1.5:8000", NULL},
            {OK, "[fe80::1]:8000", NULL, NULL},
            {OK, "localhost:8000", NULL, NULL},
            {FORBIDDEN, "192.168.1.5:8000", "http://203.0.113.7:8000", NULL},
            {BAD, "192.168.1.5", NULL, NULL},
            {BAD, "evil.example:8000", NULL, NULL},
        };
        struct http_guard *g = guard("0.0.0.0:8000", NULL, NULL);

        (void)state;
        check(g, rows, ARRAY_LEN(rows));
        http_guard_free(g);
}

static void test_a_token_must_be_right_to_the_byte(void **state)
{
        static const struct row rows[] = {
            {OK, "localhost:8000", NULL, "Bearer 0123456789abcdef"},
            {OK, "localhost:8000", NULL, "bearer  0123456789abcdef"},
            {UNAUTH, "localhost:8000", NULL, NULL},
            {UNAUTH, "localhost:8000", NULL, ""},
            {UNAUTH, "localhost:8000", NULL, "Bearer"},
            {UNAUTH, "localhost:8000", NULL, "Bearer "},
            {UNAUTH, "localhost:8000", NULL, "Bearer 0123456789abcdeF"},
            {UNAUTH, "localhost:8000", NULL, "Bearer 0123456789abcde"},
            {UNAUTH, "localhost:8000", NULL, "Bearer 0123456789abcdef0123456789abcdef"},
            {UNAUTH, "localhost:8000", NULL, "Bearer 0123456789abcdef "},
            {UNAUTH, "localhost:8000", NULL, "Basic 0123456789abcdef"},
            {UNAUTH, "localhost:8000", NULL, "0123456789abcdef"},
            {BAD, "evil.example", NULL, "Bearer 0123456789abcdef"},
            {FORBIDDEN, "localhost:8000", "null", "Bearer 0123456789abcdef"},
        };
        struct http_guard *g = guard("127.0.0.1:8000", NULL, "0123456789abcdef");

        (void)state;
        check(g, rows, ARRAY_LEN(rows));
        http_guard_free(g);
}

static void test_refuses_a_bad_configuration_with_words(void **state)
{
        static const char *const bad[] = {"",         "localhost", "a b:80", "[::1:80",
                                          "x:999999", ":",         "::1:80"};
        static const char *const bad_host[] = {"fine.example", "not fine", NULL};
        struct http_guard *g = NULL;
        struct err e = {0};
        bool loopback;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                assert_int_equal(http_guard_new(bad[i], NULL, NULL, &g, &e), -EINVAL);
                assert_int_equal(http_guard_is_loopback(bad[i], &loopback, &e), -EINVAL);
        }
        assert_int_equal(http_guard_new("127.0.0.1:1", bad_host, NULL, &g, &e), -EINVAL);
        assert_non_null(strstr(e.msg, "not fine"));
        assert_null(g);
        http_guard_free(NULL);
}

static void test_knows_loopback(void **state)
{
        static const struct {
                const char *listen;
                bool loopback;
        } rows[] = {{"127.0.0.1:8000", true},
                    {"127.9.9.9:1", true},
                    {"localhost:80", true},
                    {"[::1]:80", true},
                    {":8000", true},
                    {"127.0.0.1:0", true},
                    {"[::ffff:127.0.0.1]:80", true},
                    {"0.0.0.0:80", false},
                    {"[::]:80", false},
                    {"192.168.1.5:80", false},
                    {"localhost.evil:80", false}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct err e = {0};
                bool got;

                assert_int_equal(http_guard_is_loopback(rows[i].listen, &got, &e), 0);
                if (got != rows[i].loopback)
                        fail_msg("%s", rows[i].listen);
        }
}

/* A file with this text and mode; its path. */
static const char *token_file(const char *text, size_t n, mode_t mode)
{
        static char path[64];
        int fd;

        snprintf(path, sizeof path, "/tmp/forgesyte-token-XXXXXX");
        fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, n), 0);
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
        return path;
}

static int read_token(const char *text, size_t n, mode_t mode, char **ret, struct err *e)
{
        const char *path = token_file(text, n, mode);
        int r = http_guard_read_token(path, ret, e);

        unlink(path);
        return r;
}

static void test_reads_a_token_that_only_its_owner_can(void **state)
{
        static const struct {
                const char *text;
                size_t n;
                mode_t mode;
        } bad[] = {
            {"0123456789abcdef\n", 17, 0644},
            {"0123456789abcdef\n", 17, 0640},
            {"0123456789abcdef\n", 17, 0602},
            {"0123456789abcde\n", 16, 0600},
            {"", 0, 0600},
            {"0123456789abcdef\nmore\n", 22, 0600},
            {"0123456789 abcdef\n", 18, 0600},
            {"0123456789abcdef\0x\n", 19, 0600},
            {"0123456789abcd\xc3\xa4\xc3\xa4", 18, 0600},
        };
        scoped(free) char *token = NULL, *token_crlf = NULL;
        char longest[520];
        struct err e = {0};

        (void)state;
        assert_int_equal(read_token("0123456789abcdef\n", 17, 0600, &token, &e), 0);
        assert_string_equal(token, "0123456789abcdef");
        assert_int_equal(read_token("0123456789abcdef\r\n", 18, 0400, &token_crlf, &e), 0);
        assert_string_equal(token_crlf, "0123456789abcdef");
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                char *none = NULL;

                assert_true(read_token(bad[i].text, bad[i].n, bad[i].mode, &none, &e) < 0);
                assert_null(none);
                assert_true(e.msg[0] != '\0');
                assert_null(strstr(e.msg, "0123456789")); /* never in words that may be logged */
        }
        memset(longest, 'x', sizeof longest);
        for (size_t n = 511; n < sizeof longest; n++) {
                scoped(free) char *got = NULL;

                assert_int_equal(read_token(longest, n, 0600, &got, &e) == 0, n <= 512);
        }
        assert_int_equal(http_guard_read_token("/no/such/file", &token, &e), -ENOENT);
        assert_int_equal(http_guard_read_token("/tmp", &token, &e), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_loopback_answers_to_its_own_names_only),
            cmocka_unit_test(test_pages_of_other_origins_are_forbidden),
            cmocka_unit_test(test_port_80_needs_no_port),
            cmocka_unit_test(test_allowed_hosts_add_names),
            cmocka_unit_test(test_bound_to_all_a_literal_address_is_no_rebinding),
            cmocka_unit_test(test_a_token_must_be_right_to_the_byte),
            cmocka_unit_test(test_refuses_a_bad_configuration_with_words),
            cmocka_unit_test(test_knows_loopback),
            cmocka_unit_test(test_reads_a_token_that_only_its_owner_can),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
