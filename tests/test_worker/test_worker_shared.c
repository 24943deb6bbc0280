/* The real worker, without its box, is given its bytes in shared memory: what it makes of them, and
 * what it leaves open. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/test.h"
#include "base/fd.h"
#include "worker_host.h"

#define AREA_SIZE MIB(2)

static int start(void **state)
{
        struct worker_host *h = calloc(1, sizeof *h);

        worker_host_start(h);
        worker_host_ready(h, "tools.so");
        *state = h;
        return 0;
}

static int stop(void **state)
{
        worker_host_stop(*state);
        free(*state);
        return 0;
}

static int new_area(size_t size)
{
        int fd = memfd_create("area", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        return fd;
}

/* As the host gives it away. */
static int read_only(int area)
{
        char path[64];
        int fd;

        snprintf(path, sizeof path, "/proc/self/fd/%d", area);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

static void send_call(struct worker_host *h, int area, const char *tool, uint32_t offset,
                      uint32_t size)
{
        struct wire_blob blobs[] = {
            {.name = wire_str_of("image"), .content_type = wire_str_of("x/y"), .size = size},
            {.name = wire_str_of("empty"), .content_type = wire_str_of("")}};
        uint32_t offsets[] = {offset, offset + size};
        scoped(str) struct str payload = {0};
        int fd = read_only(area);

        assert_true(wire_encode_call_shm(&payload, &(struct wire_call){.tool = wire_str_of(tool),
                                                                       .json = wire_str_of("{}"),
                                                                       .blobs = blobs,
                                                                       .n_blobs = 2,
                                                                       .offsets = offsets}) > 0);
        worker_host_send_with(h, WIRE_CALL_SHM, &payload, &fd, 1);
        fd_close(fd);
}

static void fill(uint8_t *to, size_t n, unsigned seed)
{
        for (size_t i = 0; i < n; i++)
                to[i] = (uint8_t)((i * 31 + seed * 7) >> 2);
}

static void expect_echo(struct worker_host *h, int area, uint32_t offset, uint32_t size,
                        unsigned seed)
{
        scoped(free) uint8_t *image = malloc(size + 1);
        scoped(wire_frame) struct wire_frame f = {0};
        scoped(wire_result) struct wire_result m = {0};
        struct err e;

        fill(image, size, seed);
        assert_int_equal(pwrite(area, image, size, offset), size);
        send_call(h, area, "echo_bytes", offset, size);
        f = worker_host_answer(h, NULL);
        assert_int_equal(f.header.type, WIRE_RESULT);
        assert_int_equal(wire_decode_result(f.payload, f.header.len, &m, &e), 0);
        assert_int_equal(m.blobs[0].size, size);
        assert_memory_equal(m.blobs[0].data, image, size);
        assert_non_null(strstr(m.json.p, "\"empty_given\":true"));
}

static void test_bytes_are_what_the_host_wrote_call_after_call(void **state)
{
        static const uint32_t sizes[] = {1,    4095,   4096,       4097,      65536,
                                         9000, 999999, 1000 << 10, 1000 << 9, 0};
        int area = new_area(AREA_SIZE), other = new_area(AREA_SIZE);

        for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
                for (uint32_t offset = 0; offset <= 4160; offset += 64 * 65)
                        expect_echo(*state, area, offset, sizes[i], i);
        expect_echo(*state, other, 0, 5000, 99);
        expect_echo(*state, area, 0, 5000, 98);
        fd_close(area);
        fd_close(other);
}

static void test_pages_that_the_host_took_back_and_wrote_again(void **state)
{
        int area = new_area(AREA_SIZE);

        for (unsigned i = 0; i < 3; i++) {
                expect_echo(*state, area, 0, 300000, i);
                assert_int_equal(
                    fallocate(area, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, AREA_SIZE), 0);
        }
        fd_close(area);
}

/* The answer's JSON; the caller frees it. */
static char *take_json(struct worker_host *h, unsigned *progress)
{
        scoped(wire_frame) struct wire_frame f = worker_host_answer(h, progress);
        scoped(wire_result) struct wire_result m = {0};
        struct err e;

        assert_int_equal(f.header.type, WIRE_RESULT);
        assert_int_equal(wire_decode_result(f.payload, f.header.len, &m, &e), 0);
        return mem_dup0(m.json.p, m.json.len);
}

static void test_the_plugin_finds_no_descriptor_and_cannot_write(void **state)
{
        struct worker_host *h = *state;
        int area = new_area(AREA_SIZE);
        scoped(free) char *without = NULL;

        worker_host_send_call(
            h, &(struct wire_call){.tool = wire_str_of("looks_around"), .json = wire_str_of("{}")});
        without = take_json(h, NULL);
        assert_non_null(strstr(without, "\"writable\":false"));
        for (int i = 0; i < 3; i++) {
                scoped(free) char *with = NULL;
                unsigned progress = 0;

                send_call(h, area, "looks_around", 0, 5000);
                with = take_json(h, &progress);
                assert_int_equal(progress, 1);
                assert_string_equal(with, without);
        }
        fd_close(area);
}

static void test_such_a_call_can_be_cancelled(void **state)
{
        struct worker_host *h = *state;
        int area = new_area(AREA_SIZE);
        struct wire_frame f;

        send_call(h, area, "until_cancelled", 0, 5000);
        f = worker_host_next(h);
        assert_int_equal(f.header.type, WIRE_PROGRESS);
        wire_frame_done(&f);
        worker_host_send(h, WIRE_CANCEL, NULL);
        f = worker_host_answer(h, NULL);
        assert_int_equal(f.header.type, WIRE_ERROR);
        wire_frame_done(&f);
        expect_echo(h, area, 0, 5000, 1);
        fd_close(area);
}

static void test_bytes_outside_the_memory_end_the_worker(void **state)
{
        struct worker_host *h = *state;
        int area = new_area(4096);

        send_call(h, area, "echo_bytes", 64, 4033);
        assert_int_equal(worker_host_next(h).header.type, 0);
        assert_int_equal(worker_host_wait(h), 71);
        fd_close(area);
}

static void test_what_cannot_be_mapped_ends_the_worker_with_words(void **state)
{
        struct worker_host *h = *state;
        int area = new_area(4096), fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        char *log;

        send_call(h, fd, "echo_bytes", 0, 1);
        assert_int_equal(worker_host_next(h).header.type, 0);
        assert_int_equal(worker_host_wait(h), 71);
        log = worker_host_log(h);
        assert_non_null(strstr(log, "an argument outside its memory"));
        free(log);
        fd_close(fd);
        fd_close(area);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(test_bytes_are_what_the_host_wrote_call_after_call),
            TEST(test_pages_that_the_host_took_back_and_wrote_again),
            TEST(test_the_plugin_finds_no_descriptor_and_cannot_write),
            TEST(test_such_a_call_can_be_cancelled),
            TEST(test_bytes_outside_the_memory_end_the_worker),
            TEST(test_what_cannot_be_mapped_ends_the_worker_with_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
