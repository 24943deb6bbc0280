/* A plugin that eats too much dies for that, is told apart from any other SIGKILL, and never gets
 * far past its limit: by cgroup, and where there is none by rlimit and watch. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "sandbox/memory_guard.h"
#include "sandbox/sandbox_private.h"
#include "test_box.h"

#define LIMIT MIB(64)

static void open_limited(struct test_box *t, const char *fake_missing)
{
        test_box_init(t, fake_missing);
        t->policy.memory_bytes = LIMIT;
        test_box_start(t);
        (void)test_box_ask(t, "ping"); /* now its isolation is what it will be */
}

static bool has_cgroup(const struct test_box *t)
{
        return sandbox_isolation(t->sandbox)->memory >= ISOLATION_MEMORY_CGROUP1;
}

static void require_cgroup(struct test_box *t)
{
        if (has_cgroup(t))
                return;
        test_box_done(t);
        test_box_skip("no memory cgroup can be had here");
}

static void test_the_kernel_stops_it_at_the_limit(void **state)
{
        struct obituary o;
        struct test_box t;

        (void)state;
        open_limited(&t, NULL);
        require_cgroup(&t);
        test_box_die_of(&t, "eat 1073741824", &o);
        assert_int_equal(o.cause, OBITUARY_MEMORY);
        assert_true(o.peak_bytes > LIMIT / 2 && o.peak_bytes <= LIMIT);
        test_box_done(&t);
}

static void test_a_child_at_the_limit_ends_the_whole_box(void **state)
{
        struct obituary o;
        struct test_box t;

        (void)state;
        open_limited(&t, NULL);
        require_cgroup(&t);
        test_box_die_of(&t, "eat_in_child 1073741824", &o);
        assert_int_equal(o.cause, OBITUARY_MEMORY);
        test_box_done(&t);
}

static void test_shared_memory_and_files_in_memory_count(void **state)
{
        struct obituary o;
        struct test_box t;

        (void)state;
        open_limited(&t, NULL);
        require_cgroup(&t);
        test_box_die_of(&t, "eat_shared 1073741824", &o);
        assert_int_equal(o.cause, OBITUARY_MEMORY);
        test_box_done(&t);
}

/* What the cgroup does not count, the watch does. */
static void watched(const char *fakes, const char *command)
{
        struct obituary o;
        struct test_box t;

        open_limited(&t, fakes);
        if (strstr(command, "child") &&
            !(sandbox_isolation(t.sandbox)->namespaces & ISOLATION_NS_PID)) {
                test_box_done(&t);
                test_box_skip("no children are permitted here");
        }
        assert_true(sandbox_wants_watch(t.sandbox));
        assert_int_equal(sandbox_isolation(t.sandbox)->memory, ISOLATION_MEMORY_RLIMIT);
        test_box_die_of(&t, command, &o);
        assert_int_equal(o.cause, OBITUARY_MEMORY);
        assert_true(o.peak_bytes > LIMIT);
        assert_int_equal(o.oom_kills, 0);
        test_box_done(&t);
}

/* The filter takes these away, so they are seen where there is no filter. */
static void test_without_a_cgroup_the_watch_sees_shared_memory(void **state)
{
        (void)state;
        watched("cgroup,seccomp", "eat_shared 1073741824");
}

static void test_without_a_cgroup_the_watch_sees_files_in_memory(void **state)
{
        (void)state;
        watched("cgroup,seccomp", "eat_memfds 536870912");
}

static void test_without_a_cgroup_the_watch_sees_children(void **state)
{
        (void)state;
        watched("cgroup", "eat_in_child 134217728");
}

#define NO_SPACES "userns,pidns,mountns,netns"

static const char *const counted_by_none[] = {
    "cgroup",
    "cgroup,landlock",
    "cgroup," NO_SPACES,
    "cgroup," NO_SPACES ",landlock",
};

static long try_map(struct test_box *t, unsigned flags, bool *ret_done)
{
        long errno_is = 0, r;

        r = test_box_number(t, "sys %d 0 4096 3 0x%x -1 0", SYS_mmap, flags);
        sscanf(t->answer, "%*d %ld", &errno_is);
        *ret_done = r != -1;
        return errno_is;
}

/* Its pages stay when it is unmapped or on its way through a socket, and are in nobody's sum. */
static void test_without_a_cgroup_no_memory_is_shared_without_a_file(void **state)
{
        const unsigned anonymous[] = {MAP_SHARED, MAP_SHARED_VALIDATE, MAP_SHARED | MAP_NORESERVE,
                                      MAP_SHARED | MAP_HUGETLB};
        bool done;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(counted_by_none); i++) {
                struct test_box t;

                print_message("without %s\n", counted_by_none[i]);
                open_limited(&t, counted_by_none[i]);
                for (size_t n = 0; n < ARRAY_LEN(anonymous); n++) {
                        assert_int_equal(try_map(&t, anonymous[n] | MAP_ANONYMOUS, &done), EPERM);
                        assert_false(done);
                }
                assert_int_equal(try_map(&t, MAP_PRIVATE | MAP_ANONYMOUS, &done), 0);
                assert_int_equal(test_box_number(&t, "map /bin/sh %d", MAP_PRIVATE), 0);
                assert_string_equal(test_box_ask(&t, "sys %d 0 0", SYS_memfd_create), "-1 1");
                assert_false(t.sandbox->makes_files);
                test_box_done(&t);
        }
}

/* A shared mapping of what was opened to write would be such memory. */
static void test_without_a_cgroup_dev_zero_can_only_be_read(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(counted_by_none); i++) {
                struct test_box t;
                bool tree, landlock;

                print_message("without %s\n", counted_by_none[i]);
                open_limited(&t, counted_by_none[i]);
                tree = sandbox_isolation(t.sandbox)->namespaces & ISOLATION_NS_MOUNT;
                landlock = sandbox_isolation(t.sandbox)->landlock_abi > 0;
                assert_int_equal(test_box_number(&t, "openw /dev/zero"), landlock ? EACCES
                                                                         : tree   ? ENOENT
                                                                                  : EPERM);
                /* Where nothing else keeps it from that, it is not there at all. */
                if (tree && !landlock)
                        assert_int_equal(test_box_number(&t, "open /dev/zero"), ENOENT);
                else
                        assert_int_equal(test_box_number(&t, "map /dev/zero %d", MAP_PRIVATE), 0);
                if (landlock)
                        assert_int_equal(test_box_number(&t, "openw /dev/null"), 0);
                test_box_done(&t);
        }
}

static void test_with_a_cgroup_all_of_it_is_there(void **state)
{
        struct test_box t;
        bool done;

        (void)state;
        open_limited(&t, NULL);
        require_cgroup(&t);
        assert_int_equal(try_map(&t, MAP_SHARED | MAP_ANONYMOUS, &done), 0);
        assert_int_equal(test_box_number(&t, "openw /dev/zero"), 0);
        assert_string_equal(test_box_ask(&t, "sys %d 0 0", SYS_memfd_create), "-1 14");
        test_box_done(&t);
}

static void open_for_uploads(struct test_box *t, const char *fakes)
{
        test_box_init(t, fakes);
        t->policy.memory_bytes = LIMIT;
        t->policy.uploads = true;
        test_box_start(t);
        (void)test_box_ask(t, "ping");
}

static void test_files_for_uploads_are_there_where_it_can_make_none(void **state)
{
        struct test_box t;

        (void)state;
        open_for_uploads(&t, "cgroup");
        assert_string_equal(test_box_ask(&t, "fds"), "fds 0 1 2 3 8 9 10 11");
        assert_string_equal(test_box_ask(&t, "eat_file 9 4194304"), "ate");
        assert_string_equal(test_box_ask(&t, "fds"), "fds 0 1 2 3 8 10 11");
        assert_int_equal(sandbox_check_memory(t.sandbox), 0);
        test_box_done(&t);
        open_for_uploads(&t, NULL);
        if (has_cgroup(&t))
                assert_string_equal(test_box_ask(&t, "fds"), "fds 0 1 2 3");
        test_box_done(&t);
}

static void test_files_for_uploads_count_whoever_has_them_open(void **state)
{
        struct obituary o;
        struct test_box t;

        (void)state;
        open_for_uploads(&t, "cgroup");
        test_box_die_of(&t, "eat_file 8 134217728", &o);
        assert_int_equal(o.cause, OBITUARY_MEMORY);
        assert_true(o.peak_bytes > LIMIT);
        test_box_done(&t);
}

/* As the host's user, and free to change modes, it makes what it was given to read its to write. */
static void test_who_can_write_uncounted_to_what_it_was_lent_is_known(void **state)
{
        struct test_box t;
        bool tree;

        (void)state;
        open_limited(&t, NULL);
        if (has_cgroup(&t))
                assert_false(sandbox_writes_uncounted(t.sandbox));
        test_box_done(&t);
        open_limited(&t, "cgroup");
        tree = sandbox_isolation(t.sandbox)->namespaces & ISOLATION_NS_MOUNT;
        assert_int_equal(sandbox_writes_uncounted(t.sandbox), geteuid() != 0 && tree);
        test_box_done(&t);
}

static void test_without_a_cgroup_malloc_fails_before_the_machine_does(void **state)
{
        struct test_box t;

        (void)state;
        open_limited(&t, "cgroup");
        /* One piece far above the limit is refused at once: the plugin's own affair. */
        assert_string_equal(test_box_ask(&t, "sys 9 0 1073741824 3 0x22 -1 0"), "-1 12");
        test_box_done(&t);
}

static void test_a_sigkill_by_its_own_hand_is_not_memory(void **state)
{
        static const char *const machines[] = {NULL, "cgroup"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
                struct obituary o;
                struct test_box t;

                open_limited(&t, machines[i]);
                test_box_die_of(&t, "raise 9", &o);
                assert_int_equal(o.cause, OBITUARY_SIGNAL);
                assert_int_equal(o.signal, SIGKILL);
                test_box_done(&t);
        }
}

static void test_usage_is_the_whole_trees(void **state)
{
        static const char *const machines[] = {NULL, "cgroup"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
                struct sandbox_usage u;
                struct test_box t;

                open_limited(&t, machines[i]);
                assert_string_equal(test_box_ask(&t, "eat 33554432"), "ate");
                if (sandbox_wants_watch(t.sandbox))
                        assert_int_equal(sandbox_check_memory(t.sandbox), 0);
                sandbox_usage(t.sandbox, &u);
                assert_true(u.rss_bytes >= MIB(31) && u.rss_bytes < LIMIT);
                assert_true(u.peak_rss_bytes >= u.rss_bytes);
                test_box_done(&t);
        }
}

/* Or health requests would cost what the pauses of the watch save. */
static void test_usage_is_what_the_watch_saw_last(void **state)
{
        struct sandbox_usage first, again, later;
        int64_t before, next;
        struct test_box t;

        (void)state;
        open_limited(&t, "cgroup");
        sandbox_usage(t.sandbox, &first);
        assert_int_equal(first.rss_bytes, 0);
        assert_int_equal(sandbox_check_memory(t.sandbox), 0);
        sandbox_usage(t.sandbox, &first);
        assert_string_equal(test_box_ask(&t, "eat 33554432"), "ate");
        sandbox_usage(t.sandbox, &again);
        assert_int_equal(again.rss_bytes, first.rss_bytes);
        before = clock_mono_ns();
        assert_int_equal(sandbox_check_memory(t.sandbox), 0);
        next = sandbox_next_look(t.sandbox, 0);
        sandbox_usage(t.sandbox, &later);
        assert_true(later.rss_bytes >= again.rss_bytes + MIB(31));
        assert_true(next >= before + MEMORY_WATCH_MS * NSEC_PER_MSEC);
        assert_true(sandbox_next_look(t.sandbox, next) > next);
        test_box_done(&t);
}

static void test_the_sentence_names_the_limit(void **state)
{
        char buf[MEMORY_GUARD_SENTENCE];

        (void)state;
        memory_guard_sentence(MEMORY_GUARD_DEFAULT_BYTES, buf, sizeof buf);
        assert_string_equal(
            buf, "Plugin exceeded 1GB memory limit. Reduce model size or increase limit.");
        memory_guard_sentence(MIB(1536), buf, sizeof buf);
        assert_string_equal(
            buf, "Plugin exceeded 1536MB memory limit. Reduce model size or increase limit.");
        memory_guard_sentence(1000, buf, sizeof buf);
        assert_string_equal(
            buf, "Plugin exceeded 1000B memory limit. Reduce model size or increase limit.");
        memory_guard_shortage(UINT64_MAX, buf, sizeof buf);
        assert_non_null(strstr(buf, "B memory limit: the machine, "));
        assert_string_equal(buf + strlen(buf) - strlen("or give the host more."),
                            "or give the host more.");
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_the_kernel_stops_it_at_the_limit),
            cmocka_unit_test(test_a_child_at_the_limit_ends_the_whole_box),
            cmocka_unit_test(test_shared_memory_and_files_in_memory_count),
            cmocka_unit_test(test_without_a_cgroup_the_watch_sees_shared_memory),
            cmocka_unit_test(test_without_a_cgroup_the_watch_sees_files_in_memory),
            cmocka_unit_test(test_without_a_cgroup_the_watch_sees_children),
            cmocka_unit_test(test_without_a_cgroup_no_memory_is_shared_without_a_file),
            cmocka_unit_test(test_without_a_cgroup_dev_zero_can_only_be_read),
            cmocka_unit_test(test_with_a_cgroup_all_of_it_is_there),
            cmocka_unit_test(test_files_for_uploads_are_there_where_it_can_make_none),
            cmocka_unit_test(test_files_for_uploads_count_whoever_has_them_open),
            cmocka_unit_test(test_who_can_write_uncounted_to_what_it_was_lent_is_known),
            cmocka_unit_test(test_without_a_cgroup_malloc_fails_before_the_machine_does),
            cmocka_unit_test(test_a_sigkill_by_its_own_hand_is_not_memory),
            cmocka_unit_test(test_usage_is_the_whole_trees),
            cmocka_unit_test(test_usage_is_what_the_watch_saw_last),
            cmocka_unit_test(test_the_sentence_names_the_limit),
        };

        if (!test_box_prepare(argc, argv))
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
