/* cli.h -- the commands, and what main hands to each.
 * Knows: commands.         May not know: how they work.
 * Threads: one.            Owns: nothing. */
#ifndef FORGESYTE_CLI_CLI_H
#define FORGESYTE_CLI_CLI_H

#include "base/err.h"

/* Exit codes: the contract of design section 11. */
enum cli_exit {
        CLI_OK = 0,
        CLI_FAILURE = 1,
        CLI_USAGE = 2,
        CLI_PLUGIN = 3, /* plugin failed or unavailable */
        CLI_TIMEOUT = 4,
        CLI_TOOL = 5, /* the tool reported an error */
        CLI_CONFIG = 78,
};

/* X(name, function, usage behind the name, one line of help). Each function gets argv from its own
 * name on and returns an exit code. */
#define CLI_COMMANDS(X)                                                                            \
        X(serve, cli_serve, "[--plugins DIR]... [--listen ADDR:PORT]", "run the host")             \
        X(list, cli_list, "", "the plugins of a running host and their states")                    \
        X(status, cli_status, "NAME", "one plugin: state, reason, counters, isolation")            \
        X(call, cli_call, "PLUGIN TOOL [key=value | key=@file | --json '{...}']",                  \
          "run a tool on a running host")                                                          \
        X(reload, cli_reload, "NAME | --all", "start a new generation of a plugin")                \
        X(logs, cli_logs, "NAME [-f]", "what a plugin printed")                                    \
        X(run, cli_run, "[--plugins DIR]... PLUGIN TOOL [key=value...]",                           \
          "run a tool without a host: start, call, exit")                                          \
        X(check, cli_check, "DIR...", "validate plugins and say what to install")                  \
        X(new, cli_new, "NAME --native | --python", "write a plugin that builds and runs")         \
        X(version, cli_version, "", "this program's version")                                      \
        X(help, cli_help, "[COMMAND]", "what a command takes")

#define X(name, function, usage, help) int function(int argc, char **argv);
CLI_COMMANDS(X)
#undef X

#endif
