#include "loader/plugin_registry_store.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

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

struct entry *registry_find(const struct plugin_registry *r, const char *name)
{
        bool found;
        size_t at = place_of(r, name, &found);

        return found ? r->entries[at] : NULL;
}

/* What readers see; NULL while that is nothing. */
static const struct plugin_health *shown(const struct entry *entry)
{
        if (!entry)
                return NULL;
        if (entry->current.lifecycle.state != LIFECYCLE_ABSENT)
                return &entry->current.health;
        return entry->old ? &entry->old->health : NULL;
}

/* --- readers --- */

int plugin_registry_get_state(struct plugin_registry *r, const char *name,
                              enum lifecycle_state *ret)
{
        SCOPED_READ(r);
        const struct plugin_health *h = shown(registry_find(r, name));

        if (!h)
                return 1;
        *ret = h->state;
        return 0;
}

int plugin_registry_get_status(struct plugin_registry *r, const char *name,
                               struct plugin_health *ret)
{
        SCOPED_READ(r);
        const struct plugin_health *h = shown(registry_find(r, name));

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
        const struct plugin_health *h = shown(registry_find(r, name));

        return h && lifecycle_state_is_available(h->state);
}

/* --- generations --- */

void registry_set_text(char *to, size_t size, const char *text)
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
        registry_set_text(entry->current.health.name, sizeof entry->current.health.name, name);
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
