/* deny_namespaces.h -- makes this process one that may not make namespaces, as a container's filter
 * or a distribution's setting does: for good, and for all that it starts.
 * Knows: seccomp.      May not know: boxes.
 * Threads: the only one.   Owns: nothing. */
#ifndef FORGESYTE_TESTS_DENY_NAMESPACES_H
#define FORGESYTE_TESTS_DENY_NAMESPACES_H

/* unshare, setns and clone with CLONE_NEW* are EPERM, clone3 is ENOSYS. 0 or -errno. */
int deny_namespaces(void);

#endif
