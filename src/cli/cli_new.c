#include "base/str.h"
#include "cli/command.h"
#include "cli/template.h"

int cli_new(int argc, char **argv)
{
        scoped(options) struct options o = {0};
        const struct template_file *files;
        struct err e = {0};
        int r = command_begin(CLI_COMMAND_new, argc, argv, 1, 1, &o);

        if (r != COMMAND_GO)
                return r;
        if (o.flags.native == o.flags.python)
                return command_fail(CLI_COMMAND_new, CLI_USAGE,
                                    "wants either --native or --python behind the name");
        if (!str_is_plugin_name(o.rest[0]))
                return command_fail(CLI_COMMAND_new, CLI_USAGE,
                                    "%.60s: no name of a plugin (a-z, 0-9, - and _)", o.rest[0]);
        files = o.flags.python ? template_python : template_native;
        if (template_write(files, o.rest[0], o.rest[0], &e) < 0)
                return command_fail(CLI_COMMAND_new, CLI_FAILURE, "%s", e.msg);
        printf("%s\n", o.rest[0]);
        return command_fail(CLI_COMMAND_new, CLI_OK,
                            "wrote the folder %s; %s/README.md says how to "
                            "%s and try it",
                            o.rest[0], o.rest[0], o.flags.python ? "change" : "build");
}
