/* unit_prefork.h -- "prefork": true: one worker is loaded and becomes the template, of which the
 * instances are forked; or why not, and then they are started as ever.
 * Knows: the unit, its instances.  May not know: boxes, HTTP.
 * Threads: the loop's.             Owns: nothing. */
#ifndef FORGESYTE_HOST_UNIT_PREFORK_H
#define FORGESYTE_HOST_UNIT_PREFORK_H

#include "host/instance.h"

struct unit;

enum unit_prefork_state {
        UNIT_PREFORK_OFF, /* not asked for */
        UNIT_PREFORK_WANTED,
        UNIT_PREFORK_ACTIVE,
        UNIT_PREFORK_REFUSED,
};

struct unit_prefork {
        enum unit_prefork_state state;
        struct instance *template; /* the generation's, loading or loaded; NULL: none now */
        unsigned wanted;           /* instances that are to be forked */
};

/* A generation begins. */
void unit_prefork_begin(struct unit *u);
/* It is over: a template ends with its last copy. */
void unit_prefork_end(struct unit *u);
/* A worker is being started: it becomes the template when one is needed. */
void unit_prefork_started(struct unit *u, struct instance *i);
/* It has answered LOAD: true when it is the template, and not to be sent INIT. */
bool unit_prefork_loaded(struct unit *u, struct instance *i);
/* A further instance is needed: true when it is seen to. False: a worker must be started for it. */
bool unit_prefork_another(struct unit *u);
/* instance_owner.forked */
void unit_prefork_forked(struct instance *template, struct instance *copy, const char *refusal);
/* How many instances are lost with one that broke: 1, itself; of a template, its copies and those
 * it was to fork; 0, when its template broke before it, and so it is no news. */
unsigned unit_prefork_lost(struct unit *u, struct instance *i);
/* The copies of one that broke end for its reason. */
void unit_prefork_end_copies(struct unit *u, struct instance *i, const struct tool_outcome *o);
/* A copy is gone: its template may be needed no more. */
void unit_prefork_gone(struct unit *u, struct instance *template);

#endif
