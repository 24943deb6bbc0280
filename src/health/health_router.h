/* health_router.h -- the read-only health routes: a path in, a status and JSON out.
 * Knows: routes.           May not know: sockets, registries.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_HEALTH_HEALTH_ROUTER_H
#define FORGESYTE_HEALTH_HEALTH_ROUTER_H

#include "health/health_model.h"

/* What the router may ask for. get: 0 and a copy, 1 when there is no such plugin. list: a malloc'ed
 * array sorted by name (free() it), -ENOMEM. Loading: names not yet settled, comma separated. */
struct health_source {
        void *ctx;
        int (*get)(void *ctx, const char *name, struct plugin_health *ret);
        int (*list)(void *ctx, struct plugin_health **ret, size_t *ret_n);
};
struct health_host {
        int64_t mono_now_ns;
        int64_t uptime_ns;
        const char *version;
        bool draining;
        const char *const *pending; /* plugins still being found, checked or loaded */
        size_t n_pending;
};

struct health_answer {
        unsigned status;
        json_t *body; /* owned by the caller; NULL with status 500: no memory */
};

/* Answers GET /v1/plugins, /v1/plugins/{name}, /v1/plugins/{name}/health, /livez, /readyz (with
 * ?verbose), /healthz, /v1/health. 0 and *ret; 1 when the path is none of these. Unknown plugin:
 * 404 with the envelope, PluginNotFound and the names there are. */
int health_router_answer(const char *path, bool verbose, const struct health_source *source,
                         const struct health_host *host, struct health_answer *ret)
    __attribute__((warn_unused_result));

#endif
