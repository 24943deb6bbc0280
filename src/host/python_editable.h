/* python_editable.h -- where an installation's packages lie that are not in it: those of
 * `pip install -e`, and whatever else its .pth files add to sys.path. Reads the files that pip and
 * setuptools leave in site-packages; runs nothing.
 * Knows: site-packages.        May not know: boxes, plugins.
 * Threads: any.                Owns: nothing. */
#ifndef FORGESYTE_HOST_PYTHON_EDITABLE_H
#define FORGESYTE_HOST_PYTHON_EDITABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

/* Calls fn with each folder (or file, of a package that is one module) that is there, by its real
 * path; one outcome other than 0 ends it and is returned, -ENOMEM as well. Neither the top of the
 * file system nor anybody's home is such a folder, whatever a file says. prefix: of a venv or an
 * installation. */
int python_editable_each(const char *prefix, int (*fn)(void *ctx, const char *path),
                         void *ctx) must_check;

/* The next absolute path in a file's text, which is cut apart; NULL: no more. pth: each line is
 * one, unless it is code; else: a finder that setuptools wrote, whose tables have them as Python
 * strings.
 */
char *python_editable_next(char **text, bool pth);

#endif
