/* api.h -- the HTTP API (design section 4): routes, envelopes, streams.
 * Knows: the supervisor, the server.   May not know: processes, the wire.
 * Threads: the loop's.                 Owns: requests that wait for an answer, streams. */
#ifndef FORGESYTE_HOST_API_H
#define FORGESYTE_HOST_API_H

#include "host/supervisor.h"
#include "http/http_guard.h"
#include "http/http_server.h"

struct api;

struct api_options {
        struct supervisor *supervisor;
        struct loop *loop;
        struct pool *pool;
        const struct log *log;
        const char *version;
};

/* Answered even when every connection is taken; NULL-terminated. */
extern const char *const api_vital_paths[];

int api_new(const struct api_options *o, struct api **ret, struct err *e) must_check;
void api_free(struct api *a);

/* What the HTTP server asks; ctx is the api. */
void api_handler(struct api *a, struct http_handler *ret);
/* Known only once the server listens; takes the guard. */
void api_set_guard(struct api *a, struct http_guard *take_guard);
void api_set_draining(struct api *a);
/* The supervisor's events, for the streams. */
void api_on_event(struct api *a, const struct supervisor_event *event);

#endif
