/* permissions.h -- what a manifest lets its box see and change of the host's files, and that the
 * plugin cannot widen it: nothing that it may write decides what it is shown.
 * Knows: manifests, paths, links.  May not know: walls, processes.
 * Threads: any.                    Owns: nothing. */
#ifndef FORGESYTE_HOST_PERMISSIONS_H
#define FORGESYTE_HOST_PERMISSIONS_H

#include "loader/plugin_manifest.h"
#include "sandbox/sandbox_policy.h"

/* Adds permissions.read and .write to the box, each by the place where its links lead now: one that
 * is changed before the box stands is not followed. dir: the plugin's folder; plugin_dirs: those
 * that hold plugins, NULL-terminated. 0; -EBADMSG with words for the manifest's author; -ENOMEM. */
int permissions_add(struct sandbox_policy *p, const struct plugin_manifest *m, const char *dir,
                    char *const *plugin_dirs, struct err *e) must_check;

/* python: the interpreter as the host sees it; what was added to the box for it begins at
 * binds[from]. 0, or -EBADMSG where the plugin may write into it: files there say which other
 * folders belong to it. */
int permissions_check_python(const struct plugin_manifest *m, const char *python,
                             const struct sandbox_policy *p, size_t from, struct err *e) must_check;

#endif
