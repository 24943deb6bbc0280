/* http_body.c -- media types, and the parameters behind them. */
#include "http/http_body.h"

#include <errno.h>
#include <string.h>

#include "http/http_param.h"

bool http_param_is_token_char(char c)
{
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
                return true;
        return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static void skip_space(struct http_param_walk *w)
{
        while (w->p < w->end && (*w->p == ' ' || *w->p == '\t'))
                w->p++;
}

static size_t token_length(const struct http_param_walk *w)
{
        size_t n = 0;

        while (w->p + n < w->end && http_param_is_token_char(w->p[n]))
                n++;
        return n;
}

static int read_quoted(struct http_param_walk *w, char *buf, size_t size, size_t *ret_len)
{
        size_t n = 0;

        for (w->p++; w->p < w->end && *w->p != '"'; w->p++) {
                if (*w->p == '\\' && w->end - w->p > 1 && (w->p[1] == '"' || w->p[1] == '\\'))
                        w->p++;
                if (((unsigned char)*w->p < ' ' && *w->p != '\t') || *w->p == 0x7f)
                        return -EBADMSG;
                if (n + 1 >= size)
                        return -EMSGSIZE;
                buf[n++] = *w->p;
        }
        if (w->p == w->end)
                return -EBADMSG;
        w->p++;
        buf[n] = '\0';
        *ret_len = n;
        return 0;
}

static int read_value(struct http_param_walk *w, char *buf, size_t size, size_t *ret_len)
{
        size_t n;

        if (w->p < w->end && *w->p == '"')
                return read_quoted(w, buf, size, ret_len);
        n = token_length(w);
        if (n == 0)
                return -EBADMSG;
        if (n >= size)
                return -EMSGSIZE;
        memcpy(buf, w->p, n);
        buf[n] = '\0';
        w->p += n;
        *ret_len = n;
        return 0;
}

int http_param_next(struct http_param_walk *w, const char **ret_name, size_t *ret_name_len,
                    char *buf, size_t size, size_t *ret_len)
{
        size_t n;
        int r;

        /* ";;" and a last ";" are common and harmless. */
        for (skip_space(w); w->p < w->end && *w->p == ';'; skip_space(w))
                w->p++;
        if (w->p == w->end)
                return 0;
        n = token_length(w);
        *ret_name = w->p;
        *ret_name_len = n;
        w->p += n;
        if (n == 0 || w->p == w->end || *w->p != '=')
                return -EBADMSG;
        w->p++;
        r = read_value(w, buf, size, ret_len);
        if (r < 0)
                return r;
        skip_space(w);
        return w->p == w->end || *w->p == ';' ? 1 : -EBADMSG;
}

int http_media_type(const char *content_type, char *buf, size_t size)
{
        struct http_param_walk w = {content_type, content_type + strlen(content_type)};
        size_t major, minor, n;

        skip_space(&w);
        major = token_length(&w);
        if (major == 0 || w.p + major == w.end || w.p[major] != '/')
                return -EBADMSG;
        content_type = w.p;
        w.p += major + 1;
        minor = token_length(&w);
        n = major + 1 + minor;
        if (minor == 0 || n >= size)
                return -EBADMSG;
        w.p += minor;
        skip_space(&w);
        if (w.p < w.end && *w.p != ';')
                return -EBADMSG;
        for (size_t i = 0; i < n; i++) {
                char c = content_type[i];

                buf[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
        }
        buf[n] = '\0';
        return 0;
}
