/* test_http_base64.c -- base64 and data: URLs, in place: every length, every wrong ending. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "http/http_body.h"
#include "support/test.h"

/* Decodes a copy of exactly n bytes; the result's size, or what was returned below 0. */
static ssize_t decode(const char *text, size_t n, char *out, char *type, size_t type_size)
{
        scoped(free) char *copy = malloc(n ? n : 1);
        struct err e = {0};
        size_t size = 0;
        int r;

        assert_non_null(copy);
        if (n)
                memcpy(copy, text, n);
        r = http_base64_decode(copy, n, &size, type, type_size, &e);
        assert_int_equal(r < 0, e.msg[0] != '\0');
        if (r < 0)
                return r;
        memcpy(out, copy, size);
        return (ssize_t)size;
}

static void test_what_is_encoded_comes_back(void **state)
{
        unsigned char data[300];
        char out[600];

        (void)state;
        for (size_t i = 0; i < sizeof data; i++)
                data[i] = (unsigned char)(i * 151 + 7);
        for (size_t n = 0; n <= sizeof data; n++) {
                scoped(str) struct str s = {0};
                size_t bare;

                http_base64_encode(&s, data, n);
                assert_int_equal(s.bad, false);
                assert_int_equal(s.len, (n + 2) / 3 * 4);
                assert_int_equal(strlen(s.data), s.len);
                assert_int_equal(decode(s.data, s.len, out, NULL, 0), n);
                assert_memory_equal(out, data, n);
                for (bare = s.len; bare && s.data[bare - 1] == '='; bare--)
                        ;
                assert_int_equal(decode(s.data, bare, out, NULL, 0), n);
                assert_memory_equal(out, data, n);
                for (size_t i = 0; i < s.len; i++) /* the other alphabet */
                        s.data[i] = s.data[i] == '+' ? '-' : s.data[i] == '/' ? '_' : s.data[i];
                assert_int_equal(decode(s.data, s.len, out, NULL, 0), n);
                assert_memory_equal(out, data, n);
        }
}

static void test_encodes_as_the_rfc_does(void **state)
{
        static const char *const rows[][2] = {{"", ""},
                                              {"f", "Zg=="},
                                              {"fo", "Zm8="},
                                              {"foo", "Zm9v"},
                                              {"foob", "Zm9vYg=="},
                                              {"fooba", "Zm9vYmE="},
                                              {"foobar", "Zm9vYmFy"}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                scoped(str) struct str s = {0};

                str_adds(&s, "x");
                http_base64_encode(&s, rows[i][0], strlen(rows[i][0]));
                assert_string_equal(s.data + 1, rows[i][1]);
        }
}

static void test_takes_white_space_anywhere(void **state)
{
        static const char *const rows[] = {"Zm9vYmFy",         " Zm9vYmFy ",
                                           "Zm9v\r\nYmFy\r\n", "Z m 9 v Y m F y",
                                           "\tZm9vYmFy\n\n\n", "Zm9vYmF\fy"};
        char out[64];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                assert_int_equal(decode(rows[i], strlen(rows[i]), out, NULL, 0), 6);
                assert_memory_equal(out, "foobar", 6);
        }
        assert_int_equal(decode("Zg = =\n", 7, out, NULL, 0), 1);
        assert_int_equal(decode("   ", 3, out, NULL, 0), 0);
}

static void test_refuses_wrong_endings_and_characters(void **state)
{
        static const char *const bad[] = {"Z",
                                          "Zm9vY",
                                          "=",
                                          "==",
                                          "Z=",
                                          "Z==",
                                          "Z===",
                                          "Zg=",
                                          "Zg===",
                                          "Zm8==",
                                          "Zm9v=",
                                          "Zm9v==",
                                          "Zg==Zg==",
                                          "Zg==Z",
                                          "Zm8=Zm8=",
                                          "Zh==",
                                          "Zm9=",
                                          "Zh",
                                          "Zm9",
                                          "Zm9v!",
                                          "Zm9v.YmFy",
                                          "Zm9v%3D",
                                          "Zm9vYmFy,",
                                          "Zm\xc3\xa4",
                                          "\xff\xff\xff\xff",
                                          "Zm9vYmFyZm9v*mFy"};
        char out[64];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                if (decode(bad[i], strlen(bad[i]), out, NULL, 0) != -EBADMSG)
                        fail_msg("%s was taken", bad[i]);
        assert_int_equal(decode("Zm9v\0", 5, out, NULL, 0), -EBADMSG);
}

static void test_a_wrong_character_anywhere_is_found(void **state)
{
        scoped(str) struct str s = {0};
        char data[90] = {0}, out[128];

        (void)state;
        http_base64_encode(&s, data, sizeof data);
        for (size_t i = 0; i < s.len; i++) {
                s.data[i] = '!';
                assert_int_equal(decode(s.data, s.len, out, NULL, 0), -EBADMSG);
                s.data[i] = 'A';
        }
        assert_int_equal(decode(s.data, s.len, out, NULL, 0), 90);
}

static void test_data_urls(void **state)
{
        static const struct {
                const char *url, *type, *data;
        } rows[] = {
            {"data:image/png;base64,Zm9v", "image/png", "foo"},
            {"DATA:Image/PNG;BASE64,Zm9v", "image/png", "foo"},
            {"data:text/plain;charset=utf-8;base64,Zm9v", "text/plain", "foo"},
            {"data:;base64,Zm9v", "text/plain", "foo"},
            {"data:,foo%20bar%2c", "text/plain", "foo bar,"},
            {"data:text/html,a,b", "text/html", "a,b"},
            {"data:;charset=x,%41", "text/plain", "A"},
            {"data:image/png;base64,", "image/png", ""},
            {"data:,", "text/plain", ""},
            {"data:", NULL, NULL},
            {"data:image/png;base64", NULL, NULL},
            {"data:image;base64,Zm9v", NULL, NULL},
            {"data:image/png;base64,Zm9", NULL, NULL},
            {"data:,%", NULL, NULL},
            {"data:,%4", NULL, NULL},
            {"data:,%zz", NULL, NULL},
            {"data:image/png x,a", NULL, NULL},
        };
        char out[128], type[32];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                ssize_t n = decode(rows[i].url, strlen(rows[i].url), out, type, sizeof type);

                if (n != (rows[i].data ? (ssize_t)strlen(rows[i].data) : -EBADMSG))
                        fail_msg("%s: %zd", rows[i].url, n);
                if (n < 0)
                        continue;
                assert_memory_equal(out, rows[i].data, (size_t)n);
                assert_string_equal(type, rows[i].type);
        }
        assert_int_equal(decode("Zm9v", 4, out, type, sizeof type), 3);
        assert_string_equal(type, "");
        /* A type longer than the buffer is refused, never cut. */
        assert_int_equal(decode("data:image/png;base64,Zm9v", 26, out, type, 9), -EBADMSG);
        assert_int_equal(decode("data:image/png;base64,Zm9v", 26, out, NULL, 0), 3);
}

static void test_a_data_url_cut_at_any_byte_is_refused_or_right(void **state)
{
        static const char url[] = "data:image/png;base64,Zm9vYmFy";
        char out[64], type[32];

        (void)state;
        for (size_t n = strlen("data:"); n < sizeof url; n++) {
                ssize_t got = decode(url, n, out, type, sizeof type);

                if (got >= 0)
                        assert_memory_equal(out, "foobar", (size_t)got);
        }
}

static void test_decodes_48_mib_quickly(void **state)
{
        scoped(str) struct str s = {0};
        scoped(free) char *data = calloc(1, MIB(48));
        struct err e = {0};
        size_t size = 0;
        int64_t began;

        (void)state;
        for (size_t i = 0; i < MIB(48); i++)
                data[i] = (char)(i * 2654435761u >> 11);
        http_base64_encode(&s, data, MIB(48));
        began = clock_mono_ns();
        assert_int_equal(http_base64_decode(s.data, s.len, &size, NULL, 0, &e), 0);
        began = clock_mono_ns() - began;
        assert_int_equal(size, MIB(48));
        assert_memory_equal(s.data, data, size);
        print_message("# 64 MiB of base64 in %.1f ms\n", (double)began / 1e6);
        assert_true(began < 5 * NSEC_PER_SEC);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_what_is_encoded_comes_back),
            cmocka_unit_test(test_encodes_as_the_rfc_does),
            cmocka_unit_test(test_takes_white_space_anywhere),
            cmocka_unit_test(test_refuses_wrong_endings_and_characters),
            cmocka_unit_test(test_a_wrong_character_anywhere_is_found),
            cmocka_unit_test(test_data_urls),
            cmocka_unit_test(test_a_data_url_cut_at_any_byte_is_refused_or_right),
            cmocka_unit_test(test_decodes_48_mib_quickly),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
