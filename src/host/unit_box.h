/* unit_box.h -- what a plugin's manifest means for its box and its worker's first requests.
 * Knows: manifests, policies, payloads.    May not know: lifecycle.
 * Threads: the loop's.                     Owns: nothing. */
#ifndef FORGESYTE_HOST_UNIT_BOX_H
#define FORGESYTE_HOST_UNIT_BOX_H

#include "host/unit.h"

extern const struct instance_owner unit_instance_owner;

/* The manifest as it is written now, of the interpreter's package when there is one (else NULL),
 * and out of `made` when that is not NULL: as plugin_manifest_load. */
int unit_box_manifest(const char *dir, const char *python, const char *made,
                      struct plugin_manifest **ret, struct err *e) must_check;
/* The plugin's folder as its worker sees it. */
const char *unit_box_dir(const struct unit *u);
/* Makes the operator's interpreter the manifest's where that names none, and of either the path by
 * which a box may start it. -ENOMEM. */
int unit_box_choose_python(const struct unit *u, struct plugin_manifest *m) must_check;
/* The operator's interpreter for it, or NULL. */
const char *unit_box_python(const struct unit *u);
/* Starts a worker (or a probe) of the current release: as instance_start; -EBADMSG with words: it
 * asks for what no plugin may be given. */
int unit_box_start(struct unit *u, bool probe, struct instance **ret, struct err *e) must_check;
/* The payload of CHECK or LOAD; the others have none. 0 or -ENOMEM. */
int unit_box_payload(struct unit *u, const struct instance *i, enum wire_type type,
                     struct str *to) must_check;

#endif
