/* The "limits" of a manifest: read, and lowered to the operator's. */
#include "loader/plugin_manifest_parts.h"

#include "base/str.h"

#define SECONDS_MAX   1e9
#define MEMORY_MB_MIN 16
#define MEMORY_MB_MAX (16 << 20) /* 16 TiB */
#define INSTANCES_MAX 64
#define QUEUE_MAX     4096

void manifest_limits_default(struct plugin_limits *l)
{
        *l = (struct plugin_limits){.timeout_seconds = 60,
                                    .load_timeout_seconds = 60,
                                    .memory_bytes = UINT64_C(1) << 30,
                                    .instances = 1,
                                    .queue = 64};
}

static int parse_timeout(const struct manifest_at *at, void *into)
{
        return manifest_read_number(at, SECONDS_MAX,
                                    &((struct plugin_limits *)into)->timeout_seconds);
}

static int parse_load_timeout(const struct manifest_at *at, void *into)
{
        return manifest_read_number(at, SECONDS_MAX,
                                    &((struct plugin_limits *)into)->load_timeout_seconds);
}

static int parse_memory(const struct manifest_at *at, void *into)
{
        json_int_t mb = 0;
        int r = manifest_read_integer(at, MEMORY_MB_MIN, MEMORY_MB_MAX, &mb);

        if (r == 0)
                ((struct plugin_limits *)into)->memory_bytes = (uint64_t)mb << 20;
        return r;
}

static int parse_instances(const struct manifest_at *at, void *into)
{
        json_int_t n = 0;
        int r = manifest_read_integer(at, 1, INSTANCES_MAX, &n);

        if (r == 0)
                ((struct plugin_limits *)into)->instances = (unsigned)n;
        return r;
}

static int parse_queue(const struct manifest_at *at, void *into)
{
        json_int_t n = 0;
        int r = manifest_read_integer(at, 1, QUEUE_MAX, &n);

        if (r == 0)
                ((struct plugin_limits *)into)->queue = (unsigned)n;
        return r;
}

static const struct manifest_key limit_keys[] = {
    {"timeout_seconds", false, parse_timeout},
    {"load_timeout_seconds", false, parse_load_timeout},
    {"memory_mb", false, parse_memory},
    {"instances", false, parse_instances},
    {"queue", false, parse_queue},
};

int manifest_parse_limits(const struct manifest_at *at, void *into)
{
        struct plugin_manifest *m = into;

        return manifest_read_object(at, limit_keys, ARRAY_LEN(limit_keys), &m->limits);
}

static void clamp_seconds(double *value, double max, const char *name, struct str *clamped)
{
        if (!(max > 0) || *value <= max)
                return;
        str_addf(clamped, "%s %.15g lowered to %.15g\n", name, *value, max);
        *value = max;
}

static void clamp_count(unsigned *value, unsigned max, const char *name, struct str *clamped)
{
        if (max == 0 || *value <= max)
                return;
        str_addf(clamped, "%s %u lowered to %u\n", name, *value, max);
        *value = max;
}

void plugin_manifest_clamp(struct plugin_manifest *m, const struct plugin_limits *max,
                           struct str *clamped)
{
        struct plugin_limits *l = &m->limits;

        clamp_seconds(&l->timeout_seconds, max->timeout_seconds, "timeout_seconds", clamped);
        clamp_seconds(&l->load_timeout_seconds, max->load_timeout_seconds, "load_timeout_seconds",
                      clamped);
        if (max->memory_bytes && l->memory_bytes > max->memory_bytes) {
                str_addf(clamped, "memory_mb %.15g lowered to %.15g\n",
                         (double)l->memory_bytes / MIB(1), (double)max->memory_bytes / MIB(1));
                l->memory_bytes = max->memory_bytes;
        }
        clamp_count(&l->instances, max->instances, "instances", clamped);
        clamp_count(&l->queue, max->queue, "queue", clamped);
}
