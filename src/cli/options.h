/* options.h -- every setting and flag, once, and a command line made into values by it.
 * A setting is a flag, a FORGESYTE_* variable and a key of the config file; the stronger source
 * wins in this order, then the default. Help, the man page and docs/CONFIG.md come from the same
 * rows.
 * Knows: the tables.       May not know: what a command does with a value.
 * Threads: any; a load reads argv and env only, so SIGHUP runs it again with the same ones.
 * Owns: what struct options holds. */
#ifndef FORGESYTE_CLI_OPTIONS_H
#define FORGESYTE_CLI_OPTIONS_H

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/option.h"
#include "host/host_config.h"

enum cli_command {
#define X(name, function, usage, help) CLI_COMMAND_##name,
        CLI_COMMANDS(X)
#undef X
            CLI_COMMAND_COUNT
};

enum cli_format { CLI_FORMAT_TABLE, CLI_FORMAT_JSON };

/* The flags that are a command's own and no setting of the host. */
struct cli_flags {
        char *config;     /* the config file, or NULL */
        char *url;        /* of the host to talk to */
        char *token_file; /* or NULL */
        char *json;       /* the arguments as JSON, @file or @-; or NULL */
        char *output;     /* where a bytes result goes, or NULL */
        char **save;      /* MEMBER=FILE */
        unsigned format;  /* enum cli_format */
        unsigned tail;    /* lines of the log */
        bool follow, all, native, python, help;
};

/* argv[0] is the command's name. env: as environ; NULL is none. */
struct options_source {
        enum cli_command command;
        int argc;
        char **argv;
        char *const *env;
};

/* host: NULL for a command without settings of the host. rest: what is no flag, in order, pointing
 * into argv; NULL-terminated. */
struct options {
        struct host_config *host;
        struct cli_flags flags;
        const char **rest;
        size_t n_rest;
};

/* Named outcomes of a load, with words in the err. */
enum options_outcome {
        OPTIONS_USAGE = 1,  /* a bad flag: exit 2 */
        OPTIONS_CONFIG = 2, /* a bad variable or config file: exit 78 */
};

/* 0 and *ret (options_done frees it), an options_outcome, or -ENOMEM. Errors say where:
 * "--listen: must be ...", "FORGESYTE_LISTEN: ...", "forgesyte.json: line 4: listen: ...". With
 * --help only the flags were looked at. */
int options_load(const struct options_source *source, struct options *ret,
                 struct err *e) must_check;
void options_done(struct options *o);

static inline void options_scoped(struct options *o)
{
        options_done(o);
}

/* options_load for `serve`, with this process's environment, for the host alone; refuses words
 * that are no flags. Run it again with the same argv on SIGHUP. */
int options_parse_serve(int argc, char **argv, struct host_config **ret, struct err *e) must_check;

/* The exit code that belongs to what options_load returned. */
enum cli_exit options_exit(int outcome);

/* The rows: those of the host's settings, of a command's own flags, and of one plugin in the
 * config file (their target is a struct host_plugin_config; "limits" holds the limits). */
const struct option *options_settings(size_t *ret_n);
const struct option *options_flags(size_t *ret_n);
const struct option *options_plugin_rows(size_t *ret_n);
const struct option *options_limit_rows(size_t *ret_n);

#endif
