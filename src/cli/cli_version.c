#include "cli/command.h"

int cli_version(int argc, char **argv)
{
        scoped(options) struct options o = {0};
        int r = command_begin(CLI_COMMAND_version, argc, argv, 0, 0, &o);

        if (r != COMMAND_GO)
                return r;
        printf("forgesyte %s\n", FORGESYTE_VERSION);
        return CLI_OK;
}
