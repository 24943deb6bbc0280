#include "cli/command.h"

int cli_help(int argc, char **argv)
{
        scoped(options) struct options o = {0};
        int r = command_begin(CLI_COMMAND_help, argc, argv, 0, 1, &o);
        int command;

        if (r != COMMAND_GO)
                return r;
        if (o.n_rest == 0) {
                command_help_all(stdout);
                return CLI_OK;
        }
        command = command_from_name(o.rest[0]);
        if (command < 0) {
                const char *nearest = command_nearest(o.rest[0]);

                return command_fail(CLI_COMMAND_help, CLI_USAGE, "unknown command %.60s%s%s",
                                    o.rest[0], nearest ? "; did you mean " : "",
                                    nearest ? nearest : "");
        }
        command_help((enum cli_command)command, stdout);
        return CLI_OK;
}
