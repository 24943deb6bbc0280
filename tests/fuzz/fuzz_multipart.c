/* fuzz_multipart.c -- a form of a stranger: the Content-Type, 0xff, the body.
 * What is taken lies in the body, in order, and reads the same when it is written again. */
#include <errno.h>

#include "fuzz.h"
#include "http/http_body.h"

static void check_parts(const struct http_parts *p, const char *body, size_t n)
{
        const char *at = body;

        must(p->n <= HTTP_BODY_PARTS_MAX, "not too many parts");
        for (size_t i = 0; i < p->n; i++) {
                const struct http_part *part = &p->parts[i];

                must(part->data >= at && part->size <= (size_t)(body + n - part->data),
                     "parts lie in the body, one behind the other");
                at = part->data + part->size;
                must(part->name[0] && memchr(part->name, 0, sizeof part->name) &&
                         memchr(part->filename, 0, sizeof part->filename) &&
                         memchr(part->content_type, 0, sizeof part->content_type),
                     "a part has a name, and texts end");
                must(utf8_valid_prefix(part->name, strlen(part->name)) == strlen(part->name) &&
                         utf8_valid_prefix(part->filename, strlen(part->filename)) ==
                             strlen(part->filename),
                     "names are UTF-8");
                for (size_t j = 0; j < i; j++)
                        must(strcmp(part->name, p->parts[j].name) != 0, "one part a name");
        }
}

static void write_quoted(struct str *to, const char *name, const char *value)
{
        str_addf(to, "; %s=\"", name);
        for (; *value; value++) {
                if (*value == '"' || *value == '\\')
                        str_addc(to, '\\');
                str_addc(to, *value);
        }
        str_addc(to, '"');
}

/* With a boundary of our own, which the body does not hold. */
static void write_again(const struct http_parts *p, struct str *to)
{
        for (size_t i = 0; i < p->n; i++) {
                const struct http_part *part = &p->parts[i];

                str_adds(to, "\r\n--~-boundary-~\r\nContent-Disposition: form-data");
                write_quoted(to, "name", part->name);
                if (part->filename[0])
                        write_quoted(to, "filename", part->filename);
                if (part->content_type[0])
                        str_addf(to, "\r\ncontent-type: %s", part->content_type);
                str_adds(to, "\r\n\r\n");
                str_add(to, part->data, part->size);
        }
        str_adds(to, "\r\n--~-boundary-~--");
}

static void check_again(const struct http_parts *p)
{
        scoped(str) struct str body = {0};
        struct http_parts again = {0};
        struct err e = {0};

        write_again(p, &body);
        if (http_multipart_parse("multipart/form-data; boundary=\"~-boundary-~\"", body.data,
                                 body.len, &again, &e) < 0) {
                fprintf(stderr, "%s\n%.*s\n", e.msg, (int)body.len, body.data);
                must(false, "what was taken is taken again");
        }
        must(again.n == p->n, "as many parts");
        for (size_t i = 0; i < p->n; i++) {
                const struct http_part *a = &p->parts[i], *b = &again.parts[i];

                must(!strcmp(a->name, b->name) && !strcmp(a->filename, b->filename) &&
                         !strcmp(a->content_type, b->content_type) && a->size == b->size &&
                         !memcmp(a->data, b->data, a->size),
                     "the same parts");
        }
        http_parts_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(free) char *type = next_field(&data, &size);
        scoped(free) char *body = exact_copy(data, size);
        struct http_parts parts = {0};
        char media_type[64];
        struct err e = {0};
        int r = http_multipart_parse(type, body, size, &parts, &e);

        must(r == 0 || r == -EBADMSG, "a form or none");
        if (r < 0) {
                must_have_words(e.msg);
                must(!parts.parts && !parts.n, "nothing is left of what is refused");
        } else {
                check_parts(&parts, body, size);
                if (!size || !memmem(body, size, "~-boundary-~", 12))
                        check_again(&parts);
        }
        http_parts_done(&parts);
        if (http_media_type(type, media_type, sizeof media_type) == 0)
                must(strchr(media_type, '/') && !strpbrk(media_type, " ;,\"ABCXYZ"),
                     "a media type is bare and in lower case");
        return 0;
}
