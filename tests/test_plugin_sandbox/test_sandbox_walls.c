/* Each wall holds by itself: where another one stands before it, that one is taken away first. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/sandbox_private.h"
#include "test_box.h"

#define NO_SPACES "userns,pidns,mountns,netns"

static void open_or_skip(struct test_box *t, const char *fakes, unsigned needed_spaces)
{
        test_box_open(t, fakes);
        (void)test_box_ask(t, "ping");
        if ((sandbox_isolation(t->sandbox)->namespaces & needed_spaces) == needed_spaces)
                return;
        test_box_done(t);
        test_box_skip("these namespaces can't be had here");
}

static void assert_status_line(const char *status, const char *line)
{
        if (strstr(status, line))
                return;
        print_error("%s\n", status);
        fail_msg("no \"%s\" in it", line);
}

/* ---- descriptors
 * -------------------------------------------------------------------------------*/

static void test_a_worker_has_four_descriptors(void **state)
{
        static const char *const machines[] = {NULL, "root", NO_SPACES};

        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
                /* A library's that was not opened with O_CLOEXEC. */
                scoped(fd) int stray = dup(0), high = fcntl(0, F_DUPFD, 700);
                struct test_box t;

                assert_true(stray >= 0 && high >= 700);
                test_box_open(&t, machines[m]);
                assert_string_equal(test_box_ask(&t, "fds"), "fds 0 1 2 3");
                assert_string_equal(test_box_ask(&t, "read /proc/self/fd/0"), "0 ");
                test_box_done(&t);
        }
}

static void test_what_it_prints_arrives_apart_from_the_wire(void **state)
{
        struct test_box t;
        char text[64];
        ssize_t n;

        (void)state;
        test_box_open(&t, NULL);
        assert_string_equal(test_box_ask(&t, "say words"), "said");
        n = read(sandbox_stdout(t.sandbox), text, sizeof text);
        assert_int_equal(n, 6);
        assert_memory_equal(text, "words\n", 6);
        n = read(sandbox_stderr(t.sandbox), text, sizeof text);
        assert_int_equal(n, 7);
        test_box_done(&t);
}

static void test_its_environment_is_the_policys_and_nothing_else(void **state)
{
        struct test_box t;

        (void)state;
        setenv("SECRET", "token", 1);
        test_box_init(&t, NULL);
        assert_int_equal(sandbox_policy_add_env(&t.policy, "MODE", "fast"), 0);
        assert_int_equal(sandbox_policy_add_env(&t.policy, "LANG", "de_DE"), 0);
        test_box_start(&t);
        assert_string_equal(test_box_ask(&t, "env SECRET"), "(none)");
        assert_string_equal(test_box_ask(&t, "env MODE"), "fast");
        assert_string_equal(test_box_ask(&t, "env LANG"), "de_DE");
        assert_string_equal(test_box_ask(&t, "env HOME"), "/tmp");
        test_box_done(&t);
        unsetenv("SECRET");
}

/* ---- namespaces
 * --------------------------------------------------------------------------------*/

static void test_the_worker_is_pid_2_under_an_init(void **state)
{
        struct test_box t;
        int pid, parent;

        (void)state;
        open_or_skip(&t, NULL, ISOLATION_NS_PID);
        assert_int_equal(sscanf(test_box_ask(&t, "ping"), "pong %d %d", &pid, &parent), 2);
        assert_int_equal(pid, 2);
        assert_int_equal(parent, 1);
        test_box_done(&t);
}

static void test_the_hosts_processes_have_no_numbers_in_there(void **state)
{
        struct test_box t;

        (void)state;
        open_or_skip(&t, "seccomp,landlock", ISOLATION_NS_PID);
        assert_int_equal(getpid() > 2, 1);
        test_box_ask(&t, "sys %d %d 0", SYS_kill, getpid());
        assert_string_equal(t.answer, "-1 3"); /* ESRCH */
        /* And its init can't be killed from inside. */
        test_box_ask(&t, "sys %d 1 9", SYS_kill);
        assert_memory_equal(test_box_ask(&t, "ping"), "pong", 4);
        test_box_done(&t);
}

static int listen_tcp(uint16_t *ret_port)
{
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof at;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(listen(fd, 5), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
        *ret_port = ntohs(at.sin_port);
        return fd;
}

static long try_tcp(const char *fakes, bool network)
{
        struct test_box t;
        uint16_t port;
        int sink = listen_tcp(&port);
        long r;

        test_box_init(&t, fakes);
        t.policy.network = network;
        test_box_start(&t);
        r = test_box_number(&t, "tcp %u", port);
        test_box_done(&t);
        close(sink);
        return r;
}

static void test_the_hosts_loopback_is_out_of_reach_by_each_of_three_walls(void **state)
{
        struct test_box t;

        (void)state;
        assert_int_equal(try_tcp(NULL, false), EAFNOSUPPORT);
        open_or_skip(&t, NULL, ISOLATION_NS_NET);
        assert_int_equal(try_tcp("seccomp,landlock", false), ENETUNREACH); /* the namespace */
        if (t.runner->machine.landlock_abi >= 4)
                assert_int_equal(try_tcp("seccomp,netns", false), EACCES); /* Landlock */
        test_box_done(&t);
        assert_int_equal(try_tcp("netns", false), EAFNOSUPPORT); /* seccomp */
        /* And with none of them it is there, so that the test tests something. */
        assert_int_equal(try_tcp("seccomp,landlock,netns", false), 0);
}

static void test_the_network_is_there_when_it_is_permitted(void **state)
{
        (void)state;
        assert_int_equal(try_tcp(NULL, true), 0);
        assert_int_equal(try_tcp(NO_SPACES, true), 0);
}

static void test_the_box_has_a_name_of_its_own(void **state)
{
        struct test_box t;
        char wanted[128];

        (void)state;
        open_or_skip(&t, NULL, ISOLATION_NS_UTS);
        snprintf(wanted, sizeof wanted, "0 %s|", t.policy.name);
        assert_string_equal(test_box_ask(&t, "read /proc/sys/kernel/hostname"), wanted);
        test_box_done(&t);
}

static void test_shared_memory_segments_stay_inside(void **state)
{
        struct test_box t;
        long id;

        (void)state;
        open_or_skip(&t, "seccomp", ISOLATION_NS_IPC);
        id = test_box_number(&t, "sys %d 0x5eed1234 4096 0x3b6", SYS_shmget); /* IPC_CREAT 0666 */
        assert_true(id >= 0);
        assert_int_equal(syscall(SYS_shmget, 0x5eed1234, 0, 0), -1);
        test_box_done(&t);
}

/* ---- files
 * -------------------------------------------------------------------------------------*/

static void make_secret(char *path, size_t size)
{
        int fd;

        snprintf(path, size, "/tmp/forgesyte-secret-XXXXXX");
        fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(fchmod(fd, 0666), 0);
        assert_int_equal(write(fd, "secret", 6), 6);
        close(fd);
}

static void test_the_hosts_files_do_not_exist_in_there(void **state)
{
        struct test_box t;
        char secret[64];

        (void)state;
        open_or_skip(&t, "seccomp,landlock", ISOLATION_NS_MOUNT);
        make_secret(secret, sizeof secret);
        assert_int_equal(test_box_number(&t, "open %s", secret), ENOENT);
        assert_int_equal(test_box_number(&t, "open /etc/shadow"), ENOENT);
        assert_int_equal(test_box_number(&t, "open /root"), ENOENT);
        assert_int_equal(test_box_number(&t, "open /sys/fs/cgroup"), ENOENT);
        assert_int_equal(test_box_number(&t, "open /proc/%d", getpid()), ENOENT);
        test_box_done(&t);
        unlink(secret);
}

static void test_landlock_alone_keeps_the_hosts_files(void **state)
{
        struct test_box t;
        char secret[64];

        (void)state;
        test_box_open(&t, NO_SPACES ",seccomp");
        (void)test_box_ask(&t, "ping");
        if (!sandbox_isolation(t.sandbox)->landlock_abi) {
                test_box_done(&t);
                test_box_skip("no Landlock here");
        }
        make_secret(secret, sizeof secret);
        assert_int_equal(test_box_number(&t, "open %s", secret), EACCES);
        assert_int_equal(test_box_number(&t, "write %s", secret), EACCES);
        assert_int_equal(test_box_number(&t, "write /tmp/forgesyte-new"), EACCES);
        assert_int_equal(test_box_number(&t, "open /proc/%d/status", getpid()), EACCES);
        assert_int_equal(test_box_number(&t, "open /proc/1/maps"), EACCES);
        assert_int_equal(test_box_number(&t, "open %s/file", t.dir), 0);
        assert_int_equal(test_box_number(&t, "open /proc/self/maps"), 0);
        assert_int_equal(test_box_number(&t, "open /usr/lib"), 0);
        test_box_done(&t);
        /* Without it they are readable, and the level's reasons say so. */
        test_box_open(&t, NO_SPACES ",seccomp,landlock");
        assert_int_equal(test_box_number(&t, "open %s", secret), 0);
        assert_int_equal(sandbox_isolation(t.sandbox)->landlock_abi, 0);
        test_box_done(&t);
        unlink(secret);
}

static void read_only(const char *fakes)
{
        static const char *const paths[] = {
            "/new",
            "/usr/new",
            "/plugin/new",
            "/plugin/file",
            "/etc/new",
            "/dev/new",
            "/proc/self/comm",
            "/proc/self/oom_score_adj",
            "/etc/passwd",
            "/proc/sys/kernel/hostname",
            "/sys/devices/system/cpu/new",
        };
        struct test_box t;

        open_or_skip(&t, fakes, ISOLATION_NS_MOUNT);
        for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
                long r = test_box_number(&t, "write %s", paths[i]);

                if (r != EROFS && r != EACCES)
                        fail_msg("%s: %ld", paths[i], r);
        }
        test_box_done(&t);
}

static void test_the_tree_is_read_only_by_its_mounts(void **state)
{
        (void)state;
        read_only("seccomp,landlock");
}

static void test_the_tree_is_read_only_for_root_in_a_user_namespace(void **state)
{
        (void)state;
        read_only("root,seccomp,landlock");
}

static void test_scratch_is_writable_and_bounded(void **state)
{
        static const char *const places[] = {"/tmp/x", "/dev/shm/x"};
        struct test_box t;

        (void)state;
        test_box_init(&t, NULL);
        t.policy.tmp_bytes = MIB(8);
        test_box_start(&t);
        if (!(sandbox_isolation(t.sandbox)->namespaces & ISOLATION_NS_MOUNT)) {
                test_box_done(&t);
                test_box_skip("no mount namespace here");
        }
        for (size_t i = 0; i < ARRAY_LEN(places); i++)
                assert_string_equal(test_box_ask(&t, "fill %s", places[i]), "8 28"); /* ENOSPC */
        test_box_done(&t);
}

static void test_binds_of_the_policy_are_shown(void **state)
{
        struct test_box t;
        char outside[64] = "/tmp/forgesyte-bind-XXXXXX", path[128];

        (void)state;
        assert_non_null(mkdtemp(outside));
        assert_int_equal(chmod(outside, 0777), 0);
        test_box_init(&t, NULL);
        assert_int_equal(sandbox_policy_add_bind(&t.policy, outside, "/data/in", false, false), 0);
        assert_int_equal(sandbox_policy_add_bind(&t.policy, outside, NULL, true, false), 0);
        test_box_start(&t);
        if (sandbox_isolation(t.sandbox)->namespaces & ISOLATION_NS_MOUNT) {
                long r = test_box_number(&t, "write /data/in/a");

                assert_true(r == EROFS || r == EACCES);
                assert_int_equal(test_box_number(&t, "write %s/a", outside), 0);
                assert_string_equal(test_box_ask(&t, "read /data/in/a"), "0 x");
        }
        test_box_done(&t);
        snprintf(path, sizeof path, "%s/a", outside);
        unlink(path);
        assert_int_equal(rmdir(outside), 0);
}

/* A plugin's folder may be full of links that lead elsewhere: a mount point never follows them out.
 */
static void test_links_in_a_plugin_folder_lead_nowhere_else(void **state)
{
        struct test_box t;
        char path[128];

        (void)state;
        test_box_init(&t, NULL);
        snprintf(path, sizeof path, "%s/link", t.dir);
        assert_int_equal(symlink("/etc/shadow", path), 0);
        test_box_start(&t);
        assert_int_not_equal(test_box_number(&t, "open %s", "/plugin/link"), 0);
        test_box_done(&t);
        unlink(path);
        rmdir(t.dir);
}

static void test_a_stand_in_for_proc_still_counts_processors(void **state)
{
        struct test_box t;

        (void)state;
        test_box_init(&t, NULL);
        t.runner->machine.proc = false;
        test_box_start(&t);
        if (sandbox_isolation(t.sandbox)->namespaces & ISOLATION_NS_MOUNT) {
                assert_int_equal(test_box_number(&t, "open /proc/cpuinfo"), 0);
                assert_int_equal(test_box_number(&t, "open /proc/1"), ENOENT);
        }
        test_box_done(&t);
}

/* ---- privileges
 * --------------------------------------------------------------------------------*/

static void test_no_privilege_is_left(void **state)
{
        static const char *const machines[] = {NULL, "root", NO_SPACES};

        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
                struct test_box t;
                const char *status;

                test_box_open(&t, machines[m]);
                status = test_box_ask(&t, "read /proc/self/status");
                assert_status_line(status, "CapEff:\t0000000000000000");
                assert_status_line(status, "CapPrm:\t0000000000000000");
                assert_status_line(status, "CapInh:\t0000000000000000");
                assert_status_line(status, "CapAmb:\t0000000000000000");
                /* An ordinary user has no right to empty the set, and nothing to fill it with. */
                if (geteuid() == 0 ||
                    (sandbox_isolation(t.sandbox)->namespaces & ISOLATION_NS_USER))
                        assert_status_line(status, "CapBnd:\t0000000000000000");
                assert_status_line(status, "NoNewPrivs:\t1");
                assert_status_line(status, "Seccomp:\t2");
                test_box_done(&t);
        }
}

static void test_the_worker_is_never_root(void **state)
{
        struct test_box t;
        int pid, parent, uid, gid;

        (void)state;
        test_box_open(&t, NULL);
        assert_int_equal(
            sscanf(test_box_ask(&t, "ping"), "pong %d %d %d %d", &pid, &parent, &uid, &gid), 4);
        assert_true(uid != 0 && gid != 0);
        if (t.runner->machine.own_user)
                assert_int_equal(sandbox_isolation(t.sandbox)->uid, uid);
        test_box_done(&t);
        test_box_open(&t, "root"); /* an unprivileged host's worker */
        assert_int_equal(
            sscanf(test_box_ask(&t, "ping"), "pong %d %d %d %d", &pid, &parent, &uid, &gid), 4);
        if (sandbox_isolation(t.sandbox)->namespaces & ISOLATION_NS_USER)
                assert_true(uid == 1000 && gid == 1000);
        assert_int_equal(sandbox_isolation(t.sandbox)->uid, geteuid());
        test_box_done(&t);
}

static void test_set_id_programs_gain_nothing(void **state)
{
        struct test_box t;

        (void)state;
        open_or_skip(&t, NULL, ISOLATION_NS_PID);
        /* It runs, and as nobody special: no_new_privs and nosuid. */
        assert_status_line(test_box_ask(&t, "read /proc/self/status"), "NoNewPrivs:\t1");
        assert_string_equal(test_box_ask(&t, "exec /bin/true"), "0 0");
        test_box_done(&t);
}

/* ---- limits
 * ------------------------------------------------------------------------------------*/

static void test_rlimits_are_low_and_hard(void **state)
{
        static const struct {
                int resource;
                const char *both;
        } rows[] = {
            {RLIMIT_NOFILE, "256 256"},
            {RLIMIT_MEMLOCK, "65536 65536"},
            {RLIMIT_MSGQUEUE, "0 0"},
            {RLIMIT_RTPRIO, "0 0"},
            {RLIMIT_NICE, "0 0"},
            {RLIMIT_SIGPENDING, "256 256"},
            {RLIMIT_STACK, "8388608 8388608"},
        };
        struct test_box t;
        long core;

        (void)state;
        test_box_open(&t, NULL);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                assert_string_equal(test_box_ask(&t, "limit %d", rows[i].resource), rows[i].both);
        core = test_box_number(&t, "limit %d", RLIMIT_CORE);
        assert_true(core == 0 || core == 1);
        test_box_done(&t);
}

static void test_it_goes_first_when_the_machine_runs_out_of_memory(void **state)
{
        struct test_box t;

        (void)state;
        test_box_open(&t, NULL);
        assert_string_equal(test_box_ask(&t, "read /proc/self/oom_score_adj"), "0 900|");
        test_box_done(&t);
}

static void test_threads_count_as_processes(void **state)
{
        static const char *const machines[] = {NULL, "cgroup"};

        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
                struct test_box t;
                int made, error;

                test_box_init(&t, machines[m]);
                t.policy.pids_max = 20;
                test_box_start(&t);
                (void)test_box_ask(&t, "ping");
                if (sandbox_isolation(t.sandbox)->pids) {
                        assert_int_equal(
                            sscanf(test_box_ask(&t, "threads 100"), "%d %d", &made, &error), 2);
                        if (made < 18 || made > 20)
                                fail_msg("%d threads", made);
                        assert_int_equal(error, EAGAIN);
                }
                test_box_done(&t);
        }
}

/* ---- system calls
 * ------------------------------------------------------------------------------*/

static const struct {
        long nr;
        const char *args;
        int error;
} refused[] = {
    {SYS_unshare, "0x10000000", EPERM}, /* CLONE_NEWUSER */
    {SYS_setns, "0 0", EPERM},
    {SYS_clone, "0x10000011 0 0 0 0", EPERM},
    {SYS_clone3, "0 0", ENOSYS},
    {SYS_mount, "0 0 0 0 0", EPERM},
    {SYS_pivot_root, "0 0", EPERM},
    {SYS_chroot, "0", EPERM},
    {SYS_ptrace, "16 1", EPERM},
    {SYS_process_vm_readv, "1 0 0 0 0 0", EPERM},
    {SYS_process_vm_writev, "1 0 0 0 0 0", EPERM},
    {SYS_bpf, "0 0 0", EPERM},
    {SYS_perf_event_open, "0 0 0 0 0", EPERM},
    {SYS_userfaultfd, "0", ENOSYS},
    {SYS_io_uring_setup, "1 0", ENOSYS},
    {SYS_keyctl, "0 0", EPERM},
    {SYS_add_key, "0 0 0 0 0", EPERM},
    {SYS_kexec_load, "0 0 0 0", EPERM},
    {SYS_init_module, "0 0 0", EPERM},
    {SYS_reboot, "0 0 0", EPERM},
    {SYS_swapon, "0 0", EPERM},
    {SYS_sethostname, "0 0", EPERM},
    {SYS_settimeofday, "0 0", EPERM},
    {SYS_clock_settime, "0 0", EPERM},
    {SYS_setuid, "0", EPERM},
    {SYS_setgroups, "0 0", EPERM},
    {SYS_capset, "0 0", EPERM},
    {SYS_personality, "0", EPERM},
    {SYS_prlimit64, "1 7 0 0", EPERM},
    {SYS_shmget, "1 4096 0x3b6", EPERM},
    {SYS_mq_open, "0 0", EPERM},
    {SYS_open_by_handle_at, "0 0 0", EPERM},
    {SYS_execveat, "-1 0 0 0 0", EPERM},
    {SYS_mknodat, "-100 0 0x2180 0x103", EPERM}, /* a character device */
    {SYS_ioctl, "0 0x5412 0", EPERM},            /* TIOCSTI */
    {SYS_ioctl, "0 0x100005412 0", EPERM},       /* the same, with dirt in the upper half */
    {SYS_ioctl, "0 0x541c 0", EPERM},            /* TIOCLINUX */
    {SYS_prctl, "4 0", EPERM},                   /* PR_SET_DUMPABLE */
    {SYS_prctl, "22 1 0", EPERM},                /* PR_SET_SECCOMP */
    {SYS_socket, "2 2 0", EAFNOSUPPORT},         /* AF_INET, UDP */
    {SYS_socket, "10 1 0", EAFNOSUPPORT},
    {SYS_socket, "16 3 0", EAFNOSUPPORT}, /* AF_NETLINK */
    {SYS_socket, "40 1 0", EAFNOSUPPORT}, /* AF_VSOCK */
    {SYS_socket, "17 3 0", EAFNOSUPPORT}, /* AF_PACKET */
    {460, "0", ENOSYS},                   /* of a later kernel */
};

static void test_dangerous_system_calls_are_refused(void **state)
{
        static const char *const machines[] = {NULL, NO_SPACES};

        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
                struct test_box t;

                test_box_open(&t, machines[m]);
                for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
                        char wanted[32];

                        snprintf(wanted, sizeof wanted, "-1 %d", refused[i].error);
                        test_box_ask(&t, "sys %ld %s", refused[i].nr, refused[i].args);
                        if (strcmp(t.answer, wanted) != 0)
                                fail_msg("call %ld %s: %s instead of %s", refused[i].nr,
                                         refused[i].args, t.answer, wanted);
                }
                test_box_done(&t);
        }
}

static void test_without_namespaces_nobody_else_can_be_named(void **state)
{
        static const struct {
                long nr;
                const char *args; /* %d is the host */
        } rows[] = {
            {SYS_kill, "%d 0"},
            {SYS_tgkill, "%d %d 0"},
            {SYS_rt_sigqueueinfo, "%d 10 0"},
            {SYS_setpriority, "0 %d 5"},
            {SYS_sched_setaffinity, "%d 8 0"},
            {SYS_sched_setscheduler, "%d 0 0"},
            {SYS_pidfd_open, "%d 0"},
            {SYS_fork, ""},
            {SYS_vfork, ""},
            {SYS_clone, "17 0 0 0 0"},
            {SYS_prctl, "1 0"}, /* PR_SET_PDEATHSIG: it is what ends it with the host */
            {SYS_chmod, "0 0"},
            {SYS_socket, "1 1 0"},
        };
        struct test_box t;

        (void)state;
        test_box_open(&t, NO_SPACES);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                char args[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                snprintf(args, sizeof args, rows[i].args, getpid(), getpid());
#pragma GCC diagnostic pop
                test_box_ask(&t, "sys %ld %s", rows[i].nr, args);
                if (strcmp(t.answer, "-1 1") && strcmp(t.answer, "-1 97"))
                        fail_msg("call %ld %s: %s", rows[i].nr, args, t.answer);
        }
        assert_int_equal(test_box_number(&t, "setown %d", getpid()), EPERM);
        assert_string_equal(test_box_ask(&t, "threads 3"), "3 0");
        assert_string_equal(test_box_ask(&t, "sys %d 1 1 0 0", SYS_socketpair), "-1 14");
        test_box_done(&t);
}

/* So that a death by SIGSYS is always the filter's doing. */
static void test_sigsys_is_the_filters_alone(void **state)
{
        static const char *const machines[] = {NULL, NO_SPACES};

        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
                struct obituary o;
                struct test_box t;
                int pid, parent;

                test_box_open(&t, machines[m]);
                assert_string_equal(test_box_ask(&t, "raise 31"), "alive");
                test_box_ask(&t, "ping");
                assert_int_equal(sscanf(t.answer, "pong %d %d", &pid, &parent), 2);
                assert_string_equal(test_box_ask(&t, "sys %d %d 0", SYS_kill, pid), "0 0");
                assert_string_equal(test_box_ask(&t, "sys %d %d 31", SYS_kill, pid), "-1 1");
                assert_string_equal(test_box_ask(&t, "sys %d %d 4294967327", SYS_kill, pid),
                                    "-1 1");
                assert_string_equal(test_box_ask(&t, "sys %d %d %d 31", SYS_tgkill, pid, pid),
                                    "-1 1");
                assert_string_equal(test_box_ask(&t, "sys %d %d 31 0", SYS_rt_sigqueueinfo, pid),
                                    "-1 1");
                test_box_die_of(&t, "int80", &o);
                assert_int_equal(o.cause, OBITUARY_SYSCALL);
                test_box_done(&t);
        }
}

/* A lease makes everybody else who opens the file wait, the host and the plugins of its user. */
static void test_no_file_is_held_up_for_others(void **state)
{
        static const struct {
                int command, argument;
        } rows[] = {{F_SETLEASE, F_WRLCK}, {F_SETLEASE, F_RDLCK}, {F_NOTIFY, 1}, {F_SETSIG, 9}};
        static const char *const machines[] = {NULL, "root", NO_SPACES};

        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(machines); m++) {
                struct test_box t;

                test_box_open(&t, machines[m]);
                for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                        assert_string_equal(test_box_ask(&t, "sys %d 0 %d %d", SYS_fcntl,
                                                         rows[i].command, rows[i].argument),
                                            "-1 1");
                assert_string_equal(test_box_ask(&t, "sys %d 0 %d 0", SYS_fcntl, F_GETFD), "0 0");
                test_box_done(&t);
        }
}

static void test_what_libraries_need_is_there(void **state)
{
        struct test_box t;

        (void)state;
        open_or_skip(&t, NULL, ISOLATION_NS_PID | ISOLATION_NS_MOUNT);
        assert_string_equal(test_box_ask(&t, "exec /bin/true"), "0 0");
        assert_string_equal(test_box_ask(&t, "threads 8"), "8 0");
        assert_string_equal(test_box_ask(&t, "fork 3"), "3 0");
        assert_string_equal(test_box_ask(&t, "sys %d 1 1 0", SYS_socket), "4 0");
        assert_int_equal(test_box_number(&t, "write /tmp/a"), 0);
        assert_int_equal(test_box_number(&t, "write /dev/null"), 0);
        assert_int_equal(test_box_number(&t, "open /dev/urandom"), 0);
        assert_int_equal(test_box_number(&t, "open /etc/ld.so.cache"), 0);
        assert_int_equal(test_box_number(&t, "open /proc/self/maps"), 0);
        assert_int_equal(test_box_number(&t, "open /proc/cpuinfo"), 0);
        assert_int_equal(test_box_number(&t, "open /sys/devices/system/cpu/online"), 0);
        test_box_done(&t);
}

static void test_abstract_sockets_of_the_host_are_out_of_reach(void **state)
{
        static const struct {
                const char *fakes;
                bool network;
        } rows[] = {{NULL, false}, {"seccomp,landlock", false}, {NULL, true}, {NO_SPACES, true}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct test_box t;
                scoped(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
                struct {
                        sa_family_t family;
                        char name[15];
                } at = {AF_UNIX, "\0forgesyte-tst"};

                assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at - 1), 0);
                assert_int_equal(listen(fd, 1), 0);
                test_box_init(&t, rows[i].fakes);
                t.policy.network = rows[i].network;
                test_box_start(&t);
                assert_int_not_equal(test_box_number(&t, "unix @forgesyte-tst"), 0);
                test_box_done(&t);
        }
}

/* ---- the truth about it
 * ------------------------------------------------------------------------*/

static void test_the_report_is_what_the_kernel_says(void **state)
{
        static const char *const fakes[] = {NULL,      "root",  "cgroup",         "landlock",
                                            "seccomp", "netns", "mountns",        "pidns",
                                            NO_SPACES, "pidfd", "cgroup1,cgroup2"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(fakes); i++) {
                const struct isolation *is;
                struct test_box t;

                test_box_open(&t, fakes[i]);
                (void)test_box_ask(&t, "ping");
                is = sandbox_isolation(t.sandbox);
                if (prctl(PR_GET_SECCOMP) == 0) /* this test itself has no filter */
                        assert_string_equal(
                            test_box_ask(&t, "sys %d %d", SYS_prctl, PR_GET_SECCOMP),
                            is->seccomp ? "2 0" : "0 0");
                if (fakes[i] && strstr(fakes[i], "pidns"))
                        assert_int_equal(is->namespaces & ISOLATION_NS_PID, 0);
                if (fakes[i] && strstr(fakes[i], "landlock"))
                        assert_int_equal(is->landlock_abi, 0);
                if (fakes[i] && strstr(fakes[i], "cgroup"))
                        assert_int_equal(is->memory, ISOLATION_MEMORY_RLIMIT);
                assert_true(is->level == ISOLATION_FULL || is->n_reasons > 0);
                test_box_done(&t);
        }
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_worker_has_four_descriptors),
            cmocka_unit_test(test_what_it_prints_arrives_apart_from_the_wire),
            cmocka_unit_test(test_its_environment_is_the_policys_and_nothing_else),
            cmocka_unit_test(test_the_worker_is_pid_2_under_an_init),
            cmocka_unit_test(test_the_hosts_processes_have_no_numbers_in_there),
            cmocka_unit_test(test_the_hosts_loopback_is_out_of_reach_by_each_of_three_walls),
            cmocka_unit_test(test_the_network_is_there_when_it_is_permitted),
            cmocka_unit_test(test_the_box_has_a_name_of_its_own),
            cmocka_unit_test(test_shared_memory_segments_stay_inside),
            cmocka_unit_test(test_the_hosts_files_do_not_exist_in_there),
            cmocka_unit_test(test_landlock_alone_keeps_the_hosts_files),
            cmocka_unit_test(test_the_tree_is_read_only_by_its_mounts),
            cmocka_unit_test(test_the_tree_is_read_only_for_root_in_a_user_namespace),
            cmocka_unit_test(test_scratch_is_writable_and_bounded),
            cmocka_unit_test(test_binds_of_the_policy_are_shown),
            cmocka_unit_test(test_links_in_a_plugin_folder_lead_nowhere_else),
            cmocka_unit_test(test_a_stand_in_for_proc_still_counts_processors),
            cmocka_unit_test(test_no_privilege_is_left),
            cmocka_unit_test(test_the_worker_is_never_root),
            cmocka_unit_test(test_set_id_programs_gain_nothing),
            cmocka_unit_test(test_rlimits_are_low_and_hard),
            cmocka_unit_test(test_it_goes_first_when_the_machine_runs_out_of_memory),
            cmocka_unit_test(test_threads_count_as_processes),
            cmocka_unit_test(test_dangerous_system_calls_are_refused),
            cmocka_unit_test(test_without_namespaces_nobody_else_can_be_named),
            cmocka_unit_test(test_sigsys_is_the_filters_alone),
            cmocka_unit_test(test_no_file_is_held_up_for_others),
            cmocka_unit_test(test_what_libraries_need_is_there),
            cmocka_unit_test(test_abstract_sockets_of_the_host_are_out_of_reach),
            cmocka_unit_test(test_the_report_is_what_the_kernel_says),
        };

        if (!test_box_prepare(argc, argv))
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
