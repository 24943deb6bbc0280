#include "worker/worker_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

void worker_channel_give_up(enum worker_exit code, const char *why)
{
        static const char prefix[] = "forgesyte-worker: ";
        struct iovec line[] = {{(void *)(uintptr_t)prefix, sizeof prefix - 1},
                               {(void *)(uintptr_t)why, strlen(why)},
                               {(void *)(uintptr_t) "\n", 1}};

        if (code != WORKER_EXIT_HOST_GONE && writev(STDERR_FILENO, line, 3) < 0)
                _exit(code);
        _exit(code);
}

void worker_channel_init(struct worker_channel *c, int fd)
{
        *c = (struct worker_channel){.fd = fd, .pid = getpid()};
        pthread_mutex_init(&c->send_lock, NULL);
        pthread_mutex_init(&c->receive_lock, NULL);
        /* Programs that the plugin starts get no end of the wire. */
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void write_frame(struct worker_channel *c, struct iovec *parts, int n)
{
        while (n > 0) {
                ssize_t w = writev(c->fd, parts, n);

                if (w < 0 && errno == EINTR)
                        continue;
                if (w < 0)
                        worker_channel_give_up(WORKER_EXIT_HOST_GONE, "cannot write");
                for (; n > 0 && (size_t)w >= parts->iov_len; parts++, n--)
                        w -= (ssize_t)parts->iov_len;
                if (n > 0) {
                        parts->iov_base = (char *)parts->iov_base + w;
                        parts->iov_len -= (size_t)w;
                }
        }
}

/* With send_lock held. */
static void send_locked(struct worker_channel *c, enum wire_type type, const struct str *payload)
{
        uint8_t header[WIRE_HEADER_SIZE];
        size_t len = payload ? payload->len : 0;
        struct iovec parts[] = {{header, sizeof header}, {payload ? payload->data : NULL, len}};

        if (payload && payload->bad)
                worker_channel_give_up(WORKER_EXIT_NO_MEMORY, "no memory for an answer");
        wire_header_encode(
            &(struct wire_header){
                .type = (uint8_t)type,
                .len = (uint32_t)len,
                .generation = c->generation,
                .call_id = c->call_id,
                .seq = c->send_seq++,
            },
            header);
        write_frame(c, parts, len ? 2 : 1);
}

void worker_channel_send(struct worker_channel *c, enum wire_type type, const struct str *payload)
{
        if (getpid() != c->pid)
                return;
        pthread_mutex_lock(&c->send_lock);
        if (c->request || (type == WIRE_LOG && c->call_id))
                send_locked(c, type, payload);
        pthread_mutex_unlock(&c->send_lock);
}

void worker_channel_answer(struct worker_channel *c, enum wire_type type, const struct str *payload)
{
        /* A fork of the plugin's that came back from its call: it was never asked. */
        if (getpid() != c->pid)
                _exit(0);
        pthread_mutex_lock(&c->send_lock);
        if (c->request)
                send_locked(c, type, payload);
        c->request = 0;
        pthread_mutex_unlock(&c->send_lock);
}

void worker_channel_fault(struct worker_channel *c, const struct worker_fault *f)
{
        scoped(str) struct str payload = {0};

        worker_fault_encode(&payload, f);
        worker_channel_answer(c, WIRE_ERROR, &payload);
}

void worker_channel_progress(struct worker_channel *c, double done, double total)
{
        scoped(str) struct str payload = {0};
        int64_t now = clock_mono_ns();

        if (!isfinite(done) || !isfinite(total) || getpid() != c->pid)
                return;
        wire_encode_progress(&payload, &(struct wire_progress){done, total});
        pthread_mutex_lock(&c->send_lock);
        if ((c->request == WIRE_CALL || c->request == WIRE_CALL_SHM) &&
            now >= c->next_progress_ns && !payload.bad) {
                c->next_progress_ns = now + NSEC_PER_SEC / WORKER_PROGRESS_PER_SECOND;
                send_locked(c, WIRE_PROGRESS, &payload);
        }
        pthread_mutex_unlock(&c->send_lock);
}

/* --- receiving -------------------------------------------------------------------------------- */

/* Some bytes, waiting for the first. */
static size_t read_some(struct worker_channel *c, void *to, size_t n)
{
        ssize_t r;

        do {
                r = read(c->fd, to, n);
        } while (r < 0 && errno == EINTR);
        if (r <= 0)
                worker_channel_give_up(WORKER_EXIT_HOST_GONE, "the host closed the channel");
        return (size_t)r;
}

static void close_descriptors(struct worker_channel *c)
{
        while (c->n_descriptors > 0)
                fd_close(c->descriptors[--c->n_descriptors]);
}

static void keep_descriptors(struct worker_channel *c, const struct cmsghdr *m)
{
        size_t n = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        for (size_t i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(m) + i * sizeof fd, sizeof fd);
                if (c->n_arrived == WIRE_MAX_DESCRIPTORS)
                        worker_channel_give_up(WORKER_EXIT_PROTOCOL,
                                               "a request with too many descriptors");
                c->arrived[c->n_arrived++] = fd;
        }
}

/* The kernel has thrown descriptors away: too many came, or no number was free for them. */
_Noreturn static void give_up_truncated(const struct worker_channel *c)
{
        int probe = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);

        if (probe < 0)
                worker_channel_give_up(WORKER_EXIT_NO_MEMORY,
                                       "no descriptor is free for a request: the plugin holds all");
        worker_channel_give_up(WORKER_EXIT_PROTOCOL, "a request with too many descriptors");
}

/* Some more of the header, waiting for it, and the descriptors that come with its first byte. No
 * read of anything else could get these: the kernel hands them out with that byte only. */
static void read_header(struct worker_channel *c)
{
        union {
                char bytes[CMSG_SPACE(sizeof c->arrived)];
                struct cmsghdr aligned;
        } control;
        struct iovec v = {c->header + c->have, sizeof c->header - c->have};
        struct msghdr m;
        ssize_t r;

        do {
                m = (struct msghdr){.msg_iov = &v,
                                    .msg_iovlen = 1,
                                    .msg_control = control.bytes,
                                    .msg_controllen = sizeof control};
                r = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);
        } while (r < 0 && errno == EINTR);
        if (r <= 0)
                worker_channel_give_up(WORKER_EXIT_HOST_GONE, "the host closed the channel");
        c->have += (size_t)r;
        for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
                if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
                        keep_descriptors(c, h);
        if (m.msg_flags & MSG_CTRUNC)
                give_up_truncated(c);
}

/* The header that is complete in c->header. */
static void take_header(struct worker_channel *c, struct wire_header *ret)
{
        struct err e = {0};

        if (wire_header_decode(c->header, ret, &e) < 0)
                worker_channel_give_up(WORKER_EXIT_PROTOCOL, e.msg);
        if (c->receive_seq == 0)
                c->generation = ret->generation;
        if (ret->seq != c->receive_seq || ret->generation != c->generation ||
            ret->len > wire_request_cap(ret->type))
                worker_channel_give_up(WORKER_EXIT_PROTOCOL, "a frame of the host is out of order");
        if (c->n_arrived != wire_request_descriptors(ret->type))
                worker_channel_give_up(WORKER_EXIT_PROTOCOL,
                                       "a request with the wrong number of descriptors");
        c->receive_seq++;
        c->have = 0;
}

static void take_payload(struct worker_channel *c, struct wire_frame *f)
{
        size_t have = 0;

        f->payload = f->header.len ? malloc((size_t)f->header.len + 1) : NULL;
        if (!f->payload && f->header.len)
                worker_channel_give_up(WORKER_EXIT_NO_MEMORY, "no memory for a request");
        while (have < f->header.len)
                have += read_some(c, f->payload + have, f->header.len - have);
        if (f->payload)
                f->payload[have] = '\0';
}

void worker_channel_next(struct worker_channel *c, struct wire_frame *ret)
{
        struct wire_frame f = {0};

        close_descriptors(c);
        /* No lock: there is no call, so nobody asks worker_channel_cancelled. */
        do {
                while (c->have < sizeof c->header)
                        read_header(c);
                take_header(c, &f.header);
        } while (f.header.type == WIRE_CANCEL);
        memcpy(c->descriptors, c->arrived, sizeof c->descriptors);
        c->n_descriptors = c->n_arrived;
        c->n_arrived = 0;
        take_payload(c, &f);
        c->cancelled = false;
        pthread_mutex_lock(&c->send_lock);
        c->request = f.header.type;
        c->call_id = f.header.call_id;
        c->next_progress_ns = 0;
        pthread_mutex_unlock(&c->send_lock);
        *ret = f;
}

int worker_channel_take_descriptor(struct worker_channel *c, unsigned which)
{
        return take_fd(&c->descriptors[which]);
}

static bool is_readable(int fd)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};

        return poll(&p, 1, 0) == 1;
}

bool worker_channel_cancelled(struct worker_channel *c)
{
        struct wire_header h;
        bool cancelled;

        pthread_mutex_lock(&c->receive_lock);
        while (!c->cancelled && c->have < sizeof c->header && is_readable(c->fd))
                read_header(c);
        if (c->have == sizeof c->header) {
                take_header(c, &h);
                if (h.type != WIRE_CANCEL)
                        worker_channel_give_up(WORKER_EXIT_PROTOCOL, "a request during a call");
                c->cancelled = true;
        }
        cancelled = c->cancelled;
        pthread_mutex_unlock(&c->receive_lock);
        return cancelled;
}
