/* A tool's arguments as typed, and the body they become. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/request_args.h"
#include "http/http_body.h"
#include "support/test.h"

#define FILE_NAME "test_request_args \"x\".PNG"
#define FILE_WORD "image=@" FILE_NAME

static void write_file(const char *name, const void *bytes, size_t n)
{
        scoped(fd) int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, bytes, n), 0);
}

static int remove_file(void **state)
{
        (void)state;
        return unlink(FILE_NAME);
}

static void test_texts_and_files_become_parts(void **state)
{
        static const char *const words[] = {"lang=eng=ger", FILE_WORD, "note=@@me", "empty="};
        scoped(request_args) struct request_args args = {0};
        scoped(str) struct str body = {0};
        scoped(str) struct str want = {0};
        char type[REQUEST_ARGS_TYPE_SIZE];
        const char *boundary;
        struct err e;

        (void)state;
        write_file(FILE_NAME, "\x89PNG\r\n\0--", 9);
        assert_int_equal(request_args_parse(words, 4, NULL, &args, &e), 0);
        assert_int_equal(request_args_body(&args, &body, type, &e), 0);
        boundary = strstr(type, "boundary=");
        assert_non_null(boundary);
        boundary += 9;
        str_addf(&want, "--%s\r\nContent-Disposition: form-data; name=\"lang\"\r\n\r\neng=ger\r\n",
                 boundary);
        str_addf(&want,
                 "--%s\r\nContent-Disposition: form-data; name=\"image\"; "
                 "filename=\"test_request_args %%22x%%22.PNG\"\r\nContent-Type: image/png\r\n\r\n",
                 boundary);
        str_add(&want, "\x89PNG\r\n\0--", 9);
        str_addf(&want, "\r\n--%s\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n@me\r\n",
                 boundary);
        str_addf(&want,
                 "--%s\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--%s--\r\n",
                 boundary, boundary);
        assert_int_equal(body.len, want.len);
        assert_memory_equal(body.data, want.data, want.len);
}

static void test_a_backslash_does_not_escape_the_quote_behind_it(void **state)
{
        static const char *const words[] = {"a\\b\\=1"};
        scoped(request_args) struct request_args args = {0};
        char type[REQUEST_ARGS_TYPE_SIZE];
        struct http_parts parts = {0};
        scoped(str) struct str body = {0};
        struct err e;

        (void)state;
        assert_int_equal(request_args_parse(words, 1, NULL, &args, &e), 0);
        assert_int_equal(request_args_body(&args, &body, type, &e), 0);
        assert_int_equal(http_multipart_parse(type, body.data, body.len, &parts, &e), 0);
        assert_int_equal(parts.n, 1);
        assert_string_equal(parts.parts[0].name, "a\\b\\");
        http_parts_done(&parts);
}

static void test_boundaries_are_never_the_same(void **state)
{
        static const char *const words[] = {"a=1"};
        scoped(request_args) struct request_args args = {0};
        char one[REQUEST_ARGS_TYPE_SIZE], two[REQUEST_ARGS_TYPE_SIZE];
        scoped(str) struct str body = {0};
        struct err e;

        (void)state;
        assert_int_equal(request_args_parse(words, 1, NULL, &args, &e), 0);
        assert_int_equal(request_args_body(&args, &body, one, &e), 0);
        assert_int_equal(request_args_body(&args, &body, two, &e), 0);
        assert_string_not_equal(one, two);
}

static void json_body_is(const char *json, const char *want)
{
        scoped(request_args) struct request_args args = {0};
        scoped(str) struct str body = {0};
        char type[REQUEST_ARGS_TYPE_SIZE];
        struct err e;

        assert_int_equal(request_args_parse(NULL, 0, json, &args, &e), 0);
        assert_int_equal(request_args_body(&args, &body, type, &e), 0);
        assert_string_equal(type, "application/json");
        assert_string_equal(body.data, want);
}

static void test_json_goes_out_as_it_was_typed(void **state)
{
        (void)state;
        json_body_is(NULL, "{}");
        json_body_is("{\"a\": 1.50}", "{\"a\": 1.50}");
        write_file(FILE_NAME, "{ }", 3);
        json_body_is("@" FILE_NAME, "{ }");
}

/* Standard input is a pipe here, with a byte that no text may hold. */
static void test_standard_input_is_a_file_too(void **state)
{
        static const char *const words[] = {"image=@-"};
        scoped(request_args) struct request_args args = {0};
        struct err e;
        int ends[2], kept = dup(STDIN_FILENO);

        (void)state;
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(fd_write_all(ends[1], "a\0b", 3), 0);
        close(ends[1]);
        assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
        assert_int_equal(request_args_parse(words, 1, NULL, &args, &e), 0);
        dup2(kept, STDIN_FILENO);
        close(kept);
        close(ends[0]);
        assert_true(args.args[0].is_file);
        assert_string_equal(args.args[0].filename, "stdin");
        assert_int_equal(args.args[0].size, 3);
        assert_memory_equal(args.args[0].data, "a\0b", 3);
}

static void refuses(const char *word, const char *json, const char *words)
{
        const char *list[2] = {word, word};
        struct request_args args;
        struct err e;
        /* "twice=..." is given twice. */
        size_t n = !word ? 0 : strncmp(word, "twice", 5) ? 1 : 2;

        assert_true(request_args_parse(list, n, json, &args, &e) < 0);
        assert_string_equal(e.msg, words);
}

static void test_words_say_which_argument_is_wrong(void **state)
{
        (void)state;
        refuses("image.png", NULL,
                "image.png: arguments are key=value, key=@file or --json '{...}'");
        refuses("=x", NULL, "=x: no name that an argument can have");
        refuses("a\"b=x", NULL, "a\"b=x: no name that an argument can have");
        refuses("a\nb=x", NULL, "a\nb=x: no name that an argument can have");
        refuses("twice=1", NULL, "twice: given twice");
        refuses("a=\xff", NULL, "a: is not UTF-8; bytes go in as a=@file");
        refuses("image=@/nowhere/x.png", NULL,
                "image: open /nowhere/x.png: No such file or directory");
        refuses("image=@/", NULL, "image: read /: Is a directory");
        refuses("a=1", "{}", "a=1: arguments are either words or --json, not both");
        refuses(NULL, "[1]", "--json: must be a JSON object such as {\"key\": 1}");
        refuses(NULL, "{", "--json: line 1, column 1: string or '}' expected near end of file");
        refuses(NULL, "@/nowhere", "--json: open /nowhere: No such file or directory");
}

static void test_no_more_arguments_than_the_host_takes(void **state)
{
        const char *list[REQUEST_ARGS_MAX + 1];
        struct request_args args;
        struct err e;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(list); i++)
                list[i] = "a=1";
        assert_int_equal(request_args_parse(list, ARRAY_LEN(list), NULL, &args, &e), -EINVAL);
        assert_string_equal(e.msg, "65 arguments are more than 64");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_texts_and_files_become_parts),
            cmocka_unit_test(test_a_backslash_does_not_escape_the_quote_behind_it),
            cmocka_unit_test(test_boundaries_are_never_the_same),
            cmocka_unit_test(test_json_goes_out_as_it_was_typed),
            cmocka_unit_test(test_standard_input_is_a_file_too),
            cmocka_unit_test(test_words_say_which_argument_is_wrong),
            cmocka_unit_test(test_no_more_arguments_than_the_host_takes),
        };

        return cmocka_run_group_tests(tests, NULL, remove_file);
}
