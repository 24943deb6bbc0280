/* fuzz_sse.c -- a stream of events from a server that could be anything. */
#include "cli/sse.h"
#include "fuzz.h"

static int on_event(void *ctx, const char *name, const char *data, size_t n, struct err *e)
{
        must(name[0] && strlen(name) < 64, "an event has a short name");
        str_addf(ctx, "[%s:%zu:", name, n);
        str_add(ctx, data, n);
        /* Whoever listens may end it. */
        return n == 3 && !memcmp(data, "end", 3) ? err_set(e, -1, "ended") : 0;
}

static void feed(const uint8_t *data, size_t n, struct cut c, const void *how, struct str *trace)
{
        scoped(sse) struct sse s = {.event = on_event, .ctx = trace};
        struct err e = {0};
        int r = 0;

        (void)how;
        for (size_t at = 0, piece; at < n && r == 0; at += piece) {
                scoped(free) char *copy = NULL;

                piece = cut_piece(c, at, n);
                copy = exact_copy(data + at, piece);
                r = sse_feed(&s, copy, piece, &e);
        }
        must(r <= 0 && (r == 0 || e.msg[0]), "a refusal has words");
        str_addf(trace, "%d %s", r, e.msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        same_however_cut(data, size, NULL, feed);
        return 0;
}
