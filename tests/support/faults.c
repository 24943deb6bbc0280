/* faults.c -- preloaded into a running host, this makes the N-th system call of a kind fail, or the
 * N-th allocation. What fails when is told through a file that both sides map (support/faults.py):
 * a test arms a fault, asks the host for something, and looks whether the fault came.
 *
 * Only the process that loaded it is counted: what it forks keeps the mapping, but not the pid.
 * Threads: any.            Owns: the mapping, for ever. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* X(name): each has a slot, in this order. */
#define FAULTS(X)                                                                                  \
        X(accept4)                                                                                 \
        X(clone)                                                                                   \
        X(epoll_ctl)                                                                               \
        X(eventfd)                                                                                 \
        X(malloc)                                                                                  \
        X(memfd_create)                                                                            \
        X(mkdir)                                                                                   \
        X(openat)                                                                                  \
        X(pidfd_open)                                                                              \
        X(pipe2)                                                                                   \
        X(send)                                                                                    \
        X(sendmsg)                                                                                 \
        X(socketpair)                                                                              \
        X(write)

enum fault {
#define X(name) FAULT_##name,
        FAULTS(X)
#undef X
            FAULT_COUNT
};

/* As support/faults.py has it. countdown: 0 is unarmed, 1 the next call. times: how many fail. */
struct slot {
        char name[24];
        uint32_t countdown, error, times, seen, failed, unused;
};

static struct slot *slots;
static pid_t owner;

static bool fails(enum fault which)
{
        struct slot *s = slots ? &slots[which] : NULL;
        uint32_t left;

        if (!s || (pid_t)syscall(SYS_getpid) != owner)
                return false;
        __atomic_fetch_add(&s->seen, 1, __ATOMIC_RELAXED);
        left = __atomic_load_n(&s->countdown, __ATOMIC_ACQUIRE);
        if (left == 0)
                return false;
        if (left > 1) {
                __atomic_fetch_sub(&s->countdown, 1, __ATOMIC_RELAXED);
                return false;
        }
        if (__atomic_fetch_add(&s->failed, 1, __ATOMIC_RELAXED) + 1 >= s->times)
                __atomic_store_n(&s->countdown, 0, __ATOMIC_RELEASE);
        errno = (int)s->error;
        return true;
}

static __attribute__((constructor)) void open_control(void)
{
        static const char *const names[] = {
#define X(name) #name,
                FAULTS(X)
#undef X
        };
        const char *path = getenv("FORGESYTE_TEST_FAULTS");
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        struct slot *mapped;

        if (fd < 0 || ftruncate(fd, sizeof *slots * FAULT_COUNT) < 0)
                return;
        mapped = mmap(NULL, sizeof *slots * FAULT_COUNT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (mapped == MAP_FAILED)
                return;
        owner = getpid();
        for (size_t i = 0; i < FAULT_COUNT; i++)
                snprintf(mapped[i].name, sizeof mapped[i].name, "%s", names[i]);
        slots = mapped;
}

/* The next function of that name behind ours. */
#define NEXT(name) ((__typeof__(&name))next(#name))
static void *next(const char *name)
{
        void *f = dlsym(RTLD_NEXT, name);

        if (!f)
                abort();
        return f;
}

/* A function that is passed on as it is, or fails. */
#define PASS(result, name, parameters, arguments)                                                  \
        result name parameters;                                                                    \
        result name parameters                                                                     \
        {                                                                                          \
                return fails(FAULT_##name) ? -1 : NEXT(name) arguments;                            \
        }

int eventfd(unsigned, int);
int memfd_create(const char *, unsigned);
int pidfd_open(pid_t, unsigned);

PASS(int, accept4, (int fd, __SOCKADDR_ARG addr, socklen_t *restrict n, int flags),
     (fd, addr, n, flags))
PASS(int, eventfd, (unsigned initial, int flags), (initial, flags))
PASS(int, memfd_create, (const char *name, unsigned flags), (name, flags))
PASS(int, pidfd_open, (pid_t pid, unsigned flags), (pid, flags))
PASS(int, pipe2, (int fds[2], int flags), (fds, flags))
PASS(ssize_t, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
PASS(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
PASS(int, socketpair, (int family, int type, int protocol, int fds[2]),
     (family, type, protocol, fds))
PASS(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))

/* Taking a descriptor out again needs no memory: it never fails so. */
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *e)
{
        return op != EPOLL_CTL_DEL && fails(FAULT_epoll_ctl) ? -1
                                                             : NEXT(epoll_ctl)(epoll, op, fd, e);
}

int mkdir(const char *path, mode_t mode);
int mkdir(const char *path, mode_t mode)
{
        return fails(FAULT_mkdir) ? -1 : NEXT(mkdir)(path, mode);
}

int mkdirat(int dir, const char *path, mode_t mode);
int mkdirat(int dir, const char *path, mode_t mode)
{
        return fails(FAULT_mkdir) ? -1 : NEXT(mkdirat)(dir, path, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
        va_list args;
        mode_t mode;

        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
        return fails(FAULT_openat) ? -1 : NEXT(openat)(dir, path, flags, mode);
}

/* The host clones by its number. Six arguments can be read whether they were passed or not. */
long syscall(long number, ...)
{
        static long (*real)(long, ...);
        va_list args;
        long a[6];

        va_start(args, number);
        for (size_t i = 0; i < 6; i++)
                a[i] = va_arg(args, long);
        va_end(args);
        if (!real)
                real = NEXT(syscall);
        if ((number == SYS_clone || number == SYS_clone3) && fails(FAULT_clone))
                return -1;
        return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#ifdef FAULTS_OF_MALLOC
/* Not under a sanitizer, whose malloc is another. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *malloc(size_t n)
{
        return fails(FAULT_malloc) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
        return fails(FAULT_malloc) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
        return fails(FAULT_malloc) ? NULL : __libc_realloc(p, n);
}
#endif
