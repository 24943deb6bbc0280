/* http_base64.c -- base64 and data: URLs, decoded where they stand. Eight characters per step by
 * table; white space, padding and the end go one character at a time. */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "http/http_body.h"

#define IS_DIGIT 0x40 /* the lower six bits are its value; 0 is a character that may not occur */
#define IS_SPACE 0x80
#define IS_PAD   0x81
#define D(c, v)  [c] = IS_DIGIT | (v)

/* Both alphabets. */
/* clang-format off */
static const uint8_t kind_of[256] = {
    D('A', 0), D('B', 1), D('C', 2), D('D', 3), D('E', 4), D('F', 5), D('G', 6), D('H', 7),
    D('I', 8), D('J', 9), D('K', 10), D('L', 11), D('M', 12), D('N', 13), D('O', 14), D('P', 15),
    D('Q', 16), D('R', 17), D('S', 18), D('T', 19), D('U', 20), D('V', 21), D('W', 22),
    D('X', 23), D('Y', 24), D('Z', 25), D('a', 26), D('b', 27), D('c', 28), D('d', 29),
    D('e', 30), D('f', 31), D('g', 32), D('h', 33), D('i', 34), D('j', 35), D('k', 36),
    D('l', 37), D('m', 38), D('n', 39), D('o', 40), D('p', 41), D('q', 42), D('r', 43),
    D('s', 44), D('t', 45), D('u', 46), D('v', 47), D('w', 48), D('x', 49), D('y', 50),
    D('z', 51), D('0', 52), D('1', 53), D('2', 54), D('3', 55), D('4', 56), D('5', 57),
    D('6', 58), D('7', 59), D('8', 60), D('9', 61), D('+', 62), D('/', 63), D('-', 62),
    D('_', 63),
    ['='] = IS_PAD, [' '] = IS_SPACE, ['\t'] = IS_SPACE, ['\n'] = IS_SPACE, ['\r'] = IS_SPACE,
    ['\f'] = IS_SPACE,
};
/* clang-format on */

struct decoder {
        const uint8_t *start, *in, *end;
        uint8_t *out;
        uint32_t bits;   /* digits of an unfinished group of four */
        unsigned digits; /* how many those are */
        unsigned pads;
};

/* Two groups of four at a time, while there is nothing but digits. Writing never overtakes reading.
 */
static void decode_fast(struct decoder *d)
{
        while (d->end - d->in >= 8) {
                const uint8_t *p = d->in;
                uint8_t a = kind_of[p[0]], b = kind_of[p[1]], c = kind_of[p[2]], e = kind_of[p[3]];
                uint8_t f = kind_of[p[4]], g = kind_of[p[5]], h = kind_of[p[6]], i = kind_of[p[7]];
                uint64_t bits;

                if (!(a & b & c & e & f & g & h & i & IS_DIGIT))
                        return;
                bits = (uint64_t)(a & 63u) << 58 | (uint64_t)(b & 63u) << 52 |
                       (uint64_t)(c & 63u) << 46 | (uint64_t)(e & 63u) << 40 |
                       (uint64_t)(f & 63u) << 34 | (uint64_t)(g & 63u) << 28 |
                       (uint64_t)(h & 63u) << 22 | (uint64_t)(i & 63u) << 16;
                bits = htobe64(bits);
                /* Two bytes too many: they fall on what has been read, or where the next go. */
                memcpy(d->out, &bits, sizeof bits);
                d->in += 8;
                d->out += 6;
        }
}

static int bad(const struct decoder *d, const char *what, struct err *e)
{
        return err_set(e, -EBADMSG, "base64: %s at byte %zu", what, (size_t)(d->in - d->start));
}

static int decode_one(struct decoder *d, struct err *e)
{
        uint8_t kind = kind_of[*d->in];

        if (kind == IS_PAD) {
                if (d->digits < 2 || ++d->pads > 4 - d->digits)
                        return bad(d, "padding too much", e);
        } else if (kind & IS_DIGIT) {
                if (d->pads)
                        return bad(d, "a character behind the padding", e);
                d->bits = d->bits << 6 | (kind & 63u);
                if (++d->digits == 4) {
                        *d->out++ = (uint8_t)(d->bits >> 16);
                        *d->out++ = (uint8_t)(d->bits >> 8);
                        *d->out++ = (uint8_t)d->bits;
                        d->digits = 0;
                        d->bits = 0;
                }
        } else if (kind != IS_SPACE) {
                return bad(d, "a character that is not base64", e);
        }
        d->in++;
        return 0;
}

/* The last, short group: two digits are one byte, three are two; what is left over must be 0. */
static int decode_end(struct decoder *d, struct err *e)
{
        unsigned spare = d->digits == 2 ? 4 : 2;

        if (d->digits == 0)
                return 0;
        if (d->digits == 1)
                return bad(d, "the text is cut short", e);
        if (d->pads && d->pads != 4 - d->digits)
                return bad(d, "padding too little", e);
        if (d->bits & ((1u << spare) - 1))
                return bad(d, "the last character has bits that belong to no byte,", e);
        d->bits >>= spare;
        if (d->digits == 3)
                *d->out++ = (uint8_t)(d->bits >> 8);
        *d->out++ = (uint8_t)d->bits;
        return 0;
}

/* Decodes text[from..n) to text[0..). */
static int decode_base64(char *text, size_t from, size_t n, size_t *ret_size, struct err *e)
{
        struct decoder d = {.start = (const uint8_t *)text,
                            .in = (const uint8_t *)text + from,
                            .end = (const uint8_t *)text + n,
                            .out = (uint8_t *)text};
        int r = 0;

        while (d.in < d.end && r == 0) {
                if (d.digits == 0 && d.pads == 0)
                        decode_fast(&d);
                if (d.in < d.end)
                        r = decode_one(&d, e);
        }
        if (r == 0)
                r = decode_end(&d, e);
        if (r < 0)
                return r;
        *ret_size = (size_t)(d.out - (uint8_t *)text);
        return 0;
}

/* ---- data:[type][;parameter]*[;base64],... ---- */

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c = (char)(c | 0x20);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode_percent(char *text, size_t from, size_t n, size_t *ret_size, struct err *e)
{
        size_t out = 0;

        for (size_t i = from; i < n; i++) {
                int high = -1, low = -1;

                if (text[i] == '%' && n - i > 2) {
                        high = hex_digit(text[i + 1]);
                        low = hex_digit(text[i + 2]);
                }
                if (text[i] == '%' && (high < 0 || low < 0))
                        return err_set(e, -EBADMSG, "data: URL: bad percent-escape at byte %zu", i);
                text[out++] = text[i] == '%' ? (char)(high << 4 | low) : text[i];
                i += high >= 0 ? 2 : 0;
        }
        *ret_size = out;
        return 0;
}

static int decode_data_url(char *text, size_t n, size_t *ret_size, char *type, size_t type_size,
                           struct err *e)
{
        static const char suffix[] = ";base64";
        const size_t prefix = strlen("data:");
        /* A head of more than 512 bytes is no head: don't search 64 MiB for its comma. */
        char *comma = memchr(text + prefix, ',', MIN_OF(n - prefix, 512));
        char head[512 + 1];
        size_t len;
        bool is_base64;

        if (!comma)
                return err_set(e, -EBADMSG, "data: URL: no comma behind its type");
        len = (size_t)(comma - text) - prefix;
        memcpy(head, text + prefix, len);
        head[len] = '\0';
        is_base64 = len >= strlen(suffix) && strcasecmp(head + len - strlen(suffix), suffix) == 0;
        if (is_base64)
                head[len -= strlen(suffix)] = '\0';
        /* Without a type it is text/plain (RFC 2397), with or without parameters. */
        if (len == 0 || head[0] == ';')
                memcpy(head, "text/plain", sizeof "text/plain");
        if (type && http_media_type(head, type, type_size) < 0)
                return err_set(e, -EBADMSG, "data: URL: malformed media type");
        len = (size_t)(comma + 1 - text);
        return is_base64 ? decode_base64(text, len, n, ret_size, e)
                         : decode_percent(text, len, n, ret_size, e);
}

int http_base64_decode(char *text, size_t n, size_t *ret_size, char *content_type,
                       size_t content_type_size, struct err *e)
{
        if (content_type && content_type_size)
                content_type[0] = '\0';
        if (n >= strlen("data:") && strncasecmp(text, "data:", strlen("data:")) == 0)
                return decode_data_url(text, n, ret_size, content_type, content_type_size, e);
        return decode_base64(text, 0, n, ret_size, e);
}

void http_base64_encode(struct str *to, const void *data, size_t n)
{
        static const char letters[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const uint8_t *p = data;
        char *out = n < SIZE_MAX / 4 ? str_reserve(to, (n + 2) / 3 * 4) : NULL;

        if (!out) {
                to->bad = true;
                return;
        }
        for (; n >= 3; n -= 3, p += 3) {
                uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

                *out++ = letters[v >> 18];
                *out++ = letters[v >> 12 & 63];
                *out++ = letters[v >> 6 & 63];
                *out++ = letters[v & 63];
        }
        if (n) {
                uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);

                *out++ = letters[v >> 18];
                *out++ = letters[v >> 12 & 63];
                *out++ = n == 2 ? letters[v >> 6 & 63] : '=';
                *out++ = '=';
        }
        *out = '\0';
        to->len = (size_t)(out - to->data);
}
