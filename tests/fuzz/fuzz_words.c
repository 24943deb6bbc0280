/* fuzz_words.c -- a command line's arguments of a tool (key=value, --json), up to eight words with
 * 0xff between; the first is what --json gets. The body made of them is one that the host takes. No
 * file is opened: an @ that would is left out. */
#include <errno.h>

#include "base/json.h"
#include "cli/request_args.h"
#include "fuzz.h"
#include "http/http_body.h"

static void check_form(const struct request_args *a, const char *type, const struct str *body)
{
        struct http_parts parts = {0};
        struct err e = {0};

        if (http_multipart_parse(type, body->data, body->len, &parts, &e) < 0) {
                fprintf(stderr, "%s: %.*s\n", e.msg, (int)body->len, body->data);
                must(false, "the host takes the form");
        }
        must(parts.n == a->n, "a part for each argument");
        for (size_t i = 0; i < a->n; i++)
                must(!strcmp(parts.parts[i].name, a->args[i].name) &&
                         parts.parts[i].size == a->args[i].size &&
                         !memcmp(parts.parts[i].data, a->args[i].data, a->args[i].size),
                     "the part is the argument");
        http_parts_done(&parts);
}

static void check(const struct request_args *a)
{
        char type[REQUEST_ARGS_TYPE_SIZE];
        scoped(str) struct str body = {0};
        struct err e = {0};

        must(request_args_body(a, &body, type, &e) == 0, "a body");
        if (a->n) {
                check_form(a, type, &body);
        } else {
                scoped(json_decref) json_t *value = NULL;

                must(json_parse(body.data, body.len, &value, NULL) == 0 && json_is_object(value),
                     "the host takes the object");
        }
}

/* An @ that would name a file ends the word; before a value, two of them mean one. */
static void open_no_file(char *word, bool has_key)
{
        char *value = has_key ? strchr(word, '=') : word;

        if (value && has_key)
                value++;
        if (value && value[0] == '@' && (!has_key || value[1] != '@'))
                *value = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *words[8];
        size_t n = 0;
        struct request_args a = {0};
        struct err e = {0};
        int r;

        while (n < ARRAY_LEN(words) && (n == 0 || size)) {
                words[n] = next_field(&data, &size);
                open_no_file(words[n], n > 0);
                n++;
        }
        r = request_args_parse((const char *const *)words + 1, n - 1, *words[0] ? words[0] : NULL,
                               &a, &e);
        must(r == 0 || r == -EINVAL || r == -EBADMSG, "arguments or none");
        if (r < 0)
                must_have_words(e.msg);
        else
                check(&a);
        request_args_done(&a);
        while (n > 0)
                free(words[--n]);
        return 0;
}
