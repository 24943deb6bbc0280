/* http_listen.c -- resolving, binding, listening: each error has words. */
#include "http/http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/macro.h"

#define BACKLOG 511

/* Splits at the last colon; a bare IPv6 address without brackets is refused, it would be a guess.
 */
static int split(const char *listen, char *host, size_t host_size, char *port, size_t port_size,
                 struct err *e)
{
        const char *colon = strrchr(listen, ':'), *from = listen, *to = colon;
        size_t digits = colon ? strlen(colon + 1) : 0;

        if (!colon || digits == 0 || digits > 5 || strspn(colon + 1, "0123456789") != digits)
                return err_set(e, -EINVAL, "listen address \"%.80s\": want ADDRESS:PORT", listen);
        if (*from == '[') {
                if (to == from || to[-1] != ']')
                        return err_set(e, -EINVAL, "listen address \"%.80s\": want [IPV6]:PORT",
                                       listen);
                from++;
                to--;
        } else if (memchr(from, ':', (size_t)(to - from))) {
                return err_set(e, -EINVAL, "listen address \"%.80s\": want [IPV6]:PORT", listen);
        }
        if ((size_t)(to - from) >= host_size)
                return err_set(e, -EINVAL, "listen address \"%.80s\": the name is too long",
                               listen);
        snprintf(host, host_size, "%.*s", (int)(to - from), from);
        snprintf(port, port_size, "%s", colon + 1);
        if (host[0] == '\0')
                snprintf(host, host_size, "127.0.0.1");
        return 0;
}

static int bind_one(const struct addrinfo *a, int *ret_fd)
{
        scoped(fd) int fd = -1;
        const int on = 1, idle = 30, every = 10, count = 3;

        fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
        if (fd < 0)
                return -errno;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        /* A client whose machine died sends no FIN: the kernel finds out within a minute. */
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
        if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

/* IPv4 first: "localhost" then means what the other programs' default URL says. */
static int bind_first(const struct addrinfo *found, int *ret_fd)
{
        int r = -EADDRNOTAVAIL;

        for (int round = 0; round < 2; round++)
                for (const struct addrinfo *a = found; a; a = a->ai_next) {
                        if ((a->ai_family == AF_INET) != (round == 0))
                                continue;
                        r = bind_one(a, ret_fd);
                        if (r != -EADDRNOTAVAIL && r != -EAFNOSUPPORT)
                                return r;
                }
        return r;
}

int http_listen_open(const char *listen, int *ret_fd, struct err *e)
{
        struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                 .ai_socktype = SOCK_STREAM,
                                 .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
        struct addrinfo *found = NULL;
        char host[256], port[8];
        int r = split(listen, host, sizeof host, port, sizeof port, e);

        if (r < 0)
                return r;
        if (atoi(port) > 65535)
                return err_set(e, -EINVAL, "listen address \"%.80s\": no such port", listen);
        r = getaddrinfo(host, port, &hints, &found);
        if (r != 0)
                return err_set(e, -EADDRNOTAVAIL, "listen address \"%.80s\": %s", listen,
                               gai_strerror(r));
        r = bind_first(found, ret_fd);
        freeaddrinfo(found);
        if (r == -EADDRINUSE)
                return err_set(e, r, "%s is taken: another program listens there", listen);
        if (r < 0)
                return err_set_errno(e, r, "listen on %s", listen);
        return 0;
}

void http_listen_format(const struct sockaddr *addr, char *buf)
{
        char host[INET6_ADDRSTRLEN] = "?";

        if (addr->sa_family == AF_INET) {
                const struct sockaddr_in *in = (const void *)addr;

                inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
                snprintf(buf, HTTP_ADDRESS_SIZE, "%s:%u", host, ntohs(in->sin_port));
        } else if (addr->sa_family == AF_INET6) {
                const struct sockaddr_in6 *in6 = (const void *)addr;

                inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
                snprintf(buf, HTTP_ADDRESS_SIZE, "[%s]:%u", host, ntohs(in6->sin6_port));
        } else {
                snprintf(buf, HTTP_ADDRESS_SIZE, "?");
        }
}
