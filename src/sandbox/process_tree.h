/* process_tree.h -- how much memory a process and its descendants hold, where no cgroup counts it.
 * Knows: /proc.            May not know: boxes.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_PROCESS_TREE_H
#define FORGESYTE_SANDBOX_PROCESS_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Anonymous and shared memory, files in memory (memfds) that are open, swap and page tables of
 * `pid` and everything below it, in bytes. */
uint64_t process_tree_rss(pid_t pid);
/* Of which process it is a child now; 0: there is no such process. */
pid_t process_tree_parent(pid_t pid);

#define PROCESS_TREE_MAX 1024 /* processes that are looked at */

/* Pure parsers of /proc/PID/status and /proc/PID/task/TID/children, for tests and fuzzing. The
 * second: how many pids it put into ret[0..room). */
uint64_t process_tree_parse_status(const char *text);
size_t process_tree_parse_children(const char *text, pid_t *ret, size_t room);

#endif
