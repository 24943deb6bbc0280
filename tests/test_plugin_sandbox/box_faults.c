#include "box_faults.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"

static struct crash_record *record;

static int descend(volatile int depth)
{
        volatile char frame[256];

        frame[0] = (char)depth;
        return depth == 0 ? 0 : descend(depth + 1) + frame[0];
}

static void *overflow(void *arg unused_param)
{
        return (void *)(intptr_t)descend(1);
}

static void fault_divide(void)
{
        volatile int zero = 0, some = 100, none = some / zero;

        (void)none;
}

static void fault_bus(void)
{
        int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
        size_t size = MIB(64); /* there is no larger shell */
        volatile char *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

        (void)p[size - 1];
}

static void fault_read_only(void)
{
        volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        p[8] = 1;
}

static void fault_at(uint64_t address)
{
        volatile char *volatile at = (volatile char *)(uintptr_t)address;

        *at = 1;
}

static void fault_wild(void)
{
        fault_at(UINT64_C(0x123456789000));
}

static void fault_member(void)
{
        fault_at(24);
}

static void fault_not_canonical(void)
{
        fault_at(UINT64_C(0xdead000000000000));
}

static void fault_call_null(void)
{
        void (*volatile nobody)(void) = NULL;

        nobody();
}

static void fault_illegal(void)
{
        __builtin_trap();
}

static void fault_overflow(void)
{
        overflow(NULL);
}

static void fault_overflow_in_thread(void)
{
        pthread_t t;

        if (pthread_create(&t, NULL, overflow, NULL) == 0)
                pthread_join(t, NULL);
}

/* A child's death is not the worker's, though it has the worker's handlers. */
static void fault_child_then_raise(void)
{
        pid_t pid = fork();

        if (pid == 0)
                fault_wild();
        if (pid > 0)
                waitpid(pid, NULL, 0);
        raise(SIGSEGV);
}

static void own_handler(int signo unused_param)
{
        _exit(7);
}

static void fault_handled(void)
{
        signal(SIGSEGV, own_handler);
        fault_wild();
}

/* Lies about another signal, as a plugin can. */
static void fault_forged(void)
{
        *record = (struct crash_record){CRASH_RECORD_WRITTEN, SIGSEGV, 1, 0, 0x41, 0x42, 0x43};
        abort();
}

void box_fault(const char *name, struct crash_record *to)
{
        static const struct {
                const char *name;
                void (*run)(void);
        } faults[] = {
            {"divide", fault_divide},
            {"bus", fault_bus},
            {"read_only", fault_read_only},
            {"wild", fault_wild},
            {"member", fault_member},
            {"not_canonical", fault_not_canonical},
            {"call_null", fault_call_null},
            {"illegal", fault_illegal},
            {"overflow", fault_overflow},
            {"overflow_in_thread", fault_overflow_in_thread},
            {"child_then_raise", fault_child_then_raise},
            {"handled", fault_handled},
            {"forged", fault_forged},
        };

        record = to;
        for (size_t i = 0; i < ARRAY_LEN(faults); i++)
                if (!strcmp(name, faults[i].name))
                        faults[i].run();
}
