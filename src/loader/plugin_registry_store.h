/* plugin_registry_store.h -- how the registry holds what it knows: plugin_registry.c has who is
 * there, plugin_registry_record.c what happened to them. Inside the loader only. Knows: the lock.
 * May not know: what a reader sees of it. Threads: whoever holds the lock.     Owns: entries and
 * their slots. */
#ifndef FORGESYTE_LOADER_PLUGIN_REGISTRY_STORE_H
#define FORGESYTE_LOADER_PLUGIN_REGISTRY_STORE_H

#include <pthread.h>

#include "base/macro.h"
#include "base/mem.h"
#include "loader/plugin_registry.h"

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

/* A lock that ends with its scope: SCOPED_WRITE(r); once, before what it protects. */
static inline pthread_rwlock_t *registry_lock_to_read(struct plugin_registry *r)
{
        pthread_rwlock_rdlock(&r->lock);
        return &r->lock;
}

static inline pthread_rwlock_t *registry_lock_to_write(struct plugin_registry *r)
{
        pthread_rwlock_wrlock(&r->lock);
        return &r->lock;
}

static inline void registry_unlock(pthread_rwlock_t *lock)
{
        pthread_rwlock_unlock(lock);
}

DEFINE_SCOPED(pthread_rwlock_t *, registry_unlock)

#define SCOPED_READ(r)                                                                             \
        scoped(registry_unlock) pthread_rwlock_t *held_ unused_param = registry_lock_to_read(r)
#define SCOPED_WRITE(r)                                                                            \
        scoped(registry_unlock) pthread_rwlock_t *held_ unused_param = registry_lock_to_write(r)

/* NULL when there is none; the lock is held. */
struct entry *registry_find(const struct plugin_registry *r, const char *name);
/* Copies what fits, valid UTF-8 and NUL-terminated; NULL is "". */
void registry_set_text(char *to, size_t size, const char *text);

#endif
