/* instance_fork.h -- instances that are forked of a loaded one, the template: it takes no calls,
 * and what it forks is adopted as an instance like any other (docs/decisions/0007-prefork.md).
 * Knows: the instance, its box.    May not know: lifecycle, registry, HTTP.
 * Threads: the loop's; the kernel's work of a move is done in the pool.
 * Owns: what a template is about to fork, until its owner has it. */
#ifndef FORGESYTE_HOST_INSTANCE_FORK_H
#define FORGESYTE_HOST_INSTANCE_FORK_H

#include <sys/queue.h>

#include "host/pool.h"

struct instance;

/* An instance's part in this. */
struct instance_fork {
        /* Of a template: */
        bool is_template;
        struct instance *unborn; /* what FORK was sent for */
        LIST_HEAD(, instance) copies;
        /* Of a copy: */
        struct instance *template; /* NULL also when that is gone */
        LIST_ENTRY(instance) link;
        bool born;      /* among its template's copies */
        uint32_t inner; /* its pid in the box */
        struct pool *pool;
        struct pool_job job;
        bool moving;            /* the pool has it */
        int moved;              /* what came of it */
        struct loop_timer word; /* how long its template's word about its end is waited for */
};

/* A loaded instance (READY to LOAD) becomes a template, or one again that is none any more. */
void instance_make_template(struct instance *i, bool is_template);
/* Asks a template to fork: the end comes as forked() or broke(). 1: it cannot, `e` says why;
 * -errno: not this time. */
int instance_fork(struct instance *template, struct pool *pool, struct err *e) must_check;
/* Are there copies of it, or is one under way? */
bool instance_has_copies(const struct instance *template);

#endif
