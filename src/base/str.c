#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void str_done(struct str *s)
{
        free(s->data);
        *s = (struct str){0};
}

char *str_reserve(struct str *s, size_t n)
{
        size_t cap = s->cap ? s->cap : 64;
        char *p;

        if (s->bad || n > SIZE_MAX / 4 || s->len > SIZE_MAX / 4) {
                s->bad = true;
                return NULL;
        }
        while (cap < s->len + n + 1)
                cap *= 2;
        if (cap > s->cap) {
                p = realloc(s->data, cap);
                if (!p) {
                        s->bad = true;
                        return NULL;
                }
                s->data = p;
                s->cap = cap;
        }
        return s->data + s->len;
}

void str_add(struct str *s, const void *bytes, size_t n)
{
        char *to = str_reserve(s, n);

        if (!to)
                return;
        if (n)
                memcpy(to, bytes, n);
        s->len += n;
        s->data[s->len] = '\0';
}

void str_adds(struct str *s, const char *text)
{
        str_add(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
        str_add(s, &c, 1);
}

void str_addf(struct str *s, const char *fmt, ...)
{
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        if (n < 0) {
                s->bad = true;
                return;
        }
        char *to = str_reserve(s, (size_t)n);

        if (!to)
                return;
        va_start(ap, fmt);
        vsnprintf(to, (size_t)n + 1, fmt, ap);
        va_end(ap);
        s->len += (size_t)n;
}

char *str_take(struct str *s)
{
        char *p;

        str_add(s, "", 0);
        if (s->bad) {
                str_done(s);
                return NULL;
        }
        p = s->data;
        *s = (struct str){0};
        return p;
}

/* Bytes of the valid sequence at s, 0 when it is none (overlong, surrogate, cut, out of range). */
static size_t utf8_sequence(const unsigned char *s, size_t n)
{
        size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

        if (len == 0 || len > n || s[0] > 0xf4)
                return 0;
        for (size_t i = 1; i < len; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
            (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
                return 0;
        return len;
}

size_t utf8_valid_prefix(const char *s, size_t n)
{
        size_t i = 0, len;

        while (i < n) {
                len = utf8_sequence((const unsigned char *)s + i, n - i);
                if (len == 0)
                        break;
                i += len;
        }
        return i;
}

void str_add_printable(struct str *s, const char *text, size_t n, size_t max_out)
{
        static const char ellipsis[] = "\xe2\x80\xa6", replacement[] = "\xef\xbf\xbd";
        size_t start = s->len;

        for (size_t i = 0; i < n && !s->bad;) {
                unsigned char c = (unsigned char)text[i];
                size_t len = utf8_sequence((const unsigned char *)text + i, n - i);
                char hex[5];
                const char *piece = text + i;
                size_t piece_len = len;
                /* U+0080..U+009F are control characters too: some terminals obey them. */
                bool c1 = len == 2 && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;

                if (len == 0) {
                        piece = replacement;
                        piece_len = 3;
                } else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || c1) {
                        snprintf(hex, sizeof hex, "\\x%02x", c1 ? (unsigned char)text[i + 1] : c);
                        piece = hex;
                        piece_len = 4;
                }
                bool last = i + MAX_OF(len, 1) == n;

                if (s->len - start + piece_len + (last ? 0 : 3) > max_out) {
                        if (s->len - start + 3 <= max_out)
                                str_add(s, ellipsis, 3);
                        return;
                }
                str_add(s, piece, piece_len);
                i += MAX_OF(len, 1);
        }
}

static bool is_name(const char *name, bool tool)
{
        size_t n = strnlen(name, 65);

        if (n == 0 || n > 64)
                return false;
        for (size_t i = 0; i < n; i++) {
                char c = name[i];
                bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';

                ok = ok || (tool && ((c >= 'A' && c <= 'Z') || c == '.'));
                if (!ok)
                        return false;
        }
        return true;
}

bool str_is_plugin_name(const char *name)
{
        return is_name(name, false);
}

bool str_is_tool_name(const char *name)
{
        return is_name(name, true);
}

/* Levenshtein distance of words up to 64 bytes; longer ones are never near. */
static size_t edit_distance(const char *a, const char *b)
{
        size_t row[65], na = strlen(a), nb = strlen(b);

        if (na > 64 || nb > 64)
                return SIZE_MAX;
        for (size_t j = 0; j <= nb; j++)
                row[j] = j;
        for (size_t i = 1; i <= na; i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= nb; j++) {
                        size_t up = row[j];
                        size_t best = diagonal + (a[i - 1] != b[j - 1]);

                        best = MIN_OF(best, up + 1);
                        row[j] = MIN_OF(best, row[j - 1] + 1);
                        diagonal = up;
                }
        }
        return row[nb];
}

const char *str_nearest(const char *word, const char *const *candidates, size_t n)
{
        size_t best = 2 + strlen(word) / 4;
        const char *found = NULL;

        for (size_t i = 0; i < n; i++) {
                size_t d = edit_distance(word, candidates[i]);

                if (d < best) {
                        best = d;
                        found = candidates[i];
                }
        }
        return found;
}
