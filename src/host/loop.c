#include "host/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define BATCH 64

struct loop {
        int epoll_fd;
        bool stopped;
        int64_t now;
        struct loop_timer **heap; /* 1-based */
        size_t n_timers, heap_cap;
        int64_t (*prepare)(void *ctx);
        void *prepare_ctx;
        struct epoll_event batch[BATCH];
        int n_batch;
};

int loop_new(struct loop **ret, struct err *e)
{
        struct loop *l = calloc(1, sizeof *l);

        if (!l)
                return err_set_errno(e, -ENOMEM, "make the loop");
        l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (l->epoll_fd < 0) {
                int r = -errno;

                free(l);
                return err_set_errno(e, r, "epoll_create1");
        }
        l->now = clock_mono_ns();
        *ret = l;
        return 0;
}

void loop_free(struct loop *l)
{
        if (!l)
                return;
        fd_close(l->epoll_fd);
        free(l->heap);
        free(l);
}

int loop_watch(struct loop *l, struct loop_watch *w, int fd, uint32_t events,
               void (*fn)(void *ctx, uint32_t events), void *ctx)
{
        struct epoll_event ev = {.events = events, .data.ptr = w};

        *w = (struct loop_watch){fd, fn, ctx};
        if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
                w->fd = -1;
                return -errno;
        }
        return 0;
}

int loop_rewatch(struct loop *l, struct loop_watch *w, uint32_t events)
{
        struct epoll_event ev = {.events = events, .data.ptr = w};

        return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) < 0 ? -errno : 0;
}

void loop_unwatch(struct loop *l, struct loop_watch *w)
{
        /* fn tells an unused watch (all zero, fd 0) from one on descriptor 0. */
        if (!w->fn || w->fd < 0)
                return;
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
        for (int i = 0; i < l->n_batch; i++)
                if (l->batch[i].data.ptr == w)
                        l->batch[i].data.ptr = NULL;
        w->fd = -1;
}

/* --- timers: a binary heap whose members know their slot --- */

static void heap_place(struct loop *l, size_t slot, struct loop_timer *t)
{
        l->heap[slot] = t;
        t->slot = slot;
}

static void heap_up(struct loop *l, size_t slot)
{
        struct loop_timer *t = l->heap[slot];

        for (; slot > 1 && l->heap[slot / 2]->at_ns > t->at_ns; slot /= 2)
                heap_place(l, slot, l->heap[slot / 2]);
        heap_place(l, slot, t);
}

static void heap_down(struct loop *l, size_t slot)
{
        struct loop_timer *t = l->heap[slot];

        for (size_t child; (child = slot * 2) <= l->n_timers; slot = child) {
                if (child < l->n_timers && l->heap[child + 1]->at_ns < l->heap[child]->at_ns)
                        child++;
                if (l->heap[child]->at_ns >= t->at_ns)
                        break;
                heap_place(l, slot, l->heap[child]);
        }
        heap_place(l, slot, t);
}

int loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_ns, void (*fn)(void *ctx),
                   void *ctx)
{
        if (at_ns == INT64_MAX) {
                loop_timer_unset(l, t);
                return 0;
        }
        if (!t->slot) {
                if (l->n_timers + 2 > l->heap_cap) {
                        size_t cap = l->heap_cap ? l->heap_cap * 2 : 64;
                        struct loop_timer **grown = realloc(l->heap, cap * sizeof(*grown));

                        if (!grown)
                                return -ENOMEM;
                        l->heap = grown;
                        l->heap_cap = cap;
                }
                heap_place(l, ++l->n_timers, t);
        }
        t->at_ns = at_ns;
        t->fn = fn;
        t->ctx = ctx;
        heap_up(l, t->slot);
        heap_down(l, t->slot);
        return 0;
}

void loop_timer_unset(struct loop *l, struct loop_timer *t)
{
        size_t slot = t->slot;
        struct loop_timer *last;

        if (!slot)
                return;
        t->slot = 0;
        last = l->heap[l->n_timers--];
        if (last == t)
                return;
        heap_place(l, slot, last);
        heap_up(l, slot);
        heap_down(l, last->slot);
}

static void run_due_timers(struct loop *l)
{
        while (l->n_timers > 0 && l->heap[1]->at_ns <= l->now) {
                struct loop_timer *t = l->heap[1];

                loop_timer_unset(l, t);
                t->fn(t->ctx);
        }
}

void loop_set_prepare(struct loop *l, int64_t (*fn)(void *ctx), void *ctx)
{
        l->prepare = fn;
        l->prepare_ctx = ctx;
}

int64_t loop_now(const struct loop *l)
{
        return l->now;
}

/* Rounded up to whole milliseconds, so that a timer that is due is never waited for with 0. */
static int wait_ms(struct loop *l)
{
        int64_t ns = l->prepare ? l->prepare(l->prepare_ctx) : -1;

        if (l->n_timers > 0) {
                int64_t until = l->heap[1]->at_ns - clock_mono_ns();

                until = MAX_OF(until, 0);
                ns = ns < 0 ? until : MIN_OF(ns, until);
        }
        if (ns < 0)
                return -1;
        ns = MIN_OF(ns, 3600 * NSEC_PER_SEC);
        return (int)((ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

int loop_turn(struct loop *l, struct err *e)
{
        int n = epoll_wait(l->epoll_fd, l->batch, BATCH, wait_ms(l));

        if (n < 0 && errno != EINTR)
                return err_set_errno(e, -errno, "epoll_wait");
        l->n_batch = MAX_OF(n, 0);
        l->now = clock_mono_ns();
        for (int i = 0; i < l->n_batch; i++) {
                struct loop_watch *w = l->batch[i].data.ptr;

                if (w)
                        w->fn(w->ctx, l->batch[i].events);
        }
        l->n_batch = 0;
        run_due_timers(l);
        return 0;
}

int loop_run(struct loop *l, struct err *e)
{
        l->stopped = false;
        while (!l->stopped) {
                int r = loop_turn(l, e);

                if (r < 0)
                        return r;
        }
        return 0;
}

void loop_stop(struct loop *l)
{
        l->stopped = true;
}
