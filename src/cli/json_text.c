#include "cli/json_text.h"

#include <string.h>

static size_t skip_space(const char *text, size_t n, size_t at)
{
        while (at < n &&
               (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
                at++;
        return at;
}

/* Behind the string that begins at `at`. */
static size_t skip_string(const char *text, size_t n, size_t at)
{
        for (at++; at < n && text[at] != '"'; at++)
                if (text[at] == '\\')
                        at++;
        return at < n ? at + 1 : n;
}

/* Behind the value that begins at `at`. */
static size_t skip_value(const char *text, size_t n, size_t at)
{
        size_t depth = 0;

        while (at < n) {
                char c = text[at];

                if (c == '"') {
                        at = skip_string(text, n, at);
                        if (depth == 0)
                                return at;
                        continue;
                }
                if ((c == '}' || c == ']' || c == ',') && depth == 0)
                        return at;
                if (c == '{' || c == '[')
                        depth++;
                if ((c == '}' || c == ']') && --depth == 0)
                        return at + 1;
                at++;
        }
        return n;
}

bool json_text_member(const char *text, size_t n, const char *key, const char **ret, size_t *ret_n)
{
        size_t at = skip_space(text, n, 0), key_len = strlen(key);

        if (at >= n || text[at] != '{')
                return false;
        for (at = skip_space(text, n, at + 1); at < n && text[at] == '"';) {
                size_t name = at + 1, behind = skip_string(text, n, at), end;
                bool found = behind - name == key_len + 1 && !memcmp(text + name, key, key_len);

                at = skip_space(text, n, behind) + 1; /* ':' */
                at = skip_space(text, n, at);
                if (at >= n)
                        return false;
                end = skip_value(text, n, at);
                if (found) {
                        while (end > at && strchr(" \t\r\n", text[end - 1]))
                                end--;
                        *ret = text + at;
                        *ret_n = end - at;
                        return true;
                }
                at = skip_space(text, n, end) + 1; /* ',' */
                at = skip_space(text, n, at);
        }
        return false;
}

/* ---- laid out ---- */

static void add_string(struct str *to, const char *text, size_t n, size_t max)
{
        size_t kept;

        if (n <= max) {
                str_add(to, text, n);
                return;
        }
        /* Never in the middle of a character or of an escape. */
        kept = utf8_valid_prefix(text, max);
        for (size_t i = kept > 12 ? kept - 12 : 0; i < kept; i++)
                if (text[i] == '\\')
                        kept = i;
        str_add(to, text, kept);
        str_addf(to, "\xe2\x80\xa6\" (%zu bytes)", n - 2);
}

static void new_line(struct str *to, size_t depth)
{
        str_addc(to, '\n');
        for (size_t i = 0; i < depth; i++)
                str_adds(to, "  ");
}

/* An opening bracket; an empty pair stays on its line. Returns where to go on. */
static size_t open_bracket(struct str *to, const char *text, size_t n, size_t at, size_t *depth)
{
        size_t next = skip_space(text, n, at + 1);

        str_addc(to, text[at]);
        if (next < n && (text[next] == '}' || text[next] == ']')) {
                str_addc(to, text[next]);
                return next + 1;
        }
        new_line(to, ++*depth);
        return next;
}

void json_text_pretty(struct str *to, const char *text, size_t n, size_t string_max)
{
        size_t depth = 0;

        for (size_t at = skip_space(text, n, 0); at < n && !to->bad;) {
                size_t end;

                switch (text[at]) {
                case '"':
                        end = skip_string(text, n, at);
                        add_string(to, text + at, end - at, string_max);
                        at = end;
                        break;
                case '{':
                case '[':
                        at = open_bracket(to, text, n, at, &depth);
                        break;
                case '}':
                case ']':
                        depth -= depth > 0;
                        new_line(to, depth);
                        str_addc(to, text[at++]);
                        break;
                case ',':
                        str_addc(to, ',');
                        new_line(to, depth);
                        at++;
                        break;
                case ':':
                        str_adds(to, ": ");
                        at++;
                        break;
                default:
                        str_addc(to, text[at++]);
                }
                at = skip_space(text, n, at);
        }
}
