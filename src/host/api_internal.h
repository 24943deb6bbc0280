/* api_internal.h -- what the API's files share.
 * Knows: each other.       May not know: more.
 * Threads: the loop's.     Owns: see api.h. */
#ifndef FORGESYTE_HOST_API_INTERNAL_H
#define FORGESYTE_HOST_API_INTERNAL_H

#include <sys/queue.h>

#include "host/api.h"

#define API_SEGMENTS_MAX  8
#define API_STREAM_BUFFER MIB(1)

/* A path cut at its slashes. */
struct api_path {
        char text[1024];
        const char *segments[API_SEGMENTS_MAX];
        size_t n;
};

enum api_stream_kind { API_STREAM_EVENTS, API_STREAM_LOGS };

/* Hangs off an exchange that is not answered at once: a run, a reload, or a stream. */
struct api_request {
        TAILQ_ENTRY(api_request) link; /* streams are in api.streams */
        struct api *api;
        struct http_exchange *x;
        struct host_call *call; /* a run under way */
        bool reload_all;
        bool stream;
        enum api_stream_kind kind;
        char plugin[65];
};

struct api {
        struct api_options o;
        struct http_guard *guard;
        int64_t started_ns;
        bool draining;
        TAILQ_HEAD(, api_request) streams;
        struct loop_timer heartbeat;
};

struct api_request *api_request_new(struct api *a, struct http_exchange *x);

/* Replies: with JSON (taken), with text (taken), with the error envelope. */
void api_reply_json(struct http_exchange *x, unsigned status, json_t *take_body);
void api_reply_error(struct http_exchange *x, enum plugin_error error, const char *fmt, ...)
    printf_like(3, 4);
/* PluginNotFound, with the names there are. */
void api_reply_unknown_plugin(struct api *a, struct http_exchange *x, const char *name);
void api_reply_outcome(struct http_exchange *x, const struct tool_outcome *o);

/* Handlers by file. */
void api_get_health(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_get_manifest(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_get_logs(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_get_events(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_post_run(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_post_reload(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_post_reload_all(struct api *a, struct http_exchange *x, const struct api_path *p);
void api_stream_gone(struct api_request *r);

#endif
