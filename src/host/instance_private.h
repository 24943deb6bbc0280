/* instance_private.h -- what the files of an instance share: instance.c (birth, death),
 * instance_overdue.c (deadlines), instance_frames.c (what a worker says), instance_call.c (a call
 * on its way there).
 * Knows: the instance.     May not know: lifecycle, registry, HTTP.
 * Threads: the loop's.     Owns: nothing. */
#ifndef FORGESYTE_HOST_INSTANCE_PRIVATE_H
#define FORGESYTE_HOST_INSTANCE_PRIVATE_H

#include <signal.h>

#include "host/instance.h"
#include "host/instance_verdict.h"

/* Where are you? streams.py has the same. A real-time one, of which a plugin that uses signals of
 * its own takes the lowest first. */
#define INSTANCE_STACK_SIGNAL (SIGRTMAX - 1)

/* Feeds a worker's bytes until they are used up or the instance is dying; how many frames ended. */
unsigned instance_frames_take(struct instance *i, const uint8_t *bytes, size_t n);

/* The verdict is known: broke() hears it, once. */
void instance_declare_broken(struct instance *i, struct tool_outcome *o);
/* Kills it with this error, and says in which stage that was. */
void instance_break_rule(struct instance *i, enum plugin_error error, const char *words);
/* What it printed before an answer is in the log before the answer is out, in whichever order the
 * kernel told of the two. */
void instance_hear_pipes(struct instance *i);
/* What its pipes still hold goes into the log, lines without an end too. */
void instance_collect_last_words(struct instance *i);
/* Nothing of it is heard any more but its log and its death. */
void instance_stop_watching(struct instance *i);
/* What a verdict depends on; tail holds its stderr. */
struct verdict_circumstances instance_circumstances(struct instance *i, struct str *tail);
/* Of one that is OVERDUE: it ends now, with what it has said; it ends if it has said all. */
void instance_time_out(struct instance *i);
void instance_overdue_heard(struct instance *i);
/* 0 or -ENOMEM: at deadline_ns (monotonic) it is killed for taking too long. */
int instance_set_deadline(struct instance *i, int64_t deadline_ns) must_check;
/* In so many seconds it is killed; what for depends on its state then. */
void instance_set_grace(struct instance *i, int seconds);
/* One without a box. NULL: no memory. */
struct instance *instance_alloc(const struct instance_options *o);
int instance_watch_all(struct instance *i) must_check;
/* It is dead, and all that will be known of its end is known. */
void instance_finish_death(struct instance *i);
/* FORKED, the ERROR to a FORK, ENDED. */
void instance_fork_answered(struct instance *template, uint32_t inner);
void instance_fork_refused(struct instance *template, const char *words);
void instance_fork_ended(struct instance *template, const struct wire_ended *m);
/* A copy is dead: must its template's word be waited for? Then the end is finished later. */
bool instance_fork_awaits_word(struct instance *copy);
/* It is about to be freed. */
void instance_fork_done(struct instance *i);
/* The parser expects the answers to `type` from now on. 0 or -errno. */
int instance_begin_request(struct instance *i, enum wire_type type) must_check;

#endif
