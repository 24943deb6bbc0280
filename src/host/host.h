/* host.h -- the host as a whole: what `forgesyte serve` runs, and what `run` and `check` use
 * without HTTP. Knows: everything below it.  May not know: commands, flags. Threads: the caller's
 * becomes the loop's.    Owns: loop, pool, supervisor, server. */
#ifndef FORGESYTE_HOST_HOST_H
#define FORGESYTE_HOST_HOST_H

#include "host/host_config.h"
#include "host/supervisor.h"

#define HOST_DRAIN_SECONDS 10

struct host_service {
        struct host_config *take_config;
        /* Reads the configuration anew, for SIGHUP. */
        int (*reread)(void *ctx, struct host_config **ret, struct err *e);
        void *ctx;
        const char *version;
};

/* Serves until SIGTERM or SIGINT. 0; -errno with words; -EINVAL: the config cannot be used. */
int host_serve(const struct host_service *service, struct err *e) must_check;

/* Without HTTP: loop, pool and supervisor over the config's plugin folders. */
struct host_core {
        struct loop *loop;
        struct pool *pool;
        struct supervisor *supervisor;
        struct log log;
        atomic_uint lost_lines; /* the log's */
        char worker[4096];
};
/* like: what of supervisor_options is the caller's: on_event, ctx, only, check_only. */
int host_core_init(struct host_core *c, const struct host_config *config,
                   const struct supervisor_options *like, struct err *e) must_check;
void host_core_done(struct host_core *c);
/* Turns the loop until *flag, set by a callback, is true. */
int host_core_wait(struct host_core *c, const bool *flag, struct err *e) must_check;

#endif
