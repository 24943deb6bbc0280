/* api_stream.c -- server-sent events: what happens on the host, and what plugins print.
 * Knows: the supervisor's events, logs.    May not know: processes.
 * Threads: the loop's.                     Owns: the streams. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "host/api_internal.h"

#define HEARTBEAT_S  15
#define FLUSH_NS     (20 * NSEC_PER_MSEC) /* between two deliveries */
#define EVENTS_MAX   KIB(64)              /* for one delivery; then it is time for it */
#define LOG_BURST    KIB(256)             /* of a log at once: as much as is kept of it */
#define LOG_RATE     KIB(1536)            /* bytes per second behind that; more is left out */
#define TAIL_DEFAULT 200
#define TAIL_MAX     10000

static bool nobody_listens(const struct api *a)
{
        return TAILQ_EMPTY(&a->events.readers) && TAILQ_EMPTY(&a->logs);
}

/* --- from a feed to its readers --- */

static void send_text(struct api_request *r, const char *text, size_t n)
{
        /* -EPIPE, -ENOBUFS: the stream is over, and gone follows. */
        if (http_exchange_send(r->x, text, n) < 0)
                return;
}

static void tell_dropped(struct api_request *r)
{
        char text[64];
        int n = snprintf(text, sizeof text, "event: dropped\ndata: {\"lines\":%llu}\n\n",
                         (unsigned long long)r->dropped);

        r->dropped = 0;
        send_text(r, text, (size_t)n);
}

static bool has_room(const struct api_request *r, size_t n)
{
        return http_exchange_unread(r->x) + n <= API_LOG_BUFFER;
}

/* A reader of a log that falls behind is spared lines; one of events, which tell of states, is not:
 * it is cut off at its bound, and comes back to look. */
static void deliver(struct api_request *r, const struct api_feed *f)
{
        bool is_log = f->plugin[0] != '\0';

        if (is_log && (f->pending.bad || !has_room(r, f->pending.len))) {
                r->dropped += f->lines + f->left_out;
                return;
        }
        if (r->dropped)
                tell_dropped(r);
        if (f->pending.len && !f->pending.bad)
                send_text(r, f->pending.data, f->pending.len);
        r->dropped += f->left_out;
}

static void flush_feed(struct api_feed *f)
{
        struct api_request *r;

        if (!f->due)
                return;
        TAILQ_FOREACH (r, &f->readers, link)
                deliver(r, f);
        f->allowance -= MIN_OF(f->allowance, f->pending.len);
        str_done(&f->pending);
        f->lines = f->left_out = 0;
        f->due = false;
}

static void on_flush(void *ctx)
{
        struct api *a = ctx;
        int64_t now = clock_mono_ns(), since = MIN_OF(now - a->flushed_ns, NSEC_PER_SEC);
        size_t more = (size_t)(since / NSEC_PER_MSEC) * LOG_RATE / 1000;
        struct api_feed *f;

        a->flushed_ns = now;
        flush_feed(&a->events);
        TAILQ_FOREACH (f, &a->logs, link) {
                flush_feed(f);
                f->allowance = MIN_OF(f->allowance + more, LOG_BURST);
        }
}

/* Soon: in the loop's next turn, and not again for a moment, however many lines come. */
static void flush_soon(struct api_feed *f)
{
        struct api *a = f->api;

        f->due = true;
        if (!a->flush.slot &&
            loop_timer_set(a->o.loop, &a->flush, MAX_OF(clock_mono_ns(), a->flushed_ns + FLUSH_NS),
                           on_flush, a) < 0)
                on_flush(a);
}

/* Keeps proxies awake, finds clients that left without a word, and tells of lines that were dropped
 * when no other follows. */
static void beat(struct api_feed *f)
{
        struct api_request *r;

        TAILQ_FOREACH (r, &f->readers, link) {
                if (r->dropped && has_room(r, 0))
                        tell_dropped(r);
                send_text(r, ": heartbeat\n\n", 13);
        }
}

static void on_heartbeat(void *ctx)
{
        struct api *a = ctx;
        struct api_feed *f;

        beat(&a->events);
        TAILQ_FOREACH (f, &a->logs, link)
                beat(f);
        if (!nobody_listens(a) &&
            loop_timer_set(a->o.loop, &a->heartbeat, clock_mono_ns() + HEARTBEAT_S * NSEC_PER_SEC,
                           on_heartbeat, a) < 0)
                log_write(a->o.log, LOG_LEVEL_ERROR, "no memory for the streams' heartbeat");
}

static struct api_request *open_stream(struct api_feed *f, struct http_exchange *x)
{
        struct api *a = f->api;
        struct api_request *r = api_request_new(a, x);

        if (!r)
                return NULL;
        if (http_exchange_stream(x, 200, "text/event-stream", API_STREAM_BUFFER) < 0) {
                free(r);
                http_exchange_set_data(x, NULL);
                api_reply_error(x, PLUGIN_ERROR_INTERNAL, "the host is out of memory");
                return NULL;
        }
        flush_feed(f); /* what was before is not for this one */
        r->feed = f;
        TAILQ_INSERT_TAIL(&f->readers, r, link);
        if (!a->heartbeat.slot)
                on_heartbeat(a);
        return r;
}

static void feed_init(struct api_feed *f, struct api *a, const char *plugin)
{
        *f = (struct api_feed){.api = a, .allowance = LOG_BURST};
        snprintf(f->plugin, sizeof f->plugin, "%s", plugin);
        TAILQ_INIT(&f->readers);
}

/* Without readers a log's feed goes, and the log is told. */
static void feed_free_if_unused(struct api_feed *f)
{
        struct plugin_log *l;

        if (!TAILQ_EMPTY(&f->readers) || !f->plugin[0])
                return;
        l = supervisor_log(f->api->o.supervisor, f->plugin);
        if (l && l->ctx == f) {
                l->on_line = NULL;
                l->ctx = NULL;
        }
        TAILQ_REMOVE(&f->api->logs, f, link);
        str_done(&f->pending);
        free(f);
}

void api_stream_gone(struct api_request *r)
{
        TAILQ_REMOVE(&r->feed->readers, r, link);
        feed_free_if_unused(r->feed);
}

void api_stream_init(struct api *a)
{
        feed_init(&a->events, a, "");
        TAILQ_INIT(&a->logs);
}

void api_stream_done(struct api *a)
{
        loop_timer_unset(a->o.loop, &a->heartbeat);
        loop_timer_unset(a->o.loop, &a->flush);
        str_done(&a->events.pending);
}

/* --- events --- */

void api_get_events(struct api *a, struct http_exchange *x, unused_param const struct api_path *p)
{
        /* NULL: answered already. */
        if (!open_stream(&a->events, x))
                return;
}

static void begin_event(struct str *text, const char *name, const struct supervisor_event *e)
{
        char when[CLOCK_RFC3339_SIZE];

        clock_rfc3339(clock_real_ns(), when);
        str_addf(text, "event: %s\ndata: {\"at\":\"%s\",\"plugin\":\"%s\"", name, when, e->plugin);
}

static void add_state(struct str *text, const struct supervisor_event *e)
{
        begin_event(text, "state", e);
        if (e->from == LIFECYCLE_ABSENT)
                str_adds(text, ",\"from\":null");
        else
                str_addf(text, ",\"from\":\"%s\"", lifecycle_state_name(e->from));
        str_addf(text, ",\"state\":\"%s\",\"reason\":", lifecycle_state_name(e->to));
        if (e->reason[0])
                str_add_json_string(text, e->reason, strlen(e->reason));
        else
                str_adds(text, "null");
        str_adds(text, "}\n\n");
}

static void add_call(struct str *text, const struct supervisor_event *e)
{
        const struct tool_outcome *o = e->outcome;
        const char *type = o->type[0] ? o->type : plugin_error_name(o->error);

        begin_event(text, "call", e);
        str_adds(text, ",\"tool\":");
        str_add_json_string(text, e->tool, strlen(e->tool));
        if (o->error == PLUGIN_ERROR_NONE) {
                str_adds(text, ",\"ok\":true,\"error_type\":null,\"error\":null");
        } else {
                str_addf(text, ",\"ok\":false,\"error_type\":\"%s\",\"error\":", type);
                str_add_json_string(text, o->words ? o->words : "",
                                    strlen(o->words ? o->words : ""));
        }
        if (o->ms >= 0)
                str_addf(text, ",\"execution_time_ms\":%.3f}\n\n", o->ms);
        else
                str_adds(text, ",\"execution_time_ms\":null}\n\n");
}

static void add_progress(struct str *text, const struct supervisor_event *e)
{
        scoped(json_decref) json_t *done = json_real(e->done), *total = json_real(e->total);

        begin_event(text, "progress", e);
        str_adds(text, ",\"tool\":");
        str_add_json_string(text, e->tool, strlen(e->tool));
        /* json_real refuses what JSON has no word for: infinity and NaN. */
        str_adds(text, ",\"done\":");
        str_add_json(text, done ? done : json_null());
        str_adds(text, ",\"total\":");
        str_add_json(text, total ? total : json_null());
        str_adds(text, "}\n\n");
}

void api_on_event(struct api *a, const struct supervisor_event *e)
{
        struct str *text = &a->events.pending;

        if (TAILQ_EMPTY(&a->events.readers))
                return;
        switch (e->kind) {
        case SUPERVISOR_STATE:
                add_state(text, e);
                break;
        case SUPERVISOR_CALL_END:
                add_call(text, e);
                break;
        case SUPERVISOR_PROGRESS:
                add_progress(text, e);
                break;
        }
        if (text->len >= EVENTS_MAX) {
                a->events.due = true;
                flush_feed(&a->events);
        } else {
                flush_soon(&a->events);
        }
}

/* --- logs --- */

static void add_line(struct str *to, const struct plugin_log_line *line)
{
        str_adds(to, "event: line\ndata: ");
        plugin_log_line_to_json(line, to);
        str_adds(to, "\n\n");
}

static void on_line(void *ctx, unused_param const struct plugin_log *log,
                    const struct plugin_log_line *line)
{
        struct api_feed *f = ctx;

        if (f->pending.len >= f->allowance || f->pending.bad) {
                f->left_out++;
        } else {
                add_line(&f->pending, line);
                f->lines++;
        }
        flush_soon(f);
}

static struct api_feed *feed_of(struct api *a, const char *plugin)
{
        struct api_feed *f;

        TAILQ_FOREACH (f, &a->logs, link)
                if (strcmp(f->plugin, plugin) == 0)
                        return f;
        f = malloc(sizeof *f);
        if (!f)
                return NULL;
        feed_init(f, a, plugin);
        TAILQ_INSERT_TAIL(&a->logs, f, link);
        return f;
}

static uint64_t first_of_last(const struct plugin_log *l, uint64_t n)
{
        return l->next_number > n ? l->next_number - n : 1;
}

static void follow(struct api *a, struct http_exchange *x, const char *name, struct plugin_log *l,
                   uint64_t from)
{
        struct api_feed *f = feed_of(a, name);
        struct api_request *r = f ? open_stream(f, x) : NULL;
        scoped(str) struct str text = {0};
        const struct plugin_log_line *line;

        if (!f)
                api_reply_error(x, PLUGIN_ERROR_INTERNAL, "the host is out of memory");
        if (f && !r)
                feed_free_if_unused(f);
        if (!r)
                return;
        l->on_line = on_line;
        l->ctx = f;
        STAILQ_FOREACH (line, &l->lines, link)
                if (line->number >= from)
                        add_line(&text, line);
        if (text.len && !text.bad)
                send_text(r, text.data, text.len);
}

static void reply_lines(struct http_exchange *x, const char *name, const struct plugin_log *l,
                        uint64_t from)
{
        const struct plugin_log_line *line;
        struct http_reply reply = {.status = 200};
        struct str text = {0};
        bool first = true;

        str_addf(&text, "{\"plugin\":\"%s\",\"dropped_bytes\":%llu,\"lines\":[", name,
                 (unsigned long long)l->dropped_bytes);
        STAILQ_FOREACH (line, &l->lines, link) {
                if (line->number < from)
                        continue;
                if (!first)
                        str_addc(&text, ',');
                first = false;
                plugin_log_line_to_json(line, &text);
        }
        str_adds(&text, "]}");
        reply.size = text.len;
        reply.take_body = str_take(&text);
        if (!reply.take_body)
                reply.status = 500;
        http_exchange_reply(x, &reply);
}

void api_get_logs(struct api *a, struct http_exchange *x, const struct api_path *p)
{
        const char *name = p->segments[2], *tail = http_exchange_query(x, "tail");
        const char *wish = http_exchange_query(x, "follow");
        struct plugin_log *l = supervisor_log(a->o.supervisor, name);
        unsigned long n = TAIL_DEFAULT;
        char *end = NULL;

        if (!l) {
                api_reply_unknown_plugin(a, x, name);
                return;
        }
        if (tail)
                n = strtoul(tail, &end, 10);
        if (tail && (end == tail || *end || n > TAIL_MAX || *tail == '-')) {
                api_reply_error(x, PLUGIN_ERROR_BAD_REQUEST, "tail must be a number from 0 to %d",
                                TAIL_MAX);
                return;
        }
        if (wish && strcmp(wish, "0") && strcmp(wish, "false"))
                follow(a, x, name, l, first_of_last(l, n));
        else
                reply_lines(x, name, l, first_of_last(l, n));
}
