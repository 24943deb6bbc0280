/* fuzz_http_response.c -- the command line's HTTP parser under a server that could be anything.
 * First byte: the limit of the body, in units of 16. */
#include "cli/http_response.h"
#include "fuzz.h"

struct body {
        struct http_response *response;
        struct str bytes;
};

static int on_body(void *ctx, const char *data, size_t n, struct err *e)
{
        struct body *b = ctx;

        must(b->response->status >= 200, "the head comes before the body");
        must(b->response->body_size <= b->response->body_max, "a body is within its limit");
        str_add(&b->bytes, data, n);
        (void)e;
        return 0;
}

static int feed_all(struct http_response *p, const uint8_t *data, size_t n, struct cut c,
                    struct err *e)
{
        for (size_t at = 0, piece; at < n; at += piece) {
                scoped(free) char *copy = NULL;
                int r;

                piece = cut_piece(c, at, n);
                copy = exact_copy(data + at, piece);
                r = http_response_feed(p, copy, piece, e);
                if (r < 0)
                        return r;
        }
        return http_response_end(p, e);
}

static void feed(const uint8_t *data, size_t n, struct cut c, const void *how, struct str *trace)
{
        scoped(http_response) struct http_response p = {.body = on_body,
                                                        .body_max = *(const uint8_t *)how * 16u};
        struct body body = {.response = &p};
        struct err e = {0};
        int r;

        p.ctx = &body;
        r = feed_all(&p, data, n, c, &e);
        must(r <= 0 && (r == 0 || e.msg[0]), "a refusal has words");
        must(r < 0 || (p.state == HTTP_RESPONSE_DONE && p.status >= 200 && p.status < 600),
             "a whole answer has a status");
        str_addf(trace, "%d %u %s %s ", r, p.status, p.content_type, e.msg);
        /* How much of a body that is refused had come before depends on the pieces. */
        if (r == 0)
                str_add(trace, body.bytes.data, body.bytes.len);
        str_done(&body.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size > 0)
                same_however_cut(data + 1, size - 1, data, feed);
        return 0;
}
