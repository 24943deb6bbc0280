/* box.h -- the inside: what forgesyte-worker does before it touches a plugin.
 * Knows: the policy, every wall.   May not know: frames, plugins.
 * Threads: the only one of its process.    Owns: the process. */
#ifndef FORGESYTE_SANDBOX_BOX_H
#define FORGESYTE_SANDBOX_BOX_H

#include "base/err.h"
#include "sandbox/crash_record.h"

/* The memory for a crash record that the host reads when this process is dead; NULL: there is none.
 * To be asked for before the box is entered, for there its descriptor is closed. */
struct crash_record *box_crash_record(void);
/* Enters the box that the host described (the descriptors and argument that sandbox_spawn hands
 * over) and returns 0 in the worker proper, with descriptors 0 (/dev/null), 1, 2 (log pipes) and
 * 3 (the wire) and nothing else; the box's init never returns. On failure the host has been told
 * over the setup pipe and the caller exits with 70. */
int box_enter(int argc, char **argv, struct err *e) must_check;

#endif
