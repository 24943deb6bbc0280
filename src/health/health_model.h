/* health_model.h -- PluginHealthResponse and PluginListResponse as values, and as JSON.
 * Knows: states, isolation.    May not know: where they come from, sockets, processes.
 * Threads: any (plain values, no pointers inside: copying is assignment).   Owns: nothing. */
#ifndef FORGESYTE_HEALTH_HEALTH_MODEL_H
#define FORGESYTE_HEALTH_HEALTH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lifecycle/lifecycle_state.h"
#include "sandbox/isolation.h"

#define HEALTH_NAME_SIZE     65
#define HEALTH_TEXT_SIZE     1024
#define HEALTH_TAIL_SIZE     2048
#define HEALTH_INSTANCES_MAX 64
#define HEALTH_PREFORK_SIZE  256

struct health_instance {
        int32_t pid;
        uint64_t rss_bytes, peak_rss_bytes, calls;
};

struct health_failure {
        int64_t at_ns; /* UTC ns since 1970; 0: there was none */
        char error_type[HEALTH_NAME_SIZE];
        char error[HEALTH_TEXT_SIZE];
        int signal; /* 0: none */
        uint64_t peak_rss_bytes;
        char stderr_tail[HEALTH_TAIL_SIZE];
};

/* All texts are valid UTF-8, cut to size. Times are ns; *_ns of 0 means never/unknown and shows as
 * null, as do an empty text, a signal of 0 and a resident set of 0 (not measured yet). A plugin
 * that is not available shows no uptime. */
struct plugin_health {
        char name[HEALTH_NAME_SIZE];
        enum lifecycle_state state;
        char reason[HEALTH_TEXT_SIZE];
        char version[64];
        char description[512];
        int64_t loaded_mono_ns; /* monotonic, when this generation became LOADED */
        int64_t last_used_ns;   /* UTC */
        uint64_t success_count, error_count;
        double last_execution_ms; /* <0: unknown */
        double recent_ms[10];     /* the last runs, unordered */
        unsigned n_recent;
        uint32_t generation;
        unsigned in_flight, queue_depth;
        double timeout_seconds;
        uint64_t memory_bytes;
        bool have_isolation;
        struct isolation isolation;
        char prefork[HEALTH_PREFORK_SIZE]; /* "active", "refused: ..."; "": not asked for */
        unsigned n_instances;
        struct health_instance instances[HEALTH_INSTANCES_MAX];
        struct health_failure last_failure;
};

/* The health object of design section 4; now: monotonic ns, for uptime. NULL: no memory. */
json_t *health_model_plugin(const struct plugin_health *h, int64_t mono_now_ns);
/* {"plugins":[...],"total","available","failed","unavailable"}, in the order given. */
json_t *health_model_list(const struct plugin_health *list, size_t n, int64_t mono_now_ns);

/* How many there are of each kind; available: LOADED, INITIALIZED or RUNNING. */
struct health_totals {
        uint64_t total, available, failed, unavailable;
};
struct health_totals health_model_totals(const struct plugin_health *list, size_t n);
/* Adds "total", "available", "failed", "unavailable" to an object; -ENOMEM. */
int health_model_put_totals(json_t *object, const struct health_totals *t);

#endif
