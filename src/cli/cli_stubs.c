/* cli_stubs.c -- stands in for commands whose file isn't there yet, so that the program links. */
#include <stdio.h>

#include "cli/command.h"

#define STUB(command)                                                                              \
        int cli_##command(int argc unused_param, char **argv unused_param)                         \
        {                                                                                          \
                return command_fail(CLI_COMMAND_##command, CLI_FAILURE, "not in this build");      \
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
#ifdef STUB_list
STUB(list)
#endif
#ifdef STUB_status
STUB(status)
#endif
#ifdef STUB_call
STUB(call)
#endif
#ifdef STUB_reload
STUB(reload)
#endif
#ifdef STUB_logs
STUB(logs)
#endif
#ifdef STUB_new
STUB(new)
#endif
