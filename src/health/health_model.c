#include "health/health_model.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/macro.h"
#include "base/mem.h"
#include "base/str.h"

/* The object being built, with sticky failure: json_put() would turn missing memory into null. */
struct building {
        json_t *object;
        bool bad;
};

static void put(struct building *b, const char *key, json_t *take_value)
{
        if (!take_value || json_object_set_new(b->object, key, take_value) < 0)
                b->bad = true;
}

/* The text in a fixed array, or null when it is empty. Invalid UTF-8 ends it: whoever wrote it may
 * have cut a character in two. */
static json_t *text_or_null(const char *text, size_t size)
{
        size_t n = utf8_valid_prefix(text, strnlen(text, size));

        return n ? json_stringn(text, n) : json_null();
}

static json_t *time_or_null(int64_t real_ns)
{
        char buf[CLOCK_RFC3339_SIZE];

        if (real_ns <= 0)
                return json_null();
        clock_rfc3339(real_ns, buf);
        return json_string(buf);
}

/* A number that JSON can say and that means something: not negative, not NaN, not infinite. */
static json_t *number_or_null(double value)
{
        return value >= 0 && value <= 1e300 ? json_real(value) : json_null();
}

static json_t *unsigned_or_null(uint64_t value)
{
        return value ? json_integer((json_int_t)MIN_OF(value, (uint64_t)INT64_MAX)) : json_null();
}

static json_t *count(uint64_t value)
{
        return json_integer((json_int_t)MIN_OF(value, (uint64_t)INT64_MAX));
}

/* NULL when something was missing, else the object. */
static json_t *finish(struct building *b)
{
        if (b->bad) {
                json_decref(b->object);
                return NULL;
        }
        return b->object;
}

static struct building begin(void)
{
        json_t *object = json_object();

        return (struct building){object, object == NULL};
}

/* A plugin that is not up has no uptime. */
static json_t *uptime(const struct plugin_health *h, int64_t mono_now_ns)
{
        if (h->loaded_mono_ns <= 0 || !lifecycle_state_is_available(h->state))
                return json_null();
        return json_real((double)MAX_OF(mono_now_ns - h->loaded_mono_ns, 0) / NSEC_PER_SEC);
}

static json_t *average(const struct plugin_health *h)
{
        unsigned n = MIN_OF(h->n_recent, (unsigned)ARRAY_LEN(h->recent_ms));
        double sum = 0;

        for (unsigned i = 0; i < n; i++)
                sum += h->recent_ms[i];
        return n ? number_or_null(sum / n) : json_null();
}

static json_t *instance_to_json(const struct health_instance *i)
{
        struct building b = begin();

        put(&b, "pid", i->pid > 0 ? json_integer(i->pid) : json_null());
        put(&b, "rss_bytes", unsigned_or_null(i->rss_bytes));
        put(&b, "peak_rss_bytes", unsigned_or_null(i->peak_rss_bytes));
        put(&b, "calls", count(i->calls));
        return finish(&b);
}

static json_t *instances_to_json(const struct plugin_health *h)
{
        json_t *list = json_array();
        unsigned n = MIN_OF(h->n_instances, (unsigned)HEALTH_INSTANCES_MAX);

        for (unsigned i = 0; list && i < n; i++) {
                if (json_array_append_new(list, instance_to_json(&h->instances[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

static json_t *limits_to_json(const struct plugin_health *h)
{
        struct building b = begin();

        put(&b, "timeout_seconds",
            h->timeout_seconds > 0 ? number_or_null(h->timeout_seconds) : json_null());
        put(&b, "memory_bytes", unsigned_or_null(h->memory_bytes));
        return finish(&b);
}

static json_t *failure_to_json(const struct health_failure *f)
{
        struct building b;

        if (f->at_ns <= 0)
                return json_null();
        b = begin();
        put(&b, "at", time_or_null(f->at_ns));
        put(&b, "error_type", text_or_null(f->error_type, sizeof f->error_type));
        put(&b, "error", text_or_null(f->error, sizeof f->error));
        put(&b, "signal", f->signal ? json_integer(f->signal) : json_null());
        put(&b, "peak_rss_bytes", unsigned_or_null(f->peak_rss_bytes));
        put(&b, "stderr_tail", text_or_null(f->stderr_tail, sizeof f->stderr_tail));
        return finish(&b);
}

/* The fields of the diagrams' PluginHealthResponse. */
static void put_response(struct building *b, const struct plugin_health *h, int64_t mono_now_ns)
{
        put(b, "name", json_stringn(h->name, utf8_valid_prefix(h->name, strnlen(h->name, 64))));
        put(b, "state", json_string(lifecycle_state_name(h->state)));
        put(b, "reason", text_or_null(h->reason, sizeof h->reason));
        put(b, "version", text_or_null(h->version, sizeof h->version));
        put(b, "uptime_seconds", uptime(h, mono_now_ns));
        put(b, "last_used", time_or_null(h->last_used_ns));
        put(b, "success_count", count(h->success_count));
        put(b, "error_count", count(h->error_count));
}

/* What ForgeSyte says beyond it. */
static void put_details(struct building *b, const struct plugin_health *h)
{
        put(b, "description", text_or_null(h->description, sizeof h->description));
        put(b, "last_execution_time_ms", number_or_null(h->last_execution_ms));
        put(b, "avg_execution_time_ms", average(h));
        put(b, "generation", count(h->generation));
        put(b, "in_flight", count(h->in_flight));
        put(b, "queue_depth", count(h->queue_depth));
        put(b, "instances", instances_to_json(h));
        put(b, "prefork", text_or_null(h->prefork, sizeof h->prefork));
        put(b, "limits", limits_to_json(h));
        put(b, "isolation", h->have_isolation ? isolation_to_json(&h->isolation) : json_null());
        put(b, "last_failure", failure_to_json(&h->last_failure));
}

json_t *health_model_plugin(const struct plugin_health *h, int64_t mono_now_ns)
{
        struct building b = begin();

        put_response(&b, h, mono_now_ns);
        put_details(&b, h);
        return finish(&b);
}

struct health_totals health_model_totals(const struct plugin_health *list, size_t n)
{
        struct health_totals t = {.total = n};

        for (size_t i = 0; i < n; i++) {
                t.available += lifecycle_state_is_available(list[i].state) != 0;
                t.failed += list[i].state == LIFECYCLE_FAILED;
                t.unavailable += list[i].state == LIFECYCLE_UNAVAILABLE;
        }
        return t;
}

int health_model_put_totals(json_t *object, const struct health_totals *t)
{
        struct building b = {object, false};

        put(&b, "total", count(t->total));
        put(&b, "available", count(t->available));
        put(&b, "failed", count(t->failed));
        put(&b, "unavailable", count(t->unavailable));
        return b.bad ? -ENOMEM : 0;
}

json_t *health_model_list(const struct plugin_health *list, size_t n, int64_t mono_now_ns)
{
        struct health_totals totals = health_model_totals(list, n);
        struct building b = begin();
        json_t *plugins = json_array();

        for (size_t i = 0; i < n && !b.bad; i++)
                if (json_array_append_new(plugins, health_model_plugin(&list[i], mono_now_ns)) < 0)
                        b.bad = true;
        put(&b, "plugins", plugins);
        if (health_model_put_totals(b.object, &totals) < 0)
                b.bad = true;
        return finish(&b);
}
