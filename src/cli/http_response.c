#include "cli/http_response.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void http_response_done(struct http_response *p)
{
        str_done(&p->line);
}

static int bad(struct err *e, const char *what)
{
        return err_set(e, -EBADMSG, "the answer is not HTTP: %s", what);
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* ---- the head ---- */

/* "HTTP/1.1 200 OK"; the reason may be absent. */
static int read_status_line(struct http_response *p, const char *line, struct err *e)
{
        size_t n = strlen(line);
        bool ok = n >= 12 && !strncmp(line, "HTTP/1.", 7) && (line[7] == '0' || line[7] == '1') &&
                  line[8] == ' ' && line[9] >= '1' && line[9] <= '5' && is_digit(line[10]) &&
                  is_digit(line[11]) && (n == 12 || line[12] == ' ');

        if (!ok)
                return bad(e, "a bad status line");
        p->pending_status = (unsigned)(line[9] - '0') * 100 + (unsigned)(line[10] - '0') * 10 +
                            (unsigned)(line[11] - '0');
        p->has_length = p->chunked = false;
        p->content_type[0] = '\0';
        p->state = HTTP_RESPONSE_HEADERS;
        return 0;
}

static int read_length(struct http_response *p, const char *value, struct err *e)
{
        size_t n = strspn(value, "0123456789");
        uint64_t length = 0;

        if (n == 0 || n > 18 || value[n])
                return bad(e, "a bad Content-Length");
        for (size_t i = 0; i < n; i++)
                length = length * 10 + (uint64_t)(value[i] - '0');
        if (p->has_length && length != p->length)
                return bad(e, "two lengths");
        p->has_length = true;
        p->length = length;
        return 0;
}

static int read_header(struct http_response *p, char *line, struct err *e)
{
        static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        size_t n = strspn(line, token);
        char *value = line + n + 1, *end;

        if (n == 0 || line[n] != ':')
                return bad(e, "a bad header");
        line[n] = '\0';
        value += strspn(value, " \t");
        for (end = value + strlen(value); end > value && strchr(" \t", end[-1]); end--)
                end[-1] = '\0';
        if (!strcasecmp(line, "content-length"))
                return read_length(p, value, e);
        if (!strcasecmp(line, "transfer-encoding")) {
                if (p->chunked || strcasecmp(value, "chunked") != 0)
                        return bad(e, "a Transfer-Encoding other than chunked");
                p->chunked = true;
        }
        if (!strcasecmp(line, "content-type"))
                snprintf(p->content_type, sizeof p->content_type, "%s", value);
        return 0;
}

static int end_of_head(struct http_response *p, struct err *e)
{
        if (p->pending_status == 101)
                return bad(e, "it switches protocols unasked");
        if (p->pending_status < 200) {
                if (++p->interim > HTTP_RESPONSE_INTERIM_MAX)
                        return bad(e, "interim answers without end");
                p->state = HTTP_RESPONSE_STATUS;
                return 0;
        }
        if (p->chunked && p->has_length)
                return bad(e, "two lengths");
        p->status = p->pending_status;
        p->left = p->length;
        if (p->status == 204 || p->status == 304)
                p->state = HTTP_RESPONSE_DONE;
        else if (p->chunked)
                p->state = HTTP_RESPONSE_CHUNK_SIZE;
        else if (p->has_length)
                p->state = p->left ? HTTP_RESPONSE_LENGTH : HTTP_RESPONSE_DONE;
        else
                p->state = HTTP_RESPONSE_UNTIL_CLOSE;
        if (p->has_length && p->length > p->body_max)
                return err_set(e, -EFBIG, "the answer has %llu bytes, %llu are the limit",
                               (unsigned long long)p->length, (unsigned long long)p->body_max);
        return 0;
}

/* ---- chunks ---- */

/* "1a2b" or "1a2b;extension". */
static int read_chunk_size(struct http_response *p, const char *line, struct err *e)
{
        size_t n = strspn(line, "0123456789abcdefABCDEF");

        if (n == 0 || n > 15 || (line[n] && line[n] != ';'))
                return bad(e, "a bad chunk size");
        p->left = strtoull(line, NULL, 16);
        p->state = p->left ? HTTP_RESPONSE_CHUNK : HTTP_RESPONSE_TRAILERS;
        return 0;
}

static int read_line(struct http_response *p, char *line, struct err *e)
{
        switch (p->state) {
        case HTTP_RESPONSE_STATUS:
                return read_status_line(p, line, e);
        case HTTP_RESPONSE_HEADERS:
                return *line ? read_header(p, line, e) : end_of_head(p, e);
        case HTTP_RESPONSE_CHUNK_SIZE:
                p->head_size = 0;
                return read_chunk_size(p, line, e);
        case HTTP_RESPONSE_CHUNK_END:
                p->state = HTTP_RESPONSE_CHUNK_SIZE;
                return *line ? bad(e, "a chunk longer than it said") : 0;
        case HTTP_RESPONSE_TRAILERS:
                if (!*line)
                        p->state = HTTP_RESPONSE_DONE;
                return 0;
        case HTTP_RESPONSE_LENGTH:
        case HTTP_RESPONSE_CHUNK:
        case HTTP_RESPONSE_UNTIL_CLOSE:
        case HTTP_RESPONSE_DONE:
                break;
        }
        return bad(e, "a line where none belongs");
}

/* Takes bytes up to a line's end (CR LF, nothing else ends a line); *ret_used says how many. */
static int feed_line(struct http_response *p, const char *data, size_t n, size_t *ret_used,
                     struct err *e)
{
        const char *newline = memchr(data, '\n', n);
        size_t used = newline ? (size_t)(newline - data) + 1 : n;

        p->head_size += used;
        if (p->head_size > HTTP_RESPONSE_HEAD_MAX)
                return err_set(e, -EFBIG, "the answer's head is larger than %zu bytes",
                               (size_t)HTTP_RESPONSE_HEAD_MAX);
        str_add(&p->line, data, used);
        if (p->line.bad)
                return err_set_errno(e, -ENOMEM, "read the answer");
        *ret_used = used;
        if (!newline)
                return 0;
        size_t len = p->line.len;

        if (len < 2 || p->line.data[len - 2] != '\r')
                return bad(e, "a line that ends in a bare newline");
        p->line.data[len - 2] = '\0';
        if (strlen(p->line.data) != len - 2 || strchr(p->line.data, '\r'))
                return bad(e, "a NUL or a bare carriage return");
        p->line.len = 0;
        return read_line(p, p->line.data, e);
}

/* ---- the body ---- */

static int feed_body(struct http_response *p, const char *data, size_t n, size_t *ret_used,
                     struct err *e)
{
        bool counted = p->state != HTTP_RESPONSE_UNTIL_CLOSE;
        size_t used = counted && p->left < n ? (size_t)p->left : n;
        int r;

        if (used > p->body_max - p->body_size)
                return err_set(e, -EFBIG, "the answer is larger than %llu bytes",
                               (unsigned long long)p->body_max);
        p->body_size += used;
        r = p->body ? p->body(p->ctx, data, used, e) : 0;
        if (r < 0)
                return r;
        if (counted)
                p->left -= used;
        if (counted && p->left == 0)
                p->state =
                    p->state == HTTP_RESPONSE_CHUNK ? HTTP_RESPONSE_CHUNK_END : HTTP_RESPONSE_DONE;
        *ret_used = used;
        return 0;
}

int http_response_feed(struct http_response *p, const char *data, size_t n, struct err *e)
{
        while (n > 0) {
                size_t used = 0;
                bool body = p->state == HTTP_RESPONSE_LENGTH || p->state == HTTP_RESPONSE_CHUNK ||
                            p->state == HTTP_RESPONSE_UNTIL_CLOSE;
                int r;

                if (p->state == HTTP_RESPONSE_DONE)
                        return bad(e, "more bytes than it said");
                r = body ? feed_body(p, data, n, &used, e) : feed_line(p, data, n, &used, e);
                if (r < 0)
                        return r;
                data += used;
                n -= used;
        }
        return 0;
}

int http_response_end(struct http_response *p, struct err *e)
{
        if (p->state == HTTP_RESPONSE_UNTIL_CLOSE)
                p->state = HTTP_RESPONSE_DONE;
        if (p->state == HTTP_RESPONSE_DONE)
                return 0;
        return err_set(e, -EBADMSG, "the connection ended %s",
                       p->state != HTTP_RESPONSE_STATUS || p->line.len
                           ? "in the middle of the answer"
                           : "without an answer");
}
