/* process_tree.h -- what a process and its descendants hold, where no cgroup counts it.
 * Knows: /proc.            May not know: boxes.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_PROCESS_TREE_H
#define FORGESYTE_SANDBOX_PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What is asked. Who has more than a bound is not looked at to the end: what has been seen of it is
 * above the bound, and that is all that is known. */
struct process_tree_look {
        pid_t pid; /* this one and everything below it */
        uint64_t most_bytes;
        unsigned most_threads;
        uint64_t files;   /* what files in memory hold of which the caller knows */
        bool descriptors; /* files in memory (memfds) are looked for behind descriptors, too */
};

/* bytes: anonymous and shared memory, files in memory, swap and page tables. */
struct process_tree_sum {
        uint64_t bytes;
        unsigned threads;
};

void process_tree_sum_up(const struct process_tree_look *look, struct process_tree_sum *ret);
/* Of which process it is a child now; 0: there is no such process. */
pid_t process_tree_parent(pid_t pid);

#define PROCESS_TREE_MAX 1024 /* processes that are looked at */

/* Pure parsers of /proc/PID/status and /proc/PID/task/TID/children, for tests and fuzzing. The
 * second: how many pids it put into ret[0..room). */
uint64_t process_tree_parse_status(const char *text);
size_t process_tree_parse_children(const char *text, pid_t *ret, size_t room);

#endif
