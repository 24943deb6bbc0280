/* cli_stubs.c -- stands in for commands whose file isn't there yet, so that the program links. */
#include "cli/command.h"

#define STUB(command)                                                                              \
        int cli_##command(int argc, char **argv)                                                   \
        {                                                                                          \
                scoped(options) struct options o = {0};                                            \
                int r =                                                                            \
                    command_begin(CLI_COMMAND_##command, argc, argv, 0, COMMAND_WORDS_MAX, &o);    \
                                                                                                   \
                return r != COMMAND_GO ? r                                                         \
                                       : command_fail(CLI_COMMAND_##command, CLI_FAILURE,          \
                                                      "not in this build");                        \
        }

#ifdef STUB_serve
STUB(serve)
#endif
#ifdef STUB_run
STUB(run)
#endif
#ifdef STUB_check
STUB(check)
#endif
