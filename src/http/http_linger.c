/* http_linger.c -- closing a socket that holds unread bytes resets it, and the reset overtakes the
 * answer: a client still sending its 100 MB would see "connection reset" and never our 413. So such
 * a socket is first ended on our side and read empty, for a few seconds at most. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "http/http_connection.h"

static void linger_free(struct http_server *s, struct http_linger *l)
{
        struct http_linger **at = &s->lingers;

        while (*at != l)
                at = &(*at)->next;
        *at = l->next;
        s->n_lingers--;
        /* See close_socket in http_connection.c. */
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, l->fd, NULL);
        fd_close(l->fd);
        free(l);
        http_accept_refill(s);
}

void http_linger_add(struct http_server *s, int fd)
{
        struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP};
        struct http_linger *l = s->n_lingers < HTTP_LINGERS_MAX ? malloc(sizeof *l) : NULL;

        shutdown(fd, SHUT_WR);
        if (!l) {
                fd_close(fd);
                return;
        }
        *l = (struct http_linger){HTTP_WATCH_LINGER, fd,
                                  clock_mono_ns() + HTTP_LINGER_SECONDS * NSEC_PER_SEC, s->lingers};
        s->lingers = l;
        s->n_lingers++;
        ev.data.ptr = l;
        if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
                linger_free(s, l);
        else if (l->deadline_ns < s->next_scan_ns)
                s->next_scan_ns = l->deadline_ns;
}

void http_linger_drain(struct http_server *s, struct http_linger *l)
{
        /* MSG_TRUNC: TCP drops the bytes without copying them. A few megabytes per turn. */
        for (int i = 0; i < 8; i++) {
                ssize_t n = recv(l->fd, NULL, MIB(1), MSG_TRUNC | MSG_DONTWAIT);

                if (n > 0 || (n < 0 && errno == EINTR))
                        continue;
                if (n == 0 || errno != EAGAIN)
                        linger_free(s, l);
                return;
        }
}

int64_t http_linger_expire(struct http_server *s, bool all)
{
        int64_t earliest = HTTP_NEVER;
        struct http_linger *next;

        for (struct http_linger *l = s->lingers; l; l = next) {
                next = l->next;
                if (all || l->deadline_ns <= s->now_ns)
                        linger_free(s, l);
                else
                        earliest = MIN_OF(earliest, l->deadline_ns);
        }
        return earliest;
}
