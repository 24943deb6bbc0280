/* test_worker_channel.c -- descriptors that come with a request: taken with it and only with it,
 * never left for a program that the plugin starts, and never in another number than its type has.
 */
#include "../support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "worker/worker_channel.h"

/* The host's end, and the worker's. */
struct stage {
        int host;
        struct worker_channel channel;
        uint32_t seq;
};

static void stage_open(struct stage *s)
{
        int ends[2];

        *s = (struct stage){0};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        s->host = ends[0];
        worker_channel_init(&s->channel, ends[1]);
}

static void stage_close(struct stage *s)
{
        fd_close(s->host);
        fd_close(s->channel.fd);
}

static int a_file(const char *text)
{
        int fd = memfd_create("test", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
        return fd;
}

static int open_descriptors(void)
{
        int n = 0;

        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

/* A frame, and n descriptors with the first of its bytes. They are closed here. */
static void send_frame(struct stage *s, enum wire_type type, const char *payload, int *fds,
                       unsigned n)
{
        union {
                char bytes[CMSG_SPACE(16 * sizeof(int))];
                struct cmsghdr aligned;
        } control = {0};
        uint8_t bytes[WIRE_HEADER_SIZE + 64];
        size_t len = strlen(payload);
        struct iovec v = {bytes, WIRE_HEADER_SIZE + len};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

        wire_header_encode(&(struct wire_header){.type = (uint8_t)type,
                                                 .len = (uint32_t)len,
                                                 .generation = 1,
                                                 .call_id = 7,
                                                 .seq = s->seq++},
                           bytes);
        memcpy(bytes + WIRE_HEADER_SIZE, payload, len);
        if (n) {
                m.msg_control = control.bytes;
                m.msg_controllen = CMSG_SPACE(n * sizeof *fds);
                control.aligned =
                    (struct cmsghdr){CMSG_LEN(n * sizeof *fds), SOL_SOCKET, SCM_RIGHTS};
                memcpy(CMSG_DATA(&control.aligned), fds, n * sizeof *fds);
        }
        assert_int_equal(sendmsg(s->host, &m, 0), (ssize_t)v.iov_len);
        for (unsigned i = 0; i < n; i++)
                fd_close(fds[i]);
}

static void assert_next(struct stage *s, enum wire_type type, const char *payload)
{
        struct wire_frame f = {0};

        worker_channel_next(&s->channel, &f);
        assert_int_equal(f.header.type, type);
        assert_int_equal(f.header.len, strlen(payload));
        assert_string_equal(f.payload ? (char *)f.payload : "", payload);
        wire_frame_done(&f);
}

static void assert_holds(int fd, const char *text)
{
        char read_back[64] = "";

        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(pread(fd, read_back, sizeof read_back - 1, 0), (ssize_t)strlen(text));
        assert_string_equal(read_back, text);
        fd_close(fd);
}

static void test_a_descriptor_comes_with_its_own_frame(void **state)
{
        struct stage s;
        int before, fd;

        (void)state;
        stage_open(&s);
        before = open_descriptors();
        send_frame(&s, WIRE_CALL, "first", NULL, 0);
        fd = a_file("one");
        send_frame(&s, WIRE_CALL_SHM, "second", &fd, 1);
        send_frame(&s, WIRE_CALL, "third", NULL, 0);
        fd = a_file("two");
        send_frame(&s, WIRE_CALL_SHM, "fourth", &fd, 1);
        assert_next(&s, WIRE_CALL, "first");
        assert_next(&s, WIRE_CALL_SHM, "second");
        assert_holds(worker_channel_take_descriptor(&s.channel, 0), "one");
        assert_next(&s, WIRE_CALL, "third");
        assert_next(&s, WIRE_CALL_SHM, "fourth");
        assert_holds(worker_channel_take_descriptor(&s.channel, 0), "two");
        assert_int_equal(open_descriptors(), before);
        stage_close(&s);
}

static void test_a_descriptor_that_nobody_takes_is_closed(void **state)
{
        struct stage s;
        int before, fd = a_file("");

        (void)state;
        stage_open(&s);
        before = open_descriptors();
        send_frame(&s, WIRE_CALL_SHM, "", &fd, 1);
        send_frame(&s, WIRE_CALL, "", NULL, 0);
        assert_next(&s, WIRE_CALL_SHM, "");
        assert_next(&s, WIRE_CALL, "");
        assert_int_equal(open_descriptors(), before - 1);
        stage_close(&s);
}

static void test_a_cancel_during_a_call_leaves_its_descriptor_alone(void **state)
{
        struct stage s;
        int fd = a_file("kept");

        (void)state;
        stage_open(&s);
        send_frame(&s, WIRE_CALL_SHM, "", &fd, 1);
        assert_next(&s, WIRE_CALL_SHM, "");
        assert_false(worker_channel_cancelled(&s.channel));
        send_frame(&s, WIRE_CANCEL, "", NULL, 0);
        assert_true(worker_channel_cancelled(&s.channel));
        assert_holds(worker_channel_take_descriptor(&s.channel, 0), "kept");
        stage_close(&s);
}

/* --- what ends the process: done in a child -------------------------------------------------- */

static int exit_of(void (*act)(struct stage *s))
{
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                struct stage s;
                int null = open("/dev/null", O_WRONLY);

                dup2(null, STDERR_FILENO);
                stage_open(&s);
                act(&s);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void receive(struct stage *s)
{
        struct wire_frame f;

        worker_channel_next(&s->channel, &f);
}

static void send_many(struct stage *s, enum wire_type type, unsigned n)
{
        int fds[16];

        for (unsigned i = 0; i < n; i++)
                fds[i] = a_file("");
        send_frame(s, type, "", fds, n);
        receive(s);
}

static void send_none(struct stage *s)
{
        send_many(s, WIRE_CALL_SHM, 0);
}

static void send_two(struct stage *s)
{
        send_many(s, WIRE_CALL_SHM, 2);
}

static void send_sixteen(struct stage *s)
{
        send_many(s, WIRE_CALL_SHM, 16);
}

static void send_with_call(struct stage *s)
{
        send_many(s, WIRE_CALL, 1);
}

static void send_with_late_cancel(struct stage *s)
{
        send_many(s, WIRE_CANCEL, 1);
}

static void send_with_cancel(struct stage *s)
{
        int fd = a_file("");

        send_frame(s, WIRE_CALL, "", NULL, 0);
        receive(s);
        send_frame(s, WIRE_CANCEL, "", &fd, 1);
        worker_channel_cancelled(&s->channel);
}

static void receive_with_full_table(struct stage *s)
{
        int fd = a_file("");

        send_frame(s, WIRE_CALL_SHM, "", &fd, 1);
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64});
        while (dup(s->host) >= 0)
                ;
        receive(s);
}

static void test_another_number_than_the_type_has_is_a_violation(void **state)
{
        (void)state;
        assert_int_equal(exit_of(send_none), WORKER_EXIT_PROTOCOL);
        assert_int_equal(exit_of(send_two), WORKER_EXIT_PROTOCOL);
        assert_int_equal(exit_of(send_sixteen), WORKER_EXIT_PROTOCOL);
        assert_int_equal(exit_of(send_with_call), WORKER_EXIT_PROTOCOL);
        assert_int_equal(exit_of(send_with_late_cancel), WORKER_EXIT_PROTOCOL);
        assert_int_equal(exit_of(send_with_cancel), WORKER_EXIT_PROTOCOL);
}

static void test_a_full_descriptor_table_is_told_from_a_violation(void **state)
{
        (void)state;
        assert_int_equal(exit_of(receive_with_full_table), WORKER_EXIT_NO_MEMORY);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_descriptor_comes_with_its_own_frame),
            cmocka_unit_test(test_a_descriptor_that_nobody_takes_is_closed),
            cmocka_unit_test(test_a_cancel_during_a_call_leaves_its_descriptor_alone),
            cmocka_unit_test(test_another_number_than_the_type_has_is_a_violation),
            cmocka_unit_test(test_a_full_descriptor_table_is_told_from_a_violation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
