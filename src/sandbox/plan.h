/* plan.h -- one box's orders, in the one piece in which the host hands them to the worker.
 * The host makes it from a policy and from what the machine can do; the box carries it out and
 * decides nothing by itself. Both sides are built together, so the bytes are of one version only.
 * Knows: numbers, paths, bytes.    May not know: processes, system calls.
 * Threads: one at a time.          Owns: its strings and bytes. */
#ifndef FORGESYTE_SANDBOX_PLAN_H
#define FORGESYTE_SANDBOX_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "sandbox/sandbox_policy.h"

#define PLAN_NUMBERS(X)                                                                            \
        X(namespaces, "isolation_namespace bits; made by clone but for the cgroup namespace")      \
        X(own_user, "1: become uid and gid for good; 0: they are the host's user's, mapped")       \
        X(uid, "of the worker, as it sees itself")                                                 \
        X(gid, "likewise")                                                                         \
        X(network, "1: the policy permits the network")                                            \
        X(gpu, "1: the GPU's nodes, and no limits that its driver trips over")                     \
        X(unix_sockets, "1: the filter lets AF_UNIX sockets be made")                              \
        X(proc_static, "1: proc can't be mounted here; copies of a few files stand in for it")     \
        X(landlock_abi, "0: not available")                                                        \
        X(memory_by_rlimit, "1: no cgroup holds the memory; RLIMIT_DATA backs up the watch")       \
        X(memory_bytes, "")                                                                        \
        X(tmp_bytes, "of /tmp and of /dev/shm")                                                    \
        X(nproc, "RLIMIT_NPROC; 0: other processes share the uid, so none is set")                 \
        X(nofile, "RLIMIT_NOFILE")                                                                 \
        X(core, "RLIMIT_CORE: 1 where cores go into a pipe, which ignores a 0")                    \
        X(files, "how many of BOX_FD_FILE the worker keeps")                                       \
        X(off, "WALL_BITs that a test has switched off")                                           \
        X(host_pid, "0 when the box has a pid namespace and can't know it")

struct plan {
#define X(field, meaning) uint64_t field;
        PLAN_NUMBERS(X)
#undef X
        char *name, *plugin_dir;
        struct sandbox_bind *binds; /* targets are filled in */
        size_t n_binds;
        void *filter; /* struct sock_filter[]; empty: no seccomp here */
        size_t filter_size;
};

/* No cgroup counts its memory, so it may make none that the watch would not see. The GPU's driver
 * is spared this as it is spared the limits. */
static inline bool plan_is_watched(const struct plan *p)
{
        return p->memory_by_rlimit && !p->gpu;
}

/* The filter is compiled once for all boxes; where it compares with this, the box puts its pid. */
#define PLAN_FILTER_PID 0x7f0f5eedu

/* Appends the bytes; s->bad says that there was no memory. */
void plan_encode(const struct plan *p, struct str *s);
/* -EBADMSG when the bytes are not exactly one plan of this version; -ENOMEM. */
int plan_decode(const void *bytes, size_t n, struct plan *ret, struct err *e) must_check;
void plan_done(struct plan *p);

static inline void plan_scoped(struct plan *p)
{
        plan_done(p);
}

/* ---- what the box tells the host while it builds itself: one message of fixed size each
 * --------*/

enum box_message_kind {
        BOX_READY = 1, /* every wall stands, the worker begins */
        BOX_FAILED,    /* text: which wall, and why */
        BOX_CLONE, /* before execve, where no words can be made: text is the step, number errno */
};

struct box_message {
        uint32_t kind;
        int32_t number;
        uint32_t uid;          /* READY */
        uint32_t landlock_abi; /* READY */
        uint32_t seccomp;      /* READY */
        char text[244];
};

/* What the box's init writes when the worker has died: as waitid() tells it. */
struct box_status {
        int32_t code, status;
        uint64_t peak_bytes; /* the largest resident set of one of its processes */
};

#define BOX_FILES 4

/* The descriptors that a worker is born with. */
enum box_fd {
        BOX_FD_NULL,
        BOX_FD_STDOUT,
        BOX_FD_STDERR,
        BOX_FD_CHANNEL,
        BOX_FD_SETUP,  /* SOCK_SEQPACKET, struct box_message */
        BOX_FD_STATUS, /* pipe, struct box_status; it breaks when the host is gone */
        BOX_FD_PLAN,   /* sealed memfd */
        BOX_FD_CRASH,  /* memfd of a fixed size, struct crash_record */
        BOX_FD_FILE,   /* and the next ones: memfds for uploads, struct plan says how many */
        BOX_FD_COUNT = BOX_FD_FILE + BOX_FILES,
};

#define BOX_ARGUMENT        "--box"
#define BOX_KEEPER_ARGUMENT "--keep" /* with a socket as BOX_FD_CHANNEL: keeper.h */

#endif
