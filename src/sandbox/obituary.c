#include "sandbox/obituary.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"

/* What a wait status alone says. */
static void judge_status(const struct obituary_facts *f, struct obituary *o)
{
        if (f->code == CLD_EXITED) {
                o->cause = OBITUARY_EXITED;
                o->exit_code = f->status;
                return;
        }
        o->signal = f->status;
        o->core_dumped = f->code == CLD_DUMPED;
        if (f->status == SIGSYS)
                o->cause = OBITUARY_SYSCALL;
        else if (f->status == SIGKILL && f->host_killed)
                o->cause = OBITUARY_KILLED;
        else
                o->cause = OBITUARY_SIGNAL;
}

/* Memory comes first: an OOM kill looks like any SIGKILL, and the host kills what the kernel left
 * of the tree. A worker that died by itself just before the host's kill keeps its own cause. */
void obituary_compose(const struct obituary_facts *f, struct obituary *ret)
{
        struct obituary o = {.oom_kills = f->oom_kills,
                             .pids_limit = f->pids_events > 0,
                             .peak_bytes = f->peak_bytes};

        if (f->have_status) {
                judge_status(f, &o);
        } else if (f->host_killed) {
                o.cause = OBITUARY_KILLED;
                o.signal = SIGKILL;
        } else {
                o.cause = OBITUARY_SIGNAL; /* somebody else killed the box's init */
                o.signal = SIGKILL;
        }
        if (f->setup_error) {
                o.cause = OBITUARY_SETUP;
                snprintf(o.setup, sizeof o.setup, "%s", f->setup_error);
        }
        if (f->oom_kills > 0 || f->watch_fired)
                o.cause = OBITUARY_MEMORY;
        if (o.cause == OBITUARY_SIGNAL && f->crash)
                o.crash = *f->crash;
        *ret = o;
}

static void signal_words(int signo, char *buf, size_t size)
{
        const char *abbreviation = sigabbrev_np(signo);

        if (abbreviation)
                snprintf(buf, size, "signal %d (SIG%s)", signo, abbreviation);
        else
                snprintf(buf, size, "signal %d", signo);
}

void obituary_sentence(const struct obituary *o, char *buf)
{
        const char *tail = o->pids_limit ? ", after its process limit had refused a fork" : "";
        char signo[48], crash[CRASH_RECORD_WORDS] = "";

        if (o->crash.written)
                crash_record_words(&o->crash, crash);
        signal_words(o->signal, signo, sizeof signo);
        switch (o->cause) {
        case OBITUARY_SETUP:
                snprintf(buf, OBITUARY_SENTENCE_SIZE, "could not enter its sandbox: %s", o->setup);
                break;
        case OBITUARY_EXITED:
                snprintf(buf, OBITUARY_SENTENCE_SIZE, "exited with code %d%s", o->exit_code, tail);
                break;
        case OBITUARY_SIGNAL:
                snprintf(buf, OBITUARY_SENTENCE_SIZE, "died by %s%s%s", signo, crash, tail);
                break;
        case OBITUARY_KILLED:
                snprintf(buf, OBITUARY_SENTENCE_SIZE, "was killed by the host%s", tail);
                break;
        case OBITUARY_MEMORY:
                snprintf(buf, OBITUARY_SENTENCE_SIZE, "was killed at its memory limit%s", tail);
                break;
        case OBITUARY_SYSCALL:
                snprintf(buf, OBITUARY_SENTENCE_SIZE,
                         "was killed by %s for a forbidden system call%s", signo, tail);
                break;
        }
}
