/* instance_overdue.c -- a deadline that has passed. A native plugin is killed at once; a Python one
 * is asked where it is first: it is sent a signal for which its runtime has registered
 * faulthandler, which writes the stacks of all threads to stderr and lets the process die of the
 * signal. It works from C, so also when Python is stuck in a loop or in a call that never lets go.
 * The kill comes when the main thread's stack is there, when the process is dead, or after
 * INSTANCE_STACK_MS, whichever is first. Whatever happens meanwhile, the verdict is the timeout: a
 * worker that has not come so far as to register the handler just dies, one that blocks signals
 * says nothing. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "host/instance_private.h"
#include "host/python_stack.h"
#include "sandbox/timeout.h"

/* 100 frames of several threads; the main thread's are the last. */
#define STACK_READ KIB(128)

static void read_stacks(const struct instance *i, struct str *to)
{
        plugin_log_tail(i->log, i->stack_from, STACK_READ, to);
}

void instance_time_out(struct instance *i)
{
        struct tool_outcome o = {0};
        scoped(str) struct str tail = {0}, stack = {0};
        struct verdict_circumstances c = instance_circumstances(i, &tail);

        if (i->state == INSTANCE_OVERDUE) {
                read_stacks(i, &stack);
                c.stack = stack.data;
        }
        verdict_of_timeout(&c, &o);
        instance_break(i, &o);
}

void instance_overdue_heard(struct instance *i)
{
        scoped(str) struct str stack = {0};

        read_stacks(i, &stack);
        if (stack.data && python_stack_is_whole(stack.data))
                instance_time_out(i);
}

static void on_stack_late(void *ctx)
{
        struct instance *i = ctx;

        instance_collect_last_words(i);
        instance_time_out(i);
}

static void on_deadline(void *ctx)
{
        struct instance *i = ctx;
        int64_t until = clock_mono_ns() + INSTANCE_STACK_MS * NSEC_PER_MSEC;

        if (i->plugin_dir && sandbox_signal(i->box, INSTANCE_STACK_SIGNAL) == 0) {
                instance_stop_watching(i);
                i->state = INSTANCE_OVERDUE;
                i->stack_from = i->log->next_number;
                if (loop_timer_set(i->loop, &i->deadline, until, on_stack_late, i) == 0)
                        return;
        }
        instance_time_out(i);
}

int instance_set_deadline(struct instance *i, int64_t deadline_ns)
{
        return loop_timer_set(i->loop, &i->deadline, deadline_ns, on_deadline, i);
}
