#include "schema/schema_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTE_MAX 48

struct schema_words schema_words_in(char *buf, size_t size)
{
        buf[0] = '\0';
        return (struct schema_words){buf, size, 0, false};
}

/* The last whole character that ends at or before `at`. */
static size_t char_boundary(const char *text, size_t at)
{
        while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
                at--;
        return at;
}

void schema_words_add(struct schema_words *w, const char *text, size_t n)
{
        size_t room = w->size - 1 - w->len;

        if (w->cut)
                return;
        memcpy(w->buf + w->len, text, MIN_OF(n, room));
        w->len += MIN_OF(n, room);
        if (n > room) {
                w->cut = true;
                w->len = char_boundary(w->buf, w->size - 4);
                memcpy(w->buf + w->len, "...", 3);
                w->len += 3;
        }
        w->buf[w->len] = '\0';
}

void schema_words_addf(struct schema_words *w, const char *fmt, ...)
{
        char text[512];
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        if (n > 0)
                schema_words_add(w, text, MIN_OF((size_t)n, sizeof text - 1));
}

void schema_words_add_token(struct schema_words *w, const char *token, size_t n)
{
        schema_words_add(w, "/", 1);
        for (size_t i = 0; i < n; i++) {
                if (token[i] == '~')
                        schema_words_add(w, "~0", 2);
                else if (token[i] == '/')
                        schema_words_add(w, "~1", 2);
                else
                        schema_words_add(w, token + i, 1);
        }
}

static void add_quoted(struct schema_words *w, const char *text, size_t n)
{
        size_t shown = n <= QUOTE_MAX ? n : char_boundary(text, QUOTE_MAX);

        schema_words_add(w, "\"", 1);
        for (size_t i = 0; i < shown; i++) {
                unsigned char c = (unsigned char)text[i];

                if (c < 0x20 || c == 0x7f)
                        schema_words_addf(w, "\\u%04x", c);
                else
                        schema_words_add(w, text + i, 1);
        }
        if (shown < n)
                schema_words_add(w, "...", 3);
        schema_words_add(w, "\"", 1);
}

/* The shortest text that reads back as the same number. */
static void add_real(struct schema_words *w, double value)
{
        char text[40];

        for (int digits = 15; digits <= 17; digits++) {
                snprintf(text, sizeof text, "%.*g", digits, value);
                if (strtod(text, NULL) == value)
                        break;
        }
        schema_words_add(w, text, strlen(text));
}

void schema_words_add_value(struct schema_words *w, const json_t *value)
{
        switch (json_typeof(value)) {
        case JSON_STRING:
                add_quoted(w, json_string_value(value), json_string_length(value));
                return;
        case JSON_INTEGER:
                schema_words_addf(w, "%lld", (long long)json_integer_value(value));
                return;
        case JSON_REAL:
                add_real(w, json_real_value(value));
                return;
        case JSON_OBJECT:
                schema_words_addf(w, "an object");
                return;
        case JSON_ARRAY:
                schema_words_addf(w, "an array");
                return;
        case JSON_TRUE:
                schema_words_addf(w, "true");
                return;
        case JSON_FALSE:
                schema_words_addf(w, "false");
                return;
        case JSON_NULL:
                schema_words_addf(w, "null");
                return;
        }
}
