#include "host/instance.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "host/instance_io.h"
#include "host/instance_private.h"
#include "host/instance_share.h"
#include "host/instance_verdict.h"
#include "host/last_words.h"
#include "sandbox/timeout.h"

#define READ_CHUNK      KIB(64)
#define READS_PER_TURN  16 /* so that one talker does not starve the others */
#define FRAMES_PER_READ 64 /* more in one chunk is chatter, and its turn is over */
#define LOG_PER_TURN    KIB(64)
#define LINES_PER_TURN  512  /* a line costs, however short: a hundred plugins may flood at once */
#define LOG_LINES_KEPT  8192 /* more than the log can hold */
#define STDERR_READ     KIB(32) /* a Python crash dump: 100 frames, of several threads */
#define STDERR_KEPT     2000

const char *instance_stage(const struct instance *i)
{
        if (i->call || i->state == INSTANCE_BUSY || i->state == INSTANCE_CANCELLING)
                return "call";
        if (i->state == INSTANCE_IDLE || i->state == INSTANCE_LEAVING)
                return "idle";
        if (i->state == INSTANCE_TEMPLATE)
                return "template";
        switch (i->request) {
        case WIRE_FORK:
                return "template";
        case WIRE_INIT:
                return "init";
        case WIRE_VALIDATE:
                return "validate";
        case WIRE_CHECK:
                return "check";
        case WIRE_CALL:
                return "call";
        default:
                return i->probe ? "check" : "load";
        }
}

/* --- the end --- */

void instance_stop_watching(struct instance *i)
{
        loop_unwatch(i->loop, &i->channel);
        loop_timer_unset(i->loop, &i->deadline);
        loop_timer_unset(i->loop, &i->grace);
        loop_timer_unset(i->loop, &i->watch_timer);
        loop_unwatch(i->loop, &i->oom);
}

/* The verdict is known: the call ends now, not when the kernel has torn down a gigabyte. */
void instance_declare_broken(struct instance *i, struct tool_outcome *o)
{
        struct tool_call *call = take_ptr(i->call);

        i->state = INSTANCE_DYING;
        instance_stop_watching(i);
        if (!i->broken) {
                struct sandbox_usage u;

                sandbox_usage(i->box, &u);
                o->peak_bytes = u.peak_rss_bytes;
                i->broken = true;
                i->owner->broke(i, call, o);
        }
}

void instance_hear_pipes(struct instance *i)
{
        instance_io_drain_log(i, sandbox_stdout(i->box), &i->out_part, PLUGIN_LOG_STDOUT,
                              LOG_PER_TURN, LOG_LINES_KEPT);
        instance_io_drain_log(i, sandbox_stderr(i->box), &i->err_part, PLUGIN_LOG_STDERR,
                              LOG_PER_TURN, LOG_LINES_KEPT);
}

void instance_collect_last_words(struct instance *i)
{
        instance_io_last_words(i, sandbox_stdout(i->box), &i->out_part, PLUGIN_LOG_STDOUT);
        instance_io_last_words(i, sandbox_stderr(i->box), &i->err_part, PLUGIN_LOG_STDERR);
}

struct verdict_circumstances instance_circumstances(struct instance *i, struct str *tail)
{
        bool booting = i->state == INSTANCE_BOOTING || i->state == INSTANCE_TEMPLATE ||
                       (i->state == INSTANCE_OVERDUE && i->request != WIRE_CALL);
        scoped(str) struct str all = {0};

        /* What the log holds since a template was loaded is its copies'. */
        if (!i->fork.is_template)
                plugin_log_tail(i->log, i->log_from, STDERR_READ, &all);
        last_words_add(tail, all.data ? all.data : "", STDERR_KEPT);
        return (struct verdict_circumstances){.stage = instance_stage(i),
                                              .memory_bytes = i->memory_bytes,
                                              .shortage = !sandbox_hit_own_limit(i->box),
                                              .timeout_seconds =
                                                  booting ? i->boot_seconds : i->timeout_seconds,
                                              .tail = tail->data ? tail->data : "",
                                              .plugin_dir = i->plugin_dir,
                                              .folder = i->folder};
}

bool instance_is_free(const struct instance *i)
{
        /* One whose channel has ended could only lose a call. */
        return i->state == INSTANCE_IDLE && !i->dead && i->channel.fd >= 0;
}

void instance_break(struct instance *i, struct tool_outcome *o)
{
        if (i->state != INSTANCE_DYING) {
                sandbox_kill(i->box);
                instance_collect_last_words(i);
                instance_declare_broken(i, o);
        }
        tool_outcome_done(o);
}

void instance_break_rule(struct instance *i, enum plugin_error error, const char *words)
{
        struct tool_outcome o = {0};

        tool_outcome_fail(&o, error, "%s (stage=%s)", words, instance_stage(i));
        instance_break(i, &o);
}

static void on_grace(void *ctx)
{
        struct instance *i = ctx;
        struct tool_outcome o = {0};

        if (i->state == INSTANCE_CANCELLING)
                tool_outcome_fail(&o, PLUGIN_ERROR_CANCELLED,
                                  "the client left, and the plugin did "
                                  "not stop within %d s",
                                  INSTANCE_CANCEL_GRACE_S);
        else if (i->state == INSTANCE_LEAVING)
                tool_outcome_fail(&o, PLUGIN_ERROR_CANCELLED,
                                  "the plugin did not end within %d s and was killed",
                                  INSTANCE_SHUTDOWN_GRACE_S);
        else
                tool_outcome_fail(&o, PLUGIN_ERROR_PROTOCOL,
                                  wire_parser_midframe(&i->parser)
                                      ? "the worker left a frame unfinished (stage=%s)"
                                      : "the worker closed its channel and lives on (stage=%s)",
                                  instance_stage(i));
        instance_break(i, &o);
}

void instance_set_grace(struct instance *i, int seconds)
{
        /* Without memory for a timer the grace is over at once. */
        if (loop_timer_set(i->loop, &i->grace, clock_mono_ns() + seconds * NSEC_PER_SEC, on_grace,
                           i) < 0)
                on_grace(i);
}

/* --- the channel --- */

/* A frame that begins while nothing is asked must not stay half-way. */
static void watch_half_frame(struct instance *i)
{
        bool idle = i->state == INSTANCE_IDLE || i->state == INSTANCE_LEAVING ||
                    (i->state == INSTANCE_TEMPLATE && !i->deadline.slot);

        if (!idle || i->state == INSTANCE_LEAVING)
                return;
        if (wire_parser_midframe(&i->parser) && !i->grace.slot)
                instance_set_grace(i, INSTANCE_VERDICT_GRACE_S);
        else if (!wire_parser_midframe(&i->parser))
                loop_timer_unset(i->loop, &i->grace);
}

static void on_channel_closed(struct instance *i)
{
        /* Death may be on its way: the pidfd decides. A process that lives on gets the grace. */
        loop_unwatch(i->loop, &i->channel);
        if (i->state != INSTANCE_LEAVING && i->state != INSTANCE_DYING)
                instance_set_grace(i, INSTANCE_VERDICT_GRACE_S);
}

/* false when the channel has ended. The turn is over after a chunk with more frames than that. */
static bool read_channel(struct instance *i, int turns, unsigned max_frames)
{
        uint8_t buf[READ_CHUNK];
        unsigned frames = 0;

        while (turns-- > 0 && i->state != INSTANCE_DYING && frames <= max_frames) {
                ssize_t n = instance_io_read(sandbox_channel(i->box), buf, sizeof buf);

                if (n == -EAGAIN)
                        break;
                if (n <= 0)
                        return false;
                frames = instance_frames_take(i, buf, (size_t)n);
                if (n < (ssize_t)sizeof buf)
                        break;
        }
        return true;
}

static void on_channel(void *ctx, uint32_t events)
{
        struct instance *i = ctx;

        if (events & EPOLLOUT && instance_io_flush(i) < 0) {
                on_channel_closed(i);
                return;
        }
        if (!read_channel(i, READS_PER_TURN, FRAMES_PER_READ)) {
                on_channel_closed(i);
                return;
        }
        if (i->state != INSTANCE_DYING)
                watch_half_frame(i);
}

/* --- the pipes --- */

static void on_out(void *ctx, unused_param uint32_t events)
{
        struct instance *i = ctx;

        if (!instance_io_drain_log(i, i->out.fd, &i->out_part, PLUGIN_LOG_STDOUT, LOG_PER_TURN,
                                   LINES_PER_TURN))
                loop_unwatch(i->loop, &i->out);
}

static void on_err(void *ctx, unused_param uint32_t events)
{
        struct instance *i = ctx;

        if (!instance_io_drain_log(i, i->err.fd, &i->err_part, PLUGIN_LOG_STDERR, LOG_PER_TURN,
                                   LINES_PER_TURN))
                loop_unwatch(i->loop, &i->err);
        if (i->state == INSTANCE_OVERDUE)
                instance_overdue_heard(i);
}

/* --- memory and death --- */

static void check_memory(struct instance *i)
{
        struct tool_outcome o = {0};
        scoped(str) struct str tail = {0};
        struct verdict_circumstances c;

        if (i->state == INSTANCE_DYING || sandbox_check_memory(i->box) <= 0)
                return;
        c = instance_circumstances(i, &tail);
        verdict_of_memory(&c, &o);
        instance_break(i, &o);
}

static void on_oom(void *ctx, unused_param uint32_t events)
{
        check_memory(ctx);
}

static void on_watch_timer(void *ctx)
{
        struct instance *i = ctx;

        check_memory(i);
        if (i->state != INSTANCE_DYING &&
            loop_timer_set(i->loop, &i->watch_timer, sandbox_next_look(i->box, clock_mono_ns()),
                           on_watch_timer, i) < 0)
                instance_break_rule(i, PLUGIN_ERROR_INTERNAL, "the host has no memory for a timer");
}

void instance_finish_death(struct instance *i)
{
        /* What is said when the kernel cannot tell. */
        struct obituary o = {.cause = OBITUARY_SIGNAL, .signal = SIGKILL};

        if (sandbox_reap(i->box, &o) > 0)
                return;
        instance_collect_last_words(i);
        if (i->state == INSTANCE_OVERDUE) /* of what it was sent, or of anything else */
                instance_time_out(i);
        if (!i->broken) {
                scoped(tool_outcome) struct tool_outcome out = {0};
                scoped(str) struct str tail = {0};
                struct verdict_circumstances c = instance_circumstances(i, &tail);

                i->left_well = i->state == INSTANCE_LEAVING && o.cause == OBITUARY_EXITED;
                if (i->left_well)
                        tool_outcome_fail(&out, PLUGIN_ERROR_CANCELLED, "ended");
                else
                        verdict_of_death(&o, &c, &out);
                instance_declare_broken(i, &out);
        }
        loop_unwatch(i->loop, &i->pidfd);
        i->owner->gone(i);
}

static void on_death(void *ctx, unused_param uint32_t events)
{
        struct instance *i = ctx;

        i->dead = true;
        /* What was complete at this instant counts: a reply before a death is a reply. */
        if (i->state != INSTANCE_DYING && i->channel.fd >= 0)
                read_channel(i, 1024, UINT_MAX);
        if (!instance_fork_awaits_word(i))
                instance_finish_death(i);
}

/* --- requests --- */

int instance_begin_request(struct instance *i, enum wire_type type)
{
        int r = wire_parser_expect(&i->parser, type, instance_io_nonce(i));

        if (r == 0)
                i->request = type;
        return r;
}

int instance_request(struct instance *i, enum wire_type type, const struct str *payload)
{
        struct str text = {0};
        int r = instance_begin_request(i, type);

        if (r < 0)
                return r;
        if (payload)
                str_add(&text, payload->data, payload->len);
        if (text.bad)
                return -ENOMEM;
        r = instance_io_queue(i, type, &text, NULL, 0, NULL, (uint32_t)text.len);
        str_done(&text);
        /* A channel that broke tells by its end of file. */
        return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

void instance_set_idle(struct instance *i)
{
        i->state = INSTANCE_IDLE;
        loop_timer_unset(i->loop, &i->deadline);
}

void instance_leave(struct instance *i)
{
        struct tool_outcome o = {0};

        if (i->state == INSTANCE_BOOTING) {
                tool_outcome_fail(&o, PLUGIN_ERROR_CANCELLED, "not wanted any more");
                instance_break(i, &o);
                return;
        }
        if (i->state == INSTANCE_TEMPLATE && i->fork.unborn) {
                tool_outcome_fail(&o, PLUGIN_ERROR_CANCELLED, "not wanted any more");
                instance_break(i, &o);
                return;
        }
        if (i->state != INSTANCE_IDLE && i->state != INSTANCE_TEMPLATE)
                return;
        i->state = INSTANCE_LEAVING;
        i->leaving = true;
        loop_timer_unset(i->loop, &i->deadline); /* of a template's last FORK */
        loop_timer_unset(i->loop, &i->grace);
        if (instance_request(i, WIRE_SHUTDOWN, NULL) < 0) {
                tool_outcome_fail(&o, PLUGIN_ERROR_CANCELLED, "could not be asked to end");
                instance_break(i, &o);
                return;
        }
        instance_set_grace(i, INSTANCE_SHUTDOWN_GRACE_S);
}

/* --- birth --- */

/* A file of cgroup version 2 can always be read, and says EPOLLPRI when it has changed; version 1
 * has an eventfd. */
static uint32_t oom_events(const struct instance *i)
{
        bool file = sandbox_isolation(i->box)->memory == ISOLATION_MEMORY_CGROUP2;

        return file ? EPOLLPRI : EPOLLIN;
}

int instance_watch_all(struct instance *i)
{
        struct loop *l = i->loop;
        int r = loop_watch(l, &i->channel, sandbox_channel(i->box), EPOLLIN, on_channel, i);

        if (r == 0)
                r = loop_watch(l, &i->pidfd, sandbox_pidfd(i->box), EPOLLIN, on_death, i);
        if (r == 0)
                r = loop_watch(l, &i->out, sandbox_stdout(i->box), EPOLLIN, on_out, i);
        if (r == 0)
                r = loop_watch(l, &i->err, sandbox_stderr(i->box), EPOLLIN, on_err, i);
        if (r == 0 && sandbox_oom_fd(i->box) >= 0)
                r = loop_watch(l, &i->oom, sandbox_oom_fd(i->box), oom_events(i), on_oom, i);
        if (r == 0 && sandbox_wants_watch(i->box))
                r = loop_timer_set(l, &i->watch_timer, sandbox_next_look(i->box, clock_mono_ns()),
                                   on_watch_timer, i);
        return r;
}

static int say_hello(struct instance *i, uint32_t max_output)
{
        struct wire_hello m = {.protocol = WIRE_VERSION, .abi = 1, .max_output = max_output};
        scoped(str) struct str payload = {0};

        wire_encode_hello(&payload, &m);
        return payload.bad ? -ENOMEM : instance_request(i, WIRE_HELLO, &payload);
}

struct instance *instance_alloc(const struct instance_options *o)
{
        struct instance *i = calloc(1, sizeof *i);

        if (!i)
                return NULL;
        i->owner = o->owner;
        i->ctx = o->ctx;
        i->loop = o->loop;
        i->pool = o->pool;
        i->log = o->log;
        i->log_from = o->log->next_number;
        i->probe = o->probe;
        i->generation = o->generation;
        i->timeout_seconds = o->timeout_seconds;
        i->boot_seconds = o->boot_seconds;
        i->memory_bytes = o->memory_bytes;
        LIST_INIT(&i->fork.copies);
        wire_parser_init(&i->parser, o->generation, o->max_output);
        if (!o->plugin_dir)
                return i;
        i->plugin_dir = strdup(o->plugin_dir);
        i->folder = strdup(o->folder);
        if (i->plugin_dir && i->folder)
                return i;
        instance_free(i);
        return NULL;
}

int instance_start(struct sandbox_runner *runner, const struct sandbox_policy *policy,
                   const struct instance_options *o, struct instance **ret, struct err *e)
{
        struct instance *i = instance_alloc(o);
        int r;

        if (!i)
                return err_set_errno(e, -ENOMEM, "start a worker");
        r = sandbox_spawn(runner, policy, &i->box, e);
        if (r != 0) {
                instance_free(i);
                return r;
        }
        r = instance_watch_all(i);
        if (r == 0)
                r = instance_set_deadline(i, timeout_deadline(clock_mono_ns(), o->boot_seconds));
        if (r == 0)
                r = say_hello(i, o->max_output);
        if (r < 0) {
                instance_free(i);
                return err_set_errno(e, r, "start a worker");
        }
        *ret = i;
        return 0;
}

void instance_free(struct instance *i)
{
        if (!i)
                return;
        instance_fork_done(i);
        instance_stop_watching(i);
        loop_unwatch(i->loop, &i->pidfd);
        loop_unwatch(i->loop, &i->out);
        loop_unwatch(i->loop, &i->err);
        plugin_log_writer_done(&i->out_part);
        plugin_log_writer_done(&i->err_part);
        wire_parser_done(&i->parser);
        instance_share_done(i);
        instance_io_done(i);
        sandbox_free(i->box);
        free(i->plugin_dir);
        free(i->folder);
        free(i);
}
