/* probe_python.h -- what only the plugin's own interpreter can tell.
 * Knows: scripts of a few lines.   May not know: frames.
 * Threads: the main one.   Owns: nothing. */
#ifndef FORGESYTE_WORKER_PROBE_PYTHON_H
#define FORGESYTE_WORKER_PROBE_PYTHON_H

#include "worker/probe.h"

/* interpreter: a path or a name on PATH; dir: the plugin's folder, or empty. All names in one start
 * of it. v: n verdicts. */
void probe_python_packages(const char *interpreter, const char *dir, const char *const *names,
                           size_t n, struct probe_verdict *const *v);
/* Its packages' entry points of this group, as docs/PROTOCOL.md has them. */
void probe_python_entry_points(const char *interpreter, const char *group, struct probe_verdict *v);
/* What the plugin's source tells without being run: the findings of docs/PROTOCOL.md. dir: the
 * plugin's folder; declared: names of modules, each with a newline behind it. */
void probe_python_source(const char *interpreter, const char *dir, const char *entrypoint,
                         const char *declared, struct probe_verdict *v);
/* torch.cuda.is_available() */
void probe_python_gpu(const char *interpreter, struct probe_verdict *v);

#endif
