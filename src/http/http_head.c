/* http_head.c -- heads that two parsers would read differently are refused: two lengths, a length
 * and chunks, an unknown coding, bare line feeds, folded lines, NUL. libmicrohttpd 0.9.75 is
 * lenient there. */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "http/http_connection.h"

struct head {
        unsigned headers, lengths, codings, expects;
        const char *length, *coding, *expect, *content_encoding;
        bool bad_name, bad_value;
};

static bool is_token(const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)s[i];
                bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

                if (!alnum && (c <= ' ' || c > '~' || strchr("\"(),/:;<=>?@[\\]{}", c)))
                        return false;
        }
        return n > 0;
}

static bool is_field_value(const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
                        return false;
        return true;
}

static bool is_name(const char *name, size_t n, const char *wanted)
{
        return strlen(wanted) == n && strncasecmp(name, wanted, n) == 0;
}

static enum MHD_Result each_header(void *ctx, enum MHD_ValueKind kind unused_param,
                                   const char *name, size_t name_len, const char *value,
                                   size_t value_len)
{
        struct head *h = ctx;

        if (!value)
                value = "";
        h->headers++;
        h->bad_name |= !is_token(name, name_len);
        h->bad_value |= !is_field_value(value, value_len);
        if (is_name(name, name_len, "Content-Length")) {
                h->lengths++;
                h->length = value;
        } else if (is_name(name, name_len, "Transfer-Encoding")) {
                h->codings++;
                h->coding = value;
        } else if (is_name(name, name_len, "Expect")) {
                h->expects++;
                h->expect = value;
        } else if (is_name(name, name_len, "Content-Encoding")) {
                h->content_encoding = value;
        }
        return MHD_YES;
}

/* libmicrohttpd 0.9.75 parses the head where it was received and leaves a NUL for each separator:
 * "Host\0 a\0\0Accept\0 b\0\0\0\0". A line that ended in a bare LF, held a NUL or was folded breaks
 * that pattern, and is gone from what MHD_get_connection_values_n shows. */
static bool is_laid_out_strictly(const struct http_exchange *x, const char *version)
{
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(x->conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
        const char *p = version + strlen("HTTP/1.1"), *end;

        if (!info || x->uri != x->method + strlen(x->method) + 1 ||
            version != x->uri + x->raw_len + 1)
                return false;
        end = x->method + info->header_size;
        if (p + 4 > end || p[0] || p[1])
                return false;
        for (p += 2; p + 2 < end; p += 2) {
                size_t name = strnlen(p, (size_t)(end - p));

                if (!is_token(p, name))
                        return false;
                p += name + 1;
                if (p >= end)
                        return false;
                p += strnlen(p, (size_t)(end - p));
                if (p + 2 > end || p[0] || p[1])
                        return false;
        }
        return p + 2 == end && !p[0] && !p[1];
}

static unsigned check_body(struct http_exchange *x, const struct head *h, const char *version,
                           const char **ret_words)
{
        *ret_words = "the request gives its length twice, or a length and chunks";
        if (h->lengths > 1 || h->codings > 1 || (h->lengths && h->codings))
                return MHD_HTTP_BAD_REQUEST;
        *ret_words = "Transfer-Encoding needs HTTP/1.1";
        if (h->codings && strcmp(version, "HTTP/1.0") == 0)
                return MHD_HTTP_BAD_REQUEST;
        *ret_words = "of the transfer codings only \"chunked\" is known here";
        if (h->codings && strcasecmp(h->coding, "chunked") != 0)
                return MHD_HTTP_NOT_IMPLEMENTED;
        *ret_words = "compressed request bodies are not read here";
        if (h->content_encoding && strcasecmp(h->content_encoding, "identity") != 0)
                return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
        *ret_words = "of the expectations only \"100-continue\" is known here";
        if (h->expects && (h->expects > 1 || strcasecmp(h->expect, "100-continue") != 0))
                return MHD_HTTP_EXPECTATION_FAILED;
        x->expects_continue = h->expects > 0;
        if (h->codings)
                x->body_expected = SIZE_MAX;
        else if (h->lengths) /* libmicrohttpd has refused what is no number or overflows */
                x->body_expected = strtoull(h->length, NULL, 10);
        x->has_body = x->body_expected > 0;
        return 0;
}

unsigned http_head_check(struct http_exchange *x, const char *version, const char **ret_words)
{
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(x->conn->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
        struct head h = {0};
        unsigned status;

        MHD_get_connection_values_n(x->conn->mhd, MHD_HEADER_KIND, each_header, &h);
        *ret_words = "the request's head is longer than 32 KiB or has more than 100 headers";
        if (h.headers > HTTP_HEADERS_MAX || (info && info->header_size > HTTP_HEAD_MAX))
                return MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
        *ret_words = "the request's head is malformed";
        if (h.bad_name || h.bad_value)
                return MHD_HTTP_BAD_REQUEST;
        if (x->conn->server->layout_known && !is_laid_out_strictly(x, version))
                return MHD_HTTP_BAD_REQUEST;
        status = check_body(x, &h, version, ret_words);
        if (status)
                return status;
        *ret_words = "the request's body is larger than this server takes";
        if (x->has_body && x->body_expected != SIZE_MAX &&
            x->body_expected > x->conn->server->body_max)
                return MHD_HTTP_CONTENT_TOO_LARGE;
        return 0;
}
