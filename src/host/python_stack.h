/* python_stack.h -- what Python prints of a stack: where in the plugin it was, and what of it an
 * author wants to read.
 * Knows: the lines of tracebacks and of faulthandler.   May not know: processes, logs.
 * Threads: any.                                         Owns: nothing.
 * The text is the plugin's own: it may lie, and end anywhere. */
#ifndef FORGESYTE_HOST_PYTHON_STACK_H
#define FORGESYTE_HOST_PYTHON_STACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct python_place {
        char file[200]; /* below the plugin's folder, with no . or .. in it */
        unsigned line;
        char function[100];
};

/* Is the line a frame of our own Python files, through which every call goes? */
bool python_stack_is_ours(const char *line, size_t n);

/* The innermost frame in a file below dir: of faulthandler's stacks the main thread's. False: there
 * is none. */
bool python_stack_place_of_dump(const char *dump, const char *dir, struct python_place *ret);
/* The same of a traceback, whose last frame is the innermost. */
bool python_stack_place_of_traceback(const char *text, const char *dir, struct python_place *ret);
/* Is the main thread in asyncio's loop? Where an await has not ended no stack says which. */
bool python_stack_is_in_loop(const char *dump);

/* Has faulthandler written the stacks of all threads? The main one, which it writes last, begins in
 * our __main__.py. False also when that is more than 100 frames away. */
bool python_stack_is_whole(const char *dump);
/* Adds the stacks of a dump without our frames, the main thread's first, without threads that are
 * ours: whole lines, at most max bytes. */
void python_stack_add(struct str *to, const char *dump, size_t max);

/* Adds `plugin.py line 12, in run: while True:`; the source is read from the folder as the host
 * sees it (NULL: it is not shown). */
void python_stack_add_place(struct str *to, const struct python_place *p, const char *folder);

#endif
