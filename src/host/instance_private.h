/* instance_private.h -- what the files of an instance share: instance.c (birth, deadlines, death),
 * instance_frames.c (what a worker says), instance_call.c (a call on its way to it).
 * Knows: the instance.     May not know: lifecycle, registry, HTTP.
 * Threads: the loop's.     Owns: nothing. */
#ifndef FORGESYTE_HOST_INSTANCE_PRIVATE_H
#define FORGESYTE_HOST_INSTANCE_PRIVATE_H

#include "host/instance.h"

/* Feeds a worker's bytes until they are used up or the instance is dying. */
void instance_frames_take(struct instance *i, const uint8_t *bytes, size_t n);

/* The verdict is known: broke() hears it, once. */
void instance_declare_broken(struct instance *i, struct tool_outcome *o);
/* Kills it with this error, and says in which stage that was. */
void instance_break_rule(struct instance *i, enum plugin_error error, const char *words);
/* What its pipes still hold goes into the log. */
void instance_collect_last_words(struct instance *i);
/* 0 or -ENOMEM: at deadline_ns (monotonic) it is killed for taking too long. */
int instance_set_deadline(struct instance *i, int64_t deadline_ns) must_check;
/* In so many seconds it is killed; what for depends on its state then. */
void instance_set_grace(struct instance *i, int seconds);
/* The parser expects the answers to `type` from now on. 0 or -errno. */
int instance_begin_request(struct instance *i, enum wire_type type) must_check;

#endif
