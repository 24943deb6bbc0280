/* api_internal.h -- what the API's files share.
 * Knows: each other.       May not know: more.
 * Threads: the loop's.     Owns: see api.h. */
#ifndef FORGESYTE_HOST_API_INTERNAL_H
#define FORGESYTE_HOST_API_INTERNAL_H

#include <sys/queue.h>

#include "host/api.h"
#include "host/memory_trim.h"

#define API_SEGMENTS_MAX  8
#define API_STREAM_BUFFER MIB(1)   /* of events unread; then their reader is cut off */
#define API_LOG_BUFFER    KIB(512) /* of log lines unread; then lines are left out, and counted */

/* A path cut at its slashes. */
struct api_path {
        char text[1024];
        const char *segments[API_SEGMENTS_MAX];
        size_t n;
};

TAILQ_HEAD(api_requests, api_request);

/* One source of a stream, and who listens: the host's events, or a plugin's log. What comes is
 * gathered, and goes to every listener in one piece. */
struct api_feed {
        TAILQ_ENTRY(api_feed) link;
        struct api *api;
        char plugin[65]; /* "": events */
        struct api_requests readers;
        struct str pending;
        uint64_t lines, left_out; /* in `pending`; behind them, not even there */
        size_t allowance;         /* of a log: how much of it may be delivered now */
        bool due;
};

/* Hangs off an exchange that is not answered at once: a run, a reload, or a stream. */
struct api_request {
        TAILQ_ENTRY(api_request) link; /* streams are with their feed */
        struct api *api;
        struct http_exchange *x;
        struct host_call *call; /* a run under way */
        bool reload_all;
        struct api_feed *feed; /* a stream's, else NULL */
        uint64_t dropped;      /* log lines that it was spared, and not told of yet */
        char plugin[65];
};

struct api {
        struct api_options o;
        struct http_guard *guard;
        int64_t started_ns;
        bool draining;
        struct api_feed events;
        TAILQ_HEAD(, api_feed) logs;
        int64_t flushed_ns;
        struct loop_timer heartbeat, flush;
        struct memory_trim trim;
};

struct api_request *api_request_new(struct api *a, struct http_exchange *x);

/* Replies: with JSON (taken), with text (taken), with the error envelope. */
void api_reply_json(struct http_exchange *x, unsigned status, json_t *take_body);
void api_reply_error(struct http_exchange *x, enum plugin_error error, const char *fmt, ...)
    printf_like(3, 4);
/* PluginNotFound, with the names there are. */
void api_reply_unknown_plugin(struct api *a, struct http_exchange *x, const char *name);
void api_reply_outcome(struct http_exchange *x, struct tool_outcome *o);

/* Handlers by file. */
void api_get_health(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_get_manifest(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_get_logs(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_get_events(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_post_run(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_post_reload(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_post_reload_all(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_stream_gone(struct api_request *r);
void api_stream_init(struct api *a);
void api_stream_done(struct api *a);

#endif
