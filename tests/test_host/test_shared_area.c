/* Memory for a worker: it has what was written, nobody else can write or resize it, and the host
 * gets its pages back from under whoever maps it. */
#include "../support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "host/shared_area.h"

#define SIZE MIB(16)
#define PAGE 4096

static struct shared_area *new_area(void)
{
        struct shared_area *a = NULL;

        assert_int_equal(shared_area_new(SIZE, &a), 0);
        return a;
}

static uint64_t pages_of(const struct shared_area *a)
{
        struct stat st;

        assert_int_equal(fstat(a->read_fd, &st), 0);
        return (uint64_t)st.st_blocks * 512 / PAGE;
}

/* One round of one piece. */
static void write_round(struct shared_area *a, size_t n, int byte)
{
        scoped(free) char *data = malloc(n + 1);
        size_t at = 0;

        memset(data, byte, n + 1);
        assert_int_equal(shared_area_write(a, &at, 0, data, n), 0);
        assert_int_equal(shared_area_finish(a, at), 0);
}

static void test_pieces_are_where_they_were_put_and_zeros_between(void **state)
{
        static const char expected[] = "abc\0\0\0\0\0defg\0\0\0\0";
        struct shared_area *a = new_area();
        char got[sizeof expected - 1];
        size_t at = 0;

        (void)state;
        write_round(a, 3 * PAGE, 'x');
        assert_int_equal(shared_area_write(a, &at, 0, "abc", 3), 0);
        assert_int_equal(shared_area_write(a, &at, 8, "defg", 4), 0);
        assert_int_equal(at, 12);
        assert_int_equal(shared_area_finish(a, at), 0);
        assert_int_equal(pread(a->read_fd, got, sizeof got, 0), sizeof got);
        assert_memory_equal(got, expected, sizeof got);
        assert_int_equal(pread(a->read_fd, got, 1, PAGE - 1), 1);
        assert_int_equal(got[0], 0);
        shared_area_free(a);
}

static void test_pieces_out_of_order_or_bounds_are_refused(void **state)
{
        struct shared_area *a = new_area();
        size_t at = 100;

        (void)state;
        assert_int_equal(shared_area_write(a, &at, 99, "x", 1), -EINVAL);
        assert_int_equal(shared_area_write(a, &at, 100 + PAGE + 1, "x", 1), -EINVAL);
        at = SIZE;
        assert_int_equal(shared_area_write(a, &at, SIZE, "x", 1), -EINVAL);
        assert_int_equal(shared_area_write(a, &at, SIZE, "", 0), 0);
        assert_int_equal(shared_area_finish(a, at), 0);
        shared_area_free(a);
}

static void test_who_is_given_it_can_only_read(void **state)
{
        struct shared_area *a = new_area();
        struct stat st;
        char *map;

        (void)state;
        write_round(a, 10, 'a');
        assert_int_equal(fcntl(a->read_fd, F_GET_SEALS) &
                             (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
                         F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        assert_int_equal(fcntl(a->read_fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fstat(a->read_fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0400);
        assert_int_equal(write(a->read_fd, "x", 1), -1);
        assert_int_equal(pwrite(a->read_fd, "x", 1, 0), -1);
        assert_int_equal(ftruncate(a->read_fd, 0), -1);
        assert_int_equal(ftruncate(a->write_fd, 0), -1);
        assert_int_equal(fallocate(a->read_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE),
                         -1);
        assert_ptr_equal(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, a->read_fd, 0), MAP_FAILED);
        map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, a->read_fd, 0);
        assert_ptr_not_equal(map, MAP_FAILED);
        assert_int_equal(mprotect(map, PAGE, PROT_READ | PROT_WRITE), -1);
        assert_int_equal(map[9], 'a');
        munmap(map, PAGE);
        shared_area_free(a);
}

static void test_pages_are_taken_back_from_under_whoever_maps_them(void **state)
{
        struct shared_area *a = new_area();
        int fd = dup(a->read_fd);
        char *map = mmap(NULL, MIB(4), PROT_READ, MAP_SHARED, a->read_fd, 0);
        struct stat st;

        (void)state;
        assert_ptr_not_equal(map, MAP_FAILED);
        assert_int_equal(pages_of(a), 0);
        write_round(a, MIB(4), 'a');
        assert_int_equal(map[MIB(4) - 1], 'a');
        assert_int_equal(pages_of(a), MIB(4) / PAGE);
        shared_area_free(a);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_blocks, 0);
        assert_int_equal(map[MIB(4) - 1], 0);
        munmap(map, MIB(4));
        fd_close(fd);
}

static void test_an_area_can_be_emptied_and_written_again(void **state)
{
        struct shared_area *a = new_area();

        (void)state;
        write_round(a, MIB(4), 'a');
        assert_int_equal(pages_of(a), MIB(4) / PAGE);
        shared_area_empty(a);
        assert_int_equal(pages_of(a), 0);
        write_round(a, MIB(1), 'b');
        assert_int_equal(pages_of(a), MIB(1) / PAGE);
        shared_area_free(a);
}

static void test_one_large_round_is_not_paid_for_by_the_small_ones_after_it(void **state)
{
        struct shared_area *a = new_area();

        (void)state;
        write_round(a, MIB(8), 'a');
        assert_int_equal(pages_of(a), MIB(8) / PAGE);
        write_round(a, MIB(1), 'b');
        assert_int_equal(pages_of(a), MIB(8) / PAGE);
        write_round(a, MIB(1), 'c');
        assert_int_equal(pages_of(a), MIB(1) / PAGE);
        write_round(a, MIB(8), 'd');
        assert_int_equal(pages_of(a), MIB(8) / PAGE);
        shared_area_free(a);
        shared_area_free(NULL);
}

/* As on a kernel that cannot fault pages in ahead. */
static void test_without_a_mapping_it_is_written_all_the_same(void **state)
{
        struct shared_area *a = new_area();
        char last = 0;

        (void)state;
        munmap(a->map, a->size);
        a->map = NULL;
        write_round(a, MIB(2) + 1, 'q');
        assert_int_equal(pread(a->read_fd, &last, 1, MIB(2)), 1);
        assert_int_equal(last, 'q');
        write_round(a, 1, 'r');
        write_round(a, 1, 'r');
        assert_int_equal(pages_of(a), 1);
        shared_area_free(a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_pieces_are_where_they_were_put_and_zeros_between),
            cmocka_unit_test(test_pieces_out_of_order_or_bounds_are_refused),
            cmocka_unit_test(test_who_is_given_it_can_only_read),
            cmocka_unit_test(test_pages_are_taken_back_from_under_whoever_maps_them),
            cmocka_unit_test(test_an_area_can_be_emptied_and_written_again),
            cmocka_unit_test(test_one_large_round_is_not_paid_for_by_the_small_ones_after_it),
            cmocka_unit_test(test_without_a_mapping_it_is_written_all_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
