/* cgroup_members.h -- who is in a box's cgroups, and their end where no namespace's init brings it.
 * Knows: cgroup.procs, pidfds.     May not know: policies, boxes.
 * Threads: the runner's.           Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_CGROUP_MEMBERS_H
#define FORGESYTE_SANDBOX_CGROUP_MEMBERS_H

#include <sys/types.h>

#include "base/str.h"
#include "sandbox/cgroup.h"

/* Processes (no zombies) as we number them. */
struct cgroup_members {
        pid_t *pids;
        size_t n;
};

void cgroup_members_done(struct cgroup_members *m);

static inline void cgroup_members_scoped(struct cgroup_members *m)
{
        cgroup_members_done(m);
}

bool cgroup_members_has(const struct cgroup_members *m, pid_t pid);

/* Those in one of the box's directories, which has them all once they are settled. 0 or -errno. */
int cgroup_members_read(const struct cgroup_box *box, unsigned dir,
                        struct cgroup_members *ret) must_check;
/* "12\n34\n": a pure parser. 0; -EBADMSG; -ENOMEM. */
int cgroup_members_parse(const char *text, struct cgroup_members *ret) must_check;
/* From /proc/PID/status: its number in its own pid namespace; 0: not told. */
pid_t cgroup_members_inner(const char *status);

/* A descriptor of a process that is certainly in there: its number was not given to another
 * meanwhile. -ESRCH: it is not. */
int cgroup_members_open(const struct cgroup_box *box, pid_t pid) must_check;
/* No fork succeeds in there any more, and everybody is killed who was found: once more until it is
 * empty. */
void cgroup_members_end(const struct cgroup_box *box);

#endif
