/* fuzz_json.c -- JSON of strangers: it is what jansson's parser reads too; what is taken can be
 * written and read again as the same value, every member of it has a line, and what its values cost
 * is counted before they are made. */
#include <errno.h>

#include "base/json.h"
#include "cli/json_text.h"
#include "fuzz.h"
#include "toolrunner/tool_json.h"

static json_t *again(const struct str *text)
{
        struct err e = {0};
        json_t *value = NULL;

        must(!text->bad, "memory");
        if (json_parse(text->data, text->len, &value, &e) < 0) {
                fprintf(stderr, "%.*s\n%s\n", (int)text->len, text->data, e.msg);
                must(false, "what was written can be read");
        }
        return value;
}

static void expect_same(const struct str *text, const json_t *value)
{
        scoped(json_decref) json_t *copy = again(text);

        must(json_equal(copy, value), "what was written is the same");
}

static int lines_in(const char *text, size_t n)
{
        int lines = 1;

        for (size_t i = 0; i < n; i++)
                lines += text[i] == '\n';
        return lines;
}

static void check_line(const char *text, size_t n, const char *pointer)
{
        int line = json_line_of(text, n, pointer);

        must(line >= 1 && line <= lines_in(text, n), "everything stands in a line");
}

static void check_member(const char *text, size_t n, const char *key)
{
        scoped(str) struct str pointer = {0};
        const char *member;
        size_t size;

        str_addc(&pointer, '/');
        for (const char *k = key; *k; k++)
                if (*k == '~' || *k == '/')
                        str_adds(&pointer, *k == '~' ? "~0" : "~1");
                else
                        str_addc(&pointer, *k);
        check_line(text, n, pointer.data);
        if (json_text_member(text, n, key, &member, &size)) {
                scoped(json_decref) json_t *value = NULL;

                must(member >= text && size <= n && member + size <= text + n, "inside");
                must(json_parse(member, size, &value, NULL) == 0, "a member is JSON");
        }
}

static void check_text(const char *text, size_t n, const json_t *value)
{
        scoped(str) struct str compact = {0}, pretty = {0};
        const char *key;
        json_t *member;

        str_add_json(&compact, value);
        expect_same(&compact, value);
        json_text_pretty(&pretty, text, n, SIZE_MAX);
        expect_same(&pretty, value);
        pretty.len = 0;
        json_text_pretty(&pretty, text, n, 8);
        check_line(text, n, "");
        check_line(text, n, "/0/1/2");
        json_object_foreach ((json_t *)value, key, member)
                check_member(text, n, key);
}

static void check_strings(const char *text, size_t n)
{
        scoped(str) struct str s = {0}, shown = {0};
        scoped(json_decref) json_t *value = NULL;
        size_t valid = utf8_valid_prefix(text, n);

        str_add_json_string(&s, text, valid);
        must(!s.bad, "memory");
        /* jansson holds strings with a NUL in them to be an error. */
        if (!valid || !memchr(text, '\0', valid)) {
                value = again(&s);
                must(json_string_length(value) == valid &&
                         (!valid || !memcmp(json_string_value(value), text, valid)),
                     "a text that was written is the same");
        }
        str_add_printable(&shown, text, n, n / 2);
        must(shown.len <= n / 2, "no more is shown than was asked for");
        must(!shown.len || utf8_valid_prefix(shown.data, shown.len) == shown.len,
             "what is shown is UTF-8");
        for (size_t i = 0; i < shown.len; i++)
                must((unsigned char)shown.data[i] >= ' ' || strchr("\n\t", shown.data[i]),
                     "no control character is shown");
}

/* jansson's own parser takes the same texts, and reads the same from them. json_parse is stricter
 * in its depth, and a NUL is no end of a text to it. */
static void compare(const char *text, size_t n, const json_t *value, const char *words)
{
        scoped(json_decref) json_t *other = NULL;
        bool stricter = strstr(words, "nested deeper") || n == 0 || memchr(text, 0, n);

        other = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
        if (!stricter && !value != !other) {
                fprintf(stderr, "%.*s\n%s\n", (int)n, text, words);
                must(false, "both parsers take the same texts");
        }
        must(!value || json_equal(value, other), "both parsers read the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(free) char *text = exact_copy(data, size);
        scoped(json_decref) json_t *value = NULL, *bounded = NULL;
        struct err e = {0};
        int r = json_parse(text, size, &value, &e);

        must(r == 0 || r == -EBADMSG, "JSON or not");
        must((r == 0) == (value != NULL), "a value when it is");
        compare(text, size, value, e.msg);
        if (r < 0)
                must_have_words(e.msg);
        else
                check_text(text, size, value);
        must(tool_json_parse(text, size, &bounded, &e) == r, "small texts cost little");
        must(tool_json_cost(text, size, 1) >= (size > 0), "every text costs something");
        check_strings(text, size);
        return 0;
}
