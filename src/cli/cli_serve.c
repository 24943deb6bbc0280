#include <errno.h>

#include "cli/command.h"
#include "host/host.h"

struct again {
        int argc;
        char **argv;
};

static int reread(void *ctx, struct host_config **ret, struct err *e)
{
        struct again *a = ctx;

        return options_parse_serve(a->argc, a->argv, ret, e) == 0 ? 0 : -EINVAL;
}

int cli_serve(int argc, char **argv)
{
        scoped(options) struct options o = {0};
        struct again again = {argc, argv};
        struct host_service service = {
            .reread = reread, .ctx = &again, .version = FORGESYTE_VERSION};
        struct err e = {0};
        int r = command_begin(CLI_COMMAND_serve, argc, argv, 0, 0, &o);

        if (r != COMMAND_GO)
                return r;
        service.take_config = take_ptr(o.host);
        r = host_serve(&service, &e);
        if (r == 0)
                return CLI_OK;
        return command_fail(CLI_COMMAND_serve, r == -EINVAL ? CLI_CONFIG : CLI_FAILURE, "%s",
                            e.msg);
}
