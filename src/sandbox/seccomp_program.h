/* seccomp_program.h -- the worker's system call filter, compiled once and handed to every box.
 * Knows: libseccomp, syscall_table.h.      May not know: processes.
 * Threads: one at a time.                  Owns: nothing; the caller frees the program. */
#ifndef FORGESYTE_SANDBOX_SECCOMP_PROGRAM_H
#define FORGESYTE_SANDBOX_SECCOMP_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What makes one filter differ from another. */
struct seccomp_variant {
        bool own_pids;     /* a pid namespace: processes may be made and named */
        bool own_tree;     /* a mount namespace: files may be changed that Landlock does not see */
        bool landlock;     /* which asks who creates, removes and writes to files */
        bool network;      /* AF_INET, AF_INET6, and netlink to resolve names */
        bool unix_sockets; /* AF_UNIX sockets may be made (pairs always may) */
        bool gpu;          /* the driver's ioctls */
        bool watched;      /* no cgroup counts its memory: none may be shared that has no file */
        bool may_fork; /* processes without own_pids: for our own probe, which ends them itself */
};

/* struct sock_filter[], in malloc'ed memory. */
int seccomp_program_compile(const struct seccomp_variant *v, void **ret, size_t *ret_size,
                            struct err *e) must_check;

#endif
