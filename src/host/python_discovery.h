/* python_discovery.h -- plugins that are not in a folder of ours but installed with pip: packages
 * that declare the entry-point group forgesyte.plugins, found by asking the interpreter in a box.
 * Knows: the supervisor, instances, one line of the report.   May not know: lifecycle, HTTP.
 * Threads: the loop's.     Owns: each question under way, and its worker. */
#ifndef FORGESYTE_HOST_PYTHON_DISCOVERY_H
#define FORGESYTE_HOST_PYTHON_DISCOVERY_H

#include "host/unit.h"

#define PYTHON_DISCOVERY_GROUP "forgesyte.plugins"

/* supervisor_discover: one interpreter is asked; nothing happens while it is being asked already.
 * What is found is handed to supervisor_adopt, and the failure to find it is logged. */
int python_discovery_start(struct supervisor *s, const char *python, struct err *e) must_check;

/* A question is under way. */
bool python_discovery_is_pending(const struct supervisor *s);
/* The interpreter of the n-th one, or NULL. */
const char *python_discovery_name(const struct supervisor *s, size_t n);

/* No answer is waited for any more. */
void python_discovery_close(struct supervisor *s);
/* Kills what is left and waits for it. */
void python_discovery_free(struct supervisor *s);

#endif
