/* python_env.h -- what a box must show of the host for a Python interpreter to run in it: a venv,
 * the installation it was made from (uv's and pyenv's lie outside /usr), and our own Python files.
 * Looks at paths and pyvenv.cfg; runs nothing.
 * Knows: the layout of venvs.      May not know: plugins, processes.
 * Threads: any.                    Owns: nothing. */
#ifndef FORGESYTE_HOST_PYTHON_ENV_H
#define FORGESYTE_HOST_PYTHON_ENV_H

#include "sandbox/sandbox_policy.h"

/* interpreter: an absolute host path, as it is written (a venv is recognised by the path, not by
 * what the link leads to). Adds a read-only bind for each folder outside /usr that it needs; a bare
 * name needs none. plugin_dir is shown anyway. -ENOMEM; -EINVAL with words when it is no
 * executable. */
int python_env_bind(struct sandbox_policy *p, const char *interpreter, const char *plugin_dir,
                    struct err *e) must_check;

/* The folder with our own Python files: beside the program (share/forgesyte/python), else the
 * source tree that it was built from. The caller frees; NULL: not found. */
char *python_env_lib(void);

#endif
