#include "host/memory_trim.h"

#include <malloc.h>

#include "base/clock.h"

#define SOON_NS    NSEC_PER_SEC
#define STILL_MUCH MIB(16) /* in use: answers that are being read slowly, and freed later */

static void on_timer(void *ctx);

static void set_timer(struct memory_trim *t)
{
        /* Without memory for a timer it is the next one's turn. */
        if (!t->timer.slot)
                (void)!loop_timer_set(t->loop, &t->timer, clock_mono_ns() + SOON_NS, on_timer, t);
}

static void work(unused_param struct pool_job *job)
{
        malloc_trim(0);
}

static void done(struct pool_job *job)
{
        struct memory_trim *t = container_of(job, struct memory_trim, job);
        struct mallinfo2 m = mallinfo2();

        t->running = false;
        if (m.uordblks + m.hblkhd > STILL_MUCH)
                set_timer(t);
}

static void on_timer(void *ctx)
{
        struct memory_trim *t = ctx;

        if (t->running)
                return;
        t->running = true;
        t->job = (struct pool_job){.work = work, .done = done};
        pool_submit(t->pool, &t->job);
}

void memory_trim_prepare(void)
{
        mallopt(M_ARENA_MAX, 1);
}

void memory_trim_soon(struct memory_trim *t)
{
        set_timer(t);
}

void memory_trim_done(struct memory_trim *t)
{
        loop_timer_unset(t->loop, &t->timer);
}
