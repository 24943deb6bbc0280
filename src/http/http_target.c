/* http_target.c -- one pass per piece, in place: decoding only ever shortens. */
#include "http/http_target.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes s[0..n) in place and terminates it. NULL when it is good, else what is wrong. */
static const char *decode(char *s, size_t n, bool is_path)
{
        size_t out = 0;

        for (size_t i = 0; i < n; i++) {
                char c = s[i];

                if (c == '%') {
                        int high = n - i > 2 ? hex_digit(s[i + 1]) : -1;
                        int low = high >= 0 ? hex_digit(s[i + 2]) : -1;

                        if (low < 0)
                                return "the URL holds a bad percent-escape";
                        c = (char)(high << 4 | low);
                        i += 2;
                        if (c == '\0')
                                return "the URL holds a NUL character";
                        if (is_path && c == '/')
                                return "the URL's path holds an encoded slash";
                } else if (c == '+' && !is_path) {
                        c = ' ';
                }
                if (is_path && ((unsigned char)c < 0x20 || c == 0x7f))
                        return "the URL's path holds a control character";
                s[out++] = c;
        }
        s[out] = '\0';
        return utf8_valid_prefix(s, out) == out ? NULL : "the URL is not valid UTF-8";
}

const char *http_target_param(const struct http_target *t, const char *name)
{
        for (size_t i = 0; i < t->n; i++)
                if (strcmp(t->params[i].name, name) == 0)
                        return t->params[i].value;
        return NULL;
}

/* One "name=value" of the query, without its '&'. */
static const char *add_param(struct http_target *t, char *pair, size_t n)
{
        char *eq = memchr(pair, '=', n);
        size_t name_len = eq ? (size_t)(eq - pair) : n;
        char *value = eq ? eq + 1 : pair + n;
        const char *wrong;

        if (t->n == HTTP_TARGET_PARAMS_MAX)
                return "the URL has more than 64 query parameters";
        /* The value first: terminating the name overwrites the '='. */
        wrong = decode(value, (size_t)(pair + n - value), false);
        if (!wrong)
                wrong = decode(pair, name_len, false);
        if (wrong)
                return wrong;
        if (*pair == '\0')
                return "the URL has a query parameter without a name";
        if (http_target_param(t, pair))
                return "the URL names a query parameter twice";
        t->params[t->n++] = (struct http_param){pair, eq ? value : ""};
        return NULL;
}

static const char *parse_query(struct http_target *t, char *query, size_t n)
{
        const char *wrong = NULL;
        char *end = query + n;

        while (query < end && !wrong) {
                char *amp = memchr(query, '&', (size_t)(end - query));
                char *stop = amp ? amp : end;

                *stop = '\0';
                if (stop > query)
                        wrong = add_param(t, query, (size_t)(stop - query));
                query = stop + 1;
        }
        return wrong;
}

static const char *check_characters(const char *raw, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)raw[i] <= ' ' || raw[i] == 0x7f || raw[i] == '#')
                        return "the URL holds a character that must be percent-encoded";
        return NULL;
}

int http_target_parse(char *raw, size_t n, struct http_target *ret, const char **ret_words)
{
        struct http_target t = {.path = raw};
        scoped(free) struct http_param *params = NULL;
        char *query = memchr(raw, '?', n);
        const char *wrong = check_characters(raw, n);

        if (n == 0 || raw[0] != '/')
                wrong = "the request's target must be a path that begins with a slash";
        if (!wrong && query) {
                params = malloc(HTTP_TARGET_PARAMS_MAX * sizeof *params);
                if (!params)
                        return -ENOMEM;
                t.params = params;
                wrong = parse_query(&t, query + 1, n - (size_t)(query + 1 - raw));
        }
        if (!wrong)
                wrong = decode(raw, query ? (size_t)(query - raw) : n, true);
        if (wrong) {
                *ret_words = wrong;
                return -EBADMSG;
        }
        t.params = take_ptr(params);
        *ret = t;
        return 0;
}

void http_target_done(struct http_target *t)
{
        free(t->params);
        *t = (struct http_target){0};
}
