#include "host/instance_private.h"

#include <errno.h>

#include "base/clock.h"
#include "host/instance_io.h"
#include "host/instance_verdict.h"

#define FORK_WORDS_MAX 200

static void end_call(struct instance *i)
{
        i->state = INSTANCE_IDLE;
        i->calls++;
        loop_timer_unset(i->loop, &i->deadline);
        loop_timer_unset(i->loop, &i->grace);
}

static void on_error_frame(struct instance *i, const struct wire_frame *f)
{
        scoped(tool_outcome) struct tool_outcome o = {0};
        struct tool_call *call = NULL;
        struct wire_error m;
        struct err e;

        if (wire_decode_error(f->payload, f->header.len, &m, &e) < 0) {
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL, e.msg);
                return;
        }
        if (i->state == INSTANCE_TEMPLATE) {
                scoped(str) struct str words = {0};

                str_add_printable(&words, m.text.p, m.text.len, FORK_WORDS_MAX);
                instance_fork_refused(i, words.data ? words.data : "it gave no reason");
                return;
        }
        verdict_of_error(&m, instance_stage(i), i->plugin_dir, &o);
        if (i->state == INSTANCE_BOOTING) {
                sandbox_kill(i->box);
                instance_collect_last_words(i);
                instance_declare_broken(i, &o);
                return;
        }
        if (i->state == INSTANCE_CANCELLING && i->call) {
                tool_outcome_done(&o);
                tool_outcome_fail(&o, PLUGIN_ERROR_CANCELLED, "the client left");
        }
        call = take_ptr(i->call);
        end_call(i);
        i->owner->error(i, call, &o);
}

/* Its texts are for later, and for the pool when they are large; but who cannot even count the
 * pieces has broken a rule. */
static bool is_well_formed(struct instance *i, const struct wire_frame *f)
{
        struct err e;

        if (wire_check_result(f->payload, f->header.len, &e) == 0)
                return true;
        instance_break_rule(i, PLUGIN_ERROR_PROTOCOL, e.msg);
        return false;
}

static void on_result_frame(struct instance *i, struct wire_frame *f)
{
        bool cancelled = i->state == INSTANCE_CANCELLING;
        struct tool_call *call;

        if (!is_well_formed(i, f))
                return;
        call = take_ptr(i->call);
        end_call(i);
        if (cancelled) {
                scoped(tool_outcome) struct tool_outcome o = {0};

                tool_outcome_fail(&o, PLUGIN_ERROR_CANCELLED, "the client left");
                i->owner->error(i, call, &o);
                return;
        }
        i->owner->result(i, call, take_ptr(f->payload), f->header.len);
}

/* The worker's own side keeps to this; one that doesn't is not worth everybody's time. */
static bool may_tell(struct instance_rate *rate, int64_t now)
{
        double filled =
            rate->left + (double)(now - rate->at_ns) / NSEC_PER_SEC * INSTANCE_PROGRESS_PER_S;

        rate->left = MIN_OF(filled, (double)INSTANCE_PROGRESS_PER_S);
        rate->at_ns = now;
        if (rate->left < 1)
                return false;
        rate->left--;
        return true;
}

static void on_progress_frame(struct instance *i, const struct wire_frame *f)
{
        struct wire_progress m;
        struct err e;

        if (wire_decode_progress(f->payload, f->header.len, &m, &e) < 0)
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL, e.msg);
        else if (i->call && may_tell(&i->telling, clock_mono_ns()))
                i->owner->progress(i, i->call, m.done, m.total);
}

static void on_log_frame(struct instance *i, const struct wire_frame *f)
{
        struct wire_log m;
        struct err e;

        if (wire_decode_log(f->payload, f->header.len, &m, &e) < 0)
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL, e.msg);
        else
                plugin_log_add(i->log, PLUGIN_LOG_LOG, m.text.p, m.text.len, clock_real_ns());
}

static void on_hello_frame(struct instance *i, const struct wire_frame *f)
{
        struct wire_hello_ok m;
        struct err e;

        if (wire_decode_hello_ok(f->payload, f->header.len, &m, &e) < 0)
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL, e.msg);
        else if (m.protocol != WIRE_VERSION)
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL,
                                    "the worker speaks another protocol version");
        else
                i->owner->ready(i, WIRE_HELLO);
}

static void on_meta_frame(struct instance *i, const struct wire_frame *f)
{
        struct wire_str json;
        struct err e;

        if (wire_decode_meta(f->payload, f->header.len, &json, &e) < 0)
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL, e.msg);
        else if (i->owner->meta(i, json.p, json.len, &e) < 0)
                instance_break_rule(i, PLUGIN_ERROR_VALIDATION, e.msg);
}

static void on_forked_frame(struct instance *i, const struct wire_frame *f)
{
        struct wire_forked m;
        struct err e;

        if (wire_decode_forked(f->payload, f->header.len, &m, &e) < 0)
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL, e.msg);
        else
                instance_fork_answered(i, m.pid);
}

static void on_ended_frame(struct instance *i, const struct wire_frame *f)
{
        struct wire_ended m;
        struct err e;

        if (wire_decode_ended(f->payload, f->header.len, &m, &e) < 0)
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL, e.msg);
        else
                instance_fork_ended(i, &m);
}

static void on_report_frame(struct instance *i, const struct wire_frame *f)
{
        struct wire_report m;
        struct err e;

        if (wire_decode_report(f->payload, f->header.len, &m, &e) < 0) {
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL, e.msg);
                return;
        }
        i->owner->report(i, &m);
        wire_report_done(&m);
}

static void on_frame(struct instance *i, struct wire_frame *f)
{
        if (f->ends_request && instance_io_is_sending(i)) {
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL,
                                    "an answer before the request was read");
                return;
        }
        if (f->ends_request)
                instance_hear_pipes(i);
        /* The parser has refused every type that is not permitted now. */
        switch (f->header.type) {
        case WIRE_HELLO_OK:
                on_hello_frame(i, f);
                break;
        case WIRE_META:
                on_meta_frame(i, f);
                break;
        case WIRE_READY:
                i->owner->ready(i, i->request);
                break;
        case WIRE_RESULT:
                on_result_frame(i, f);
                break;
        case WIRE_ERROR:
                on_error_frame(i, f);
                break;
        case WIRE_PROGRESS:
                on_progress_frame(i, f);
                break;
        case WIRE_LOG:
                on_log_frame(i, f);
                break;
        case WIRE_FORKED:
                on_forked_frame(i, f);
                break;
        case WIRE_ENDED:
                on_ended_frame(i, f);
                break;
        case WIRE_REPORT:
                on_report_frame(i, f);
                break;
        default:
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL, "a frame of no use");
        }
}

static void refuse_bytes(struct instance *i, int r, const struct err *e)
{
        if (r == -EMSGSIZE)
                instance_break_rule(i, PLUGIN_ERROR_OUTPUT_TOO_LARGE, e->msg);
        else if (r == -ENOMEM)
                instance_break_rule(i, PLUGIN_ERROR_INTERNAL,
                                    "the host has no memory for the answer");
        else
                instance_break_rule(i, PLUGIN_ERROR_PROTOCOL, e->msg);
}

unsigned instance_frames_take(struct instance *i, const uint8_t *bytes, size_t n)
{
        unsigned taken = 0;

        while (n > 0 && i->state != INSTANCE_DYING) {
                struct wire_frame f = {0};
                struct err e;
                size_t used = 0;
                int r = wire_parser_feed(&i->parser, bytes, n, &used, &f, &e);

                if (r < 0) {
                        refuse_bytes(i, r, &e);
                        break;
                }
                bytes += used;
                n -= used;
                if (r > 0) {
                        taken++;
                        on_frame(i, &f);
                        wire_frame_done(&f);
                }
        }
        return taken;
}
