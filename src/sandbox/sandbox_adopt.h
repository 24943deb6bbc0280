/* sandbox_adopt.h -- a further box within a box: its worker forks, and the copy becomes an instance
 * with cgroups, pipes and a pidfd of its own. It shares its parent's namespaces and uid, is limited
 * and killed by itself, and ends at the latest with its parent.
 * Knows: what the runner knows.    May not know: plugins, frames, the loop.
 * Threads: the runner's, but for sandbox_adopt_move.
 * Owns: nothing; the box is freed by sandbox_free like any other. */
#ifndef FORGESYTE_SANDBOX_SANDBOX_ADOPT_H
#define FORGESYTE_SANDBOX_SANDBOX_ADOPT_H

#include "sandbox/sandbox_runner.h"

/* What the copy gets: its wire, stdout and stderr. */
#define SANDBOX_ADOPT_FDS 3

/* 0; 1: instances forked in there could not be limited and ended one by one, or there are processes
 * beside the worker already: `e` says which. */
int sandbox_can_fork(struct sandbox *parent, struct err *e) must_check;
/* The box for what is about to be forked; its ends of the descriptors are the caller's. */
int sandbox_expect(struct sandbox *parent, struct sandbox **ret, int ret_theirs[SANDBOX_ADOPT_FDS],
                   struct err *e) must_check;

/* It was forked, and is `inner` in the box's pid namespace. Three steps, because the second waits
 * for the kernel: */

/* Finds it: nobody else may be in the parent's cgroup. 0; 1: somebody is; -ESRCH: it is gone; other
 * -errno. After any failure the copy is killed. */
int sandbox_adopt_find(struct sandbox *s, struct sandbox *parent, pid_t inner,
                       struct err *e) must_check;
/* Moves it into its cgroups. Any thread, while nobody else uses the box. 0 or -errno. */
int sandbox_adopt_move(struct sandbox *s) must_check;
/* With what the move came to; from now on the box is alive. As sandbox_adopt_find. */
int sandbox_adopt_finish(struct sandbox *s, struct sandbox *parent, int moved,
                         struct err *e) must_check;

/* What only its parent process hears of: how it ended, as waitid() tells it (CLD_EXITED, ...). */
void sandbox_tell_end(struct sandbox *s, int code, int status, uint64_t peak_bytes);
/* Has that been told, or will nobody tell it? Else sandbox_reap can only guess. */
bool sandbox_end_is_told(const struct sandbox *s);

#endif
