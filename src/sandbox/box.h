/* box.h -- the inside: what forgesyte-worker does before it touches a plugin.
 * Knows: the policy, every wall.   May not know: frames, plugins.
 * Threads: the only one of its process.    Owns: the process. */
#ifndef FORGESYTE_SANDBOX_BOX_H
#define FORGESYTE_SANDBOX_BOX_H

#include "base/err.h"

/* Enters the box that the host described (the descriptors and argument that sandbox_spawn hands
 * over) and returns 0 in the worker proper, with descriptors 0 (/dev/null), 1, 2 (log pipes) and
 * 3 (the wire) and nothing else; the box's init never returns. On failure the host has been told
 * over the setup pipe and the caller exits with 70. */
int box_enter(int argc, char **argv, struct err *e) must_check;

#endif
