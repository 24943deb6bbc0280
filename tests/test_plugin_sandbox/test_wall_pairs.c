/* For each row of wall_table.h an attack that the wall stops, and that succeeds when this one wall
 * is taken away: a wall that nothing needs is no wall, and an attack that never works shows
 * nothing. Where other walls would stop it, too, both sides do without those. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sandbox/sandbox_private.h"
#include "test_box.h"

#define NO_SPACES "userns,pidns,mountns,netns,"

/* One side of a pair. */
struct trial {
        const char *fakes;
        bool stands; /* the wall */
        struct test_box t;
};

/* Ends the test as skipped when this machine can't show it. */
static void need(struct trial *s, bool has, const char *what)
{
        if (has)
                return;
        if (s->t.runner)
                test_box_done(&s->t);
        test_box_skip(what);
}

static void need_root(struct trial *s)
{
        need(s, geteuid() == 0, "only a root host has that to lose");
}

static void make_file(char *path, const char *text, mode_t mode)
{
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
}

/* ---- around the box
 * ----------------------------------------------------------------------------*/

static bool reads_the_hosts_memory(struct trial *s)
{
        need(s, geteuid() != 0, "a root host's workers are other users");
        test_box_open(&s->t, s->fakes);
        return test_box_number(&s->t, "open /proc/%d/environ", getpid()) == 0;
}

/* Whoever eats on the sly is not asked, but looked at. */
static bool eats_more_than_its_memory(struct trial *s)
{
        struct pollfd p;
        char answer[8] = "";

        test_box_init(&s->t, s->fakes);
        need(s, !s->stands || s->t.runner->isolation.memory >= ISOLATION_MEMORY_CGROUP1,
             "no memory cgroup can be had here");
        s->t.policy.memory_bytes = MIB(32);
        test_box_start(&s->t);
        test_box_send(&s->t, "eat 67108864");
        p = (struct pollfd){.fd = sandbox_channel(s->t.sandbox), .events = POLLIN};
        assert_int_equal(poll(&p, 1, BOX_WAIT_MS), 1);
        return read(p.fd, answer, sizeof answer) == 4 && !memcmp(answer, "ate\n", 4);
}

static bool makes_more_threads_than_permitted(struct trial *s)
{
        test_box_init(&s->t, s->fakes);
        need(s, !s->stands || s->t.runner->cgroups.pids, "no pids cgroup can be had here");
        s->t.policy.pids_max = 20;
        test_box_start(&s->t);
        return test_box_number(&s->t, "threads 60") == 60;
}

static bool counts_as_much_as_the_host(struct trial *s)
{
        const struct cgroup_box *b;
        bool weighed = false;

        test_box_open(&s->t, s->fakes);
        b = &s->t.sandbox->cgroup;
        need(s, s->t.runner->cgroups.n_places > 0, "no cgroup can be had here");
        for (unsigned i = 0; i < b->n; i++) {
                scoped(free) char *text = NULL;
                size_t n;

                if (fd_read_file(b->dirs[i], "cpu.weight", 64, &text, &n, NULL) == 0)
                        weighed |= atoi(text) == 10;
                else if (fd_read_file(b->dirs[i], "cpu.shares", 64, &text, &n, NULL) == 0)
                        weighed |= atoi(text) == 128;
        }
        return !weighed;
}

static bool names_the_hosts_process(struct trial *s)
{
        test_box_open(&s->t, s->fakes);
        need(s, !s->stands || (s->t.sandbox->isolation.namespaces & ISOLATION_NS_PID),
             "no pid namespace can be had here");
        test_box_ask(&s->t, "sys %d %d 0", SYS_kill, getpid());
        return !strcmp(s->t.answer, "0 0");
}

static bool calls_the_hosts_loopback(struct trial *s)
{
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof at;
        scoped(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(listen(fd, 5), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
        test_box_open(&s->t, s->fakes);
        need(s, !s->stands || (s->t.sandbox->isolation.namespaces & ISOLATION_NS_NET),
             "no net namespace can be had here");
        return test_box_number(&s->t, "tcp %u", ntohs(at.sin_port)) == 0;
}

static bool leaves_a_segment_behind(struct trial *s)
{
        key_t key = 0x5eed0000 + (getpid() & 0xffff);
        int id;

        test_box_open(&s->t, s->fakes);
        need(s, !s->stands || (s->t.sandbox->isolation.namespaces & ISOLATION_NS_IPC),
             "no ipc namespace can be had here");
        assert_true(
            test_box_number(&s->t, "sys %d %d 4096 %d", SYS_shmget, key, IPC_CREAT | 0666) >= 0);
        id = shmget(key, 0, 0);
        if (id >= 0)
                shmctl(id, IPC_RMID, NULL);
        return id >= 0;
}

static void __attribute__((noreturn)) be_host(struct trial *s, int fd)
{
        struct {
                pid_t worker;
                char dir[64];
        } news = {0};

        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that failed must not leave a host behind */
        test_box_open(&s->t, s->fakes);
        (void)test_box_ask(&s->t, "ping");
        news.worker = sandbox_pid(s->t.sandbox);
        memcpy(news.dir, s->t.dir, sizeof news.dir);
        test_box_send(&s->t, "stop"); /* else it would see its wire end */
        (void)!write(fd, &news, sizeof news);
        for (;;)
                pause();
}

/* A dead man's worker: it has SIGSTOPped itself, so only somebody else's SIGKILL ends it. */
static bool outlives_a_killed_host(struct trial *s)
{
        struct {
                pid_t worker;
                char dir[64];
        } news;
        int64_t end;
        int ready[2];
        pid_t host;
        bool lives;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        host = fork();
        if (host == 0)
                be_host(s, ready[1]);
        close(ready[1]);
        assert_int_equal(read(ready[0], &news, sizeof news), sizeof news);
        close(ready[0]);
        assert_int_equal(kill(host, SIGKILL), 0);
        assert_int_equal(waitpid(host, NULL, 0), host);
        end = clock_mono_ns() + (s->stands ? BOX_WAIT_MS : 500) * NSEC_PER_MSEC;
        while ((lives = test_box_is_alive(news.worker)) && clock_mono_ns() < end)
                poll(NULL, 0, 5);
        if (lives)
                kill(news.worker, SIGKILL);
        test_box_wait_gone(&news.worker, 1);
        test_box_remove_dir(news.dir);
        return lives;
}

/* ---- in the box, before the worker
 * -------------------------------------------------------------*/

static bool is_spared_by_the_oom_killer(struct trial *s)
{
        test_box_open(&s->t, s->fakes);
        return strcmp(test_box_ask(&s->t, "read /proc/self/oom_score_adj"), "0 900|") != 0;
}

/* "0 12:cpu:/a/b|11:memory:/": is a path in there that is not the root? */
static bool sees_its_cgroup(struct trial *s)
{
        bool seen = false;

        test_box_open(&s->t, s->fakes);
        need(s, s->t.runner->cgroups.n_places > 0, "no cgroup can be had here");
        need(s, !s->stands || (s->t.sandbox->isolation.namespaces & ISOLATION_NS_CGROUP),
             "no cgroup namespace can be had here");
        test_box_ask(&s->t, "read /proc/self/cgroup");
        for (const char *p = strstr(s->t.answer, ":/"); p; p = strstr(p + 2, ":/"))
                seen |= p[2] != '\0' && p[2] != '|';
        return seen;
}

static bool knows_the_hosts_name(struct trial *s)
{
        char name[65], wanted[80];

        test_box_open(&s->t, s->fakes);
        need(s, !s->stands || (s->t.sandbox->isolation.namespaces & ISOLATION_NS_UTS),
             "no uts namespace can be had here");
        assert_int_equal(gethostname(name, sizeof name), 0);
        snprintf(wanted, sizeof wanted, "0 %s|", name);
        return !strcmp(test_box_ask(&s->t, "read /proc/sys/kernel/hostname"), wanted);
}

static bool reads_the_hosts_files(struct trial *s)
{
        char secret[] = "/tmp/forgesyte-secret-XXXXXX";
        bool read;

        make_file(secret, "secret", 0666);
        test_box_open(&s->t, s->fakes);
        (void)test_box_ask(&s->t, "ping");
        if (s->stands && !s->t.sandbox->isolation.landlock_abi &&
            !(s->t.sandbox->isolation.namespaces & ISOLATION_NS_MOUNT)) {
                unlink(secret);
                need(s, false, "neither can be had here");
        }
        read = test_box_number(&s->t, "open %s", secret) == 0;
        unlink(secret);
        return read;
}

static bool fills_tmp(struct trial *s)
{
        test_box_init(&s->t, s->fakes);
        s->t.policy.tmp_bytes = MIB(8);
        test_box_start(&s->t);
        need(s, s->t.sandbox->isolation.namespaces & ISOLATION_NS_MOUNT,
             "no mount namespace can be had here");
        return test_box_number(&s->t, "fill /tmp/x") > 8;
}

/* As root's uid without a capability in the world: /proc/sys asks for no more. */
static bool turns_the_kernels_knobs(struct trial *s)
{
        need_root(s);
        test_box_open(&s->t, s->fakes);
        need(s,
             (s->t.sandbox->isolation.namespaces & ISOLATION_NS_MOUNT) && s->t.runner->machine.proc,
             "no /proc can be mounted here");
        return test_box_number(&s->t, "openw /proc/sys/kernel/core_pattern") == 0;
}

static bool is_taken_for_a_segfault(struct trial *s)
{
        struct obituary o;

        test_box_open(&s->t, s->fakes);
        need(s, s->t.sandbox->isolation.namespaces & ISOLATION_NS_PID,
             "no pid namespace can be had here");
        test_box_die_of(&s->t, "abort", &o);
        return o.signal != SIGABRT;
}

/* ---- in the worker
 * -----------------------------------------------------------------------------*/

static bool uses_what_the_host_has_open(struct trial *s)
{
        scoped(fd) int stray = fcntl(0, F_DUPFD, 200);

        assert_true(stray >= 200);
        test_box_open(&s->t, s->fakes);
        return strcmp(test_box_ask(&s->t, "fds"), "fds 0 1 2 3") != 0;
}

static bool raises(struct trial *s, int resource)
{
        struct rlimit mine;

        test_box_open(&s->t, s->fakes);
        getrlimit((__rlimit_resource_t)resource, &mine);
        test_box_ask(&s->t, "limit %d", resource);
        need(s, strtoull(s->t.answer, NULL, 10) < mine.rlim_max || !s->stands,
             "the host itself may have no more");
        return test_box_number(&s->t, "raise_limit %d %llu", resource,
                               (unsigned long long)mine.rlim_max) == 0;
}

#define RAISES(name, resource)                                                                     \
        static bool raises_##name(struct trial *s)                                                 \
        {                                                                                          \
                return raises(s, resource);                                                        \
        }
RAISES(core, RLIMIT_CORE)
RAISES(nofile, RLIMIT_NOFILE)
RAISES(fsize, RLIMIT_FSIZE)
RAISES(memlock, RLIMIT_MEMLOCK)
RAISES(msgqueue, RLIMIT_MSGQUEUE)
RAISES(rtprio, RLIMIT_RTPRIO)
RAISES(nice, RLIMIT_NICE)
RAISES(sigpending, RLIMIT_SIGPENDING)
RAISES(nproc, RLIMIT_NPROC)
RAISES(stack, RLIMIT_STACK)
RAISES(data, RLIMIT_DATA)
RAISES(as, RLIMIT_AS)

static bool has_the_hosts_priority(struct trial *s)
{
        test_box_open(&s->t, s->fakes);
        /* The raw call answers 20 - nice. */
        return test_box_number(&s->t, "sys %d 0 0", SYS_getpriority) ==
               20 - getpriority(PRIO_PROCESS, 0);
}

static bool has_roots_powers(struct trial *s)
{
        test_box_open(&s->t, s->fakes);
        need(s, s->t.sandbox->isolation.namespaces & ISOLATION_NS_UTS,
             "no name of its own to change here");
        return test_box_number(&s->t, "sys %d 0 0", SYS_sethostname) == 0;
}

static bool reads_files_of_the_hosts_user(struct trial *s)
{
        char secret[] = "/tmp/forgesyte-secret-XXXXXX";
        bool read;

        need_root(s);
        make_file(secret, "secret", 0600);
        test_box_open(&s->t, s->fakes);
        read = test_box_number(&s->t, "open %s", secret) == 0;
        unlink(secret);
        return read;
}

/* By this name the test itself is the set-id program: it reads a file and says whether it could. */
#define READER "reader"

static void __attribute__((noreturn)) be_reader(const char *path)
{
        _exit(open(path, O_RDONLY | O_CLOEXEC) < 0);
}

static void copy_file(const char *from, const char *to, mode_t mode)
{
        scoped(free) char *bytes = NULL;
        scoped(fd) int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        size_t n;

        assert_true(fd >= 0);
        assert_int_equal(fd_read_file(AT_FDCWD, from, MIB(16), &bytes, &n, NULL), 0);
        assert_int_equal(fd_write_all(fd, bytes, n), 0);
        assert_int_equal(fchmod(fd, mode), 0);
}

static bool becomes_root_by_a_set_id_program(struct trial *s)
{
        char secret[] = "/tmp/forgesyte-secret-XXXXXX", program[80];
        bool read;

        need_root(s);
        test_box_open(&s->t, s->fakes);
        make_file(secret, "secret", 0600);
        snprintf(program, sizeof program, "%s/" READER, s->t.dir);
        copy_file("/proc/self/exe", program, 04755);
        read = test_box_number(&s->t, "run %s %s", program, secret) == 0;
        unlink(secret);
        unlink(program);
        return read;
}

static bool traces(struct trial *s)
{
        test_box_open(&s->t, s->fakes);
        test_box_ask(&s->t, "sys %d 0", SYS_ptrace);
        return !strcmp(s->t.answer, "0 0");
}

/* ---- the pairs
 * ---------------------------------------------------------------------------------*/

static const struct pair {
        enum wall wall;
        const char *without; /* other walls that would stop it, with a comma behind each */
        bool (*attack)(struct trial *s);
} pairs[] = {
    {WALL_DUMPABLE, NO_SPACES "seccomp,landlock,", reads_the_hosts_memory},
    {WALL_MEMORY, "data,as,", eats_more_than_its_memory},
    {WALL_PIDS, "nproc,", makes_more_threads_than_permitted},
    {WALL_CPU, "", counts_as_much_as_the_host},
    {WALL_PIDNS, "uid,seccomp,landlock,", names_the_hosts_process},
    {WALL_NETNS, "seccomp,landlock,", calls_the_hosts_loopback},
    {WALL_IPCNS, "seccomp,", leaves_a_segment_behind},
    {WALL_KEEPER, NO_SPACES "pdeathsig,", outlives_a_killed_host},
    {WALL_OOM, "", is_spared_by_the_oom_killer},
    {WALL_CGROUPNS, "", sees_its_cgroup},
    {WALL_UTSNS, "", knows_the_hosts_name},
    {WALL_MOUNTNS, "seccomp,landlock,", reads_the_hosts_files},
    {WALL_SCRATCH, "", fills_tmp},
    {WALL_PROC, "uid,seccomp,landlock,", turns_the_kernels_knobs},
    {WALL_INIT, "", is_taken_for_a_segfault},
    {WALL_FDS, "", uses_what_the_host_has_open},
    {WALL_CORE, "", raises_core},
    {WALL_NOFILE, "", raises_nofile},
    {WALL_FSIZE, "", raises_fsize},
    {WALL_MEMLOCK, "", raises_memlock},
    {WALL_MSGQUEUE, "", raises_msgqueue},
    {WALL_RTPRIO, "", raises_rtprio},
    {WALL_NICE, "", raises_nice},
    {WALL_SIGPENDING, "", raises_sigpending},
    {WALL_NPROC, "", raises_nproc},
    {WALL_STACK, "", raises_stack},
    {WALL_DATA, "cgroup,", raises_data},
    {WALL_AS, "cgroup,", raises_as},
    {WALL_RLIMITS, "", raises_nofile},
    {WALL_PRIORITY, "", has_the_hosts_priority},
    {WALL_CAPS, "uid,seccomp,landlock,", has_roots_powers},
    {WALL_UID, "mountns,seccomp,landlock,", reads_files_of_the_hosts_user},
    {WALL_PDEATHSIG, NO_SPACES "keeper,", outlives_a_killed_host},
    {WALL_NO_NEW_PRIVS, "mountns,seccomp,landlock,", becomes_root_by_a_set_id_program},
    {WALL_LANDLOCK, NO_SPACES "uid,seccomp,", reads_the_hosts_files},
    {WALL_SECCOMP, "", traces},
};

static const char *const names[] = {
#define X(id, name, enter, stops) name,
    WALLS(X)
#undef X
};

static bool succeeds(const struct pair *p, bool stands)
{
        struct trial s = {.stands = stands};
        char fakes[128];
        bool r;

        snprintf(fakes, sizeof fakes, "%s%s", p->without, stands ? "" : names[p->wall]);
        s.fakes = fakes;
        r = p->attack(&s);
        if (s.t.runner)
                test_box_done(&s.t);
        return r;
}

static void test_pair(void **state)
{
        const struct pair *p = *state;

        if (succeeds(p, true))
                fail_msg("the attack succeeds though \"%s\" stands", names[p->wall]);
        if (!succeeds(p, false))
                fail_msg("the attack fails though \"%s\" is gone: this shows nothing",
                         names[p->wall]);
}

static void test_each_wall_has_its_pair(void **state)
{
        (void)state;
        for (unsigned wall = 0; wall < WALL_COUNT; wall++) {
                unsigned n = 0;

                for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
                        n += pairs[i].wall == wall;
                if (n != 1)
                        fail_msg("\"%s\" has %u pairs", names[wall], n);
        }
}

/* So that there is something for the box to lower. */
static void raise_hosts_limits(void)
{
        for (int r = 0; r < RLIM_NLIMITS; r++) {
                struct rlimit rl;

                getrlimit((__rlimit_resource_t)r, &rl);
                if (r == RLIMIT_NOFILE)
                        continue; /* fs.nr_open bounds it, and what there is will do */
                rl.rlim_max = r == RLIMIT_NICE ? 40 : r == RLIMIT_RTPRIO ? 99 : RLIM_INFINITY;
                setrlimit((__rlimit_resource_t)r, &rl); /* refused to all but root */
        }
}

int main(int argc, char **argv)
{
        static char titles[ARRAY_LEN(pairs)][64];
        struct CMUnitTest tests[ARRAY_LEN(pairs) + 1] = {
            cmocka_unit_test(test_each_wall_has_its_pair)};

        if (argc == 2 && !strcmp(basename(argv[0]), READER))
                be_reader(argv[1]);
        raise_hosts_limits();
        if (!test_box_prepare(argc, argv))
                return 0;
        for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
                snprintf(titles[i], sizeof titles[i], "test_wall_%s_stops_what_its_absence_lets_by",
                         names[pairs[i].wall]);
                tests[i + 1] = (struct CMUnitTest){
                    .name = titles[i], .test_func = test_pair, .initial_state = (void *)&pairs[i]};
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
