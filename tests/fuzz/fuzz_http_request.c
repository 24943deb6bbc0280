/* fuzz_http_request.c -- a stranger's bytes on a connection: heads, bodies by length and in chunks,
 * one request behind the other. However they are cut they are the same requests, or refused with
 * the same status; and a head that is taken is taken again when it is written in the plainest way.
 */
#include <errno.h>

#include "fuzz.h"
#include "http/http_chunks.h"
#include "http/http_head.h"

#define BODY_MAX KIB(64)

/* What the connection is at. */
struct reader {
        struct str in; /* of the head under way */
        struct http_head head;
        struct http_chunks chunks;
        uint64_t left; /* of a body with a length */
        bool in_body, refused;
        struct str *trace;
};

static void add_field(const struct reader *r, const struct http_field *f)
{
        must(f->name_len > 0 && (size_t)f->value + f->value_len <= r->head.size,
             "a field lies in the head");
        must(http_head_is_token(r->in.data + f->name, f->name_len), "a name is a token");
        str_add(r->trace, r->in.data + f->name, f->name_len);
        str_addc(r->trace, ':');
        str_add(r->trace, r->in.data + f->value, f->value_len);
        str_addc(r->trace, '\n');
}

static void add_head(const struct reader *r)
{
        const struct http_head *h = &r->head;

        must(h->n <= HTTP_HEADERS_MAX && h->size <= r->in.len && h->size <= HTTP_HEAD_MAX,
             "a head is bounded");
        must(h->method_len > 0 && h->target_len > 0, "a request has a method and a target");
        str_add(r->trace, r->in.data + h->method, h->method_len);
        str_addc(r->trace, ' ');
        str_add(r->trace, r->in.data + h->target, h->target_len);
        str_addf(r->trace, " %d%d%d%d %llu\n", h->version_11, h->keep_alive, h->has_body,
                 h->expects_continue, (unsigned long long)h->length);
        for (uint16_t i = 0; i < h->n; i++)
                add_field(r, &h->fields[i]);
}

/* The same head with one space behind each colon, read in one go. */
static void check_again(const struct reader *r)
{
        const struct http_head *h = &r->head;
        scoped(free) struct http_head *again = calloc(1, sizeof *again);
        scoped(str) struct str text = {0};
        const char *words = NULL;

        must(again, "memory");
        str_add(&text, r->in.data + h->method, h->method_len);
        str_addc(&text, ' ');
        str_add(&text, r->in.data + h->target, h->target_len);
        str_addf(&text, " HTTP/1.%d\r\n", h->version_11);
        for (uint16_t i = 0; i < h->n; i++) {
                str_add(&text, r->in.data + h->fields[i].name, h->fields[i].name_len);
                str_adds(&text, ": ");
                str_add(&text, r->in.data + h->fields[i].value, h->fields[i].value_len);
                str_adds(&text, "\r\n");
        }
        str_adds(&text, "\r\n");
        if (text.len > HTTP_HEAD_MAX)
                return;
        must(http_head_read(again, text.data, text.len, &words) == HTTP_HEAD_COMPLETE,
             "a head that was taken is taken again");
        must(again->size == text.len && again->n == h->n && again->length == h->length &&
                 again->keep_alive == h->keep_alive && again->has_body == h->has_body,
             "and says the same");
}

static void refuse(struct reader *r, int status, const char *words)
{
        must_have_words(words);
        str_addf(r->trace, "%d", status);
        r->refused = true;
}

static void begin_body(struct reader *r)
{
        scoped(str) struct str rest = {0};

        add_head(r);
        check_again(r);
        r->in_body = r->head.has_body;
        r->left = r->head.length;
        r->chunks = (struct http_chunks){0};
        str_add(&rest, r->in.data + r->head.size, r->in.len - r->head.size);
        str_done(&r->in);
        r->in = rest;
        rest = (struct str){0};
        if (!r->in_body)
                http_head_reset(&r->head);
}

/* 1: more bytes are wanted. */
static int read_head(struct reader *r, bool exact)
{
        scoped(free) char *copy = exact ? exact_copy(r->in.data, r->in.len) : NULL;
        const char *words = NULL;
        int status = http_head_read(&r->head, copy ? copy : r->in.data, r->in.len, &words);

        must(status == HTTP_HEAD_MORE || status == HTTP_HEAD_COMPLETE ||
                 (status >= 400 && status < 600),
             "more, complete, or a status to refuse with");
        if (status == HTTP_HEAD_COMPLETE)
                begin_body(r);
        else if (status > HTTP_HEAD_COMPLETE)
                refuse(r, status, words);
        return status == HTTP_HEAD_MORE;
}

static void drop(struct reader *r, size_t n)
{
        memmove(r->in.data, r->in.data + n, r->in.len - n);
        r->in.len -= n;
}

static void end_body(struct reader *r)
{
        str_adds(r->trace, "|\n");
        r->in_body = false;
        http_head_reset(&r->head);
}

static void read_counted(struct reader *r)
{
        size_t n = r->left < r->in.len ? (size_t)r->left : r->in.len;

        str_add(r->trace, r->in.data, n);
        r->left -= n;
        drop(r, n);
        if (r->left == 0)
                end_body(r);
}

static void read_chunks(struct reader *r, bool exact)
{
        scoped(free) char *copy = exact ? exact_copy(r->in.data, r->in.len) : NULL;
        const char *in = copy ? copy : r->in.data, *words = NULL;
        struct http_piece piece = {0};

        if (http_chunks_step(&r->chunks, in, r->in.len, &piece, &words) < 0) {
                refuse(r, 400, words);
                str_adds(r->trace, words);
                return;
        }
        must(piece.used <= r->in.len, "no more is used than there is");
        must(!piece.len || (piece.data >= in && piece.data + piece.len <= in + piece.used),
             "a piece lies in what was used");
        must(piece.used > 0 || piece.ended, "a step goes on");
        if (piece.len)
                str_add(r->trace, piece.data, piece.len);
        drop(r, piece.used);
        if (piece.ended)
                end_body(r);
}

static void take(struct reader *r, const uint8_t *bytes, size_t n)
{
        bool exact = n > 1; /* byte by byte, copies would cost too much */

        str_add(&r->in, bytes, n);
        while (r->in.len > 0 && !r->refused && r->trace->len < BODY_MAX) {
                if (!r->in_body && read_head(r, exact))
                        return;
                if (r->in_body && r->in.len > 0 && !r->refused) {
                        if (r->head.length == HTTP_LENGTH_UNKNOWN)
                                read_chunks(r, exact);
                        else
                                read_counted(r);
                }
        }
}

static void feed(const uint8_t *data, size_t n, struct cut c, const void *how, struct str *trace)
{
        struct reader *r = calloc(1, sizeof *r);

        (void)how;
        must(r, "memory");
        r->trace = trace;
        for (size_t at = 0, piece; at < n && !r->refused; at += piece) {
                piece = cut_piece(c, at, n);
                take(r, data + at, piece);
        }
        str_done(&r->in);
        free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        /* Larger ones meet the bounds, and at a bound what is refused first is another. */
        if (size < HTTP_LINE_MAX)
                same_however_cut(data, size, NULL, feed);
        return 0;
}
