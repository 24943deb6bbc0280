/* box_keeper.c -- the other thing that the worker program can be: see keeper.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/walls.h"

#define KEPT_MAX 1024

/* kept[0] is the socket to the host. */
struct keeping {
        struct pollfd kept[KEPT_MAX + 1];
        nfds_t n;
};

static void __attribute__((noreturn)) end_all(const struct keeping *k)
{
        for (nfds_t i = 1; i < k->n; i++)
                (void)!pidfd_send_signal(k->kept[i].fd, SIGKILL, NULL, 0);
        _exit(0);
}

/* The host is gone when its end of the socket is. */
static void receive(struct keeping *k)
{
        union {
                char buf[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control;
        char byte;
        struct iovec iov = {&byte, 1};
        struct msghdr mh = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.buf,
                            .msg_controllen = sizeof control.buf};
        ssize_t n = recvmsg(k->kept[0].fd, &mh, MSG_CMSG_CLOEXEC);
        struct cmsghdr *c;

        if (n < 0 && errno == EINTR)
                return;
        if (n <= 0)
                end_all(k);
        c = CMSG_FIRSTHDR(&mh);
        if (!c || c->cmsg_type != SCM_RIGHTS || k->n > KEPT_MAX)
                return;
        k->kept[k->n] = (struct pollfd){.events = POLLIN};
        memcpy(&k->kept[k->n++].fd, CMSG_DATA(c), sizeof(int));
}

/* A pidfd becomes readable when its process is dead. */
static void forget_dead(struct keeping *k)
{
        for (nfds_t i = 1; i < k->n;) {
                if (!k->kept[i].revents) {
                        i++;
                        continue;
                }
                close(k->kept[i].fd);
                k->kept[i] = k->kept[--k->n];
        }
}

void box_keep(void)
{
        static struct keeping k;

        if (prctl(PR_SET_DUMPABLE, 0) < 0)
                _exit(70);
        prctl(PR_SET_NAME, "forgesyte-keep");
        setsid();
        fds_close_from(BOX_FD_CHANNEL + 1);
        k.kept[0] = (struct pollfd){.fd = BOX_FD_CHANNEL, .events = POLLIN};
        k.n = 1;
        for (;;) {
                if (poll(k.kept, k.n, -1) < 0)
                        continue;
                forget_dead(&k);
                if (k.kept[0].revents)
                        receive(&k);
        }
}
