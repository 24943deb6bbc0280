/* plugin_registry.h -- who is installed, and what we last heard of them.
 * Knows: names, states, counters.  May not know: sockets, processes, JSON.
 * Threads: any; a writer-preferring rwlock inside, readers get copies.
 * Owns: every struct plugin_health it holds. */
#ifndef FORGESYTE_LOADER_PLUGIN_REGISTRY_H
#define FORGESYTE_LOADER_PLUGIN_REGISTRY_H

#include "base/err.h"
#include "health/health_model.h"
#include "lifecycle/lifecycle_manager.h"

struct plugin_registry;

int plugin_registry_new(struct plugin_registry **ret, struct err *e) must_check;
void plugin_registry_free(struct plugin_registry *r);

/* ---- readers ---- */
/* 0 and a copy; 1: no such plugin, or it is still ABSENT. */
int plugin_registry_get_status(struct plugin_registry *r, const char *name,
                               struct plugin_health *ret) must_check;
/* Sorted by name, without ABSENT ones; free() the array. -ENOMEM. */
int plugin_registry_list_all(struct plugin_registry *r, struct plugin_health **ret,
                             size_t *ret_n) must_check;
/* The state that readers see, without the copy; 1 as above. */
int plugin_registry_get_state(struct plugin_registry *r, const char *name,
                              enum lifecycle_state *ret) must_check;
/* LOADED, INITIALIZED or RUNNING. */
bool plugin_registry_is_available(struct plugin_registry *r, const char *name);

/* ---- writers: 0; 1 when there is no such plugin; -EINVAL when the lifecycle has no such move ----
 */

/* A generation begins: the entry appears as ABSENT (the first), or begins anew as ABSENT with its
 * counters kept and generation + 1 (a reload; until its first move readers still see the old one).
 * -EEXIST: reserved for callers that must not replace. */
int plugin_registry_begin(struct plugin_registry *r, const char *name, uint32_t *ret_generation,
                          struct err *e) must_check;
/* What the manifest says. */
int plugin_registry_describe(struct plugin_registry *r, const char *name, const char *version,
                             const char *description, double timeout_seconds,
                             uint64_t memory_bytes) must_check;
/* Moves by the lifecycle table; when the state changes, reason (NULL: cleared) is shown from then
 * on. mono_now stamps loaded_mono_ns when the move leads to LOADED. *ret_actions as lifecycle_step.
 */
int plugin_registry_step(struct plugin_registry *r, const char *name, enum lifecycle_event event,
                         const char *reason, int64_t mono_now_ns, unsigned *ret_actions) must_check;
/* The same for one generation: 1 also when it is gone. For what may arrive late, such as the end of
 * a call on an old worker; while the new generation is ABSENT the old one still counts and moves.
 */
int plugin_registry_step_of(struct plugin_registry *r, const char *name, uint32_t generation,
                            enum lifecycle_event event, const char *reason, int64_t mono_now_ns,
                            unsigned *ret_actions) must_check;

/* The diagrams' names, over plugin_registry_step. mark_failed fails a plugin however far it came;
 * what it cost is counted below, once. */
int plugin_registry_register(struct plugin_registry *r, const char *name, int64_t mono_now_ns);
int plugin_registry_mark_initialized(struct plugin_registry *r, const char *name);
int plugin_registry_mark_running(struct plugin_registry *r, const char *name, int64_t real_now_ns);
int plugin_registry_mark_failed(struct plugin_registry *r, const char *name, const char *reason);
int plugin_registry_mark_unavailable(struct plugin_registry *r, const char *name,
                                     const char *reason);

/* Accounting of one ended call; each call is recorded once, by one of these two. ms <0: not run. */
int plugin_registry_record_success(struct plugin_registry *r, const char *name, double ms);
int plugin_registry_record_error(struct plugin_registry *r, const char *name, double ms);
/* What is shown as last_failure; counts nothing, since a worker may also die loading or idle. */
int plugin_registry_record_failure(struct plugin_registry *r, const char *name,
                                   const struct health_failure *failure);
/* What the supervisor sees: instances, queue, isolation. NULL leaves as is (but n 0: none). */
int plugin_registry_set_instances(struct plugin_registry *r, const char *name,
                                  const struct health_instance *list, unsigned n);
int plugin_registry_set_queue_depth(struct plugin_registry *r, const char *name, unsigned depth);
int plugin_registry_set_prefork(struct plugin_registry *r, const char *name, const char *prefork);
int plugin_registry_set_isolation(struct plugin_registry *r, const char *name,
                                  const struct isolation *i);
/* The folder is gone: the entry disappears. */
int plugin_registry_remove(struct plugin_registry *r, const char *name);

#endif
