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

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Most text is ASCII, and eight bytes of it are seen at once. */
static size_t ascii_prefix(const char *s, size_t n)
{
        size_t i = 0;
        uint64_t word;

        for (; n - i >= sizeof word; i += sizeof word) {
                memcpy(&word, s + i, sizeof word);
                if (word & HIGH_BITS)
                        break;
        }
        return i;
}

size_t utf8_valid_prefix(const char *s, size_t n)
{
        size_t i = 0, len;

        while (i < n) {
                i += ascii_prefix(s + i, n - i);
                if (i == n)
                        break;
                len = utf8_sequence((const unsigned char *)s + i, n - i);
                if (len == 0)
                        break;
                i += len;
        }
        return i;
}

static bool is_plain(unsigned char c)
{
        return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t';
}

/* The bytes that are shown as they are: what text mostly is. */
static size_t plain_prefix(const char *s, size_t n)
{
        size_t i = 0;

        while (i < n && is_plain((unsigned char)s[i]))
                i++;
        return i;
}

static void add_escape(struct str *s, unsigned char c)
{
        static const char digits[] = "0123456789abcdef";
        const char escape[] = {'\\', 'x', digits[c >> 4], digits[c & 15]};

        str_add(s, escape, sizeof escape);
}

void str_add_printable(struct str *s, const char *text, size_t n, size_t max_out)
{
        static const char ellipsis[] = "\xe2\x80\xa6", replacement[] = "\xef\xbf\xbd";
        size_t start = s->len;

        for (size_t i = 0; i < n && !s->bad;) {
                const unsigned char *at = (const unsigned char *)text + i;
                size_t room = max_out - (s->len - start);
                size_t plain = plain_prefix(text + i, MIN_OF(n - i, room > 4 ? room - 3 : 1));
                size_t len = plain ? plain : utf8_sequence(at, n - i);
                /* U+0080..U+009F are control characters too: some terminals obey them. */
                bool c1 = len == 2 && at[0] == 0xc2 && at[1] < 0xa0;
                bool escaped = !plain && (c1 || len == 1), last = i + MAX_OF(len, 1) == n;
                size_t wanted = len == 0 ? 3 : escaped ? 4 : len, more = last ? 0 : 3;

                if (wanted + more > room) {
                        if (room >= 3)
                                str_add(s, ellipsis, 3);
                        return;
                }
                if (escaped)
                        add_escape(s, c1 ? at[1] : at[0]);
                else
                        str_add(s, len == 0 ? replacement : text + i, wanted);
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
