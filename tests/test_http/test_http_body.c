/* test_http_body.c -- bodies and targets as parsers see them: what is taken, what is refused, cut
 * at every byte, out of memory at every allocation, and under some hundred thousand mutations. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "support/failing_malloc.h"
#include "http/http_body.h"
#include "http/http_guard.h"
#include "http/http_target.h"
#include "support/test.h"

#define CT "multipart/form-data; boundary=B"

/* The body lies in a buffer of exactly its size, so that a sanitizer sees any step beyond it. */
static int parse(const char *content_type, const char *body, size_t n, struct http_parts *ret,
                 struct err *e)
{
        scoped(free) char *copy = malloc(n ? n : 1);
        int r;

        assert_non_null(copy);
        if (n)
                memcpy(copy, body, n);
        r = http_multipart_parse(content_type, copy, n, ret, e);
        for (size_t i = 0; r == 0 && i < ret->n; i++) {
                assert_true(ret->parts[i].data >= copy);
                assert_true(ret->parts[i].data + ret->parts[i].size <= copy + n);
                /* Moved to the caller's text, for the test to look at. */
                ret->parts[i].data = body + (ret->parts[i].data - copy);
        }
        return r;
}

static const char form[] =
    "--B\r\n"
    "Content-Disposition: form-data; name=\"text\"\r\n"
    "\r\n"
    "hello\r\n"
    "--B\r\n"
    "content-disposition:form-data;filename=\"a \\\"b\\\".png\";name=image\r\n"
    "Content-Type: image/png\r\n"
    "Content-Transfer-Encoding: binary\r\n"
    "X-Other: 1\r\n"
    "\r\n"
    "\x89PNG\r\n\r\n--\r\n--A\0\r\n"
    "--B \t\r\n"
    "Content-Disposition: form-data; name=\"empty\"; filename=\"\"; "
    "filename*=UTF-8''x\r\n"
    "\r\n"
    "\r\n"
    "--B--\r\nepilogue";

static void test_finds_the_parts_where_they_lie(void **state)
{
        struct http_parts p = {0};
        struct err e = {0};

        (void)state;
        if (parse(CT, form, sizeof form - 1, &p, &e) < 0)
                fail_msg("%s", e.msg);
        assert_int_equal(p.n, 3);
        assert_string_equal(p.parts[0].name, "text");
        assert_string_equal(p.parts[0].filename, "");
        assert_int_equal(p.parts[0].size, 5);
        assert_memory_equal(p.parts[0].data, "hello", 5);
        assert_string_equal(p.parts[1].name, "image");
        assert_string_equal(p.parts[1].filename, "a \"b\".png");
        assert_string_equal(p.parts[1].content_type, "image/png");
        assert_int_equal(p.parts[1].size, 16);
        assert_memory_equal(p.parts[1].data, "\x89PNG\r\n\r\n--\r\n--A\0", 16);
        assert_string_equal(p.parts[2].name, "empty");
        assert_string_equal(p.parts[2].filename, "");
        assert_true(p.parts[2].is_file && !p.parts[0].is_file);
        assert_int_equal(p.parts[2].size, 0);
        http_parts_done(&p);
}

static void test_reads_boundaries_as_clients_write_them(void **state)
{
        static const char *const good[] = {"multipart/form-data; boundary=B",
                                           "multipart/form-data;boundary=\"B\"",
                                           "Multipart/Form-Data; Boundary=B",
                                           "multipart/form-data; charset=utf-8; boundary=B",
                                           "multipart/form-data; boundary=B; x=\"y;boundary=C\"",
                                           "multipart/form-data; boundary=B;",
                                           "multipart/form-data ; boundary=B"};
        static const char *const bad[] = {
            "multipart/form-data",
            "multipart/form-data;",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\"B",
            "multipart/form-data; boundary",
            "multipart/form-data; =B",
            "multipart/form-data; boundary=B B",
            "multipart/form-data; boundary=\"B \"",
            "multipart/form-data; x boundary=B",
            ("multipart/form-data; boundary="
             "00000000000000000000000000000000000000000000000000000000000000000000000"),
            ""};
        static const char body[] =
            "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--B--";

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                struct http_parts p = {0};
                struct err e = {0};

                if (parse(good[i], body, sizeof body - 1, &p, &e) < 0)
                        fail_msg("%s: %s", good[i], e.msg);
                assert_int_equal(p.n, 1);
                http_parts_done(&p);
        }
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct http_parts p = {0};
                struct err e = {0};

                if (parse(bad[i], body, sizeof body - 1, &p, &e) != -EBADMSG)
                        fail_msg("%s was taken", bad[i]);
        }
}

#define PART(disposition) "--B\r\nContent-Disposition: " disposition "\r\n\r\nx\r\n--B--"
#define LONG64            "0123456789012345678901234567890123456789012345678901234567890123"

static void test_refuses_malformed_forms_with_words(void **state)
{
        static const char *const bad[] = {
            "",
            "--",
            "--B",
            "--B\r\n",
            "--B-",
            "--C--",
            "junk",
            "--B\r\n\r\nx\r\n--B--",
            "--B\r\nContent-Type: text/plain\r\n\r\nx\r\n--B--",
            "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx",
            "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B",
            "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--Bx\r\n",
            "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\n--B--",
            "--B\r\nContent-Disposition: form-data; name=a\r\nx\r\n--B--",
            "--B\nContent-Disposition: form-data; name=a\n\nx\n--B--",
            "--B\r\nno colon\r\n\r\nx\r\n--B--",
            "--B\r\n: x\r\n\r\nx\r\n--B--",
            "--B\r\nContent-Disposition : form-data; name=a\r\n\r\nx\r\n--B--",
            "--B\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\nx\r\n--B--",
            "--B\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; "
            "name=b\r\n\r\nx\r\n--B--",
            "--B\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: "
            "base64\r\n\r\nx\r\n--B--",
            "--B\r\nContent-Disposition: form-data; name=a\r\nX: \x01\r\n\r\nx\r\n--B--",
            PART("attachment; name=a"),
            PART("form-data"),
            PART("form-data; name"),
            PART("form-data; name="),
            PART("form-data; name=\"\""),
            PART("form-data; name=\"a"),
            PART("form-data; name=a b"),
            PART("form-data; name=a; name=b"),
            PART("form-data; name=a; filename=b; filename=c"),
            PART("form-data; name=\"\xff\""),
            PART("form-data; name=a; filename=\"\xff\""),
            PART("form-data; filename=b"),
            PART("form-dataX; name=a"),
            PART("form-data; name=\"" LONG64 "0\""),
            "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B\r\n"
            "Content-Disposition: form-data; name=a\r\n\r\nx\r\n--B--",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct http_parts p = {0};
                struct err e = {0};

                if (parse(CT, bad[i], strlen(bad[i]), &p, &e) != -EBADMSG)
                        fail_msg("taken: %s", bad[i]);
                assert_true(e.msg[0] != '\0');
                assert_null(p.parts);
        }
}

static void test_takes_names_up_to_their_limits(void **state)
{
        static const char name[] = PART("form-data; name=\"" LONG64
                                        "\"; filename=\"" LONG64 LONG64 LONG64 LONG64 LONG64 "\"");
        struct http_parts p = {0};
        struct err e = {0};

        (void)state;
        assert_int_equal(parse(CT, name, sizeof name - 1, &p, &e), 0);
        assert_string_equal(p.parts[0].name, LONG64);
        assert_int_equal(strlen(p.parts[0].filename), 255);
        http_parts_done(&p);
}

static void many_parts(struct str *s, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                str_addf(s, "--B\r\nContent-Disposition: form-data; name=p%u\r\n\r\n%u\r\n", i, i);
        str_adds(s, "--B--");
}

static void test_takes_64_parts_and_not_65(void **state)
{
        scoped(str) struct str fits = {0}, over = {0};
        struct http_parts p = {0};
        struct err e = {0};

        (void)state;
        many_parts(&fits, 64);
        many_parts(&over, 65);
        assert_int_equal(parse(CT, fits.data, fits.len, &p, &e), 0);
        assert_int_equal(p.n, 64);
        http_parts_done(&p);
        assert_int_equal(parse(CT, over.data, over.len, &p, &e), -EBADMSG);
}

static void test_a_form_cut_at_any_byte_is_refused(void **state)
{
        size_t whole = sizeof form - 1 - strlen("\r\nepilogue");

        (void)state;
        for (size_t n = 0; n <= whole; n++) {
                struct http_parts p = {0};
                struct err e = {0};
                int r = parse(CT, form, n, &p, &e);

                assert_int_equal(r, n < whole ? -EBADMSG : 0);
                http_parts_done(&p);
        }
}

/* Almost-boundaries and endless heads: the time must grow with the size, not with its square. */
static void test_hostile_forms_take_no_longer_than_long_ones(void **state)
{
        static const struct {
                const char *head, *fill;
        } rows[] = {
            {"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n", "\r\n--"},
            {"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n", "\r\n-"},
            {"--B\r\n", "A: b\r\n"},
            {"--B\r\n", "A"},
            {"", "\r\n--"},
            {"--B", " "},
        };
        int64_t began = clock_mono_ns();

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                scoped(str) struct str s = {0};
                struct http_parts p = {0};
                struct err e = {0};

                str_adds(&s, rows[i].head);
                while (s.len < MIB(8))
                        str_adds(&s, rows[i].fill);
                assert_int_equal(parse(CT, s.data, s.len, &p, &e), -EBADMSG);
        }
        assert_true(clock_mono_ns() - began < 20 * NSEC_PER_SEC);
}

static void test_media_types(void **state)
{
        static const struct {
                const char *in, *out;
        } rows[] = {
            {"image/png", "image/png"},
            {"Image/PNG; charset=x", "image/png"},
            {" text/plain ;a=b", "text/plain"},
            {"application/vnd.x+json", "application/vnd.x+json"},
            {"", NULL},
            {"image", NULL},
            {"image/", NULL},
            {"/png", NULL},
            {"image/png x", NULL},
            {"image/png,text/plain", NULL},
            {"im age/png", NULL},
            {"image/\"png\"", NULL},
            {"application/x-0123456789012345678901234567890", NULL},
        };
        char buf[40];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                int r = http_media_type(rows[i].in, buf, sizeof buf);

                assert_int_equal(r, rows[i].out ? 0 : -EBADMSG);
                if (rows[i].out)
                        assert_string_equal(buf, rows[i].out);
        }
}

/* ---- out of memory ---- */

static void test_every_allocation_may_fail(void **state)
{
        static const char *const hosts[] = {"a.example", NULL};
        scoped(str) struct str body = {0};
        bool fired = true;

        (void)state;
        many_parts(&body, 40);
        for (unsigned n = 1; fired; n++) {
                struct http_parts p = {0};
                struct err e = {0};
                int r;

                failing_malloc_arm(n);
                r = http_multipart_parse(CT, body.data, body.len, &p, &e);
                fired = failing_malloc_disarm();
                assert_int_equal(r, fired ? -ENOMEM : 0);
                http_parts_done(&p);
        }
        fired = true;
        for (unsigned n = 1; fired; n++) {
                struct http_guard *g = NULL;
                struct err e = {0};
                int r;

                failing_malloc_arm(n);
                r = http_guard_new("127.0.0.1:1", hosts, "0123456789abcdef", &g, &e);
                fired = failing_malloc_disarm();
                assert_int_equal(r, fired ? -ENOMEM : 0);
                http_guard_free(g);
        }
        fired = true;
        for (unsigned n = 1; fired; n++) {
                struct http_target t = {0};
                char raw[] = "/a?b=c&d=e";
                const char *words = NULL;
                int r;

                failing_malloc_arm(n);
                r = http_target_parse(raw, strlen(raw), &t, &words);
                fired = failing_malloc_disarm();
                assert_int_equal(r, fired ? -ENOMEM : 0);
                http_target_done(&t);
        }
        fired = true;
        for (unsigned n = 1; fired; n++) {
                struct str s = {0};

                failing_malloc_arm(n);
                http_base64_encode(&s, form, sizeof form);
                fired = failing_malloc_disarm();
                assert_int_equal(s.bad, fired);
                str_done(&s);
        }
}

/* ---- mutations ---- */

static uint32_t next_random(uint32_t *seed)
{
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        return *seed;
}

/* One to four small changes: a byte, a copy of a piece over another, a cut. */
static size_t mutate(char *s, size_t n, uint32_t *seed)
{
        static const char interesting[] = "\r\n-\";=\\%/:&?B \0\xff,+";

        for (uint32_t i = next_random(seed) % 4 + 1; i > 0 && n > 4; i--) {
                size_t at = next_random(seed) % n, from = next_random(seed) % n;
                size_t len = next_random(seed) % 16;

                switch (next_random(seed) % 4) {
                case 0:
                        s[at] = (char)next_random(seed);
                        break;
                case 1:
                        s[at] = interesting[next_random(seed) % (sizeof interesting - 1)];
                        break;
                case 2:
                        len = MIN_OF(len, n - MAX_OF(at, from));
                        memmove(s + at, s + from, len);
                        break;
                case 3:
                        n -= MIN_OF(len, n - 1);
                        break;
                }
        }
        return n;
}

static void try_parsers(const char *text, size_t n)
{
        scoped(free) char *copy = mem_dup0(text, n);
        scoped(free) char *exact = malloc(n ? n : 1);
        struct http_target t = {0};
        struct http_parts p = {0};
        struct err e = {0};
        const char *words = NULL;
        char type[32];
        size_t size = 0;

        assert_true(copy && exact);
        memcpy(exact, text, n);
        if (parse(CT, text, n, &p, &e) == 0)
                for (size_t i = 0; i < p.n; i++)
                        assert_true(p.parts[i].name[0] != '\0' &&
                                    memchr(p.parts[i].name, '\0', sizeof p.parts[i].name) &&
                                    memchr(p.parts[i].filename, '\0', sizeof p.parts[i].filename));
        http_parts_done(&p);
        if (parse(copy, form, sizeof form - 1, &p, &e) == 0)
                http_parts_done(&p);
        if (http_base64_decode(exact, n, &size, type, sizeof type, &e) == 0)
                assert_true(size < n || n == 0);
        (void)!http_media_type(copy, type, sizeof type);
        if (http_target_parse(copy, n, &t, &words) == 0) {
                assert_int_equal(t.path[0], '/');
                assert_int_equal(utf8_valid_prefix(t.path, strlen(t.path)), strlen(t.path));
                http_target_done(&t);
        } else {
                assert_non_null(words);
        }
}

static void test_no_mutation_breaks_a_parser(void **state)
{
        static const struct {
                const char *text;
                size_t n;
        } seeds[] = {
            {form, sizeof form - 1},
            {"/v1/plugins/ocr/tools/analyze/run?lang=eng&x=%20%41&y=a+b", 58},
            {"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAE=", 50},
            {"aGVsbG8gd29ybGQsIHRoaXMgaXMgYmFzZTY0IQ==", 40},
            {"multipart/form-data; charset=\"a\\\"b\"; boundary=\"B\"", 50},
        };
        uint32_t seed = 0x5eed;

        (void)state;
        for (int i = 0; i < 200000; i++) {
                size_t which = next_random(&seed) % ARRAY_LEN(seeds), n;
                char text[1024];

                memcpy(text, seeds[which].text, seeds[which].n);
                n = mutate(text, seeds[which].n, &seed);
                try_parsers(text, n);
        }
}

/* ---- targets ---- */

static void test_targets(void **state)
{
        static const struct {
                const char *raw, *path, *params;
        } rows[] = {
            {"/", "/", ""},
            {"/a//b/../c;x\\", "/a//b/../c;x\\", ""},
            {"/%41%c3%a4+", "/A\xc3\xa4+", ""},
            {"/%2e%2e/x", "/../x", ""},
            {"/?", "/", ""},
            {"/?&&a=1&&", "/", "a=1;"},
            {"/x?a=%2F%0a&b", "/x", "a=/\n;b=;"},
            {"/x?a=b=c?d/e", "/x", "a=b=c?d/e;"},
            {"/x?+=+", "/x", " = ;"},
            {"", NULL, NULL},
            {"*", NULL, NULL},
            {"a", NULL, NULL},
            {"?a=b", NULL, NULL},
            {"//%", NULL, NULL},
            {"/%4", NULL, NULL},
            {"/%4g", NULL, NULL},
            {"/%+1", NULL, NULL},
            {"/%00", NULL, NULL},
            {"/%2f", NULL, NULL},
            {"/%0d", NULL, NULL},
            {"/%7f", NULL, NULL},
            {"/%ff", NULL, NULL},
            {"/%ed%a0%80", NULL, NULL},
            {"/a b", NULL, NULL},
            {"/a#b", NULL, NULL},
            {"/a\x01", NULL, NULL},
            {"/?a=1&a=1", NULL, NULL},
            {"/?a&a", NULL, NULL},
            {"/?a=%", NULL, NULL},
            {"/?%=a", NULL, NULL},
            {"/?a=%c3", NULL, NULL},
            {"/?a=\xc3", NULL, NULL},
            {"/?=", NULL, NULL},
            {"/?%00=1", NULL, NULL},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                scoped(free) char *raw = strdup(rows[i].raw);
                scoped(str) struct str params = {0};
                struct http_target t = {0};
                const char *words = NULL;
                int r = http_target_parse(raw, strlen(raw), &t, &words);

                if (r != (rows[i].path ? 0 : -EBADMSG))
                        fail_msg("%s: %d", rows[i].raw, r);
                if (r < 0) {
                        assert_non_null(words);
                        continue;
                }
                assert_string_equal(t.path, rows[i].path);
                for (size_t j = 0; j < t.n; j++)
                        str_addf(&params, "%s=%s;", t.params[j].name, t.params[j].value);
                assert_string_equal(params.data ? params.data : "", rows[i].params);
                assert_null(http_target_param(&t, "absent"));
                http_target_done(&t);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_finds_the_parts_where_they_lie),
            cmocka_unit_test(test_reads_boundaries_as_clients_write_them),
            cmocka_unit_test(test_refuses_malformed_forms_with_words),
            cmocka_unit_test(test_takes_names_up_to_their_limits),
            cmocka_unit_test(test_takes_64_parts_and_not_65),
            cmocka_unit_test(test_a_form_cut_at_any_byte_is_refused),
            cmocka_unit_test(test_hostile_forms_take_no_longer_than_long_ones),
            cmocka_unit_test(test_media_types),
            cmocka_unit_test(test_every_allocation_may_fail),
            cmocka_unit_test(test_no_mutation_breaks_a_parser),
            cmocka_unit_test(test_targets),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
