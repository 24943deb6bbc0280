/* json_parse.c -- JSON text into jansson's values. jansson's own parser cannot be used: where it
 * has no memory for a longer buffer it drops a byte and reads on, past the end of its text when
 * that byte was a quote. This one says -ENOMEM, and otherwise the same words.
 *
 * Recursive descent, bounded by JSON_DEPTH_MAX. Strings without escapes are taken from the text as
 * they stand. */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NEAR_MAX 20 /* a longer token is not quoted */

struct reader {
        const char *text, *at, *end;
        struct str scratch; /* a string without its escapes, a number as C text */
        struct err *e;
        int depth, r; /* r: what the parse came to, once it is below 0 */
};

static json_t *read_value(struct reader *in);

/* --- refusals --------------------------------------------------------------------------------- */

struct position {
        int line, column;
};

/* Of text[at], counted in characters from 1. */
static struct position position_of(const char *text, size_t at)
{
        struct position p = {1, 1};

        for (size_t i = 0; i < at; i++) {
                if (text[i] == '\n')
                        p = (struct position){p.line + 1, 1};
                else if (((unsigned char)text[i + 1] & 0xc0) != 0x80)
                        p.column++;
        }
        return p;
}

static void no_memory(struct reader *in)
{
        in->r = err_set_errno(in->e, -ENOMEM, "parse JSON");
}

/* About the token from `token` to in->at, the empty one being the text's end. */
static void refuse(struct reader *in, const char *token, const char *fmt, ...) printf_like(3, 4);
static void refuse(struct reader *in, const char *token, const char *fmt, ...)
{
        size_t n = (size_t)(in->at - token), last = (size_t)(in->at - in->text);
        size_t whole = utf8_valid_prefix(token, n); /* it may end within a character */
        struct position p = position_of(in->text, last > 0 ? last - 1 : 0);
        char words[128];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(words, sizeof words, fmt, ap);
        va_end(ap);
        if (n > NEAR_MAX || (n > 0 && whole == 0))
                in->r = err_set(in->e, -EBADMSG, "line %d, column %d: %s", p.line, p.column, words);
        else if (n > 0)
                in->r = err_set(in->e, -EBADMSG, "line %d, column %d: %s near '%.*s'", p.line,
                                p.column, words, (int)whole, token);
        else
                in->r = err_set(in->e, -EBADMSG, "line %d, column %d: %s near end of file", p.line,
                                p.column, words);
}

/* --- tokens ----------------------------------------------------------------------------------- */

static void skip_space(struct reader *in)
{
        while (in->at < in->end &&
               (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
                in->at++;
}

/* The next character that is no space stays where it is; '\0' at the end: no text holds a NUL. */
static char peek(struct reader *in)
{
        skip_space(in);
        return in->at < in->end ? *in->at : '\0';
}

static bool take(struct reader *in, char c)
{
        if (peek(in) != c)
                return false;
        in->at++;
        return true;
}

static bool is_letter(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* Something other than what may stand here: a word, a string's begin, a single character. */
static void refuse_next(struct reader *in, const char *words)
{
        const char *token = (skip_space(in), in->at);

        while (in->at < in->end && is_letter(*in->at))
                in->at++;
        if (in->at == token && in->at < in->end)
                for (in->at++; in->at < in->end && ((unsigned char)*in->at & 0xc0) == 0x80;)
                        in->at++;
        refuse(in, token, "%s", words);
}

/* --- strings ---------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
        if (is_digit(c))
                return c - '0';
        c = (char)(c | 0x20);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind a \u; below 0: they are not there. */
static int32_t read_hex4(struct reader *in)
{
        int32_t value = 0;

        for (int i = 0; i < 4; i++, in->at++) {
                int digit = in->at < in->end ? hex_digit(*in->at) : -1;

                if (digit < 0)
                        return -1;
                value = value << 4 | digit;
        }
        return value;
}

static void add_utf8(struct str *s, uint32_t c)
{
        if (c < 0x80) {
                str_addc(s, (char)c);
                return;
        }
        if (c < 0x800) {
                str_addc(s, (char)(0xc0 | c >> 6));
        } else {
                if (c < 0x10000) {
                        str_addc(s, (char)(0xe0 | c >> 12));
                } else {
                        str_addc(s, (char)(0xf0 | c >> 18));
                        str_addc(s, (char)(0x80 | (c >> 12 & 0x3f)));
                }
                str_addc(s, (char)(0x80 | (c >> 6 & 0x3f)));
        }
        str_addc(s, (char)(0x80 | (c & 0x3f)));
}

/* in->at is behind the 'u'. */
static bool read_unicode_escape(struct reader *in, const char *token)
{
        int32_t c = read_hex4(in), low = -1;

        if (c < 0) {
                refuse(in, token, "invalid escape");
                return false;
        }
        if (c >= 0xd800 && c < 0xdc00 && in->end - in->at >= 2 && in->at[0] == '\\' &&
            in->at[1] == 'u') {
                in->at += 2;
                low = read_hex4(in);
                if (low >= 0xdc00 && low < 0xe000)
                        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
        if (c >= 0xd800 && c < 0xe000) {
                refuse(in, token, "invalid Unicode: half of a surrogate pair");
                return false;
        }
        if (c == 0) {
                refuse(in, token, "\\u0000 is not allowed");
                return false;
        }
        add_utf8(&in->scratch, (uint32_t)c);
        return true;
}

/* in->at is behind the backslash. */
static bool read_escape(struct reader *in, const char *token)
{
        static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
        char c = in->at < in->end ? *in->at++ : '\0';
        const char *name = c ? strchr(names, c) : NULL;

        if (c == 'u')
                return read_unicode_escape(in, token);
        if (!name) {
                refuse(in, token, "invalid escape");
                return false;
        }
        str_addc(&in->scratch, meanings[name - names]);
        return true;
}

/* Over characters that stand for themselves. */
static void skip_plain(struct reader *in)
{
        while (in->at < in->end && *in->at != '"' && *in->at != '\\' &&
               (unsigned char)*in->at >= ' ')
                in->at++;
}

static bool end_string(struct reader *in, const char *token)
{
        unsigned char c;

        if (in->at < in->end && *in->at == '"') {
                in->at++;
                return true;
        }
        if (in->at == in->end) {
                refuse(in, in->at, "premature end of input");
                return false;
        }
        c = (unsigned char)*in->at;
        if (c == '\n')
                refuse(in, token, "unexpected newline");
        else
                refuse(in, token, "control character 0x%x", c);
        return false;
}

/* in->at is at the opening quote, and goes behind the closing one. *ret points into the text or the
 * scratch, until the next string. */
static bool read_string(struct reader *in, const char **ret, size_t *ret_n)
{
        const char *token = in->at++, *run = in->at;

        in->scratch.len = 0;
        skip_plain(in);
        if (in->at < in->end && *in->at == '"') {
                *ret = run;
                *ret_n = (size_t)(in->at++ - run);
                return true;
        }
        while (in->at < in->end && *in->at == '\\') {
                str_add(&in->scratch, run, (size_t)(in->at - run));
                in->at++;
                if (!read_escape(in, token))
                        return false;
                run = in->at;
                skip_plain(in);
        }
        str_add(&in->scratch, run, (size_t)(in->at - run));
        if (!end_string(in, token))
                return false;
        if (in->scratch.bad) {
                no_memory(in);
                return false;
        }
        *ret = in->scratch.data;
        *ret_n = in->scratch.len;
        return true;
}

static json_t *read_string_value(struct reader *in)
{
        const char *text;
        size_t n;

        return read_string(in, &text, &n) ? json_stringn_nocheck(text, n) : NULL;
}

/* --- numbers and words ------------------------------------------------------------------------ */

static bool skip_digits(struct reader *in)
{
        const char *begin = in->at;

        while (in->at < in->end && is_digit(*in->at))
                in->at++;
        return in->at > begin;
}

/* Over a number's characters; false: it is none. */
static bool skip_number(struct reader *in, bool *ret_integer)
{
        *ret_integer = true;
        in->at += *in->at == '-';
        if (in->at < in->end && *in->at == '0') {
                in->at++;
                if (in->at < in->end && is_digit(*in->at))
                        return false;
        } else if (!skip_digits(in)) {
                return false;
        }
        if (in->at < in->end && *in->at == '.') {
                *ret_integer = false;
                in->at++;
                if (!skip_digits(in))
                        return false;
        }
        if (in->at < in->end && (*in->at == 'e' || *in->at == 'E')) {
                *ret_integer = false;
                in->at++;
                in->at += in->at < in->end && (*in->at == '+' || *in->at == '-');
                if (!skip_digits(in))
                        return false;
        }
        return true;
}

static json_t *read_number(struct reader *in)
{
        const char *token = in->at;
        bool is_integer;
        long long integer;
        double real;

        if (!skip_number(in, &is_integer)) {
                refuse(in, token, "invalid token");
                return NULL;
        }
        in->scratch.len = 0;
        str_add(&in->scratch, token, (size_t)(in->at - token));
        if (in->scratch.bad)
                return NULL;
        errno = 0;
        if (is_integer) {
                integer = strtoll(in->scratch.data, NULL, 10);
                if (errno != ERANGE)
                        return json_integer(integer);
                refuse(in, token, "too big %sinteger", *token == '-' ? "negative " : "");
                return NULL;
        }
        real = strtod(in->scratch.data, NULL);
        if (isfinite(real))
                return json_real(real);
        refuse(in, token, "real number overflow");
        return NULL;
}

static json_t *read_word(struct reader *in)
{
        const char *token = in->at;
        size_t n;

        while (in->at < in->end && is_letter(*in->at))
                in->at++;
        n = (size_t)(in->at - token);
        if (n == 4 && !memcmp(token, "true", 4))
                return json_true();
        if (n == 5 && !memcmp(token, "false", 5))
                return json_false();
        if (n == 4 && !memcmp(token, "null", 4))
                return json_null();
        refuse(in, token, "invalid token");
        return NULL;
}

/* --- lists and objects ------------------------------------------------------------------------ */

static bool read_items(struct reader *in, json_t *list)
{
        if (take(in, ']'))
                return true;
        do {
                json_t *item = read_value(in);

                if (!item)
                        return false;
                if (json_array_append_new(list, item) < 0) {
                        no_memory(in);
                        return false;
                }
        } while (take(in, ','));
        if (take(in, ']'))
                return true;
        refuse_next(in, "']' expected");
        return false;
}

static bool read_member(struct reader *in, json_t *object)
{
        const char *token, *text;
        scoped(free) char *key = NULL;
        json_t *value;
        size_t n;

        if (peek(in) != '"') {
                refuse_next(in, "string or '}' expected");
                return false;
        }
        token = in->at;
        if (!read_string(in, &text, &n))
                return false;
        if (json_object_getn(object, text, n)) {
                refuse(in, token, "duplicate object key");
                return false;
        }
        /* The scratch is the next string's; the text stays. */
        if (text == in->scratch.data)
                text = key = mem_dup0(text, n);
        if (!text) {
                no_memory(in);
                return false;
        }
        if (!take(in, ':')) {
                refuse_next(in, "':' expected");
                return false;
        }
        value = read_value(in);
        if (!value)
                return false;
        if (json_object_setn_new_nocheck(object, text, n, value) == 0)
                return true;
        no_memory(in);
        return false;
}

static bool read_members(struct reader *in, json_t *object)
{
        if (take(in, '}'))
                return true;
        do {
                if (!read_member(in, object))
                        return false;
        } while (take(in, ','));
        if (take(in, '}'))
                return true;
        refuse_next(in, "'}' expected");
        return false;
}

static json_t *read_container(struct reader *in)
{
        bool is_object = *in->at++ == '{', whole;
        json_t *value;

        if (++in->depth > JSON_DEPTH_MAX) {
                struct position p = position_of(in->text, (size_t)(in->at - in->text) - 1);

                in->r = err_set(in->e, -EBADMSG, "line %d, column %d: nested deeper than %d",
                                p.line, p.column, JSON_DEPTH_MAX);
                return NULL;
        }
        value = is_object ? json_object() : json_array();
        if (!value)
                return NULL;
        whole = is_object ? read_members(in, value) : read_items(in, value);
        in->depth--;
        if (whole)
                return value;
        json_decref(value);
        return NULL;
}

/* NULL: in->r says why; where nobody has said so, memory was missing. */
static json_t *read_value(struct reader *in)
{
        char c = peek(in);
        json_t *value = NULL;

        if (c == '"')
                value = read_string_value(in);
        else if (c == '{' || c == '[')
                value = read_container(in);
        else if (c == '-' || is_digit(c))
                value = read_number(in);
        else if (is_letter(c))
                value = read_word(in);
        else
                refuse_next(in, c && strchr("]}:,", c) ? "unexpected token"
                                : c                    ? "invalid token"
                                                       : "unexpected token");
        if (!value && in->r == 0)
                no_memory(in);
        return value;
}

int json_parse(const char *text, size_t n, json_t **ret, struct err *e)
{
        struct reader in = {.text = text, .at = text, .end = text + n, .e = e};
        size_t valid = utf8_valid_prefix(text, n);
        scoped(json_decref) json_t *value = NULL;

        if (n == 0)
                return err_set(e, -EBADMSG, "empty text is not JSON");
        if (valid < n) {
                struct position p = position_of(text, valid);
                return err_set(e, -EBADMSG, "line %d, column %d: invalid UTF-8 at byte %zu", p.line,
                               p.column, valid);
        }
        value = read_value(&in);
        if (value && (skip_space(&in), in.at < in.end))
                refuse_next(&in, "end of file expected");
        str_done(&in.scratch);
        if (in.r == 0)
                *ret = take_ptr(value);
        return in.r;
}
