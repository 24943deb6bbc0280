/* http_guard.c -- DNS rebinding makes a page's own name resolve to our address, so the Host header
 * must name us; a page elsewhere may send us simple requests, so Origin must be ours or absent. */
#include "http/http_guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define NAME_MAX_LEN 253
#define TOKEN_MIN    16
#define TOKEN_MAX    512
#define PORT_MISSING 0u
#define PORT_MAX     65535u
#define BUILT_IN_MAX 4

struct authority {
        char name[NAME_MAX_LEN + 3]; /* lower case; IPv6 in its shortest form, without brackets */
        unsigned port;               /* PORT_MISSING when none was given */
        bool is_literal;             /* an IP address: no name that could be rebound */
};

struct http_guard {
        struct authority *hosts;
        size_t n;
        unsigned port;
        bool any_literal; /* bound to every address: any of them may be meant */
        char *token;
};

/* ---- "name", "name:port", "[v6]:port" ---- */

static bool parse_port(const char *s, unsigned *ret)
{
        size_t n = strlen(s);
        unsigned long port;

        if (n == 0 || n > 5 || strspn(s, "0123456789") != n)
                return false;
        port = strtoul(s, NULL, 10);
        *ret = (unsigned)port;
        return port > 0 && port <= PORT_MAX;
}

static bool parse_v6(const char *s, size_t n, struct authority *a)
{
        struct in6_addr addr;
        char text[INET6_ADDRSTRLEN];

        if (n >= sizeof text)
                return false;
        memcpy(text, s, n);
        text[n] = '\0';
        if (inet_pton(AF_INET6, text, &addr) != 1)
                return false;
        a->is_literal = true;
        return inet_ntop(AF_INET6, &addr, a->name, sizeof a->name) != NULL;
}

static bool parse_name(const char *s, size_t n, struct authority *a)
{
        struct in_addr addr;

        if (n == 0 || n > NAME_MAX_LEN)
                return false;
        for (size_t i = 0; i < n; i++) {
                char c = s[i];

                if (c >= 'A' && c <= 'Z')
                        c = (char)(c | 0x20);
                if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                      c == '_'))
                        return false;
                a->name[i] = c;
        }
        a->name[n] = '\0';
        a->is_literal = inet_pton(AF_INET, a->name, &addr) == 1;
        return true;
}

static bool authority_parse(const char *s, struct authority *ret)
{
        struct authority a = {.port = PORT_MISSING};
        const char *end, *rest;
        bool ok;

        if (*s == '[') {
                end = strchr(s, ']');
                ok = end && parse_v6(s + 1, (size_t)(end - s - 1), &a);
                rest = end ? end + 1 : s;
        } else {
                rest = s + strcspn(s, ":");
                ok = parse_name(s, (size_t)(rest - s), &a);
        }
        if (!ok || (*rest != '\0' && *rest != ':'))
                return false;
        if (*rest == ':' && !parse_port(rest + 1, &a.port))
                return false;
        *ret = a;
        return true;
}

/* ---- the allow-list ---- */

/* An entry without a port stands for our own port and for none (a proxy in front of us). */
static bool is_listed(const struct http_guard *g, const struct authority *a, unsigned default_port)
{
        unsigned port = a->port ? a->port : default_port;

        for (size_t i = 0; i < g->n; i++) {
                const struct authority *h = &g->hosts[i];

                if (strcmp(h->name, a->name) != 0)
                        continue;
                if (h->port ? h->port == port : port == g->port || a->port == PORT_MISSING)
                        return true;
        }
        return false;
}

static bool is_our_host(const struct http_guard *g, const struct authority *a)
{
        if (is_listed(g, a, 80))
                return true;
        return g->any_literal && a->is_literal && (a->port ? a->port : 80) == g->port;
}

/* "null" and other schemes are foreign; so is any page that isn't one of ours. */
static bool is_our_origin(const struct http_guard *g, const char *origin,
                          const struct authority *host)
{
        struct authority a;
        unsigned port;

        if (strncasecmp(origin, "http://", 7) == 0) {
                origin += 7;
                port = 80;
        } else if (strncasecmp(origin, "https://", 8) == 0) {
                origin += 8;
                port = 443;
        } else {
                return false;
        }
        if (!authority_parse(origin, &a))
                return false;
        if (is_listed(g, &a, port))
                return true;
        /* Bound to every address, a literal is ours only as the page's own host. */
        return g->any_literal && a.is_literal && strcmp(a.name, host->name) == 0 &&
               (a.port ? a.port : port) == (host->port ? host->port : 80);
}

/* ---- the token ---- */

/* Looks at every byte of the token whatever the guess is, so that time tells nothing of where they
 * differ. */
static bool equals_in_constant_time(const char *token, const char *guess)
{
        size_t n = strlen(token), m = strlen(guess);
        volatile unsigned char differs = n != m;

        for (size_t i = 0; i < n; i++)
                differs |= (unsigned char)(token[i] ^ guess[m ? i % m : 0]);
        return differs == 0;
}

static bool is_authorized(const struct http_guard *g, const char *authorization)
{
        if (!g->token)
                return true;
        if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
                return false;
        authorization += 7;
        authorization += strspn(authorization, " ");
        return equals_in_constant_time(g->token, authorization);
}

enum http_guard_verdict http_guard_check(const struct http_guard *g, const char *host,
                                         unsigned host_count, const char *origin,
                                         const char *authorization, const char **ret_words)
{
        struct authority a;

        *ret_words = "the request needs exactly one Host header";
        if (!host || host_count != 1)
                return HTTP_GUARD_BAD_REQUEST;
        *ret_words = "the Host header is malformed";
        if (!authority_parse(host, &a))
                return HTTP_GUARD_BAD_REQUEST;
        *ret_words = "the Host header names another server; if it means this one, add the name to "
                     "the allowed hosts";
        if (!is_our_host(g, &a))
                return HTTP_GUARD_BAD_REQUEST;
        *ret_words = "pages of another origin may not call this server; if this one may, add its "
                     "host to the allowed hosts";
        if (origin && !is_our_origin(g, origin, &a))
                return HTTP_GUARD_FORBIDDEN;
        *ret_words = authorization ? "the token is wrong"
                                   : "this server wants \"Authorization: Bearer\" and its token";
        if (!is_authorized(g, authorization))
                return HTTP_GUARD_UNAUTHORIZED;
        *ret_words = "";
        return HTTP_GUARD_OK;
}

/* ---- life ---- */

static bool is_loopback_name(const struct authority *a)
{
        struct in_addr v4;
        struct in6_addr v6;

        if (strcmp(a->name, "localhost") == 0)
                return true;
        if (inet_pton(AF_INET, a->name, &v4) == 1)
                return ntohl(v4.s_addr) >> 24 == 127;
        if (inet_pton(AF_INET6, a->name, &v6) != 1)
                return false;
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

static int parse_listen(const char *listen, struct authority *ret, struct err *e)
{
        char text[NAME_MAX_LEN + 16];

        snprintf(text, sizeof text, "%s%s", *listen == ':' ? "127.0.0.1" : "", listen);
        /* Port 0 is fine to listen on, and no port to ask for. */
        if (strlen(text) > 2 && strcmp(text + strlen(text) - 2, ":0") == 0)
                text[strlen(text) - 1] = '1';
        if (!authority_parse(text, ret) || ret->port == PORT_MISSING)
                return err_set(e, -EINVAL, "\"%.80s\" is no ADDRESS:PORT", listen);
        return 0;
}

static void add_built_in(struct http_guard *g, const struct authority *bound)
{
        static const char *const loopback[] = {"localhost", "127.0.0.1", "::1"};

        g->hosts[g->n++] = *bound;
        for (size_t i = 0; i < ARRAY_LEN(loopback) && (g->any_literal || is_loopback_name(bound));
             i++) {
                struct authority *a = &g->hosts[g->n++];

                snprintf(a->name, sizeof a->name, "%s", loopback[i]);
                a->port = bound->port;
        }
}

DEFINE_SCOPED(struct http_guard *, http_guard_free)

int http_guard_new(const char *listen, const char *const *allowed_hosts, const char *token,
                   struct http_guard **ret, struct err *e)
{
        scoped(http_guard_free) struct http_guard *g = calloc(1, sizeof *g);
        struct authority bound;
        size_t n = 0;
        int r = parse_listen(listen, &bound, e);

        if (r < 0)
                return r;
        while (allowed_hosts && allowed_hosts[n])
                n++;
        if (g)
                g->hosts = calloc(n + BUILT_IN_MAX, sizeof *g->hosts);
        if (g && token)
                g->token = strdup(token);
        if (!g || !g->hosts || (token && !g->token))
                return err_set(e, -ENOMEM, "no memory for the allowed hosts");
        g->port = bound.port;
        g->any_literal = strcmp(bound.name, "0.0.0.0") == 0 || strcmp(bound.name, "::") == 0;
        add_built_in(g, &bound);
        for (size_t i = 0; i < n; i++, g->n++)
                if (!authority_parse(allowed_hosts[i], &g->hosts[g->n]))
                        return err_set(e, -EINVAL, "allowed host \"%.80s\" is no NAME or NAME:PORT",
                                       allowed_hosts[i]);
        *ret = take_ptr(g);
        return 0;
}

void http_guard_free(struct http_guard *g)
{
        if (!g)
                return;
        free(g->hosts);
        if (g->token)
                explicit_bzero(g->token, strlen(g->token));
        free(g->token);
        free(g);
}

int http_guard_is_loopback(const char *listen, bool *ret, struct err *e)
{
        struct authority a;
        int r = parse_listen(listen, &a, e);

        if (r < 0)
                return r;
        *ret = is_loopback_name(&a);
        return 0;
}

static int check_token(const char *path, char *text, struct err *e)
{
        size_t n = strlen(text);

        if (n && text[n - 1] == '\n')
                text[--n] = '\0';
        if (n && text[n - 1] == '\r')
                text[--n] = '\0';
        for (size_t i = 0; i < n; i++)
                if (text[i] <= ' ' || text[i] > '~')
                        return err_set(e, -EINVAL,
                                       "token file %s: want one line of printable characters "
                                       "without spaces",
                                       path);
        if (n < TOKEN_MIN || n > TOKEN_MAX)
                return err_set(e, -EINVAL, "token file %s: want %d to %d characters, not %zu", path,
                               TOKEN_MIN, TOKEN_MAX, n);
        return 0;
}

int http_guard_read_token(const char *path, char **ret, struct err *e)
{
        scoped(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        scoped(free) char *text = calloc(1, TOKEN_MAX + 4);
        struct stat st;
        ssize_t n;
        int r;

        if (fd < 0)
                return err_set_errno(e, -errno, "open token file %s", path);
        if (!text)
                return err_set(e, -ENOMEM, "no memory for the token");
        if (fstat(fd, &st) < 0)
                return err_set_errno(e, -errno, "stat token file %s", path);
        if (!S_ISREG(st.st_mode))
                return err_set(e, -EINVAL, "token file %s is not a regular file", path);
        if (st.st_mode & 077)
                return err_set(e, -EPERM,
                               "token file %s: others may read it (mode %04o); chmod 600", path,
                               (unsigned)st.st_mode & 07777);
        n = read(fd, text, TOKEN_MAX + 3);
        if (n < 0)
                return err_set_errno(e, -errno, "read token file %s", path);
        if (memchr(text, '\0', (size_t)n))
                return err_set(e, -EINVAL, "token file %s holds a NUL character", path);
        r = check_token(path, text, e);
        if (r < 0)
                return r;
        *ret = take_ptr(text);
        return 0;
}
