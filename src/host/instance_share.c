#include "host/instance_share.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "host/instance_io.h"
#include "host/instance_private.h"

#define AREA_KEPT_NS NSEC_PER_SEC /* after the last call that used it */

struct instance_share {
        struct pool_job job;
        struct instance *instance; /* NULL: it has gone meanwhile */
        struct shared_area *area;
        struct call_args args; /* the bytes; no JSON */
        uint32_t *offsets;
        struct str payload;
        int64_t begun_ns, deadline_ns;
        int result;
};

static uint64_t room_of(const struct call_args *args)
{
        uint64_t room = 0;

        for (size_t b = 0; b < args->n_bytes; b++)
                room += args->bytes[b].size + INSTANCE_SHARE_ALIGN;
        return room;
}

bool instance_share_is_worth(struct instance *i, const struct tool_call *call)
{
        uint64_t room = room_of(&call->args);

        if (!i->pool || !call->views || room < INSTANCE_SHARE_MIN || room > WIRE_MAX_CALL)
                return false;
        /* Where there is none, the socket does it. */
        return i->area || shared_area_new(WIRE_MAX_CALL, &i->area) == 0;
}

/* --- in the pool --- */

static void write_bytes(struct pool_job *job)
{
        struct instance_share *s = container_of(job, struct instance_share, job);
        size_t at = 0;

        for (size_t b = 0; b < s->args.n_bytes && s->result == 0; b++)
                s->result = shared_area_write(s->area, &at, s->offsets[b], s->args.bytes[b].data,
                                              s->args.bytes[b].size);
        if (s->result == 0)
                s->result = shared_area_finish(s->area, at);
        call_args_done(&s->args);
}

/* --- in the loop again --- */

static void share_free(struct instance_share *s)
{
        shared_area_free(s->area);
        call_args_done(&s->args);
        free(s->offsets);
        str_done(&s->payload);
        free(s);
}

/* Every page that a worker may read has been written: what is given back is no call's. */
static void on_area_idle(void *ctx)
{
        struct instance *i = ctx;
        bool used = i->state != INSTANCE_IDLE && i->calls == i->area_calls;

        if (!i->area)
                return;
        if (used && loop_timer_set(i->loop, &i->area_timer, clock_mono_ns() + AREA_KEPT_NS,
                                   on_area_idle, i) == 0)
                return;
        if (used)
                return;
        /* A new one would be as much again that it may write to. */
        if (sandbox_writes_uncounted(i->box))
                shared_area_empty(i->area);
        else
                shared_area_retire(take_ptr(i->area), i->pool);
}

/* The worker has not seen any of it. */
static void end_unsent(struct instance *i, enum plugin_error error, const char *words)
{
        scoped(tool_outcome) struct tool_outcome o = {0};

        tool_outcome_fail(&o, error, "%s", words);
        i->state = INSTANCE_IDLE;
        loop_timer_unset(i->loop, &i->deadline);
        i->owner->error(i, take_ptr(i->call), &o);
}

static void send_call(struct instance *i, struct instance_share *s)
{
        struct tool_outcome o = {0};
        int r = instance_set_deadline(i, s->deadline_ns + clock_mono_ns() - s->begun_ns);

        if (r == 0)
                r = instance_io_attach(i, &i->area->read_fd, 1);
        if (r < 0) {
                end_unsent(i, PLUGIN_ERROR_INTERNAL,
                           "the host has no memory to hand the call over");
                return;
        }
        i->area_calls = i->calls;
        r = instance_begin_request(i, WIRE_CALL);
        if (r == 0)
                r = instance_io_queue(i, WIRE_CALL_SHM, &s->payload, NULL, 0, NULL,
                                      (uint32_t)s->payload.len);
        /* A channel that broke tells by its end of file. */
        if (r == 0 || r == -EPIPE || r == -ECONNRESET)
                return;
        tool_outcome_fail(&o, PLUGIN_ERROR_INTERNAL, "hand the call over: %s", strerror(-r));
        instance_break(i, &o);
}

static void on_written(struct pool_job *job)
{
        struct instance_share *s = container_of(job, struct instance_share, job);
        struct instance *i = s->instance;

        if (!i) {
                share_free(s);
                return;
        }
        i->share = NULL;
        i->area = take_ptr(s->area);
        if (loop_timer_set(i->loop, &i->area_timer, clock_mono_ns() + AREA_KEPT_NS, on_area_idle,
                           i) < 0)
                s->result = -ENOMEM;
        if (i->state == INSTANCE_CANCELLING)
                end_unsent(i, PLUGIN_ERROR_CANCELLED, "the client left");
        else if (i->state == INSTANCE_BUSY && s->result < 0)
                end_unsent(i, PLUGIN_ERROR_INTERNAL, "the host has no memory for the arguments");
        else if (i->state == INSTANCE_BUSY)
                send_call(i, s);
        share_free(s);
}

/* --- from the loop --- */

int instance_share_take(struct instance *i, struct call_args *args, struct str *take_payload,
                        uint32_t *take_offsets, int64_t deadline_ns)
{
        struct instance_share *s = calloc(1, sizeof *s);

        if (!s) {
                free(take_offsets);
                return -ENOMEM;
        }
        *s = (struct instance_share){.job = {.work = write_bytes, .done = on_written},
                                     .instance = i,
                                     .area = take_ptr(i->area),
                                     .args = {.bytes = take_ptr(args->bytes),
                                              .n_bytes = args->n_bytes,
                                              .backing = take_ptr(args->backing)},
                                     .offsets = take_offsets,
                                     .payload = *take_payload,
                                     .begun_ns = clock_mono_ns(),
                                     .deadline_ns = deadline_ns};
        args->n_bytes = 0;
        *take_payload = (struct str){0};
        loop_timer_unset(i->loop, &i->area_timer);
        i->share = s;
        return 0;
}

void instance_share_start(struct instance *i)
{
        struct pool_job *job = &i->share->job;

        if (room_of(&i->share->args) > INSTANCE_SHARE_INLINE) {
                pool_submit(i->pool, job);
                return;
        }
        write_bytes(job);
        on_written(job);
}

void instance_share_done(struct instance *i)
{
        if (i->share)
                i->share->instance = NULL;
        loop_timer_unset(i->loop, &i->area_timer);
        shared_area_free(take_ptr(i->area));
}
