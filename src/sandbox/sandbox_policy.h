/* sandbox_policy.h -- a box as a value: everything that one worker may see and use.
 * Built by the host from manifest and config, handed to the box in one piece, entered there.
 * Knows: paths, limits.    May not know: manifests, processes.
 * Threads: one at a time.  Owns: its strings. */
#ifndef FORGESYTE_SANDBOX_SANDBOX_POLICY_H
#define FORGESYTE_SANDBOX_SANDBOX_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "sandbox/isolation.h"

/* What the box shows of the host's files. `target` NULL: the same path. No part of `source` may be
 * a link, or the box fails: whoever resolved it has looked at where it leads. */
struct sandbox_bind {
        char *source, *target;
        bool writable;
        bool optional; /* skipped without a word when source does not exist */
        bool link;     /* source itself is a link, and shown as one: what it leads to is not */
};

struct sandbox_policy {
        char name[65];    /* [a-z0-9_-]: host name, cgroup name */
        char *plugin_dir; /* host path; read-only at SANDBOX_PLUGIN_DIR in a box with namespaces */
        uint64_t memory_bytes;
        unsigned pids_max; /* processes and threads */
        unsigned forks;    /* how many instances may be forked in the box (sandbox_adopt.h) */
        unsigned nofile;
        uint64_t tmp_bytes; /* of the private /tmp and /dev/shm, each */
        bool network;
        bool uploads; /* files in memory where memfds are refused, for who makes files of uploads */
        bool gpu;     /* the GPU's device nodes and libraries */
        bool may_fork; /* processes even without a pid namespace: only for the host's own probe,
                          which sees to it that none outlives it */
        enum isolation_level min_level;
        struct sandbox_bind *binds;
        size_t n_binds;
        char **env; /* KEY=VALUE, NULL-terminated or NULL; the worker gets nothing else */
};

#define SANDBOX_PLUGIN_DIR "/plugin"

/* Zeroed but for the defaults: 1 GiB, 128 processes, 256 descriptors, 64 MiB of /tmp, FILTERED. */
void sandbox_policy_init(struct sandbox_policy *p);
void sandbox_policy_done(struct sandbox_policy *p);
/* Copies the strings. -ENOMEM; -EINVAL for a path that is not absolute and normal. */
int sandbox_policy_set_plugin_dir(struct sandbox_policy *p, const char *dir) must_check;
int sandbox_policy_add_bind(struct sandbox_policy *p, const char *source, const char *target,
                            bool writable, bool optional) must_check;
int sandbox_policy_add_link(struct sandbox_policy *p, const char *path) must_check;
int sandbox_policy_add_env(struct sandbox_policy *p, const char *key, const char *value) must_check;

static inline void sandbox_policy_scoped(struct sandbox_policy *p)
{
        sandbox_policy_done(p);
}

#endif
