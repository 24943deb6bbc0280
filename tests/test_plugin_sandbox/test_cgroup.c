/* The small files of the kernel, parsed; cgroups made, and swept after a dead host. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/cgroup.h"
#include "sandbox/cgroup_files.h"
#include "sandbox/cgroup_place.h"
#include "test_box.h"

static const char own[] = "8:pids:/\n4:cpu,cpuacct:/a/b\n3:memory:/box/11\n1:name=systemd:/\n"
                          "0::/user.slice/x:y\n";

static void test_the_own_cgroup_of_each_controller_is_found(void **state)
{
        char path[64];

        (void)state;
        assert_true(cgroup_parse_own(own, "memory", path, sizeof path));
        assert_string_equal(path, "/box/11");
        assert_true(cgroup_parse_own(own, "cpu", path, sizeof path));
        assert_string_equal(path, "/a/b");
        assert_true(cgroup_parse_own(own, "", path, sizeof path));
        assert_string_equal(path, "/user.slice/x:y");
        assert_false(cgroup_parse_own(own, "mem", path, sizeof path));
        assert_false(cgroup_parse_own(own, "memory", path, 7));
        assert_false(cgroup_parse_own("garbage\n::\n", "memory", path, sizeof path));
}

static const char mounts[] =
    "25 1 8:1 / / rw - ext4 /dev/sda rw\n"
    "30 25 0:26 /docker/x /sys/fs/cgroup/cpu\\040x rw shared:9 master:3 - cgroup cgroup "
    "rw,cpu,cpuacct\n"
    "31 25 0:27 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
    "32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";

static void test_mounts_are_found_with_their_odd_names(void **state)
{
        char point[64], root[64];

        (void)state;
        assert_true(cgroup_parse_mount(mounts, "cpu", point, root, sizeof point));
        assert_string_equal(point, "/sys/fs/cgroup/cpu x");
        assert_string_equal(root, "/docker/x");
        assert_true(cgroup_parse_mount(mounts, "memory", point, root, sizeof point));
        assert_string_equal(point, "/sys/fs/cgroup/memory");
        assert_true(cgroup_parse_mount(mounts, "", point, root, sizeof point));
        assert_string_equal(point, "/sys/fs/cgroup/unified");
        assert_false(cgroup_parse_mount(mounts, "pids", point, root, sizeof point));
        assert_false(cgroup_parse_mount(mounts, "memory", point, root, 5));
}

static void test_a_mount_from_the_middle_of_the_tree_is_joined_right(void **state)
{
        const struct cgroup_view inside = {"4:cpu:/docker/x/y\n", mounts, NULL, 0};
        const struct cgroup_view at_root = {"4:memory:/\n", mounts, NULL, 0};
        const struct cgroup_view given = {"4:memory:/a\n", mounts, "/b/c", 0};
        char path[128];

        (void)state;
        assert_true(cgroup_place_base(&inside, "cpu", path, sizeof path));
        assert_string_equal(path, "/sys/fs/cgroup/cpu x/y");
        assert_true(cgroup_place_base(&at_root, "memory", path, sizeof path));
        assert_string_equal(path, "/sys/fs/cgroup/memory");
        assert_true(cgroup_place_base(&given, "memory", path, sizeof path));
        assert_string_equal(path, "/sys/fs/cgroup/memory/b/c");
        assert_false(cgroup_place_base(&at_root, "pids", path, sizeof path));
}

static void test_only_our_own_names_are_swept(void **state)
{
        uint64_t start;
        int pid;

        (void)state;
        assert_true(cgroup_parse_name("forgesyte-12-345-0", &pid, &start));
        assert_true(pid == 12 && start == 345);
        assert_false(cgroup_parse_name("forgesyte-host", &pid, &start));
        assert_false(cgroup_parse_name("forgesyte-12-345", &pid, &start));
        assert_false(cgroup_parse_name("forgesyte-12-345-0x", &pid, &start));
        assert_false(cgroup_parse_name("user.slice", &pid, &start));
}

static void test_a_start_time_is_found_behind_any_name(void **state)
{
        (void)state;
        assert_true(cgroup_parse_start("1 (a) b) 9 ) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 "
                                       "20 21 4242 23") == 4242);
        assert_true(cgroup_parse_start("1 (a) S 2 3") == 0);
        assert_true(cgroup_parse_start("") == 0);
}

static int count_stale(const struct cgroup_root *root, pid_t pid)
{
        int n = 0;

        for (unsigned i = 0; i < root->n_places; i++) {
                DIR *dir = opendir(root->places[i].base);
                const struct dirent *d;
                uint64_t start;
                int whose;

                assert_non_null(dir);
                while ((d = readdir(dir)))
                        n += cgroup_parse_name(d->d_name, &whose, &start) && whose == pid;
                closedir(dir);
        }
        return n;
}

/* A host that was killed leaves directories; the next one removes them and no one else's. */
static void test_a_dead_hosts_cgroups_are_swept(void **state)
{
        const struct cgroup_options options = {0};
        const struct cgroup_limits limits = {.memory_bytes = 1 << 26, .pids = 8};
        struct isolation why = {0};
        struct cgroup_root root, next, known;
        int status;
        pid_t pid;

        (void)state;
        cgroup_root_open(&options, &root, &why);
        if (root.n_places == 0)
                test_box_skip(why.reasons[0]);
        pid = fork();
        if (pid == 0) {
                struct cgroup_box box;

                cgroup_root_open(&options, &root, &why);
                _exit(cgroup_box_make(&root, "left", &limits, &box, NULL) != 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_true(count_stale(&root, pid) > 0);
        cgroup_root_open(&options, &next, &why);
        assert_int_equal(count_stale(&root, pid), 0);
        assert_true(count_stale(&root, getpid()) > (int)root.n_places);
        known = root;
        cgroup_root_close(&next);
        cgroup_root_close(&root);
        assert_int_equal(count_stale(&known, getpid()), 0);
}

static void test_no_cgroup_leaves_rlimits(void **state)
{
        const struct cgroup_options none = {.no_version1 = true, .no_version2 = true};
        struct isolation why = {0};
        struct cgroup_root root;

        (void)state;
        cgroup_root_open(&none, &root, &why);
        assert_int_equal(root.kind, ISOLATION_MEMORY_RLIMIT);
        assert_int_equal(root.n_places, 0);
}

static void test_counters_of_a_file_that_is_not_there_are_zero(void **state)
{
        (void)state;
        assert_true(cgroup_read_key(-1, "memory.events", "oom_kill") == 0);
        assert_true(cgroup_read_number(-1, "memory.peak") == 0);
        assert_int_equal(cgroup_write(-1, "memory.max", "1"), -EBADF);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_the_own_cgroup_of_each_controller_is_found),
            cmocka_unit_test(test_mounts_are_found_with_their_odd_names),
            cmocka_unit_test(test_a_mount_from_the_middle_of_the_tree_is_joined_right),
            cmocka_unit_test(test_only_our_own_names_are_swept),
            cmocka_unit_test(test_a_start_time_is_found_behind_any_name),
            cmocka_unit_test(test_a_dead_hosts_cgroups_are_swept),
            cmocka_unit_test(test_no_cgroup_leaves_rlimits),
            cmocka_unit_test(test_counters_of_a_file_that_is_not_there_are_zero),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
