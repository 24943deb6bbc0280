/* fuzz_guard.c -- Host, Origin and Authorization of a stranger; and the operator's address and
 * further hosts. Five texts with 0xff between: listen, an allowed host, Host, Origin,
 * Authorization. What is let in must name one of the hosts, in a way that no browser reads
 * differently. */
#include <errno.h>

#include "fuzz.h"
#include "http/http_guard.h"

#define TOKEN "0123456789abcdef"

/* Only what names could hold: then the name up to the port is one that was allowed. */
static void check_let_in(const char *host, const char *origin, const char *authorization)
{
        must(host != NULL, "who is let in names a host");
        must(host[0] && !strpbrk(host, " \t\r\n,/@?#\\%"), "a host is a name and a port");
        must(!origin || !strpbrk(origin, " \t\r\n,@?#\\%"), "an origin is no list");
        must(!strcmp(authorization, "Bearer " TOKEN) ||
                 (!strncasecmp(authorization, "bearer ", 7) && strstr(authorization, TOKEN)),
             "who is let in knows the token");
}

static void check_foreign(const struct http_guard *g)
{
        static const char *const foreign[] = {"evil.example",           "evil.example:8000",
                                              "127.0.0.1.evil.example", "localhost@evil.example",
                                              "[::ffff:9.9.9.9]",       ""};
        const char *words = NULL;

        for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
                must(http_guard_check(g, foreign[i], 1, NULL, "Bearer " TOKEN, &words) !=
                         HTTP_GUARD_OK,
                     "a foreign host is refused");
        must(http_guard_check(g, "localhost", 2, NULL, "Bearer " TOKEN, &words) != HTTP_GUARD_OK,
             "two hosts are none");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(free) char *listen = next_field(&data, &size);
        scoped(free) char *allowed = next_field(&data, &size);
        scoped(free) char *host = next_field(&data, &size);
        scoped(free) char *origin = next_field(&data, &size);
        scoped(free) char *authorization = next_field(&data, &size);
        const char *const names[] = {allowed, NULL};
        struct http_guard *known = NULL, *g = NULL;
        const char *words = NULL;
        bool loopback = false;
        struct err e = {0};
        int r;

        must(http_guard_new("127.0.0.1:8000", NULL, TOKEN, &known, &e) == 0, "memory");
        check_foreign(known);
        if (http_guard_check(known, host, 1, *origin ? origin : NULL, authorization, &words) ==
            HTTP_GUARD_OK)
                check_let_in(host, *origin ? origin : NULL, authorization);
        else
                must(words && words[0], "a refusal has words");
        http_guard_free(known);

        r = http_guard_is_loopback(listen, &loopback, &e);
        must(r == 0 || r == -EINVAL, "an address or none");
        r = http_guard_new(listen, *allowed ? names : NULL, NULL, &g, &e);
        must(r == 0 || r == -EINVAL, "an address and hosts or none");
        must((r == 0) == (g != NULL), "a guard when they are");
        if (r < 0)
                must_have_words(e.msg);
        else
                (void)http_guard_check(g, host, 1, *origin ? origin : NULL, NULL, &words);
        http_guard_free(g);
        return 0;
}
