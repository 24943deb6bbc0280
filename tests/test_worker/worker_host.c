#include "worker_host.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/test.h"
#include "base/fd.h"

#define ANSWER_MS 10000

static void become_worker(int wire, int log)
{
        const char *path = getenv("FORGESYTE_TEST_WORKER");
        char *const argv[] = {(char *)(uintptr_t) "forgesyte-worker", NULL};

        /* The socket pair may itself have been born as 3. */
        wire = dup(wire);
        if (wire < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || dup2(wire, 3) < 0 || !path)
                _exit(99);
        if (wire != 3)
                close(wire);
        execv(path, argv);
        _exit(98);
}

static void greet(struct worker_host *h)
{
        scoped(str) struct str payload = {0};
        scoped(wire_frame) struct wire_frame f = {0};
        struct wire_hello_ok ok;
        struct err e;

        wire_encode_hello(&payload, &(struct wire_hello){.protocol = WIRE_VERSION,
                                                         .abi = 1,
                                                         .max_output = WORKER_HOST_MAX_OUTPUT});
        worker_host_send(h, WIRE_HELLO, &payload);
        f = worker_host_next(h);
        assert_int_equal(f.header.type, WIRE_HELLO_OK);
        assert_int_equal(wire_decode_hello_ok(f.payload, f.header.len, &ok, &e), 0);
        assert_int_equal(ok.protocol, WIRE_VERSION);
        assert_int_equal(ok.abi, 1);
}

void worker_host_start(struct worker_host *h)
{
        int ends[2];

        *h = (struct worker_host){.call_id = 1000};
        wire_parser_init(&h->parser, WORKER_HOST_GENERATION, WORKER_HOST_MAX_OUTPUT);
        h->log = memfd_create("log", MFD_CLOEXEC);
        assert_true(h->log >= 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        h->fd = ends[0];
        h->pid = fork();
        assert_true(h->pid >= 0);
        if (h->pid == 0)
                become_worker(ends[1], h->log);
        close(ends[1]);
        greet(h);
}

void worker_host_send(struct worker_host *h, enum wire_type type, const struct str *payload)
{
        worker_host_send_with(h, type, payload, NULL, 0);
}

static void send_header(int wire, const uint8_t *header, const int *fds, unsigned n)
{
        union {
                char bytes[CMSG_SPACE(WIRE_MAX_DESCRIPTORS * sizeof(int))];
                struct cmsghdr aligned;
        } control = {0};
        struct iovec v = {(void *)(uintptr_t)header, WIRE_HEADER_SIZE};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

        if (n) {
                m.msg_control = control.bytes;
                m.msg_controllen = CMSG_SPACE(n * sizeof *fds);
                control.aligned = (struct cmsghdr){.cmsg_len = CMSG_LEN(n * sizeof *fds),
                                                   .cmsg_level = SOL_SOCKET,
                                                   .cmsg_type = SCM_RIGHTS};
                memcpy(CMSG_DATA(&control.aligned), fds, n * sizeof *fds);
        }
        assert_int_equal(sendmsg(wire, &m, MSG_NOSIGNAL), WIRE_HEADER_SIZE);
}

void worker_host_send_with(struct worker_host *h, enum wire_type type, const struct str *payload,
                           const int *fds, unsigned n)
{
        uint8_t header[WIRE_HEADER_SIZE];
        uint32_t len = payload ? (uint32_t)payload->len : 0;
        enum wire_type request = type == WIRE_CALL_SHM ? WIRE_CALL : type;

        if (type != WIRE_CANCEL) {
                h->call_id++;
                assert_int_equal(wire_parser_expect(&h->parser, request, h->call_id), 0);
        }
        wire_header_encode(&(struct wire_header){.type = (uint8_t)type,
                                                 .len = len,
                                                 .generation = WORKER_HOST_GENERATION,
                                                 .call_id = h->call_id,
                                                 .seq = h->seq++},
                           header);
        send_header(h->fd, header, fds, n);
        if (len)
                assert_int_equal(fd_write_all(h->fd, payload->data, len), 0);
}

/* false: the worker closed its end. */
static bool fill(struct worker_host *h)
{
        struct pollfd p = {.fd = h->fd, .events = POLLIN};
        ssize_t n;

        assert_int_equal(poll(&p, 1, ANSWER_MS), 1);
        n = read(h->fd, h->buf, sizeof h->buf);
        if (n <= 0)
                return false;
        h->at = 0;
        h->have = (size_t)n;
        return true;
}

struct wire_frame worker_host_next(struct worker_host *h)
{
        struct wire_frame f = {0};
        struct err e = {0};
        size_t used;
        int r;

        for (;;) {
                if (h->at == h->have && !fill(h))
                        return f;
                r = wire_parser_feed(&h->parser, h->buf + h->at, h->have - h->at, &used, &f, &e);
                if (r < 0)
                        fail_msg("violation: %s", e.msg);
                h->at += used;
                if (r == 1)
                        return f;
        }
}

struct wire_frame worker_host_answer(struct worker_host *h, unsigned *n)
{
        struct wire_frame f = worker_host_next(h);

        while (f.header.type == WIRE_LOG || f.header.type == WIRE_PROGRESS) {
                wire_frame_done(&f);
                if (n)
                        (*n)++;
                f = worker_host_next(h);
        }
        return f;
}

struct wire_frame worker_host_load(struct worker_host *h, const char *entrypoint, struct str *meta)
{
        struct wire_model eng = {wire_str_of("eng"), wire_str_of("/models/eng")};
        scoped(str) struct str payload = {0};
        struct wire_frame f;

        wire_encode_load(&payload, &(struct wire_load){
                                       .runtime = wire_str_of("native"),
                                       .plugin = wire_str_of("test"),
                                       .dir = wire_str_of(getenv("FORGESYTE_TEST_PLUGINS")),
                                       .entrypoint = wire_str_of(entrypoint),
                                       .models = &eng,
                                       .n_models = 1,
                                   });
        worker_host_send(h, WIRE_LOAD, &payload);
        f = worker_host_answer(h, NULL);
        if (f.header.type == WIRE_META) {
                struct wire_str json;
                struct err e;

                assert_int_equal(wire_decode_meta(f.payload, f.header.len, &json, &e), 0);
                if (meta)
                        str_add(meta, json.p, json.len);
                wire_frame_done(&f);
                f = worker_host_answer(h, NULL);
        }
        return f;
}

static void expect_ready(struct wire_frame f)
{
        assert_int_equal(f.header.type, WIRE_READY);
        wire_frame_done(&f);
}

void worker_host_ready(struct worker_host *h, const char *entrypoint)
{
        expect_ready(worker_host_load(h, entrypoint, NULL));
        worker_host_send(h, WIRE_INIT, NULL);
        expect_ready(worker_host_answer(h, NULL));
        worker_host_send(h, WIRE_VALIDATE, NULL);
        expect_ready(worker_host_answer(h, NULL));
}

void worker_host_send_call(struct worker_host *h, const struct wire_call *m)
{
        scoped(free) size_t *cuts = calloc(m->n_blobs + 1u, sizeof *cuts);
        scoped(str) struct str pieces = {0}, payload = {0};
        size_t from = 0;

        assert_non_null(cuts);
        assert_true(wire_encode_call(&pieces, m, cuts) > 0);
        for (unsigned i = 0; i <= m->n_blobs; i++) {
                str_add(&payload, pieces.data + from, cuts[i] - from);
                if (i < m->n_blobs)
                        str_add(&payload, m->blobs[i].data, m->blobs[i].size);
                from = cuts[i];
        }
        worker_host_send(h, WIRE_CALL, &payload);
}

int worker_host_wait(struct worker_host *h)
{
        int status = 0;

        for (int waited = 0; waitpid(h->pid, &status, WNOHANG) == 0; waited += 5) {
                if (waited > ANSWER_MS)
                        fail_msg("the worker does not end");
                usleep(5000);
        }
        h->pid = 0;
        return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

char *worker_host_log(struct worker_host *h)
{
        off_t size = lseek(h->log, 0, SEEK_END);
        char *text = calloc(1, (size_t)size + 1);

        assert_non_null(text);
        assert_int_equal(pread(h->log, text, (size_t)size, 0), size);
        return text;
}

void worker_host_stop(struct worker_host *h)
{
        if (h->pid > 0) {
                kill(h->pid, SIGKILL);
                waitpid(h->pid, NULL, 0);
        }
        fd_close(h->fd);
        fd_close(h->log);
        wire_parser_done(&h->parser);
}
