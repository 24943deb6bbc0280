/* mount_tree.h -- mounts by descriptor: no path is walked twice, no link leads out of the new root.
 * Knows: the mount calls.      May not know: what a box needs.
 * Threads: one at a time.      Owns: nothing; callers close what they get. */
#ifndef FORGESYTE_SANDBOX_MOUNT_TREE_H
#define FORGESYTE_SANDBOX_MOUNT_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* A detached copy of what lies at `source`, with all that is mounted below it, with MOUNT_ATTR_
 * bits set on every part. Returns a descriptor or -errno. */
int mount_tree_clone(const char *source, uint64_t attributes) must_check;
/* The same where no part of `source` may be a link: -ELOOP or -ENOTDIR. */
int mount_tree_clone_straight(const char *source, uint64_t attributes) must_check;
/* A new file system of a type, with "key=value" options (NULL-terminated). Descriptor or -errno. */
int mount_tree_new(const char *type, const char *const *options, uint64_t attributes) must_check;
/* Puts a detached tree at `target` (absolute, taken below rootfd), making the mount point. */
int mount_tree_attach(int tree, int rootfd, const char *target, struct err *e) must_check;
/* Makes a symbolic link `path` below rootfd, and folders on the way to it. 0 or -errno. */
int mount_tree_link(int rootfd, const char *path, const char *to) must_check;
/* Makes folders along `path` below rootfd. 0 or -errno. */
int mount_tree_mkdir(int rootfd, const char *path) must_check;

/* Gives a detached tree a place in the file system, any: nobody else sees it, and it is gone after
 * the turn. 0 or -errno. */
int mount_tree_hang(int tree) must_check;
/* Makes it the root and the working directory, and lets go of what was. An initramfs can't be left
 * so. 0 or -errno. */
int mount_tree_become_root(int tree) must_check;

#endif
