/* box_probe.c -- a worker that does what tests tell it: it enters its box as forgesyte-worker does,
 * then reads one command a line from descriptor 3 and answers with one line.
 * Knows: box_enter.    May not know: frames, plugins. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "box_faults.h"
#include "sandbox/box.h"
#include "worker/crash_handler.h"

#define WIRE 3

static void answer(const char *fmt, ...) printf_like(1, 2);

static void answer(const char *fmt, ...)
{
        char line[4096];
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vsnprintf(line, sizeof line - 1, fmt, ap);
        va_end(ap);
        n = MIN_OF(n, (int)sizeof line - 2);
        for (int i = 0; i < n; i++)
                if (line[i] == '\n')
                        line[i] = '|';
        line[n++] = '\n';
        if (write(WIRE, line, (size_t)n) != n)
                _exit(99);
}

static void touch(volatile char *p, size_t n)
{
        for (size_t i = 0; i < n; i += 4096)
                p[i] = 1;
}

/* ---- dying
 * -------------------------------------------------------------------------------------*/

static void do_exit(const char *arg)
{
        _exit(atoi(arg));
}

static void do_segv(const char *arg unused_param)
{
        /* Through a pointer that the compiler can't see through. */
        volatile char *volatile nowhere = NULL;

        *nowhere = 1;
}

static void do_abort(const char *arg unused_param)
{
        abort();
}

static void do_raise(const char *arg)
{
        raise(atoi(arg));
        answer("alive");
}

static void do_stop(const char *arg unused_param)
{
        sigset_t all;

        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        raise(SIGSTOP);
}

static void do_int80(const char *arg unused_param)
{
#if defined(__x86_64__)
        long r = 20; /* getpid, as 32-bit programs number it */

        __asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
        answer("%ld", r);
#else
        answer("none");
#endif
}

static struct crash_record *record;

static void do_fault(const char *arg)
{
        box_fault(arg, record);
        answer("no such fault, or none at all");
}

/* ---- memory
 * ------------------------------------------------------------------------------------*/

static void eat(const char *arg, int flags)
{
        size_t n = strtoull(arg, NULL, 10), chunk = MIB(4);

        for (size_t done = 0; done < n; done += chunk) {
                char *p = mmap(NULL, chunk, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

                if (p == MAP_FAILED) {
                        answer("failed %d", errno);
                        return;
                }
                touch(p, chunk);
        }
        answer("ate");
}

static void do_eat(const char *arg)
{
        eat(arg, MAP_PRIVATE);
}

static void do_eat_shared(const char *arg)
{
        eat(arg, MAP_SHARED);
}

/* In files without a name. */
static void do_eat_memfds(const char *arg)
{
        static char piece[MIB(4)];

        for (size_t n = strtoull(arg, NULL, 10), done = 0; done < n; done += sizeof piece) {
                int fd = memfd_create("eats", MFD_CLOEXEC);

                if (fd < 0 || write(fd, piece, sizeof piece) != sizeof piece) {
                        answer("failed %d", errno);
                        return;
                }
        }
        answer("ate");
}

/* eat_file FD N: into a file that it was given, and closes it. */
static void do_eat_file(const char *arg)
{
        static char piece[MIB(4)];
        char *end;
        int fd = (int)strtol(arg, &end, 10);

        for (size_t n = strtoull(end, NULL, 10), done = 0; done < n; done += sizeof piece)
                if (write(fd, piece, sizeof piece) != sizeof piece) {
                        answer("failed %d", errno);
                        return;
                }
        close(fd);
        answer("ate");
}

/* map PATH FLAGS: a page of a file that can only be read, which is then written to. */
static void do_map(const char *arg)
{
        char path[256] = "";
        int flags = 0, fd;
        volatile char *p;

        sscanf(arg, "%255s %i", path, &flags);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        p = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, fd, 0);
        answer("%d", p == MAP_FAILED ? errno : 0);
        if (p != MAP_FAILED)
                p[0] = 1;
        if (fd >= 0)
                close(fd);
}

/* The child hits the limit; this process lives on and only sleeps. */
static void do_eat_in_child(const char *arg)
{
        if (fork() == 0) {
                close(WIRE);
                touch(mmap(NULL, strtoull(arg, NULL, 10), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
                      strtoull(arg, NULL, 10));
                pause();
        }
        for (;;)
                pause();
}

/* ---- processes
 * ---------------------------------------------------------------------------------*/

/* N children in sessions of their own, deaf to what can be ignored. */
static void do_fork(const char *arg)
{
        int n = atoi(arg), made = 0;

        for (; made < n; made++) {
                pid_t pid = fork();

                if (pid < 0)
                        break;
                if (pid == 0) {
                        close(WIRE);
                        setsid();
                        signal(SIGTERM, SIG_IGN);
                        signal(SIGHUP, SIG_IGN);
                        for (;;)
                                pause();
                }
        }
        answer("%d %d", made, made < n ? errno : 0);
}

static void obey(char *line);

/* copy COMMAND: the pid of a child that obeys it once it is sent SIGUSR1. */
static void do_copy(const char *arg)
{
        char line[256];
        sigset_t go;
        pid_t pid;
        int signo;

        sigemptyset(&go);
        sigaddset(&go, SIGUSR1);
        sigprocmask(SIG_BLOCK, &go, NULL);
        pid = fork();
        if (pid == 0) {
                snprintf(line, sizeof line, "%s", arg);
                sigwait(&go, &signo);
                obey(line);
                for (;;)
                        pause();
        }
        answer("%d", pid);
}

/* reap PID: waits for the end of a copy. */
static void do_reap(const char *arg)
{
        int status = 0;

        answer("%d", waitpid(atoi(arg), &status, 0));
}

/* Only ever sent to a box whose process limit the test has read before. */
static void do_bomb(const char *arg unused_param)
{
        answer("bombing");
        for (;;)
                if (fork() == 0)
                        setsid();
}

static void *sleeper(void *arg unused_param)
{
        for (;;)
                pause();
        return NULL;
}

static void do_threads(const char *arg)
{
        int n = atoi(arg), made = 0, r = 0;

        for (; r == 0 && made < n; made += r == 0) {
                pthread_t t;
                pthread_attr_t a;

                pthread_attr_init(&a);
                pthread_attr_setstacksize(&a, KIB(64));
                r = pthread_create(&t, &a, sleeper, NULL);
        }
        answer("%d %d", made, r);
}

static void *exec_sleep(void *arg unused_param)
{
        execl("/bin/sleep", "sleep", "1000", (char *)NULL);
        answer("failed %d", errno);
        return NULL;
}

/* Becomes another program by way of a thread, which no wish to die with the parent survives. */
static void do_exec_in_thread(const char *arg unused_param)
{
        pthread_t t;

        if (pthread_create(&t, NULL, exec_sleep, NULL) != 0)
                _exit(98);
        pthread_join(t, NULL);
}

static void do_exec(const char *arg)
{
        char path[256];
        int status = -1;
        pid_t pid = vfork();

        snprintf(path, sizeof path, "%s", arg);
        if (pid == 0) {
                execl(path, path, (char *)NULL);
                _exit(126);
        }
        if (pid > 0)
                waitpid(pid, &status, 0);
        answer("%d %d", pid > 0 ? 0 : errno, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* ---- reaching out
 * ------------------------------------------------------------------------------*/

static void do_open(const char *arg)
{
        int fd = open(arg, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        answer("%d", fd < 0 ? errno : 0);
        if (fd >= 0)
                close(fd);
}

static void do_write(const char *arg)
{
        int fd = open(arg, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);

        answer("%d", fd < 0 ? errno : write(fd, "x", 1) < 0 ? errno : 0);
        if (fd >= 0)
                close(fd);
}

static void do_read(const char *arg)
{
        char text[3500];
        int fd = open(arg, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

        text[n > 0 ? n : 0] = '\0';
        answer("%d %s", n < 0 ? errno : 0, text);
        if (fd >= 0)
                close(fd);
}

/* openw PATH: may it be opened for writing? Nothing is written. */
static void do_openw(const char *arg)
{
        int fd = open(arg, O_WRONLY | O_CLOEXEC | O_NONBLOCK);

        answer("%d", fd < 0 ? errno : 0);
        if (fd >= 0)
                close(fd);
}

/* terminal PATH: asks a device what only terminals answer. */
static void do_terminal(const char *arg)
{
        char settings[256];
        int fd = open(arg, O_RDONLY | O_CLOEXEC);

        answer("%d", fd < 0 || ioctl(fd, TCGETS, settings) < 0 ? errno : 0);
        if (fd >= 0)
                close(fd);
}

static void do_truncate(const char *arg)
{
        answer("%d", truncate(arg, 0) < 0 ? errno : 0);
}

static void do_remove(const char *arg)
{
        answer("%d", unlink(arg) < 0 ? errno : 0);
}

static void do_fifo(const char *arg)
{
        answer("%d", mkfifo(arg, 0600) < 0 ? errno : 0);
}

static void do_link(const char *arg)
{
        char to[256] = "";

        answer("%s", readlink(arg, to, sizeof to - 1) < 0 ? strerror(errno) : to);
}

/* raise RESOURCE VALUE: sets both limits of itself to that. */
static void do_raise_limit(const char *arg)
{
        char *end;
        int resource = (int)strtol(arg, &end, 10);
        rlim_t value = strtoull(end, NULL, 10);
        struct rlimit rl = {value, value};

        answer("%d", setrlimit((__rlimit_resource_t)resource, &rl) < 0 ? errno : 0);
}

/* run PATH ARGUMENT: the exit code of another program. */
static void do_run(const char *arg)
{
        char path[256], *space;
        int status = -1;
        pid_t pid;

        snprintf(path, sizeof path, "%s", arg);
        space = strchr(path, ' ');
        if (space)
                *space++ = '\0';
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                execl(path, path, space, (char *)NULL);
                _exit(126);
        }
        if (pid > 0)
                waitpid(pid, &status, 0);
        answer("%d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* Writes 1 MiB pieces until the file system says no. */
static void do_fill(const char *arg)
{
        static char piece[1 << 20];
        int fd = open(arg, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        size_t mib = 0;

        while (fd >= 0 && mib < 64 && write(fd, piece, sizeof piece) == sizeof piece)
                mib++;
        answer("%zu %d", mib, errno);
        if (fd >= 0)
                close(fd);
        unlink(arg);
}

static void do_fds(const char *arg unused_param)
{
        char list[256] = "";

        for (int fd = 0; fd < 65536; fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        snprintf(list + strlen(list), sizeof list - strlen(list), " %d", fd);
        answer("fds%s", list);
}

/* sys NR A B C D E F: any system call, with numbers for arguments. */
static void do_sys(const char *arg)
{
        long a[7] = {0}, r;
        char *p = (char *)arg;

        for (size_t i = 0; i < ARRAY_LEN(a) && *p; i++)
                a[i] = (long)strtoull(p, &p, 0);
        errno = 0;
        r = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
        answer("%ld %d", r, r < 0 ? errno : 0);
}

/* tcp PORT: to 127.0.0.1. */
static void do_tcp(const char *arg)
{
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)atoi(arg)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        answer("%d", fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ? errno : 0);
        if (fd >= 0)
                close(fd);
}

/* unix PATH, or unix @NAME for an abstract one. */
static void do_unix(const char *arg)
{
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t len;

        snprintf(to.sun_path, sizeof to.sun_path, "%s", arg);
        len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(to.sun_path));
        if (to.sun_path[0] == '@')
                to.sun_path[0] = '\0';
        answer("%d", fd < 0 || connect(fd, (struct sockaddr *)&to, len) < 0 ? errno : 0);
        if (fd >= 0)
                close(fd);
}

/* setown PID: have the kernel send PID a SIGKILL when a pipe gets data. */
static void do_setown(const char *arg)
{
        int p[2], r = 0;

        if (pipe2(p, O_NONBLOCK | O_CLOEXEC) < 0 || fcntl(p[0], F_SETOWN, atoi(arg)) < 0 ||
            fcntl(p[0], F_SETSIG, SIGKILL) < 0 || fcntl(p[0], F_SETFL, O_ASYNC | O_NONBLOCK) < 0 ||
            write(p[1], "x", 1) < 0)
                r = errno;
        answer("%d", r);
}

/* ---- about itself
 * ------------------------------------------------------------------------------*/

static void do_ping(const char *arg unused_param)
{
        answer("pong %d %d %d %d", getpid(), getppid(), (int)getuid(), (int)getgid());
}

/* calls N: the nanoseconds that N of the cheapest system calls take. */
static void do_calls(const char *arg)
{
        struct timespec start, end;

        clock_gettime(CLOCK_MONOTONIC, &start);
        for (long i = 0, n = atol(arg); i < n; i++)
                syscall(SYS_getppid);
        clock_gettime(CLOCK_MONOTONIC, &end);
        answer("%lld", (end.tv_sec - start.tv_sec) * NSEC_PER_SEC + end.tv_nsec - start.tv_nsec);
}

static void do_limit(const char *arg)
{
        struct rlimit rl = {0};

        getrlimit((__rlimit_resource_t)atoi(arg), &rl);
        answer("%llu %llu", (unsigned long long)rl.rlim_cur, (unsigned long long)rl.rlim_max);
}

static void do_env(const char *arg)
{
        const char *value = getenv(arg);

        answer("%s", value ? value : "(none)");
}

static void do_say(const char *arg)
{
        printf("%s\n", arg);
        fflush(stdout);
        fprintf(stderr, "%s!\n", arg);
        answer("said");
}

static const struct {
        const char *name;
        void (*run)(const char *arg);
} commands[] = {
    {"exit", do_exit},
    {"segv", do_segv},
    {"abort", do_abort},
    {"fault", do_fault},
    {"raise", do_raise},
    {"stop", do_stop},
    {"int80", do_int80},
    {"eat", do_eat},
    {"eat_shared", do_eat_shared},
    {"eat_memfds", do_eat_memfds},
    {"eat_file", do_eat_file},
    {"map", do_map},
    {"eat_in_child", do_eat_in_child},
    {"fork", do_fork},
    {"copy", do_copy},
    {"reap", do_reap},
    {"bomb", do_bomb},
    {"exec_in_thread", do_exec_in_thread},
    {"threads", do_threads},
    {"exec", do_exec},
    {"open", do_open},
    {"write", do_write},
    {"read", do_read},
    {"openw", do_openw},
    {"terminal", do_terminal},
    {"truncate", do_truncate},
    {"remove", do_remove},
    {"fifo", do_fifo},
    {"link", do_link},
    {"raise_limit", do_raise_limit},
    {"run", do_run},
    {"fill", do_fill},
    {"fds", do_fds},
    {"sys", do_sys},
    {"tcp", do_tcp},
    {"unix", do_unix},
    {"setown", do_setown},
    {"ping", do_ping},
    {"calls", do_calls},
    {"limit", do_limit},
    {"env", do_env},
    {"say", do_say},
};

static void obey(char *line)
{
        char *arg = strchr(line, ' ');

        if (arg)
                *arg++ = '\0';
        for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
                if (strcmp(line, commands[i].name) != 0)
                        continue;
                commands[i].run(arg ? arg : "");
                return;
        }
        answer("unknown command %s", line);
}

int main(int argc, char **argv)
{
        struct err e = {0};
        char line[512];
        size_t n = 0;

        record = box_crash_record();
        if (box_enter(argc, argv, &e) < 0) {
                fprintf(stderr, "%s\n", e.msg);
                return 70;
        }
        crash_handler_arm(record);
        for (;;) {
                ssize_t r = read(WIRE, line + n, 1);

                if (r <= 0)
                        return 0;
                if (line[n] != '\n' && n < sizeof line - 1) {
                        n++;
                        continue;
                }
                line[n] = '\0';
                n = 0;
                obey(line);
        }
}
