/* What happened to a plugin: moves by the lifecycle table, accounting, the supervisor's view. */
#include "loader/plugin_registry_store.h"

#include <string.h>

int plugin_registry_describe(struct plugin_registry *r, const char *name, const char *version,
                             const char *description, double timeout_seconds, uint64_t memory_bytes)
{
        SCOPED_WRITE(r);
        struct entry *entry = registry_find(r, name);
        struct plugin_health *h;

        if (!entry)
                return 1;
        h = &entry->current.health;
        registry_set_text(h->version, sizeof h->version, version);
        registry_set_text(h->description, sizeof h->description, description);
        h->timeout_seconds = timeout_seconds;
        h->memory_bytes = memory_bytes;
        return 0;
}

/* --- writers: moves --- */

static struct slot *slot_of(struct entry *entry, uint32_t generation)
{
        if (!entry)
                return NULL;
        if (generation == 0 || generation == entry->current.health.generation)
                return &entry->current;
        if (entry->old && generation == entry->old->health.generation)
                return entry->old;
        return NULL;
}

/* The reason belongs to the state: only what changes the one changes the other. */
static int step(struct entry *entry, struct slot *slot, enum lifecycle_event event,
                const char *reason, int64_t mono_now_ns, unsigned *ret_actions)
{
        enum lifecycle_state before = slot->lifecycle.state;
        struct plugin_health *h = &slot->health;
        int r = lifecycle_step(&slot->lifecycle, event, ret_actions);

        if (r < 0)
                return r;
        h->state = slot->lifecycle.state;
        h->in_flight = slot->lifecycle.in_flight;
        if (h->state != before)
                registry_set_text(h->reason, sizeof h->reason, reason);
        if (h->state == LIFECYCLE_LOADED && before != LIFECYCLE_LOADED)
                h->loaded_mono_ns = mono_now_ns;
        if (slot == &entry->current && entry->old) {
                free(entry->old);
                entry->old = NULL;
        }
        return 0;
}

int plugin_registry_step_of(struct plugin_registry *r, const char *name, uint32_t generation,
                            enum lifecycle_event event, const char *reason, int64_t mono_now_ns,
                            unsigned *ret_actions)
{
        SCOPED_WRITE(r);
        struct entry *entry = registry_find(r, name);
        struct slot *slot = slot_of(entry, generation);

        return slot ? step(entry, slot, event, reason, mono_now_ns, ret_actions) : 1;
}

int plugin_registry_step(struct plugin_registry *r, const char *name, enum lifecycle_event event,
                         const char *reason, int64_t mono_now_ns, unsigned *ret_actions)
{
        return plugin_registry_step_of(r, name, 0, event, reason, mono_now_ns, ret_actions);
}

int plugin_registry_register(struct plugin_registry *r, const char *name, int64_t mono_now_ns)
{
        unsigned actions;

        return plugin_registry_step(r, name, LIFECYCLE_EVENT_REGISTERED, NULL, mono_now_ns,
                                    &actions);
}

int plugin_registry_mark_initialized(struct plugin_registry *r, const char *name)
{
        unsigned actions;

        return plugin_registry_step(r, name, LIFECYCLE_EVENT_VALIDATED, NULL, 0, &actions);
}

int plugin_registry_mark_running(struct plugin_registry *r, const char *name, int64_t real_now_ns)
{
        SCOPED_WRITE(r);
        struct entry *entry = registry_find(r, name);
        unsigned actions;
        int code;

        if (!entry)
                return 1;
        code = step(entry, &entry->current, LIFECYCLE_EVENT_CALL_STARTED, NULL, 0, &actions);
        if (code == 0)
                entry->current.health.last_used_ns = real_now_ns;
        return code;
}

/* The event that fails a plugin depends on how far it came. */
static enum lifecycle_event failing_event(enum lifecycle_state state)
{
        if (state == LIFECYCLE_ABSENT)
                return LIFECYCLE_EVENT_REFUSED;
        return state == LIFECYCLE_LOADED ? LIFECYCLE_EVENT_LOAD_FAILED : LIFECYCLE_EVENT_BROKE;
}

int plugin_registry_mark_failed(struct plugin_registry *r, const char *name, const char *reason)
{
        SCOPED_WRITE(r);
        struct entry *entry = registry_find(r, name);
        unsigned actions;

        if (!entry)
                return 1;
        return step(entry, &entry->current, failing_event(entry->current.lifecycle.state), reason,
                    0, &actions);
}

int plugin_registry_mark_unavailable(struct plugin_registry *r, const char *name,
                                     const char *reason)
{
        unsigned actions;

        return plugin_registry_step(r, name, LIFECYCLE_EVENT_DEPENDENCIES_MISSING, reason, 0,
                                    &actions);
}

/* --- writers: accounting. Counters outlive a generation, so they are kept in both. --- */

static void add_run_time(struct slot *slot, double ms)
{
        struct plugin_health *h = &slot->health;

        if (!(ms >= 0))
                return;
        h->last_execution_ms = ms;
        h->recent_ms[slot->next_recent] = ms;
        slot->next_recent = (slot->next_recent + 1) % ARRAY_LEN(h->recent_ms);
        if (h->n_recent < ARRAY_LEN(h->recent_ms))
                h->n_recent++;
}

static void count_run(struct slot *slot, bool success, double ms)
{
        if (success)
                slot->health.success_count++;
        else
                slot->health.error_count++;
        add_run_time(slot, ms);
}

static int record(struct plugin_registry *r, const char *name, bool success, double ms)
{
        SCOPED_WRITE(r);
        struct entry *entry = registry_find(r, name);

        if (!entry)
                return 1;
        count_run(&entry->current, success, ms);
        if (entry->old)
                count_run(entry->old, success, ms);
        return 0;
}

int plugin_registry_record_success(struct plugin_registry *r, const char *name, double ms)
{
        return record(r, name, true, ms);
}

int plugin_registry_record_error(struct plugin_registry *r, const char *name, double ms)
{
        return record(r, name, false, ms);
}

static void set_failure(struct health_failure *to, const struct health_failure *f)
{
        to->at_ns = f->at_ns;
        to->signal = f->signal;
        to->peak_rss_bytes = f->peak_rss_bytes;
        registry_set_text(to->error_type, sizeof to->error_type, f->error_type);
        registry_set_text(to->error, sizeof to->error, f->error);
        registry_set_text(to->stderr_tail, sizeof to->stderr_tail, f->stderr_tail);
}

int plugin_registry_record_failure(struct plugin_registry *r, const char *name,
                                   const struct health_failure *failure)
{
        SCOPED_WRITE(r);
        struct entry *entry = registry_find(r, name);

        if (!entry)
                return 1;
        set_failure(&entry->current.health.last_failure, failure);
        if (entry->old)
                set_failure(&entry->old->health.last_failure, failure);
        return 0;
}

/* --- writers: what the supervisor sees --- */

int plugin_registry_set_instances(struct plugin_registry *r, const char *name,
                                  const struct health_instance *list, unsigned n)
{
        SCOPED_WRITE(r);
        struct entry *entry = registry_find(r, name);
        struct plugin_health *h;

        if (!entry)
                return 1;
        /* While the new generation is ABSENT it has no worker: these are the old one's. */
        h = entry->old ? &entry->old->health : &entry->current.health;
        if (n && !list)
                return 0;
        h->n_instances = MIN_OF(n, (unsigned)HEALTH_INSTANCES_MAX);
        if (n)
                memcpy(h->instances, list, h->n_instances * sizeof *list);
        return 0;
}

int plugin_registry_set_queue_depth(struct plugin_registry *r, const char *name, unsigned depth)
{
        SCOPED_WRITE(r);
        struct entry *entry = registry_find(r, name);

        if (!entry)
                return 1;
        entry->current.health.queue_depth = depth;
        if (entry->old)
                entry->old->health.queue_depth = depth;
        return 0;
}

int plugin_registry_set_prefork(struct plugin_registry *r, const char *name, const char *prefork)
{
        SCOPED_WRITE(r);
        struct entry *entry = registry_find(r, name);

        if (!entry)
                return 1;
        registry_set_text(entry->current.health.prefork, sizeof entry->current.health.prefork,
                          prefork);
        return 0;
}

int plugin_registry_set_isolation(struct plugin_registry *r, const char *name,
                                  const struct isolation *i)
{
        SCOPED_WRITE(r);
        struct entry *entry = registry_find(r, name);

        if (!entry)
                return 1;
        if (i) {
                entry->current.health.isolation = *i;
                entry->current.health.have_isolation = true;
        }
        return 0;
}
