#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct position {
        int line, column;
};

static struct position position_of(const char *text, size_t at)
{
        struct position p = {1, 1};

        for (size_t i = 0; i < at; i++) {
                p.column++;
                if (text[i] == '\n')
                        p = (struct position){p.line + 1, 1};
        }
        return p;
}

/* Did an allocation of jansson's fail on this thread since it was last cleared? */
static _Thread_local bool json_lacked_memory;

/* jansson calls some failed allocations syntax errors, and one it does not notice: a buffer that
 * could not grow loses a byte, so that 1000 is read as 100. Only its way to malloc knows better. */
static void *allocate(size_t n)
{
        void *p = malloc(n);

        json_lacked_memory |= !p;
        return p;
}

static __attribute__((constructor)) void watch_allocations(void)
{
        json_set_alloc_funcs(allocate, free);
}

/* jansson recurses, so depth is bounded before it sees the text. */
static int check_depth(const char *text, size_t n, struct err *e)
{
        bool in_string = false;
        int depth = 0;

        for (size_t i = 0; i < n; i++) {
                char c = text[i];

                if (in_string) {
                        if (c == '\\')
                                i++;
                        else if (c == '"')
                                in_string = false;
                } else if (c == '"') {
                        in_string = true;
                } else if (c == '{' || c == '[') {
                        if (++depth > JSON_DEPTH_MAX) {
                                struct position p = position_of(text, i);
                                return err_set(e, -EBADMSG,
                                               "line %d, column %d: nested deeper than %d", p.line,
                                               p.column, JSON_DEPTH_MAX);
                        }
                } else if (c == '}' || c == ']') {
                        depth--;
                }
        }
        return 0;
}

int json_parse(const char *text, size_t n, json_t **ret, struct err *e)
{
        json_error_t error = {0}; /* jansson leaves it alone when it lacks memory early */
        size_t valid = utf8_valid_prefix(text, n);
        json_t *value;
        int r;

        if (n == 0)
                return err_set(e, -EBADMSG, "empty text is not JSON");
        if (valid < n) {
                struct position p = position_of(text, valid);
                return err_set(e, -EBADMSG, "line %d, column %d: invalid UTF-8 at byte %zu", p.line,
                               p.column, valid);
        }
        r = check_depth(text, n, e);
        if (r < 0)
                return r;
        json_lacked_memory = false;
        value = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
        if (json_lacked_memory) {
                json_decref(value);
                return err_set_errno(e, -ENOMEM, "parse JSON");
        }
        if (!value)
                /* It quotes the text nearby, cut wherever. */
                return err_set(e, -EBADMSG, "line %d, column %d: %.*s", error.line, error.column,
                               (int)utf8_valid_prefix(error.text, strlen(error.text)), error.text);
        *ret = value;
        return 0;
}

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
        return found < n ? position_of(text, found).line : 0;
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

int json_put(json_t *object, const char *key, json_t *take_value)
{
        return json_object_set_new(object, key, take_value ? take_value : json_null()) < 0 ? -ENOMEM
                                                                                           : 0;
}
