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
#define TAIL_DEFAULT 200
#define TAIL_MAX     10000

static void send_text(struct api_request *r, const struct str *text)
{
        /* -EPIPE, -ENOBUFS: the stream is over, and gone follows. */
        if (text->bad || http_exchange_send(r->x, text->data, text->len) < 0)
                return;
}

/* Keeps proxies awake, and finds clients that left without a word. */
static void on_heartbeat(void *ctx)
{
        struct api *a = ctx;
        struct api_request *r;

        TAILQ_FOREACH (r, &a->streams, link)
                if (http_exchange_send(r->x, ": heartbeat\n\n", 13) < 0)
                        continue;
        if (!TAILQ_EMPTY(&a->streams) &&
            loop_timer_set(a->o.loop, &a->heartbeat, clock_mono_ns() + HEARTBEAT_S * NSEC_PER_SEC,
                           on_heartbeat, a) < 0)
                log_write(a->o.log, LOG_LEVEL_ERROR, "no memory for the streams' heartbeat");
}

static struct api_request *open_stream(struct api *a, struct http_exchange *x,
                                       enum api_stream_kind kind)
{
        struct api_request *r = api_request_new(a, x);

        if (!r)
                return NULL;
        r->stream = true;
        r->kind = kind;
        if (http_exchange_stream(x, 200, "text/event-stream", API_STREAM_BUFFER) < 0) {
                free(r);
                http_exchange_set_data(x, NULL);
                api_reply_error(x, PLUGIN_ERROR_INTERNAL, "the host is out of memory");
                return NULL;
        }
        TAILQ_INSERT_TAIL(&a->streams, r, link);
        if (!a->heartbeat.slot)
                on_heartbeat(a);
        return r;
}

void api_stream_gone(struct api_request *r)
{
        TAILQ_REMOVE(&r->api->streams, r, link);
}

/* --- events --- */

void api_get_events(struct api *a, struct http_exchange *x, unused_param const struct api_path *p)
{
        /* NULL: answered already. */
        if (!open_stream(a, x, API_STREAM_EVENTS))
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
        scoped(str) struct str text = {0};
        struct api_request *r;

        if (TAILQ_EMPTY(&a->streams))
                return;
        switch (e->kind) {
        case SUPERVISOR_STATE:
                add_state(&text, e);
                break;
        case SUPERVISOR_CALL_END:
                add_call(&text, e);
                break;
        case SUPERVISOR_PROGRESS:
                add_progress(&text, e);
                break;
        }
        TAILQ_FOREACH (r, &a->streams, link)
                if (r->kind == API_STREAM_EVENTS)
                        send_text(r, &text);
}

/* --- logs --- */

static void on_line(void *ctx, const struct plugin_log *log, const struct plugin_log_line *line)
{
        struct api *a = ctx;
        scoped(str) struct str text = {0};
        struct api_request *r;

        TAILQ_FOREACH (r, &a->streams, link) {
                if (r->kind != API_STREAM_LOGS || supervisor_log(a->o.supervisor, r->plugin) != log)
                        continue;
                if (text.len == 0) {
                        str_adds(&text, "event: line\ndata: ");
                        plugin_log_line_to_json(line, &text);
                        str_adds(&text, "\n\n");
                }
                send_text(r, &text);
        }
}

static uint64_t first_of_last(const struct plugin_log *l, uint64_t n)
{
        return l->next_number > n ? l->next_number - n : 1;
}

static void follow(struct api *a, struct http_exchange *x, const char *name, struct plugin_log *l,
                   uint64_t from)
{
        struct api_request *r = open_stream(a, x, API_STREAM_LOGS);
        const struct plugin_log_line *line;

        if (!r)
                return;
        snprintf(r->plugin, sizeof r->plugin, "%s", name);
        l->on_line = on_line;
        l->ctx = a;
        STAILQ_FOREACH (line, &l->lines, link) {
                scoped(str) struct str text = {0};

                if (line->number < from)
                        continue;
                str_adds(&text, "event: line\ndata: ");
                plugin_log_line_to_json(line, &text);
                str_adds(&text, "\n\n");
                send_text(r, &text);
        }
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
