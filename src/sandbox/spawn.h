/* spawn.h -- from the host's process to the worker program's first instruction.
 * Between clone and execve only async-signal-safe calls: the host may have threads, and what they
 * held at that moment stays held in the child for ever.
 * Knows: clone, execve.    May not know: policies, walls.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_SPAWN_H
#define FORGESYTE_SANDBOX_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "sandbox/plan.h"

/* The user that an unprivileged host's worker sees itself as: not root, so that nothing in there
 * takes it for root. */
#define SPAWN_INNER_ID 1000

struct spawn {
        unsigned namespaces; /* isolation_namespace bits, all but the cgroup's made here */
        bool outlives;       /* it does not die with the host */
        bool leaves_fds;     /* what the host has open without O_CLOEXEC stays */
        bool no_clone3;      /* not on this kernel or not through its filter */
        int into_cgroup;     /* -1: none */
        const int *procs;    /* cgroup.procs to move into, when into_cgroup is not used */
        unsigned n_procs;
        int fds[BOX_FD_COUNT]; /* -1: none */
        const char *path;
        char *const *argv, *const *envp;
};

/* Like fork, into new namespaces: the child's pid and pidfd; 0 in the child; -errno. */
pid_t spawn_clone(const struct spawn *s, int *ret_pidfd);
/* In a child made with ISOLATION_NS_USER: maps the host's user to SPAWN_INNER_ID. 0 or -1 (errno).
 */
int spawn_map_user(uid_t host_uid, gid_t host_gid);
/* Starts s->path with fds[i] as descriptor i, if there is one. What fails after the clone is told
 * over fds[BOX_FD_SETUP]. */
int spawn_worker(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd, struct err *e) must_check;

#endif
