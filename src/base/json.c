#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- json_line_of: a walk over text that is already known to be valid --- */

struct walk {
        const char *text;
        size_t n, at;
};

static void skip_space(struct walk *w)
{
        while (w->at < w->n && strchr(" \t\r\n", w->text[w->at]) && w->text[w->at])
                w->at++;
}

static void skip_string(struct walk *w)
{
        for (w->at++; w->at < w->n && w->text[w->at] != '"'; w->at++)
                if (w->text[w->at] == '\\')
                        w->at++;
        w->at++;
}

/* Steps over one value of any kind. */
static void skip_value(struct walk *w)
{
        int depth = 0;

        skip_space(w);
        while (w->at < w->n) {
                char c = w->text[w->at];

                if (c == '"') {
                        skip_string(w);
                        if (depth == 0)
                                return;
                        continue;
                }
                if (c == '{' || c == '[')
                        depth++;
                if (c == '}' || c == ']') {
                        if (depth == 0)
                                return;
                        depth--;
                        if (depth == 0) {
                                w->at++;
                                return;
                        }
                }
                if (depth == 0 && c == ',')
                        return;
                w->at++;
        }
}

/* Does the quoted string at w->at spell `token` (a pointer's segment, ~0 and ~1 unescaped)? Keys
 * with escapes in them are compared as written, which is enough to find a line. */
static bool key_is(const struct walk *w, const char *token, size_t len)
{
        size_t i = w->at + 1, j = 0;

        for (; j < len && i < w->n && w->text[i] != '"'; i++, j++) {
                char c = token[j];

                if (c == '~' && j + 1 < len) {
                        c = token[j + 1] == '1' ? '/' : '~';
                        j++;
                }
                if (w->text[i] != c)
                        return false;
        }
        return j == len && i < w->n && w->text[i] == '"';
}

static bool enter_member(struct walk *w, const char *token, size_t len)
{
        for (w->at++;; w->at++) {
                skip_space(w);
                if (w->at >= w->n || w->text[w->at] != '"')
                        return false;
                bool found = key_is(w, token, len);
                skip_string(w);
                skip_space(w);
                w->at++; /* ':' */
                skip_space(w);
                if (found)
                        return true;
                skip_value(w);
                skip_space(w);
                if (w->at >= w->n || w->text[w->at] != ',')
                        return false;
        }
}

static bool enter_item(struct walk *w, const char *token, size_t len)
{
        size_t index = 0;

        for (size_t i = 0; i < len; i++) {
                if (token[i] < '0' || token[i] > '9' || index > 1000000)
                        return false;
                index = index * 10 + (size_t)(token[i] - '0');
        }
        for (w->at++;; w->at++) {
                skip_space(w);
                if (w->at >= w->n || w->text[w->at] == ']')
                        return false;
                if (index-- == 0)
                        return true;
                skip_value(w);
                skip_space(w);
                if (w->at >= w->n || w->text[w->at] != ',')
                        return false;
        }
}

static int line_of(const char *text, size_t at)
{
        int line = 1;

        for (size_t i = 0; i < at; i++)
                line += text[i] == '\n';
        return line;
}

int json_line_of(const char *text, size_t n, const char *pointer)
{
        struct walk w = {text, n, 0};
        size_t found;

        skip_space(&w);
        found = w.at;
        while (*pointer == '/' && w.at < n) {
                const char *token = ++pointer;
                size_t len = strcspn(token, "/");
                bool ok = text[w.at] == '{'   ? enter_member(&w, token, len)
                          : text[w.at] == '[' ? enter_item(&w, token, len)
                                              : false;

                if (!ok)
                        break;
                found = w.at;
                pointer += len;
        }
        return found < n ? line_of(text, found) : 0;
}

static int dump_to_str(const char *buffer, size_t size, void *s)
{
        str_add(s, buffer, size);
        return ((struct str *)s)->bad ? -1 : 0;
}

void str_add_json(struct str *s, const json_t *value)
{
        if (json_dump_callback(value, dump_to_str, s, JSON_COMPACT | JSON_ENCODE_ANY) < 0)
                s->bad = true;
}

void str_add_json_string(struct str *s, const char *text, size_t n)
{
        str_addc(s, '"');
        for (size_t i = 0, run = 0; i <= n; i++) {
                unsigned char c = i < n ? (unsigned char)text[i] : 0;
                bool plain = i < n && c >= 0x20 && c != '"' && c != '\\';

                if (plain)
                        continue;
                str_add(s, text + run, i - run);
                run = i + 1;
                if (i == n)
                        break;
                if (c == '"' || c == '\\')
                        str_addf(s, "\\%c", c);
                else if (c == '\n')
                        str_adds(s, "\\n");
                else
                        str_addf(s, "\\u%04x", c);
        }
        str_addc(s, '"');
}

json_t *json_copy_object(const json_t *object)
{
        json_t *copy = json_copy((json_t *)object);

        if (copy && json_object_size(copy) == json_object_size(object))
                return copy;
        json_decref(copy);
        return NULL;
}

int json_put(json_t *object, const char *key, json_t *take_value)
{
        return json_object_set_new(object, key, take_value ? take_value : json_null()) < 0 ? -ENOMEM
                                                                                           : 0;
}
