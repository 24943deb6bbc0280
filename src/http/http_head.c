/* http_head.c -- line by line, as they come; the framing is judged once all are there. */
#include "http/http_head.h"

#include <string.h>
#include <strings.h>

#include "http/http_param.h"

#define BAD_REQUEST      400
#define URI_TOO_LONG     414
#define UNSUPPORTED      415
#define EXPECT_FAILED    417
#define HEADERS_TOO_MUCH 431
#define NOT_IMPLEMENTED  501
#define BAD_VERSION      505

void http_head_reset(struct http_head *h)
{
        /* All but the fields, which `n` makes invisible. */
        memset(h, 0, offsetof(struct http_head, fields));
}

bool http_head_is_token(const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (!http_param_is_token_char(s[i]))
                        return false;
        return n > 0;
}

static int refuse(int status, const char *words, const char **ret_words)
{
        *ret_words = words;
        return status;
}

/* No control character but the tab: no NUL, no carriage return. */
static bool is_text(const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
                        return false;
        return true;
}

static bool is_known_method(const char *s, size_t n)
{
        static const char *const known[] = {"GET",   "HEAD",   "POST",   "PUT",
                                            "PATCH", "DELETE", "OPTIONS"};

        for (size_t i = 0; i < ARRAY_LEN(known); i++)
                if (strlen(known[i]) == n && memcmp(known[i], s, n) == 0)
                        return true;
        return false;
}

/* ---- the request line ---- */

static int read_version(struct http_head *h, const char *s, size_t n, const char **ret_words)
{
        if (n != 8 || memcmp(s, "HTTP/", 5) != 0 || s[5] < '0' || s[5] > '9' || s[6] != '.' ||
            s[7] < '0' || s[7] > '9')
                return refuse(BAD_REQUEST, "the request line does not end in HTTP/1.1", ret_words);
        if (s[5] != '1' || s[7] > '1')
                return refuse(BAD_VERSION, "this server speaks HTTP/1.1 and HTTP/1.0 only",
                              ret_words);
        h->version_11 = s[7] == '1';
        return 0;
}

static int read_request_line(struct http_head *h, const char *bytes, size_t at, size_t n,
                             const char **ret_words)
{
        const char *s = bytes + at, *end = s + n;
        const char *space = memchr(s, ' ', n);
        const char *target = space ? space + 1 : end;
        const char *target_end = memchr(target, ' ', (size_t)(end - target));
        int r;

        if (!space || (size_t)(space - s) > HTTP_METHOD_MAX ||
            !http_head_is_token(s, (size_t)(space - s)))
                return refuse(BAD_REQUEST, "the request line does not begin with a method",
                              ret_words);
        if (!target_end || target_end == target)
                return refuse(BAD_REQUEST, "the request line is not METHOD TARGET HTTP/1.1",
                              ret_words);
        r = read_version(h, target_end + 1, (size_t)(end - target_end - 1), ret_words);
        if (r)
                return r;
        if (!is_known_method(s, (size_t)(space - s)))
                return refuse(NOT_IMPLEMENTED, "the request's method is not known here", ret_words);
        h->is_head = space - s == 4 && memcmp(s, "HEAD", 4) == 0;
        h->method = (uint16_t)at;
        h->method_len = (uint16_t)(space - s);
        h->target = (uint16_t)(target - bytes);
        h->target_len = (uint16_t)(target_end - target);
        h->started = true;
        return 0;
}

/* ---- a field ---- */

static int read_field(struct http_head *h, const char *bytes, size_t at, size_t n,
                      const char **ret_words)
{
        const char *s = bytes + at, *end = s + n, *value;
        const char *colon = memchr(s, ':', n);

        if (*s == ' ' || *s == '\t')
                return refuse(BAD_REQUEST, "a header line begins with white space", ret_words);
        if (!colon || !http_head_is_token(s, (size_t)(colon - s)))
                return refuse(BAD_REQUEST, "a header line does not begin with a name and a colon",
                              ret_words);
        if (h->n == HTTP_HEADERS_MAX)
                return refuse(HEADERS_TOO_MUCH, "the request has more than 100 headers", ret_words);
        for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++)
                ;
        while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
        h->fields[h->n++] = (struct http_field){(uint16_t)at, (uint16_t)(colon - s),
                                                (uint16_t)(value - bytes), (uint16_t)(end - value)};
        return 0;
}

/* ---- the head as a whole ---- */

/* What of the fields says how the request goes on. */
struct framing {
        unsigned hosts, lengths, codings, expects;
        const struct http_field *length, *coding, *expect, *content_coding;
        bool twice;  /* one that may be there once */
        bool closes; /* "Connection: close", whatever else is said of it */
};

static bool is_name(const char *bytes, const struct http_field *f, const char *wanted, size_t n)
{
        return f->name_len == n && strncasecmp(bytes + f->name, wanted, n) == 0;
}

static bool is_value(const char *bytes, const struct http_field *f, const char *wanted)
{
        size_t n = strlen(wanted);

        return f->value_len == n && strncasecmp(bytes + f->value, wanted, n) == 0;
}

/* "Connection: close, x": what the client says of the connection. */
static void read_connection(struct http_head *h, const char *bytes, const struct http_field *f,
                            struct framing *w)
{
        const char *p = bytes + f->value, *end = p + f->value_len;

        while (p < end) {
                size_t n = 0;

                while (p < end && (*p == ' ' || *p == '\t' || *p == ','))
                        p++;
                while (p + n < end && p[n] != ' ' && p[n] != '\t' && p[n] != ',')
                        n++;
                w->closes |= n == 5 && strncasecmp(p, "close", 5) == 0;
                if (n == 10 && strncasecmp(p, "keep-alive", 10) == 0)
                        h->keep_alive = true;
                p += n;
        }
}

static void sort_field(struct http_head *h, const char *bytes, struct framing *w, uint16_t i)
{
        static const char *const once[] = {"Content-Type", "Authorization", "Origin",
                                           "Content-Encoding"};
        const struct http_field *f = &h->fields[i];

        if (is_name(bytes, f, "Host", 4)) {
                w->hosts++;
        } else if (is_name(bytes, f, "Content-Length", 14)) {
                w->lengths++;
                w->length = f;
        } else if (is_name(bytes, f, "Transfer-Encoding", 17)) {
                w->codings++;
                w->coding = f;
        } else if (is_name(bytes, f, "Expect", 6)) {
                w->expects++;
                w->expect = f;
        } else if (is_name(bytes, f, "Connection", 10)) {
                read_connection(h, bytes, f, w);
        } else {
                for (size_t k = 0; k < ARRAY_LEN(once); k++)
                        if (is_name(bytes, f, once[k], strlen(once[k])))
                                for (uint16_t j = 0; j < i; j++)
                                        w->twice |=
                                            is_name(bytes, &h->fields[j], once[k], strlen(once[k]));
                if (is_name(bytes, f, "Content-Encoding", 16))
                        w->content_coding = f;
        }
}

/* Of a value that says where the body ends: at most one space in front, none behind. A parser that
 * took a tab or a second space for more than padding would end the body elsewhere. */
static bool is_bare(const char *bytes, const struct http_field *f)
{
        size_t colon = (size_t)f->name + f->name_len;
        size_t gap = f->value - colon - 1;

        return f->value_len > 0 && (gap == 0 || (gap == 1 && bytes[colon + 1] == ' ')) &&
               bytes[f->value + f->value_len] == '\r';
}

static int read_length(struct http_head *h, const char *bytes, const struct http_field *f,
                       const char **ret_words)
{
        uint64_t n = 0;

        if (f->value_len > 19 || !is_bare(bytes, f))
                return refuse(BAD_REQUEST, "Content-Length is not a plain number", ret_words);
        for (size_t i = 0; i < f->value_len; i++) {
                char c = bytes[f->value + i];

                if (c < '0' || c > '9')
                        return refuse(BAD_REQUEST, "Content-Length is not a plain number",
                                      ret_words);
                n = n * 10 + (uint64_t)(c - '0');
        }
        h->length = n;
        return 0;
}

static int read_coding(struct http_head *h, const char *bytes, const struct http_field *f,
                       const char **ret_words)
{
        if (!h->version_11)
                return refuse(BAD_REQUEST, "Transfer-Encoding needs HTTP/1.1", ret_words);
        if (!is_bare(bytes, f) ||
            (!is_value(bytes, f, "chunked") && !http_head_is_token(bytes + f->value, f->value_len)))
                return refuse(BAD_REQUEST, "Transfer-Encoding is malformed", ret_words);
        if (!is_value(bytes, f, "chunked"))
                return refuse(NOT_IMPLEMENTED,
                              "of the transfer codings only \"chunked\" is known here", ret_words);
        h->length = HTTP_LENGTH_UNKNOWN;
        return 0;
}

static int judge_framing(struct http_head *h, const char *bytes, const struct framing *w,
                         const char **ret_words)
{
        int r = 0;

        if (w->lengths > 1 || w->codings > 1 || (w->lengths && w->codings))
                return refuse(BAD_REQUEST,
                              "the request gives its length twice, or a length and chunks",
                              ret_words);
        if (w->length)
                r = read_length(h, bytes, w->length, ret_words);
        else if (w->coding)
                r = read_coding(h, bytes, w->coding, ret_words);
        if (r)
                return r;
        h->has_body = h->length > 0;
        if (h->has_body && (memcmp(bytes + h->method, "GET ", 4) == 0 ||
                            memcmp(bytes + h->method, "HEAD ", 5) == 0))
                return refuse(BAD_REQUEST, "GET and HEAD take no body", ret_words);
        return 0;
}

static int finish(struct http_head *h, const char *bytes, const char **ret_words)
{
        struct framing w = {0};
        int r;

        h->keep_alive = h->version_11;
        for (uint16_t i = 0; i < h->n; i++)
                sort_field(h, bytes, &w, i);
        h->keep_alive &= !w.closes;
        r = judge_framing(h, bytes, &w, ret_words);
        if (r)
                return r;
        if (w.hosts > 1 || (w.hosts == 0 && h->version_11))
                return refuse(BAD_REQUEST, "the request needs exactly one Host header", ret_words);
        if (w.twice)
                return refuse(BAD_REQUEST, "the request has a header twice that may be there once",
                              ret_words);
        if (w.content_coding && !is_value(bytes, w.content_coding, "identity"))
                return refuse(UNSUPPORTED, "compressed request bodies are not read here",
                              ret_words);
        if (w.expects > 1 || (w.expects && !is_value(bytes, w.expect, "100-continue")))
                return refuse(EXPECT_FAILED,
                              "of the expectations only \"100-continue\" is known here", ret_words);
        h->expects_continue = w.expects > 0 && h->version_11 && h->has_body;
        return HTTP_HEAD_COMPLETE;
}

/* A whole line, without its end. */
static int read_line(struct http_head *h, const char *bytes, size_t at, size_t n,
                     const char **ret_words)
{
        if (!is_text(bytes + at, n))
                return refuse(BAD_REQUEST, "the request's head holds a control character",
                              ret_words);
        if (h->started)
                return n ? read_field(h, bytes, at, n, ret_words) : finish(h, bytes, ret_words);
        if (n == 0 && at == 0)
                return 0; /* one empty line ahead of the request: some clients end a body with it */
        if (n > HTTP_LINE_MAX)
                return refuse(URI_TOO_LONG, "the request line is longer than 8 KiB", ret_words);
        return read_request_line(h, bytes, at, n, ret_words);
}

/* The bytes of a line that has not ended yet. */
static int look_at_rest(const struct http_head *h, const char *bytes, size_t n,
                        const char **ret_words)
{
        size_t fresh = n - h->size;
        size_t checked = n && bytes[n - 1] == '\r' && fresh ? fresh - 1 : fresh;

        /* A carriage return may be the last byte, and then the next must be the line feed. */
        if (h->size > h->line && bytes[h->size - 1] == '\r' && fresh)
                return refuse(BAD_REQUEST, "the request's head holds a control character",
                              ret_words);
        if (!is_text(bytes + h->size, checked))
                return refuse(BAD_REQUEST, "the request's head holds a control character",
                              ret_words);
        if (!h->started && n - h->line > HTTP_LINE_MAX + 1)
                return refuse(URI_TOO_LONG, "the request line is longer than 8 KiB", ret_words);
        return HTTP_HEAD_MORE;
}

int http_head_read(struct http_head *h, const char *bytes, size_t n, const char **ret_words)
{
        size_t most = MIN_OF(n, HTTP_HEAD_MAX);
        const char *end;
        int r;

        while ((end = memchr(bytes + h->size, '\n', most - h->size))) {
                size_t at = h->line, len = (size_t)(end - bytes) - at;

                if (len == 0 || end[-1] != '\r')
                        return refuse(BAD_REQUEST, "a line of the request's head ends in a bare LF",
                                      ret_words);
                h->line = h->size = (uint32_t)(end + 1 - bytes);
                r = read_line(h, bytes, at, len - 1, ret_words);
                if (r)
                        return r;
        }
        r = look_at_rest(h, bytes, most, ret_words);
        if (r)
                return r;
        h->size = (uint32_t)most;
        if (n >= HTTP_HEAD_MAX)
                return h->started ? refuse(HEADERS_TOO_MUCH,
                                           "the request's head is longer than 32 KiB", ret_words)
                                  : refuse(URI_TOO_LONG, "the request line is longer than 8 KiB",
                                           ret_words);
        return HTTP_HEAD_MORE;
}
