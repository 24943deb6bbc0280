#include "host/instance_fork.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/fd.h"
#include "host/instance_io.h"
#include "host/instance_private.h"
#include "sandbox/sandbox_adopt.h"
#include "sandbox/timeout.h"

void instance_make_template(struct instance *i, bool is_template)
{
        i->fork.is_template = is_template;
        i->state = is_template ? INSTANCE_TEMPLATE : INSTANCE_BOOTING;
        if (!is_template && !i->deadline.slot &&
            instance_set_deadline(i, timeout_deadline(clock_mono_ns(), i->boot_seconds)) < 0)
                instance_break_rule(i, PLUGIN_ERROR_INTERNAL, "the host has no memory for a timer");
}

bool instance_has_copies(const struct instance *t)
{
        return t->fork.unborn || !LIST_EMPTY(&t->fork.copies);
}

/* ---- asking ---- */

static uint32_t max_output_of(const struct instance *t)
{
        return t->parser.result_cap - (uint32_t)WIRE_OUTPUT_SLACK;
}

/* As the template was started, on a channel on which FORK was the last request. */
static struct instance *alloc_copy(struct instance *t, struct pool *pool)
{
        const struct instance_options o = {
            .owner = t->owner,
            .ctx = t->ctx,
            .loop = t->loop,
            .pool = pool,
            .log = t->log,
            .generation = t->generation,
            .max_output = max_output_of(t),
            .timeout_seconds = t->timeout_seconds,
            .memory_bytes = t->memory_bytes,
            .boot_seconds = t->boot_seconds,
            .plugin_dir = t->plugin_dir,
            .folder = t->folder,
        };
        struct instance *c = instance_alloc(&o);

        if (c) {
                c->fork.template = t;
                c->fork.pool = pool;
        }
        return c;
}

static int send_fork(struct instance *t, const int *theirs)
{
        struct str empty = {0};
        int r = instance_begin_request(t, WIRE_FORK);

        /* The deadline covers a frame that began before. */
        loop_timer_unset(t->loop, &t->grace);
        if (r == 0)
                r = instance_io_attach(t, theirs, SANDBOX_ADOPT_FDS);
        if (r == 0)
                r = instance_io_queue(t, WIRE_FORK, &empty, NULL, 0, NULL, 0);
        /* The first one has what is left of the load's time. */
        if (r == 0 && !t->deadline.slot)
                r = instance_set_deadline(t, timeout_deadline(clock_mono_ns(), t->boot_seconds));
        /* A channel that broke tells by its end of file. */
        return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

int instance_fork(struct instance *t, struct pool *pool, struct err *e)
{
        int theirs[SANDBOX_ADOPT_FDS];
        int r = sandbox_can_fork(t->box, e);
        struct instance *c;

        if (r != 0)
                return r;
        c = alloc_copy(t, pool);
        if (!c)
                return err_set_errno(e, -ENOMEM, "fork an instance");
        r = sandbox_expect(t->box, &c->box, theirs, e);
        if (r < 0) {
                instance_free(c);
                return r;
        }
        t->fork.unborn = c;
        r = send_fork(t, theirs);
        for (int i = 0; i < SANDBOX_ADOPT_FDS; i++)
                fd_close(theirs[i]);
        wire_parser_init_forked(&c->parser, t->generation, max_output_of(t), t->parser.call_id);
        if (r < 0)
                instance_break_rule(t, PLUGIN_ERROR_INTERNAL, "the host could not ask it to fork");
        return 0;
}

/* ---- the answer ---- */

/* For no copy: what was prepared for it goes, and the owner hears why. */
static void give_up(struct instance *t, int r, const char *words)
{
        struct instance *c = take_ptr(t->fork.unborn);

        instance_free(c);
        /* A copy that is neither dead nor to be had is alone with its box. */
        if (r < 0 && r != -ESRCH)
                instance_break_rule(
                    t, r == -EBADMSG ? PLUGIN_ERROR_PROTOCOL : PLUGIN_ERROR_INTERNAL, words);
        else
                t->owner->forked(t, NULL, words);
        if (t->state == INSTANCE_TEMPLATE && !t->fork.unborn)
                loop_timer_unset(t->loop, &t->deadline);
}

void instance_fork_refused(struct instance *t, const char *words)
{
        give_up(t, 1, words);
}

static int bring_up(struct instance *c, int64_t deadline_ns, struct err *e)
{
        int r = instance_watch_all(c);

        if (r == 0)
                r = instance_set_deadline(c, deadline_ns);
        return r < 0 ? err_set_errno(e, r, "watch an instance") : 0;
}

static void on_moved(struct pool_job *job)
{
        struct instance_fork *f = container_of(job, struct instance_fork, job);
        struct instance *c = container_of(f, struct instance, fork), *t = f->template;
        struct err e = {0};
        int r;

        f->moving = false;
        /* A template that is being ended counts it among what is lost, and its timer is not ours.
         */
        if (!t || t->state != INSTANCE_TEMPLATE) {
                if (t)
                        t->fork.unborn = NULL;
                instance_free(c);
                return;
        }
        r = sandbox_adopt_finish(c->box, t->box, f->moved, &e);
        if (r == 0)
                r = bring_up(c, t->deadline.slot ? t->deadline.at_ns : clock_mono_ns(), &e);
        if (r != 0) {
                give_up(t, r, e.msg);
                return;
        }
        loop_timer_unset(t->loop, &t->deadline);
        t->fork.unborn = NULL;
        c->fork.born = true;
        LIST_INSERT_HEAD(&t->fork.copies, c, fork.link);
        t->owner->forked(t, c, NULL);
}

static void move(struct pool_job *job)
{
        struct instance_fork *f = container_of(job, struct instance_fork, job);

        f->moved = sandbox_adopt_move(container_of(f, struct instance, fork)->box);
}

void instance_fork_answered(struct instance *t, uint32_t inner)
{
        struct instance *c = t->fork.unborn;
        struct err e = {0};
        int r = sandbox_adopt_find(c->box, t->box, (pid_t)inner, &e);

        if (r != 0) {
                give_up(t, r, e.msg);
                return;
        }
        c->fork.inner = inner;
        c->fork.moving = true;
        c->fork.job = (struct pool_job){.work = move, .done = on_moved};
        pool_submit(c->fork.pool, &c->fork.job);
}

/* ---- the end ---- */

static bool is_awaiting(const struct instance *c)
{
        return c->fork.word.slot;
}

static void stop_awaiting(struct instance *c)
{
        loop_timer_unset(c->loop, &c->fork.word);
        instance_finish_death(c);
}

static void on_word_late(void *ctx)
{
        instance_finish_death(ctx);
}

bool instance_fork_awaits_word(struct instance *c)
{
        int64_t until = clock_mono_ns() + INSTANCE_VERDICT_GRACE_S * NSEC_PER_SEC;

        /* Who has a verdict needs none, and a template that is gone gives none. */
        if (c->broken || c->state == INSTANCE_OVERDUE || !c->fork.template ||
            sandbox_end_is_told(c->box))
                return false;
        if (loop_timer_set(c->loop, &c->fork.word, until, on_word_late, c) < 0)
                return false;
        loop_unwatch(c->loop, &c->pidfd);
        instance_stop_watching(c);
        return true;
}

/* Also one that dies while it is moved. */
static struct instance *copy_of(const struct instance *t, uint32_t inner)
{
        struct instance *c;

        LIST_FOREACH(c, &t->fork.copies, fork.link)
        if (c->fork.inner == inner)
                return c;
        c = t->fork.unborn;
        return c && c->fork.inner == inner ? c : NULL;
}

void instance_fork_ended(struct instance *t, const struct wire_ended *m)
{
        static const int codes[] = {[WIRE_END_EXITED] = CLD_EXITED,
                                    [WIRE_END_KILLED] = CLD_KILLED,
                                    [WIRE_END_DUMPED] = CLD_DUMPED};
        struct instance *c = copy_of(t, m->pid);

        if (!c)
                return; /* one that was given up, or is finished */
        sandbox_tell_end(c->box, codes[m->how], m->status, m->peak_bytes);
        if (is_awaiting(c))
                stop_awaiting(c);
}

static void orphan(struct instance *t)
{
        struct instance *c, *next;

        for (c = LIST_FIRST(&t->fork.copies); c; c = next) {
                next = LIST_NEXT(c, fork.link);
                LIST_REMOVE(c, fork.link);
                c->fork.template = NULL;
                /* It moves a timer that is set, which needs no memory. */
                if (is_awaiting(c))
                        (void)!loop_timer_set(c->loop, &c->fork.word, clock_mono_ns(), on_word_late,
                                              c);
        }
        c = take_ptr(t->fork.unborn);
        if (!c)
                return;
        c->fork.template = NULL;
        if (!c->fork.moving) /* else the pool's done frees it */
                instance_free(c);
}

void instance_fork_done(struct instance *i)
{
        struct instance *t = i->fork.template;

        orphan(i);
        loop_timer_unset(i->loop, &i->fork.word);
        if (t && i->fork.born)
                LIST_REMOVE(i, fork.link);
        i->fork.template = NULL;
}
