#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"

#define POOL_THREADS 2

/* The worker stands beside this program, in libexec, or in its own folder of the build tree. */
static int find_worker(const struct host_config *config, char *buf, size_t size, struct err *e)
{
        static const char *const places[] = {"forgesyte-worker", "../libexec/forgesyte-worker",
                                             "../libexec/forgesyte/forgesyte-worker",
                                             "../worker/forgesyte-worker"};
        char self[2048];
        ssize_t n;
        char *slash;

        if (config->worker) {
                snprintf(buf, size, "%s", config->worker);
                return access(buf, X_OK) == 0
                           ? 0
                           : err_set_errno(e, -EINVAL, "worker: %s is not executable", buf);
        }
        n = readlink("/proc/self/exe", self, sizeof self - 1);
        if (n < 0)
                return err_set_errno(e, -errno, "find this program");
        self[n] = '\0';
        slash = strrchr(self, '/');
        *slash = '\0';
        for (size_t i = 0; i < ARRAY_LEN(places); i++) {
                snprintf(buf, size, "%s/%s", self, places[i]);
                if (access(buf, X_OK) == 0)
                        return 0;
        }
        return err_set(e, -ENOENT, "forgesyte-worker is not beside %s; name it with --worker",
                       self);
}

int host_core_init(struct host_core *c, const struct host_config *config,
                   const struct supervisor_options *like, struct err *e)
{
        struct supervisor_options o = *like;
        int r;

        *c = (struct host_core){.log = {STDERR_FILENO, config->log_level, &c->lost_lines}};
        r = find_worker(config, c->worker, sizeof c->worker, e);
        if (r == 0)
                r = loop_new(&c->loop, e);
        if (r == 0)
                r = pool_new(c->loop, POOL_THREADS, &c->pool, e);
        o.config = config;
        o.log = &c->log;
        o.worker_path = c->worker;
        o.loop = c->loop;
        o.pool = c->pool;
        if (r == 0)
                r = supervisor_new(&o, &c->supervisor, e);
        if (r < 0)
                host_core_done(c);
        return r;
}

void host_core_done(struct host_core *c)
{
        /* The pool first: what it was working on comes back into the supervisor's hands. */
        pool_free(take_ptr(c->pool));
        supervisor_free(take_ptr(c->supervisor));
        loop_free(take_ptr(c->loop));
}

int host_core_wait(struct host_core *c, const bool *flag, struct err *e)
{
        int r = 0;

        while (!*flag && r == 0)
                r = loop_turn(c->loop, e);
        return r;
}
