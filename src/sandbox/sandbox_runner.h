/* sandbox_runner.h -- starts a worker in its box, watches over it, ends it, and says how it died.
 * Knows: processes, cgroups, namespaces.   May not know: plugins, frames, the loop.
 * Threads: the one that made the runner (children die with the thread that made them).
 * Owns: every process, cgroup and descriptor of every box.
 *
 * Nothing here blocks for longer than a fork: the caller's loop watches the descriptors. */
#ifndef FORGESYTE_SANDBOX_SANDBOX_RUNNER_H
#define FORGESYTE_SANDBOX_SANDBOX_RUNNER_H

#include <sys/types.h>

#include "sandbox/isolation.h"
#include "sandbox/memory_watch.h"
#include "sandbox/obituary.h"
#include "sandbox/sandbox_policy.h"

struct sandbox_runner;
struct sandbox;

struct sandbox_runner_options {
        const char *worker_path; /* absolute path of forgesyte-worker */
        const char *cgroup;      /* a cgroup that was given to us (path below the mount), or NULL */
        uint32_t uid_first;      /* root host: workers' uids are uid_first + slot; 0: the default */
        const char *fake_missing; /* comma list of walls to do without, for tests: wall_switch.h */
};

/* Tries out what this machine can do, in throw-away children, and makes the parent cgroup.
 * Never fails for a missing wall; the boxes report it. Removes cgroups left by dead hosts. */
int sandbox_runner_new(const struct sandbox_runner_options *o, struct sandbox_runner **ret,
                       struct err *e) must_check;
/* Kills and reaps what is left, removes every cgroup. NULL is fine. */
void sandbox_runner_free(struct sandbox_runner *r);
DEFINE_SCOPED(struct sandbox_runner *, sandbox_runner_free)
/* What a box of this machine would be, before any runs. */
const struct isolation *sandbox_runner_isolation(const struct sandbox_runner *r);

/* Starts forgesyte-worker in a box. 0; -errno; 1 when the box would be weaker than
 * policy->min_level (`e` says why). The box builds itself while the caller goes on: a failure in
 * there shows as death with cause OBITUARY_SETUP. */
int sandbox_spawn(struct sandbox_runner *r, const struct sandbox_policy *policy,
                  struct sandbox **ret, struct err *e) must_check;

/* Descriptors to watch; all non-blocking, owned by the box, -1 where there is none. */
int sandbox_pidfd(const struct sandbox *s);   /* readable: it died, call sandbox_reap */
int sandbox_channel(const struct sandbox *s); /* the wire, the host's end */
int sandbox_stdout(const struct sandbox *s);
int sandbox_stderr(const struct sandbox *s);
int sandbox_oom_fd(
    const struct sandbox *s); /* cgroup: readable or POLLPRI: call sandbox_check_memory */

/* The pid of the process that runs the plugin, as the host sees it; the box's init until known. */
pid_t sandbox_pid(const struct sandbox *s);
const struct isolation *sandbox_isolation(const struct sandbox *s);

/* Sends the process that runs the plugin a signal: never another, also while it dies and its pid
 * finds a new owner. 0; -ESRCH: it is not known yet, or dead; -errno. */
int sandbox_signal(struct sandbox *s, int signo) must_check;
/* Kills the whole tree: at once, completely, from any state; again does nothing. */
void sandbox_kill(struct sandbox *s);
/* 1 when the memory limit was hit and the tree was killed for it, else 0. Called on sandbox_oom_fd
 * and, where the watch is all there is, when sandbox_next_look() says: then it also kills a box
 * with more threads than it may have (its obituary says pids_limit). */
int sandbox_check_memory(struct sandbox *s);
/* Of one that was killed for memory: was it its own limit? Else that of a cgroup above, or of the
 * machine, and the kernel chose this one. */
bool sandbox_hit_own_limit(const struct sandbox *s);
bool sandbox_wants_watch(const struct sandbox *s);
/* After the birth and after each look; memory_watch.h says how long it is till then. now_ns: of
 * clock_mono_ns(). */
int64_t sandbox_next_look(const struct sandbox *s, int64_t now_ns);

/* Can it write to a memfd of the host's that it was given to read, with nobody to count it? It can
 * as the file's user, who may change modes, where there is no cgroup. */
bool sandbox_writes_uncounted(const struct sandbox *s);

/* After the pidfd became readable: 0 and the obituary; 1 when it is not dead yet. */
int sandbox_reap(struct sandbox *s, struct obituary *ret) must_check;

struct sandbox_usage {
        uint64_t rss_bytes, peak_rss_bytes; /* of the whole tree; 0: unknown */
};
/* Where the watch looks, of its last look: 50 ms old, and a second at most in a large box; nobody
 * else looks for the asking. */
void sandbox_usage(const struct sandbox *s, struct sandbox_usage *ret);

/* Kills if needed, waits for the last process (only then may this block, for the kernel's
 * teardown), removes the cgroup, closes everything. NULL is fine. */
void sandbox_free(struct sandbox *s);
DEFINE_SCOPED(struct sandbox *, sandbox_free)

#endif
