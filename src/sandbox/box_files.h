/* box_files.h -- the few files of a box that are made up rather than shown.
 * Knows: the plan.     May not know: mounts.
 * Threads: one.        Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_BOX_FILES_H
#define FORGESYTE_SANDBOX_BOX_FILES_H

#include "base/err.h"
#include "sandbox/plan.h"

/* Writes /etc/passwd and the like, links of /dev, and where proc can't be mounted copies of the
 * files in it that libraries look for, below rootfd. */
int box_files_write(int rootfd, const struct plan *p, struct err *e) must_check;

#endif
