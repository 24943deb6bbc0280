/* isolation.h -- what really holds a worker, as a value: for the health object and --min-isolation.
 * Knows: names of walls.   May not know: processes, system calls.
 * Threads: any (a value).  Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_ISOLATION_H
#define FORGESYTE_SANDBOX_ISOLATION_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/* From weakest to strongest, so that levels compare with <. */
#define ISOLATION_LEVELS(X)                                                                        \
        X(NONE, "none", "resource limits at most")                                                 \
        X(FILTERED, "filtered", "seccomp, and Landlock where the kernel has it; no namespaces")    \
        X(NAMESPACES, "namespaces", "namespaces of its own, but one wall of `full` is missing")    \
        X(FULL, "full",                                                                            \
          "namespaces, seccomp, a uid of its own, memory and process limits by cgroup")

enum isolation_level {
#define X(id, name, meaning) ISOLATION_##id,
        ISOLATION_LEVELS(X)
#undef X
};

#define ISOLATION_MEMORY_KINDS(X)                                                                  \
        X(NONE, "none")                                                                            \
        X(RLIMIT, "rlimit")                                                                        \
        X(CGROUP1, "cgroup1")                                                                      \
        X(CGROUP2, "cgroup2")

enum isolation_memory {
#define X(id, name) ISOLATION_MEMORY_##id,
        ISOLATION_MEMORY_KINDS(X)
#undef X
};

enum isolation_namespace {
        ISOLATION_NS_USER = 1 << 0,
        ISOLATION_NS_PID = 1 << 1,
        ISOLATION_NS_MOUNT = 1 << 2,
        ISOLATION_NS_NET = 1 << 3,
        ISOLATION_NS_IPC = 1 << 4,
        ISOLATION_NS_UTS = 1 << 5,
        ISOLATION_NS_CGROUP = 1 << 6,
};

#define ISOLATION_REASONS_MAX 16
#define ISOLATION_REASON_SIZE 160

/* level: computed by isolation_judge() from the rest. reasons: why it is not `full`, one a wall.
 * pids: a kernel limit on the number of processes is in force. uid: the worker's, as the host sees
 * it. landlock_abi: 0 is none. */
struct isolation {
        enum isolation_level level;
        unsigned namespaces; /* isolation_namespace bits */
        bool seccomp;
        int landlock_abi;
        enum isolation_memory memory;
        bool pids;
        bool cpu;      /* a low share of the processor, by cgroup */
        bool weakened; /* a test has switched off what no machine lacks */
        uint32_t uid;
        unsigned n_reasons;
        char reasons[ISOLATION_REASONS_MAX][ISOLATION_REASON_SIZE];
};

const char *isolation_level_name(enum isolation_level level);
/* The level called `name`, or -1. */
int isolation_level_from_name(const char *name);
/* Sets i->level from the walls, and adds a reason for each that is missing. host_uid: the host's.
 */
void isolation_judge(struct isolation *i, uint32_t host_uid);
/* {"level","reasons","namespaces","seccomp","landlock_abi","memory","pids","uid"}; NULL: no
 * memory.*/
json_t *isolation_to_json(const struct isolation *i);

#endif
