#include "host/instance_io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define IOV_BATCH  256
#define LOG_PIECE  KIB(2)  /* so many lines at most come of one reading */
#define LAST_WORDS KIB(64) /* what a pipe holds, unless it was made to hold more */
#define LAST_LINES 1000
#define LAST_READ  MIB(2)

uint64_t instance_io_nonce(struct instance *i)
{
        uint64_t id = 0;

        while (id == 0) {
                /* Up to 256 bytes come whole or, before the kernel is ready, not at all. */
                if (i->n_nonces == 0 &&
                    getrandom(i->nonces, sizeof i->nonces, 0) == (ssize_t)sizeof i->nonces)
                        i->n_nonces = ARRAY_LEN(i->nonces);
                if (i->n_nonces > 0)
                        id = i->nonces[--i->n_nonces];
        }
        return id;
}

static int outbox_add(struct instance_outbox *o, void *base, size_t len)
{
        if (len == 0)
                return 0;
        if (o->n == o->cap) {
                size_t cap = o->cap ? o->cap * 2 : 8;
                struct iovec *grown = realloc(o->iov, cap * sizeof *grown);

                if (!grown)
                        return -ENOMEM;
                o->iov = grown;
                o->cap = cap;
        }
        o->iov[o->n++] = (struct iovec){base, len};
        return 0;
}

static void outbox_clear(struct instance_outbox *o)
{
        o->n = o->at = 0;
        str_done(&o->text);
}

static void close_descriptors(struct instance_outbox *o)
{
        while (o->n_descriptors > 0)
                fd_close(o->descriptors[--o->n_descriptors]);
}

int instance_io_attach(struct instance *i, const int *fds, size_t n)
{
        struct instance_outbox *o = &i->outbox;

        if (o->n_descriptors + n > ARRAY_LEN(o->descriptors))
                return -E2BIG;
        for (size_t k = 0; k < n; k++) {
                int fd = fcntl(fds[k], F_DUPFD_CLOEXEC, 0);

                if (fd < 0) {
                        int r = -errno;

                        close_descriptors(o);
                        return r;
                }
                o->descriptors[o->n_descriptors++] = fd;
        }
        return 0;
}

void instance_io_done(struct instance *i)
{
        close_descriptors(&i->outbox);
        str_done(&i->outbox.text);
        free(i->outbox.iov);
        i->outbox = (struct instance_outbox){0};
}

static void encode_head(struct instance *i, enum wire_type type, uint32_t len, uint8_t *to)
{
        struct wire_header h = {.type = (uint8_t)type,
                                .len = len,
                                .generation = i->generation,
                                .call_id = i->parser.call_id,
                                .seq = i->seq++};

        wire_header_encode(&h, to);
}

int instance_io_queue(struct instance *i, enum wire_type type, struct str *take_text,
                      const struct wire_blob *blobs, size_t n_blobs, const size_t *cuts,
                      uint32_t len)
{
        struct instance_outbox *o = &i->outbox;
        size_t from = 0;
        int r = 0;

        if (o->at < o->n)
                return -EBUSY;
        outbox_clear(o);
        o->text = *take_text;
        *take_text = (struct str){0};
        encode_head(i, type, len, o->head);
        r = outbox_add(o, o->head, sizeof o->head);
        for (size_t b = 0; b <= n_blobs && r == 0; b++) {
                size_t to = cuts ? cuts[b] : o->text.len;

                if (to > from)
                        r = outbox_add(o, o->text.data + from, to - from);
                from = to;
                if (r == 0 && b < n_blobs)
                        r = outbox_add(o, (void *)(uintptr_t)blobs[b].data, blobs[b].size);
        }
        return r < 0 ? r : instance_io_flush(i);
}

int instance_io_queue_cancel(struct instance *i)
{
        int r;

        encode_head(i, WIRE_CANCEL, 0, i->outbox.cancel);
        r = outbox_add(&i->outbox, i->outbox.cancel, sizeof i->outbox.cancel);
        return r < 0 ? r : instance_io_flush(i);
}

bool instance_io_is_sending(const struct instance *i)
{
        return i->outbox.at < i->outbox.n;
}

static void advance(struct instance_outbox *o, size_t sent)
{
        while (sent > 0) {
                struct iovec *v = &o->iov[o->at];
                size_t step = MIN_OF(sent, v->iov_len);

                v->iov_base = (char *)v->iov_base + step;
                v->iov_len -= step;
                sent -= step;
                if (v->iov_len == 0)
                        o->at++;
        }
}

static int watch_writing(struct instance *i, bool on)
{
        if (i->write_watched == on || i->channel.fd < 0)
                return 0;
        i->write_watched = on;
        return loop_rewatch(i->loop, &i->channel, EPOLLIN | (on ? EPOLLOUT : 0));
}

/* One message from what is there; its descriptors, which belong to the first byte, go with it. */
static ssize_t send_some(int channel, struct instance_outbox *o)
{
        union {
                char bytes[CMSG_SPACE(sizeof o->descriptors)];
                struct cmsghdr aligned;
        } control = {0};
        size_t size = o->n_descriptors * sizeof o->descriptors[0];
        struct msghdr m = {.msg_iov = o->iov + o->at,
                           .msg_iovlen = MIN_OF(o->n - o->at, (size_t)IOV_BATCH)};
        ssize_t w;

        if (size > 0) {
                m.msg_control = control.bytes;
                m.msg_controllen = CMSG_SPACE(size);
                control.aligned = (struct cmsghdr){
                    .cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
                memcpy(CMSG_DATA(&control.aligned), o->descriptors, size);
        }
        w = sendmsg(channel, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (w > 0)
                close_descriptors(o);
        return w;
}

int instance_io_flush(struct instance *i)
{
        struct instance_outbox *o = &i->outbox;

        while (o->at < o->n) {
                ssize_t w = send_some(sandbox_channel(i->box), o);

                if (w < 0 && errno == EINTR)
                        continue;
                if (w < 0 && errno == EAGAIN)
                        return watch_writing(i, true);
                if (w < 0)
                        return -errno;
                advance(o, (size_t)w);
        }
        /* Blobs belong to the call, which may be gone before the next request. */
        o->n = o->at = 0;
        return watch_writing(i, false);
}

ssize_t instance_io_read(int fd, void *buf, size_t n)
{
        ssize_t r;

        do {
                r = read(fd, buf, n);
        } while (r < 0 && errno == EINTR);
        return r < 0 ? -errno : r;
}

bool instance_io_drain_log(struct instance *i, int fd, struct plugin_log_writer *w,
                           enum plugin_log_stream stream, size_t max_bytes, size_t max_lines)
{
        char buf[LOG_PIECE];
        uint64_t first = i->log->next_number;

        for (size_t total = 0; total < max_bytes && i->log->next_number - first < max_lines;) {
                ssize_t n = instance_io_read(fd, buf, sizeof buf);

                if (n == -EAGAIN)
                        return true;
                if (n <= 0)
                        return false;
                plugin_log_write(i->log, w, stream, buf, (size_t)n, clock_real_ns());
                total += (size_t)n;
        }
        return true;
}

/* Where the last `max` lines begin. */
static size_t last_lines(const char *text, size_t n, size_t max)
{
        size_t at = n;

        if (at > 0 && text[at - 1] == '\n')
                at--;
        while (at > 0 && max > 0) {
                const char *end = memrchr(text, '\n', at);

                if (!end)
                        return 0;
                at = (size_t)(end - text);
                max--;
        }
        return at > 0 ? at + 1 : 0;
}

void instance_io_last_words(struct instance *i, int fd, struct plugin_log_writer *w,
                            enum plugin_log_stream stream)
{
        char buf[2 * LAST_WORDS];
        size_t have = 0, lost = 0, from;

        for (size_t total = 0; total < LAST_READ;) {
                ssize_t n = instance_io_read(fd, buf + have, sizeof buf - have);

                if (n <= 0)
                        break;
                total += (size_t)n;
                have += (size_t)n;
                if (have > LAST_WORDS) {
                        lost += have - LAST_WORDS;
                        memmove(buf, buf + have - LAST_WORDS, LAST_WORDS);
                        have = LAST_WORDS;
                }
        }
        from = last_lines(buf, have, LAST_LINES);
        if (lost + from > 0) {
                plugin_log_flush(i->log, w, stream, clock_real_ns());
                i->log->dropped_bytes += lost + from;
        }
        plugin_log_write(i->log, w, stream, buf + from, have - from, clock_real_ns());
        plugin_log_flush(i->log, w, stream, clock_real_ns());
}
