/* sse.h -- server-sent events out of a stream of bytes. Pure and bounded.
 * Knows: the text/event-stream format.     May not know: sockets, what an event means.
 * Threads: any, one each.  Owns: the event under way. */
#ifndef FORGESYTE_CLI_SSE_H
#define FORGESYTE_CLI_SSE_H

#include "base/err.h"
#include "base/str.h"

#define SSE_EVENT_MAX MIB(1)

/* Gets each event: its name ("message" unless given) and its data. Negative: ends the parse. */
typedef int (*sse_event_fn)(void *ctx, const char *name, const char *data, size_t n, struct err *e);

/* Zero-initialise, set event and ctx. */
struct sse {
        sse_event_fn event;
        void *ctx;
        struct str line, data;
        char name[64];
        bool has_data, after_cr;
};

/* 0, -EFBIG for an event above SSE_EVENT_MAX, -ENOMEM, or what `event` returned. */
int sse_feed(struct sse *s, const char *bytes, size_t n, struct err *e) must_check;
void sse_done(struct sse *s);

static inline void sse_scoped(struct sse *s)
{
        sse_done(s);
}

#endif
