/* process_tree.h -- how much memory a process and its descendants hold, where no cgroup counts it.
 * Knows: /proc.            May not know: boxes.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_PROCESS_TREE_H
#define FORGESYTE_SANDBOX_PROCESS_TREE_H

#include <stdint.h>
#include <sys/types.h>

/* Anonymous and shared memory, swap and page tables of `pid` and everything below it, in bytes. */
uint64_t process_tree_rss(pid_t pid);

#endif
