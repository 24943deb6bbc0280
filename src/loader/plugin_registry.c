#include "loader/plugin_registry.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/macro.h"
#include "base/mem.h"
#include "base/str.h"

/* One generation of one plugin. */
struct slot {
        struct plugin_health health;
        struct lifecycle lifecycle;
        unsigned next_recent; /* the place in health.recent_ms that the next run takes */
};

/* old: the generation before, which readers see while the current one is ABSENT; NULL otherwise. */
struct entry {
        struct slot current;
        struct slot *old;
};

/* entries: sorted by name, so that a list needs no sorting and a name is found by halving. */
struct plugin_registry {
        pthread_rwlock_t lock;
        struct entry **entries;
        size_t n, cap;
};

int plugin_registry_new(struct plugin_registry **ret, struct err *e)
{
        scoped(free) struct plugin_registry *r = calloc(1, sizeof *r);
        pthread_rwlockattr_t attr;
        int code;

        if (!r)
                return err_set_errno(e, -ENOMEM, "make the plugin registry");
        pthread_rwlockattr_init(&attr);
        /* Many health checks must not starve the one who has a failure to report. */
        pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
        code = pthread_rwlock_init(&r->lock, &attr);
        pthread_rwlockattr_destroy(&attr);
        if (code)
                return err_set_errno(e, -code, "make the plugin registry's lock");
        *ret = take_ptr(r);
        return 0;
}

static void entry_free(struct entry *entry)
{
        if (!entry)
                return;
        free(entry->old);
        free(entry);
}

DEFINE_SCOPED(struct entry *, entry_free)

void plugin_registry_free(struct plugin_registry *r)
{
        if (!r)
                return;
        for (size_t i = 0; i < r->n; i++)
                entry_free(r->entries[i]);
        free(r->entries);
        pthread_rwlock_destroy(&r->lock);
        free(r);
}

/* --- locks that end with their scope --- */

static pthread_rwlock_t *lock_to_read(struct plugin_registry *r)
{
        pthread_rwlock_rdlock(&r->lock);
        return &r->lock;
}

static pthread_rwlock_t *lock_to_write(struct plugin_registry *r)
{
        pthread_rwlock_wrlock(&r->lock);
        return &r->lock;
}

static void unlock(pthread_rwlock_t *lock)
{
        pthread_rwlock_unlock(lock);
}

DEFINE_SCOPED(pthread_rwlock_t *, unlock)

#define SCOPED_READ(r)  scoped(unlock) pthread_rwlock_t *held_ unused_param = lock_to_read(r)
#define SCOPED_WRITE(r) scoped(unlock) pthread_rwlock_t *held_ unused_param = lock_to_write(r)

/* --- finding; the lock is held --- */

/* Where `name` is, or where it belongs. */
static size_t place_of(const struct plugin_registry *r, const char *name, bool *ret_found)
{
        size_t low = 0, high = r->n;

        *ret_found = false;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strcmp(r->entries[middle]->current.health.name, name);

                if (order == 0) {
                        *ret_found = true;
                        return middle;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static struct entry *find(const struct plugin_registry *r, const char *name)
{
        bool found;
        size_t at = place_of(r, name, &found);

        return found ? r->entries[at] : NULL;
}

/* What readers see; NULL while that is nothing. */
static const struct plugin_health *shown(const struct entry *entry)
{
        if (entry->current.lifecycle.state != LIFECYCLE_ABSENT)
                return &entry->current.health;
        return entry->old ? &entry->old->health : NULL;
}

/* --- readers --- */

int plugin_registry_get_state(struct plugin_registry *r, const char *name,
                              enum lifecycle_state *ret)
{
        SCOPED_READ(r);
        const struct entry *entry = find(r, name);
        const struct plugin_health *h = entry ? shown(entry) : NULL;

        if (!h)
                return 1;
        *ret = h->state;
        return 0;
}

int plugin_registry_get_status(struct plugin_registry *r, const char *name,
                               struct plugin_health *ret)
{
        SCOPED_READ(r);
        const struct entry *entry = find(r, name);
        const struct plugin_health *h = entry ? shown(entry) : NULL;

        if (!h)
                return 1;
        *ret = *h;
        return 0;
}

int plugin_registry_list_all(struct plugin_registry *r, struct plugin_health **ret, size_t *ret_n)
{
        SCOPED_READ(r);
        struct plugin_health *list = malloc(MAX_OF(r->n, 1) * sizeof *list);
        size_t n = 0;

        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < r->n; i++) {
                const struct plugin_health *h = shown(r->entries[i]);

                if (h)
                        list[n++] = *h;
        }
        *ret = list;
        *ret_n = n;
        return 0;
}

bool plugin_registry_is_available(struct plugin_registry *r, const char *name)
{
        SCOPED_READ(r);
        const struct entry *entry = find(r, name);
        const struct plugin_health *h = entry ? shown(entry) : NULL;

        return h && lifecycle_state_is_available(h->state);
}

/* --- writers: entries --- */

/* Copies what fits, valid UTF-8 and NUL-terminated; NULL is "". */
static void set_text(char *to, size_t size, const char *text)
{
        size_t n = text ? strnlen(text, size - 1) : 0;

        n = utf8_valid_prefix(text ? text : "", n);
        memcpy(to, text ? text : "", n);
        to[n] = '\0';
}

static int insert(struct plugin_registry *r, size_t at, const char *name, struct entry **ret)
{
        scoped(entry_free) struct entry *entry = calloc(1, sizeof *entry);

        if (!entry)
                return -ENOMEM;
        if (r->n == r->cap) {
                size_t cap = r->cap ? r->cap * 2 : 16;
                struct entry **grown = realloc(r->entries, cap * sizeof *grown);

                if (!grown)
                        return -ENOMEM;
                r->entries = grown;
                r->cap = cap;
        }
        set_text(entry->current.health.name, sizeof entry->current.health.name, name);
        entry->current.health.last_execution_ms = -1;
        entry->current.health.generation = 1;
        memmove(&r->entries[at + 1], &r->entries[at], (r->n - at) * sizeof *r->entries);
        r->n++;
        *ret = r->entries[at] = take_ptr(entry);
        return 0;
}

/* The next generation: what is counted is kept, what describes the old one is not. */
static void begin_anew(struct entry *entry)
{
        const struct plugin_health was = entry->current.health;
        struct plugin_health *h = &entry->current.health;

        entry->current.lifecycle = (struct lifecycle){LIFECYCLE_ABSENT, 0};
        *h = (struct plugin_health){
            .state = LIFECYCLE_ABSENT,
            .generation = was.generation + 1,
            .last_used_ns = was.last_used_ns,
            .success_count = was.success_count,
            .error_count = was.error_count,
            .last_execution_ms = was.last_execution_ms,
            .n_recent = was.n_recent,
            .queue_depth = was.queue_depth,
            .last_failure = was.last_failure,
        };
        memcpy(h->name, was.name, sizeof h->name);
        memcpy(h->recent_ms, was.recent_ms, sizeof h->recent_ms);
}

int plugin_registry_begin(struct plugin_registry *r, const char *name, uint32_t *ret_generation,
                          struct err *e)
{
        SCOPED_WRITE(r);
        struct entry *entry;
        bool found;
        size_t at;

        if (!str_is_plugin_name(name))
                return err_set(e, -EINVAL, "not a plugin name (a-z, 0-9, _ and -, 64 at most)");
        at = place_of(r, name, &found);
        if (!found) {
                if (insert(r, at, name, &entry) < 0)
                        return err_set_errno(e, -ENOMEM, "register plugin %s", name);
                *ret_generation = 1;
                return 0;
        }
        entry = r->entries[at];
        /* A reload that begins before the last one moved leaves readers with what they see. */
        if (entry->current.lifecycle.state != LIFECYCLE_ABSENT) {
                struct slot *old = malloc(sizeof *old);

                if (!old)
                        return err_set_errno(e, -ENOMEM, "reload plugin %s", name);
                *old = entry->current;
                entry->old = old;
        }
        begin_anew(entry);
        *ret_generation = entry->current.health.generation;
        return 0;
}

int plugin_registry_remove(struct plugin_registry *r, const char *name)
{
        SCOPED_WRITE(r);
        bool found;
        size_t at = place_of(r, name, &found);

        if (!found)
                return 1;
        entry_free(r->entries[at]);
        memmove(&r->entries[at], &r->entries[at + 1], (r->n - at - 1) * sizeof *r->entries);
        r->n--;
        return 0;
}

int plugin_registry_describe(struct plugin_registry *r, const char *name, const char *version,
                             const char *description, double timeout_seconds, uint64_t memory_bytes)
{
        SCOPED_WRITE(r);
        struct entry *entry = find(r, name);
        struct plugin_health *h;

        if (!entry)
                return 1;
        h = &entry->current.health;
        set_text(h->version, sizeof h->version, version);
        set_text(h->description, sizeof h->description, description);
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
                set_text(h->reason, sizeof h->reason, reason);
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
        struct entry *entry = find(r, name);
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
        struct entry *entry = find(r, name);
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
        struct entry *entry = find(r, name);
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
        struct entry *entry = find(r, name);

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
        set_text(to->error_type, sizeof to->error_type, f->error_type);
        set_text(to->error, sizeof to->error, f->error);
        set_text(to->stderr_tail, sizeof to->stderr_tail, f->stderr_tail);
}

int plugin_registry_record_failure(struct plugin_registry *r, const char *name,
                                   const struct health_failure *failure)
{
        SCOPED_WRITE(r);
        struct entry *entry = find(r, name);

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
        struct entry *entry = find(r, name);
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
        struct entry *entry = find(r, name);

        if (!entry)
                return 1;
        entry->current.health.queue_depth = depth;
        if (entry->old)
                entry->old->health.queue_depth = depth;
        return 0;
}

int plugin_registry_set_isolation(struct plugin_registry *r, const char *name,
                                  const struct isolation *i)
{
        SCOPED_WRITE(r);
        struct entry *entry = find(r, name);

        if (!entry)
                return 1;
        if (i) {
                entry->current.health.isolation = *i;
                entry->current.health.have_isolation = true;
        }
        return 0;
}
