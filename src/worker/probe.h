/* probe.h -- looks in the box whether what a plugin needs is there (docs/PROTOCOL.md, CHECK).
 * Knows: files, libraries, programs, the GPU driver.   May not know: plugins, what depends on it.
 * Threads: the main one.   Owns: nothing.
 *
 * A check may map a library that crashes. There are no processes to hide that in (some boxes deny
 * fork), so the risky ones come last, and the host sees the death. */
#ifndef FORGESYTE_WORKER_PROBE_H
#define FORGESYTE_WORKER_PROBE_H

#include "wire/wire_message.h"

#define PROBE_DETAIL_MAX 512

/* Starts as UNKNOWN; detail is text that is made printable on its way out. So is `text`, which
 * stands in its place when more is to be said: malloc'ed, and freed with the report. */
struct probe_verdict {
        enum wire_check_status status;
        char detail[PROBE_DETAIL_MAX];
        char *text;
};

void probe_say(struct probe_verdict *v, enum wire_check_status status, const char *fmt, ...)
    printf_like(3, 4);

/* Performs all checks and adds the payload of the REPORT. */
void probe_run(const struct wire_check_list *list, struct str *to);

/* probe_model.c. path, dir (empty: not checked) and sha256 (empty: not checked, else hex). */
void probe_model(const char *path, const char *dir, const char *sha256, struct probe_verdict *v);
/* probe_gpu.c. interpreter: for the Python way, else NULL. */
void probe_gpu_driver(const char *interpreter, struct probe_verdict *v);
void probe_nvidia_smi(struct probe_verdict *v);
/* probe_library.c. A soname, or a path. The handle (for GPU's sake) or NULL. */
void *probe_library(const char *soname, struct probe_verdict *v);
/* probe_command.c. `path`, when not NULL, takes the PATH_MAX bytes of where it is. */
void probe_command(const char *name, char *path, struct probe_verdict *v);

#endif
