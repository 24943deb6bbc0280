/* loop.h -- one epoll, one timer heap: everything the host waits for.
 * Knows: descriptors, time.    May not know: what they mean.
 * Threads: the one that runs it.
 * Owns: the epoll descriptor; watches and timers are the callers'. */
#ifndef FORGESYTE_HOST_LOOP_H
#define FORGESYTE_HOST_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/err.h"
#include "base/mem.h"

struct loop;

/* Embedded in its owner. fd < 0: not watched. The callback may remove or free any watch, its own
 * included: an event that was already fetched for a removed watch is dropped. */
struct loop_watch {
        int fd;
        void (*fn)(void *ctx, uint32_t events);
        void *ctx;
};

/* Embedded in its owner; zero-initialised it is unset. Fires once, on CLOCK_MONOTONIC. */
struct loop_timer {
        int64_t at_ns;
        size_t slot; /* 1-based place in the heap; 0: unset */
        void (*fn)(void *ctx);
        void *ctx;
};

int loop_new(struct loop **ret, struct err *e) must_check;
void loop_free(struct loop *l);
DEFINE_SCOPED(struct loop *, loop_free)

/* The descriptor stays the caller's: close it after loop_unwatch. 0 or -errno. */
int loop_watch(struct loop *l, struct loop_watch *w, int fd, uint32_t events,
               void (*fn)(void *ctx, uint32_t events), void *ctx) must_check;
int loop_rewatch(struct loop *l, struct loop_watch *w, uint32_t events) must_check;
void loop_unwatch(struct loop *l, struct loop_watch *w);

/* Sets or moves a timer (at_ns: monotonic; TIMEOUT_NEVER unsets it). -ENOMEM only when it was
 * unset. */
int loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_ns, void (*fn)(void *ctx),
                   void *ctx) must_check;
void loop_timer_unset(struct loop *l, struct loop_timer *t);

/* Called before each wait; returns how long it may last at most (ns, -1: no matter). */
void loop_set_prepare(struct loop *l, int64_t (*fn)(void *ctx), void *ctx);

/* The time at which the present turn began. */
int64_t loop_now(const struct loop *l);

/* Runs until loop_stop, or for one turn. 0 or -errno. */
int loop_run(struct loop *l, struct err *e) must_check;
int loop_turn(struct loop *l, struct err *e) must_check;
void loop_stop(struct loop *l);

#endif
