#include "sandbox/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/spawn.h"

int keeper_start(struct keeper *k, const char *worker_path, struct err *e)
{
        char *argv[] = {(char *)"forgesyte-worker", (char *)BOX_KEEPER_ARGUMENT, NULL};
        char *env[] = {NULL};
        struct spawn s = {.outlives = true,
                          .no_clone3 = true,
                          .into_cgroup = -1,
                          .path = worker_path,
                          .argv = argv,
                          .envp = env};
        scoped(fd) int null = -1, mine = -1, theirs = -1;
        int ends[2], r;
        pid_t pid;

        if (k->fd >= 0)
                return 0;
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return err_set_errno(e, -errno, "make the keeper's descriptors");
        mine = ends[0];
        theirs = ends[1];
        for (int i = 0; i < BOX_FD_COUNT; i++)
                s.fds[i] = i == BOX_FD_CHANNEL ? theirs : null;
        r = spawn_worker(&s, &pid, &k->pidfd, e);
        if (r == 0)
                k->fd = take_fd(&mine);
        return r;
}

int keeper_add(const struct keeper *k, int pidfd)
{
        union {
                char buf[CMSG_SPACE(sizeof pidfd)];
                struct cmsghdr align;
        } control = {0};
        char byte = 'k';
        struct iovec iov = {&byte, 1};
        struct msghdr mh = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.buf,
                            .msg_controllen = sizeof control.buf};
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof pidfd);
        memcpy(CMSG_DATA(c), &pidfd, sizeof pidfd);
        return sendmsg(k->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -errno;
}

void keeper_stop(struct keeper *k)
{
        siginfo_t si;

        k->fd = fd_close(k->fd);
        if (k->pidfd >= 0)
                while (waitid(P_PIDFD, (id_t)k->pidfd, &si, WEXITED) < 0 && errno == EINTR)
                        ;
        k->pidfd = fd_close(k->pidfd);
}
