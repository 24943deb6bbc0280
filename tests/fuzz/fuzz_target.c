/* fuzz_target.c -- a request's target, beside the rules that http_target.h promises. */
#include <errno.h>

#include "fuzz.h"
#include "http/http_target.h"

static void check_text(const char *text, const char *from, size_t n)
{
        must(text >= from && text <= from + n, "a text lies in the target");
        must(utf8_valid_prefix(text, strlen(text)) == strlen(text), "a text is UTF-8");
}

static void check(const struct http_target *t, const char *raw, size_t n)
{
        check_text(t->path, raw, n);
        must(t->path[0] == '/', "a path begins with a slash");
        for (const char *p = t->path; *p; p++)
                must((unsigned char)*p >= ' ' && *p != 0x7f, "a path has no control characters");
        must(t->n <= HTTP_TARGET_PARAMS_MAX, "not too many parameters");
        for (size_t i = 0; i < t->n; i++) {
                const struct http_param *p = &t->params[i];

                if (*p->value)
                        check_text(p->value, raw, n);
                check_text(p->name, raw, n);
                must(p->name[0] != '\0', "a parameter has a name");
                must(http_target_param(t, p->name) == p->value, "one parameter a name");
        }
        must(http_target_param(t, "no such \n parameter") == NULL || t->n > 0, "none of none");
}

static void add_escaped(struct str *to, const char *text, bool is_path)
{
        for (; *text; text++) {
                if (is_path && *text == '/')
                        str_addc(to, '/');
                else
                        str_addf(to, "%%%02X", (unsigned char)*text);
        }
}

/* Written again with every character escaped, it means the same. */
static void check_again(const struct http_target *t)
{
        scoped(str) struct str raw = {0};
        struct http_target again = {0};
        const char *words = NULL;

        add_escaped(&raw, t->path, true);
        for (size_t i = 0; i < t->n; i++) {
                str_addc(&raw, i ? '&' : '?');
                add_escaped(&raw, t->params[i].name, false);
                str_addc(&raw, '=');
                add_escaped(&raw, t->params[i].value, false);
        }
        must(http_target_parse(raw.data, raw.len, &again, &words) == 0, "taken again");
        must(!strcmp(t->path, again.path) && t->n == again.n, "the same path");
        for (size_t i = 0; i < t->n; i++)
                must(!strcmp(t->params[i].name, again.params[i].name) &&
                         !strcmp(t->params[i].value, again.params[i].value),
                     "the same parameters");
        http_target_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(free) char *raw = exact_text(data, size);
        struct http_target t = {0};
        const char *words = NULL;
        int r = http_target_parse(raw, size, &t, &words);

        must(r == 0 || r == -EBADMSG, "a target or none");
        if (r < 0) {
                must(words && words[0], "a refusal has words");
                must(!t.params, "nothing is left of what is refused");
        } else {
                check(&t, raw, size);
                check_again(&t);
        }
        http_target_done(&t);
        return 0;
}
