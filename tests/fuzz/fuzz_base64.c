/* fuzz_base64.c -- base64 and data: URLs of strangers, beside a decoder that is too simple to be
 * wrong: a character at a time, no table, no tricks. */
#include <errno.h>

#include "fuzz.h"
#include "http/http_body.h"

static int digit(char c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* RFC 4648 with both alphabets, white space anywhere, and padding that is right or absent. */
static bool decode_simply(const char *text, size_t n, struct str *ret)
{
        unsigned bits = 0, digits = 0, pads = 0;

        for (size_t i = 0; i < n; i++) {
                if (text[i] && strchr(" \t\r\n\f", text[i]))
                        continue;
                if (text[i] == '=') {
                        pads++;
                        continue;
                }
                if (digit(text[i]) < 0 || pads)
                        return false;
                bits = bits << 6 | (unsigned)digit(text[i]);
                if (++digits % 4 == 0) {
                        str_addc(ret, (char)(bits >> 16));
                        str_addc(ret, (char)(bits >> 8));
                        str_addc(ret, (char)bits);
                        bits = 0;
                }
        }
        if (digits % 4 == 0)
                return pads == 0;
        if (digits % 4 == 1 || (pads && pads != 4 - digits % 4))
                return false;
        if (digits % 4 == 2) {
                str_addc(ret, (char)(bits >> 4));
                return (bits & 15) == 0;
        }
        str_addc(ret, (char)(bits >> 10));
        str_addc(ret, (char)(bits >> 2));
        return (bits & 3) == 0;
}

static void expect(const char *text, size_t n, bool good, const struct str *bytes)
{
        scoped(free) char *copy = exact_copy(text, n);
        struct err e = {0};
        size_t size = 0;
        int r = http_base64_decode(copy, n, &size, NULL, 0, &e);

        must(r == 0 || r == -EBADMSG, "base64 or not");
        must((r == 0) == good, "both decoders take the same");
        if (r < 0) {
                must_have_words(e.msg);
                return;
        }
        must(size == bytes->len && (!size || !memcmp(copy, bytes->data, size)),
             "both decoders give the same bytes");
}

/* In pieces, with white space between: what eight characters at a time meet then is another. */
static void expect_however_spaced(const char *text, size_t n, bool good, const struct str *bytes)
{
        for (size_t every = 1; every < 11 && every < n; every += 3) {
                scoped(str) struct str spaced = {0};

                for (size_t at = 0; at < n; at += every) {
                        str_add(&spaced, text + at, MIN_OF(every, n - at));
                        str_adds(&spaced, at & 1 ? "\r\n" : " ");
                }
                expect(spaced.data, spaced.len, good, bytes);
        }
}

static bool is_data_url(const char *text, size_t n)
{
        return n >= 5 && !strncasecmp(text, "data:", 5);
}

static void check_data_url(const char *text, size_t n)
{
        scoped(free) char *copy = exact_copy(text, n);
        char type[40];
        struct err e = {0};
        size_t size = 0;
        int r = http_base64_decode(copy, n, &size, type, sizeof type, &e);

        must(r == 0 || r == -EBADMSG, "a data: URL or none");
        must(memchr(type, 0, sizeof type), "a type ends");
        if (r < 0)
                must_have_words(e.msg);
        else
                must(size < n && strchr(type, '/'), "a data: URL has a type and shrinks");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(free) char *text = exact_copy(data, size);
        scoped(str) struct str bytes = {0}, encoded = {0}, raw = {0};
        bool good;

        str_add(&raw, data, size);
        http_base64_encode(&encoded, data, size);
        must(encoded.len == (size + 2) / 3 * 4, "four characters for three bytes");
        expect(encoded.data ? encoded.data : "", encoded.len, true, &raw);
        if (is_data_url(text, size)) {
                check_data_url(text, size);
                return 0;
        }
        good = decode_simply(text, size, &bytes);
        expect(text, size, good, &bytes);
        expect_however_spaced(text, size, good, &bytes);
        return 0;
}
