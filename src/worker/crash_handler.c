#include "worker/crash_handler.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/macro.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* A signal handler has no other way to its data than objects of file scope. */
static struct {
        struct crash_record *to;
        pid_t
            pid; /* a child that the plugin forks inherits the handler, but its death is its own */
        size_t stack_size;
        pthread_key_t stacks; /* a thread's alternate stack, so that it goes with the thread */
} armed;

/* ---- the fault
 * ---------------------------------------------------------------------------------*/

static void read_context(const ucontext_t *c, struct crash_record *r)
{
#if defined(__x86_64__)
        r->pc = (uint64_t)c->uc_mcontext.gregs[REG_RIP];
        r->sp = (uint64_t)c->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
        r->pc = c->uc_mcontext.pc;
        r->sp = c->uc_mcontext.sp;
#endif
}

/* The kernel looks at the memory first and at `how` then: no harm is done and nothing is opened. */
static bool is_readable(uint64_t address)
{
        const uint64_t at = address & ~UINT64_C(7);

        return syscall(SYS_rt_sigprocmask, -1, at, NULL, 8) < 0 && errno != EFAULT;
}

#define STACK_REACH 0x10000 /* of one push, call or probe */

/* Where a stack ends, the fault is just below the stack pointer (a push, a call), or the pointer
 * has gone down already to where nothing is. A wild write beside a good stack is neither. */
static bool is_stack_overflow(const struct crash_record *r)
{
        if (r->signal != SIGSEGV)
                return false;
        return (r->address < r->sp && r->sp - r->address <= STACK_REACH) || !is_readable(r->sp);
}

static void record(int signo, const siginfo_t *si, const ucontext_t *context)
{
        struct crash_record r = {.signal = signo, .code = si->si_code};

        read_context(context, &r);
        if (si->si_code > 0 && si->si_code != SI_KERNEL) { /* else there is no address in there */
                r.address = (uint64_t)(uintptr_t)si->si_addr;
                r.flags = is_stack_overflow(&r) ? CRASH_RECORD_STACK : 0;
        }
        *armed.to = r;
        __atomic_store_n(&armed.to->written, CRASH_RECORD_WRITTEN, __ATOMIC_RELEASE);
}

/* Returning lets the instruction fault once more, now with nobody to catch it; a signal that
 * somebody sent has no instruction and is sent again. */
static void on_fault(int signo, siginfo_t *si, void *context)
{
        int saved = errno;

        if (getpid() == armed.pid)
                record(signo, si, context);
        signal(signo, SIG_DFL);
        if (si->si_code <= 0)
                syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signo);
        errno = saved;
}

/* ---- a stack to say it on
 * ----------------------------------------------------------------------*/

static void drop_stack(void *stack)
{
        stack_t none = {.ss_flags = SS_DISABLE}, now;

        if (sigaltstack(NULL, &now) == 0 && now.ss_sp == stack)
                sigaltstack(&none, NULL);
        munmap(stack, armed.stack_size);
}

/* An overflown stack has no room for a handler. Without one of these the record stays empty, and
 * the death is the same. */
static void give_stack(void)
{
        stack_t ss = {.ss_size = armed.stack_size};

        ss.ss_sp = mmap(NULL, ss.ss_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (ss.ss_sp == MAP_FAILED)
                return;
        if (sigaltstack(&ss, NULL) < 0 || pthread_setspecific(armed.stacks, ss.ss_sp) != 0)
                drop_stack(ss.ss_sp);
}

struct beginning {
        void *(*run)(void *);
        void *arg;
};

static void *begin(void *arg)
{
        struct beginning b = *(struct beginning *)arg;

        free(arg);
        give_stack();
        return b.run(b.arg);
}

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* The plugin's threads, and its libraries', come by here: the program's symbols are found before
 * libc's. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
        create_fn *create = (create_fn *)(uintptr_t)dlsym(RTLD_NEXT, "pthread_create");
        struct beginning *b = armed.to ? malloc(sizeof *b) : NULL;
        int r;

        if (!create)
                return EAGAIN;
        if (!b)
                return create(thread, attr, run, arg);
        *b = (struct beginning){run, arg};
        r = create(thread, attr, begin, b);
        if (r != 0)
                free(b);
        return r;
}

void crash_handler_arm(struct crash_record *to)
{
        static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
        struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

        if (!to || pthread_key_create(&armed.stacks, drop_stack) != 0)
                return;
        armed.to = to;
        armed.pid = getpid();
        armed.stack_size = KIB(32) + ((getauxval(AT_MINSIGSTKSZ) + 4095) & ~4095UL);
        give_stack();
        for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
                struct sigaction now;

                if (sigaction(faults[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
                        sigaction(faults[i], &sa, NULL);
        }
}
