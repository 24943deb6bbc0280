/* options_file.h -- the config file's JSON into a struct host_config.
 * Knows: JSON, lines, the rows of options.h.   May not know: flags, variables.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_CLI_OPTIONS_FILE_H
#define FORGESYTE_CLI_OPTIONS_FILE_H

#include "base/err.h"
#include "host/host_config.h"

#define OPTIONS_FILE_MAX MIB(1)

/* Reads `path` and sets what it names. <0 with words that name file, line and key
 * ("forgesyte.json: line 4: listen: must be ..."); `c` may then be half set. -ENOMEM is the only
 * code that isn't the file's fault. */
int options_file_load(const char *path, struct host_config *c, struct err *e) must_check;
/* The same of text[0..n), as if it stood in `path`. */
int options_file_read(const char *text, size_t n, const char *path, struct host_config *c,
                      struct err *e) must_check;

#endif
