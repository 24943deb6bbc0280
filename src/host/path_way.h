/* path_way.h -- the way that a path goes: one component after the other, through its links.
 * Knows: the file system.  May not know: whom the path is for.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_HOST_PATH_WAY_H
#define FORGESYTE_HOST_PATH_WAY_H

#include <stdbool.h>

#include "base/macro.h"

/* Calls on_link with each link on the way of an absolute path, as the kernel goes it: `link` is the
 * place where that one is, with no further links in it. What on_link gives other than 0 ends the
 * way and is returned. A way that ends nowhere ends well: 0. */
int path_way_each_link(const char *path, int (*on_link)(void *ctx, const char *link),
                       void *ctx) must_check;

/* Is it this folder, or below it? Both are absolute, without links and `..`. Pure. */
bool path_way_is_below(const char *path, const char *folder);

#endif
