#include "sandbox/crash_record.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/macro.h"

/* A pointer that was NULL, and the member or index that was asked of it. Nothing is ever mapped
 * there (vm.mmap_min_addr). */
#define NULL_REACH 0x10000

bool crash_record_read(int fd, int signal, struct crash_record *ret)
{
        struct crash_record r;

        if (fd < 0 || pread(fd, &r, sizeof r, 0) != sizeof r)
                return false;
        if (r.written != CRASH_RECORD_WRITTEN || r.signal != signal)
                return false;
        *ret = r;
        return true;
}

static const char *of_segv(const struct crash_record *r)
{
        if (r->flags & CRASH_RECORD_STACK)
                return "stack overflow";
        if (r->address < NULL_REACH && r->pc == r->address)
                return "call through a NULL pointer";
        if (r->address < NULL_REACH)
                return "NULL dereference";
        if (r->pc == r->address)
                return "a jump to where there is no code";
        return r->code == SEGV_MAPERR ? "nothing is mapped there" : "access is not permitted there";
}

static const char *of_bus(const struct crash_record *r)
{
        switch (r->code) {
        case BUS_ADRALN:
                return "not aligned";
        case BUS_ADRERR:
                return "behind the end of a mapped file";
        default:
                return "broken memory";
        }
}

static const char *of_fpe(const struct crash_record *r)
{
        return r->code == FPE_INTDIV ? "integer division by zero" : "arithmetic fault";
}

void crash_record_words(const struct crash_record *r, char *buf)
{
        const char *reason = NULL;

        buf[0] = '\0';
        if (r->code <= 0) { /* not the kernel's word about an instruction: kill(), raise() */
                snprintf(buf, CRASH_RECORD_WORDS, ", sent by a process of its own");
                return;
        }
        if (r->code == SI_KERNEL) { /* and then there is no address */
                if (r->signal == SIGSEGV)
                        snprintf(buf, CRASH_RECORD_WORDS, " (an address that no memory can have)");
                return;
        }
        if (r->signal == SIGSEGV)
                reason = of_segv(r);
        else if (r->signal == SIGBUS)
                reason = of_bus(r);
        else if (r->signal == SIGFPE)
                reason = of_fpe(r);
        else if (r->signal == SIGILL)
                reason = "illegal instruction";
        if (reason)
                snprintf(buf, CRASH_RECORD_WORDS, " at address 0x%" PRIx64 " (%s)", r->address,
                         reason);
}
