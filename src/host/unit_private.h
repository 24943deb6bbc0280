/* unit_private.h -- what the files of a unit share: unit.c (its queue, its failures, who waits),
 * unit_load.c (workers from spawn to usable, and what they tell), unit_generation.c (which manifest
 * runs).
 * Knows: the unit.         May not know: HTTP.
 * Threads: the loop's.     Owns: nothing. */
#ifndef FORGESYTE_HOST_UNIT_PRIVATE_H
#define FORGESYTE_HOST_UNIT_PRIVATE_H

#include "host/unit.h"

/* Does what the loader says is next (enum plugin_loader_next); i: whom it is about, or NULL. */
void unit_act(struct unit *u, struct instance *i, int next);
/* Sends INIT, VALIDATE, ... with its payload; who can't be sent it breaks. */
void unit_request(struct unit *u, struct instance *i, enum wire_type type);
/* Further instances, or ones in place of dead ones. */
void unit_start_instances(struct unit *u, unsigned n);
/* Is that its generation in use? */
bool unit_is_current(const struct unit *u, uint32_t generation);

/* The load under way has ended: who waits for that is served. */
void unit_settled(struct unit *u);
/* Of a failure: what health shows as last_failure. */
void unit_remember_failure(struct unit *u, const struct tool_outcome *o);
void unit_remember_refusal(struct unit *u, enum plugin_error error, const char *words);
/* The current generation is over: its state, its workers, its restart; unit_fail_stranded follows.
 */
void unit_fail(struct unit *u, const struct tool_outcome *o);
/* Idle workers end now, busy ones with their call. */
void unit_stop_instances(struct unit *u);
/* "restart": "on-failure": the next load is set, if the policy grants it. */
void unit_consider_restart(struct unit *u);
/* Every queued call ends with PluginUnavailable and this reason. */
void unit_fail_queued(struct unit *u, const char *reason);

#endif
