/* probe_exec.h -- runs a program under a deadline and keeps what it prints.
 * Knows: processes.        May not know: what the program is for.
 * Threads: the main one.   Owns: the child, until it is dead. */
#ifndef FORGESYTE_WORKER_PROBE_EXEC_H
#define FORGESYTE_WORKER_PROBE_EXEC_H

#include "base/str.h"

enum probe_exec_end {
        PROBE_EXEC_EXITED,      /* code */
        PROBE_EXEC_SIGNALLED,   /* code is the signal */
        PROBE_EXEC_TIMED_OUT,   /* and was killed */
        PROBE_EXEC_NOT_STARTED, /* code is the errno */
};

struct probe_exec {
        enum probe_exec_end end;
        int code;
        struct str output; /* stdout, at most 256 KiB of it; its stderr goes to the log */
};

/* path: of the program; argv: NULL-terminated. */
void probe_exec_run(const char *path, const char *const *argv, int seconds, struct probe_exec *ret);
void probe_exec_done(struct probe_exec *x);
static inline void probe_exec_scoped(struct probe_exec *x)
{
        probe_exec_done(x);
}
/* "exited with code 3", "died by signal 9", "did not end within 5 s", "could not be started: ...".
 */
void probe_exec_words(const struct probe_exec *x, int seconds, char *buf, size_t size);

#endif
