/* python_env.h -- what a box must show of the host for a Python interpreter to run in it: a venv,
 * the installation it was made from (uv's and pyenv's lie outside /usr), and our own Python files.
 * Looks at paths and pyvenv.cfg; runs nothing.
 * Knows: the layout of venvs.      May not know: plugins, processes.
 * Threads: any.                    Owns: nothing. */
#ifndef FORGESYTE_HOST_PYTHON_ENV_H
#define FORGESYTE_HOST_PYTHON_ENV_H

#include "sandbox/sandbox_policy.h"

/* The path by which a box may start it: the first place, along the links from there, that lies in a
 * venv or an installation. So a link in ~/.local/bin is followed, and what lies around it is not
 * shown. A path that leads to none is itself, a relative one (with a slash in it) begins in the
 * working directory. The caller frees; NULL: no memory. */
char *python_env_resolve(const char *interpreter) must_check;

/* interpreter: as python_env_resolve gave it (a venv is recognised by the path, not by what its
 * link leads to). Adds a read-only bind for each folder outside /usr that it needs, and each link
 * that leads there (~/.local/bin/python3.12, uv's folders) as a link; a bare name needs none, and
 * of one that is missing the worker will say so. plugin_dir is shown anyway. -ENOMEM. */
int python_env_bind(struct sandbox_policy *p, const char *interpreter, const char *plugin_dir,
                    struct err *e) must_check;

/* text: a pyvenv.cfg, which is changed. The absolute folder that its `home` names goes to
 * ret[0..size). False: there is none that fits. Pure. */
bool python_env_home(char *text, char *ret, size_t size) must_check;

/* The folder with our own Python files: beside the program (share/forgesyte/python), else the
 * source tree that it was built from. The caller frees; NULL: not found. */
char *python_env_lib(void);

#endif
