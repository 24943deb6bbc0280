/* The three situations of a host, each by really taking away what is missing there; and for every
 * switch that fakes one: what is reported is what the box finds, so that none is silently weaker.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "deny_namespaces.h"
#include "sandbox/sandbox_private.h"
#include "test_box.h"

#define NO_SPACES "userns,pidns,mountns,netns"
#define NOBODY    65534

/* ---- situations
 * --------------------------------------------------------------------------------*/

struct situation {
        bool nobody, denied;
};

struct findings {
        enum isolation_level level;
        unsigned namespaces;
        int above;       /* what sandbox_spawn says when one level more is demanded */
        char words[240]; /* and why */
        char answer[64]; /* of a worker that runs nevertheless */
};

static void look(struct findings *f)
{
        struct sandbox *s = NULL;
        struct err e = {0};
        struct test_box t;

        test_box_open(&t, NULL);
        snprintf(f->answer, sizeof f->answer, "%.60s", test_box_ask(&t, "ping"));
        f->level = sandbox_isolation(t.sandbox)->level;
        f->namespaces = sandbox_isolation(t.sandbox)->namespaces;
        t.policy.min_level = MIN_OF(f->level + 1, ISOLATION_FULL);
        f->above = sandbox_spawn(t.runner, &t.policy, &s, &e);
        memcpy(f->words, e.msg, MIN_OF(sizeof f->words, sizeof e.msg));
        sandbox_free(s);
        test_box_done(&t);
}

/* A process of its own, since there is no way back. */
static void find(struct situation in, struct findings *ret)
{
        int ends[2];
        pid_t pid;

        *ret = (struct findings){0};
        if (!in.nobody && !in.denied) {
                /* In a child it would share its cgroup with us, and have none under version 2. */
                look(ret);
                return;
        }
        if (in.nobody && geteuid() != 0 && geteuid() != NOBODY)
                test_box_skip("only root can become somebody else");
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                struct findings f = {0};

                (void)!freopen("/dev/null", "w", stdout); /* TAP is the parent's */
                if (in.nobody && geteuid() == 0 &&
                    (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                     setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0))
                        _exit(1);
                if (in.denied && deny_namespaces() < 0)
                        _exit(2);
                look(&f);
                _exit(write(ends[1], &f, sizeof f) == sizeof f ? 0 : 3);
        }
        close(ends[1]);
        assert_int_equal(read(ends[0], ret, sizeof *ret), sizeof *ret);
        close(ends[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void assert_refused(const struct findings *f)
{
        char wanted[64];

        snprintf(wanted, sizeof wanted, "less than \"%s\"", isolation_level_name(f->level + 1));
        assert_int_equal(f->above, 1);
        assert_non_null(strstr(f->words, wanted));
}

static void test_root_reaches_full(void **state)
{
        struct findings f;

        (void)state;
        if (geteuid() != 0)
                test_box_skip("this is not root");
        find((struct situation){0}, &f);
        assert_memory_equal(f.answer, "pong 2 1", 8);
        assert_int_equal(f.level, ISOLATION_FULL);
        assert_int_equal(f.namespaces & ISOLATION_NS_USER, 0);
        assert_int_equal(f.above, 0);
}

static void test_a_user_reaches_namespaces_and_is_refused_full(void **state)
{
        struct findings f;

        (void)state;
        find((struct situation){.nobody = true}, &f);
        if (!(f.namespaces & ISOLATION_NS_USER))
                test_box_skip("user namespaces are denied here");
        assert_memory_equal(f.answer, "pong 2 1", 8);
        assert_int_equal(f.level, ISOLATION_NAMESPACES);
        assert_refused(&f);
}

static void test_a_user_without_namespaces_is_filtered_and_refused_more(void **state)
{
        struct findings f;

        (void)state;
        find((struct situation){.nobody = true, .denied = true}, &f);
        assert_memory_equal(f.answer, "pong ", 5);
        assert_int_equal(f.namespaces, 0);
        assert_int_equal(f.level, ISOLATION_FILTERED);
        assert_refused(&f);
}

static void test_root_without_namespaces_is_filtered_and_refused_more(void **state)
{
        struct findings f;

        (void)state;
        if (geteuid() != 0)
                test_box_skip("this is not root");
        find((struct situation){.denied = true}, &f);
        assert_int_equal(f.namespaces, 0);
        assert_int_equal(f.level, ISOLATION_FILTERED);
        assert_refused(&f);
}

/* ---- what is reported is what is found
 * ---------------------------------------------------------*/

static unsigned spaces_found(struct test_box *t)
{
        static const struct {
                const char *name;
                unsigned bit;
        } kinds[] = {{"user", ISOLATION_NS_USER},    {"pid", ISOLATION_NS_PID},
                     {"mnt", ISOLATION_NS_MOUNT},    {"net", ISOLATION_NS_NET},
                     {"ipc", ISOLATION_NS_IPC},      {"uts", ISOLATION_NS_UTS},
                     {"cgroup", ISOLATION_NS_CGROUP}};
        unsigned found = 0;

        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                char path[64], ours[64] = "";

                snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i].name);
                assert_true(readlink(path, ours, sizeof ours - 1) > 0);
                test_box_ask(t, "link %s", path);
                if (strcmp(t->answer, ours) != 0)
                        found |= kinds[i].bit;
        }
        return found;
}

/* Is the worker in a directory of ours, as the kernel tells it? controller "": version 2. */
static bool is_held_by(pid_t worker, const char *controller)
{
        scoped(free) char *text = NULL;
        char path[64], *line, *rest;
        bool held = false;
        size_t n;

        snprintf(path, sizeof path, "/proc/%d/cgroup", worker);
        assert_int_equal(fd_read_file(AT_FDCWD, path, KIB(16), &text, &n, NULL), 0);
        rest = text;
        while ((line = strsep(&rest, "\n"))) {
                const char *names = strchr(line, ':'), *end = names ? strchr(names + 1, ':') : NULL,
                           *where = end ? strstr(end, "/forgesyte-") : NULL;

                /* "forgesyte-host" is the host's own place. */
                if (!where || where[11] < '0' || where[11] > '9')
                        continue;
                held |= *controller ? memmem(names, (size_t)(end - names), controller,
                                             strlen(controller)) != NULL
                                    : end == names + 1;
        }
        return held;
}

static uint32_t uid_of(pid_t pid)
{
        char path[64];
        struct stat st;

        snprintf(path, sizeof path, "/proc/%d", pid);
        assert_int_equal(stat(path, &st), 0);
        return st.st_uid;
}

static void compare(const char *fakes)
{
        const struct isolation *is;
        enum isolation_memory memory = ISOLATION_MEMORY_RLIMIT;
        int made, error;
        struct test_box t;
        pid_t worker;

        test_box_init(&t, fakes);
        t.policy.pids_max = 20;
        test_box_start(&t);
        (void)test_box_ask(&t, "ping");
        is = sandbox_isolation(t.sandbox);
        worker = sandbox_pid(t.sandbox);
        if (t.runner->machine.proc || !(is->namespaces & ISOLATION_NS_MOUNT))
                assert_int_equal(spaces_found(&t), is->namespaces);
        assert_string_equal(test_box_ask(&t, "sys %d 21", SYS_prctl), /* PR_GET_SECCOMP */
                            is->seccomp ? "2 0" : "0 0");
        assert_int_equal(test_box_number(&t, "terminal /dev/null"),
                         is->landlock_abi >= 5 ? EACCES : ENOTTY);
        if (is_held_by(worker, "memory"))
                memory = ISOLATION_MEMORY_CGROUP1;
        if (is_held_by(worker, ""))
                memory = ISOLATION_MEMORY_CGROUP2;
        assert_int_equal(is->memory, memory);
        if (memory != ISOLATION_MEMORY_CGROUP2)
                assert_int_equal(is->cpu, is_held_by(worker, "cpu"));
        if (uid_of(worker) != 0 || geteuid() == 0) /* 0: not dumpable, so root's to look at */
                assert_int_equal(is->uid, uid_of(worker));
        assert_int_equal(sscanf(test_box_ask(&t, "threads 40"), "%d %d", &made, &error), 2);
        assert_int_equal(is->pids, made < 40);
        assert_true(is->level == ISOLATION_FULL || is->n_reasons > 0);
        test_box_done(&t);
}

static void test_what_is_reported_is_what_is_found(void **state)
{
        static const char *const fakes[] = {
            NULL,          "root",           "userns",  "pidfd",   "cgroup",
            "memory",      "pids",           "cpu",     "nproc",   "pids,nproc",
            "pidns",       "netns",          "ipcns",   "utsns",   "cgroupns",
            "mountns",     "landlock",       "seccomp", NO_SPACES, NO_SPACES ",landlock",
            "root,userns", "cgroup,seccomp", "cgroup1", "cgroup2", "root,cgroup,landlock=1",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(fakes); i++) {
                print_message("without %s\n", fakes[i] ? fakes[i] : "nothing");
                compare(fakes[i]);
        }
}

static void test_a_wall_that_no_machine_lacks_is_never_missing_silently(void **state)
{
        static const char *const names[] = {"dumpable", "keeper", "oom",      "scratch", "proc",
                                            "init",     "fds",    "rlimits",  "nofile",  "priority",
                                            "caps",     "uid",    "pdeathsig"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                const struct isolation *is;
                struct sandbox *s = NULL;
                struct err e = {0};
                struct test_box t;
                char reason[80];

                test_box_init(&t, names[i]);
                is = sandbox_runner_isolation(t.runner);
                snprintf(reason, sizeof reason, "%s: switched off for a test", names[i]);
                assert_int_equal(is->level, ISOLATION_NONE);
                assert_true(is->n_reasons > 0);
                assert_string_equal(is->reasons[0], reason);
                t.policy.min_level = ISOLATION_FILTERED; /* the default */
                assert_int_equal(sandbox_spawn(t.runner, &t.policy, &s, &e), 1);
                test_box_done(&t);
        }
}

/* ---- Landlock, by what each version brought
 * ----------------------------------------------------*/

static long feel(const char *fakes, int abi, const char *fmt, const char *arg)
{
        char all[96], command[128];
        struct test_box t;
        long r;

        snprintf(all, sizeof all, "%s,landlock=%d", fakes, abi);
        test_box_open(&t, all);
        (void)test_box_ask(&t, "ping");
        assert_int_equal(sandbox_isolation(t.sandbox)->landlock_abi, abi);
        snprintf(command, sizeof command, "%s %s", fmt, arg);
        r = test_box_number(&t, "%s", command);
        test_box_done(&t);
        return r;
}

static void test_each_landlock_version_holds_what_it_can(void **state)
{
        static const char alone[] = NO_SPACES ",seccomp,uid";
        char secret[] = "/tmp/forgesyte-secret-XXXXXX", port[8];
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof at;
        scoped(fd) int file = mkstemp(secret),
                       sink = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct test_box t;
        int highest;

        (void)state;
        assert_true(file >= 0 && fchmod(file, 0666) == 0);
        assert_int_equal(bind(sink, (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(listen(sink, 5), 0);
        assert_int_equal(getsockname(sink, (struct sockaddr *)&at, &len), 0);
        snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
        test_box_init(&t, NULL);
        highest = t.runner->machine.landlock_abi;
        test_box_done(&t);
        for (int abi = 0; abi <= MIN_OF(highest, 7); abi++) {
                char scope[32];

                print_message("Landlock %d\n", abi);
                assert_int_equal(feel(alone, abi, "open", secret), abi >= 1 ? EACCES : 0);
                assert_int_equal(feel(alone, abi, "write", secret), abi >= 1 ? EACCES : 0);
                assert_int_equal(feel(alone, abi, "truncate", secret), abi >= 3 ? EACCES : 0);
                assert_int_equal(feel(alone, abi, "tcp", port), abi >= 4 ? EACCES : 0);
                assert_int_equal(feel(alone, abi, "terminal", "/dev/null"),
                                 abi >= 5 ? EACCES : ENOTTY);
                snprintf(scope, sizeof scope, "%d %d 0", SYS_kill, getpid());
                assert_int_equal(feel(alone, abi, "sys", scope), abi >= 6 ? -1 : 0);
                /* And where it can't, the filter does. */
                assert_int_equal(feel(NO_SPACES ",uid", abi, "truncate", secret), EPERM);
        }
        unlink(secret);
}

static void test_without_landlock_the_hosts_files_are_read_only(void **state)
{
        char secret[] = "/tmp/forgesyte-secret-XXXXXX", path[128];
        int fd = mkstemp(secret);
        struct test_box t;

        (void)state;
        assert_true(fd >= 0 && fchmod(fd, 0666) == 0);
        close(fd);
        test_box_open(&t, NO_SPACES ",landlock,uid");
        assert_int_equal(test_box_number(&t, "open %s", secret), 0);
        assert_int_equal(test_box_number(&t, "write %s", secret), EPERM);
        assert_int_equal(test_box_number(&t, "openw %s", secret), EPERM);
        assert_int_equal(test_box_number(&t, "truncate %s", secret), EPERM);
        assert_int_equal(test_box_number(&t, "remove %s", secret), EPERM);
        assert_int_equal(test_box_number(&t, "write /tmp/forgesyte-new"), EPERM);
        assert_int_equal(test_box_number(&t, "fifo /tmp/forgesyte-new"), EPERM);
        snprintf(path, sizeof path, "%s/file", t.dir);
        assert_int_equal(test_box_number(&t, "open %s", path), 0);
        test_box_done(&t);
        assert_int_equal(unlink(secret), 0);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_root_reaches_full),
            cmocka_unit_test(test_a_user_reaches_namespaces_and_is_refused_full),
            cmocka_unit_test(test_a_user_without_namespaces_is_filtered_and_refused_more),
            cmocka_unit_test(test_root_without_namespaces_is_filtered_and_refused_more),
            cmocka_unit_test(test_what_is_reported_is_what_is_found),
            cmocka_unit_test(test_a_wall_that_no_machine_lacks_is_never_missing_silently),
            cmocka_unit_test(test_each_landlock_version_holds_what_it_can),
            cmocka_unit_test(test_without_landlock_the_hosts_files_are_read_only),
        };

        if (!test_box_prepare(argc, argv))
                return 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
