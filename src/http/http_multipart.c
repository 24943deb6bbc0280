/* http_multipart.c -- multipart/form-data (RFC 7578), in one pass over the body: memmem finds each
 * delimiter, heads are bounded, nothing is copied but names. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "http/http_body.h"
#include "http/http_param.h"

#define BOUNDARY_MAX  70
#define PART_HEAD_MAX KIB(8)

struct walk {
        const char *p, *end;              /* what is left of the body */
        char delimiter[BOUNDARY_MAX + 5]; /* "\r\n--boundary" */
        size_t delimiter_len;
        struct http_parts parts;
        size_t cap;
        bool has_disposition;
        struct err *e;
};

static bool is_name(const char *s, size_t n, const char *wanted)
{
        return strlen(wanted) == n && strncasecmp(s, wanted, n) == 0;
}

static int find_boundary(struct walk *w, const char *content_type)
{
        const char *params = strchr(content_type, ';');
        struct http_param_walk pw = {params, params ? params + strlen(params) : NULL};
        char value[512];
        const char *name;
        size_t name_len, len;
        int r = params ? 1 : 0;

        while (r > 0) {
                r = http_param_next(&pw, &name, &name_len, value, sizeof value, &len);
                if (r <= 0 || !is_name(name, name_len, "boundary"))
                        continue;
                if (len == 0 || len > BOUNDARY_MAX || value[len - 1] == ' ')
                        break;
                memcpy(w->delimiter, "\r\n--", 4);
                memcpy(w->delimiter + 4, value, len + 1);
                w->delimiter_len = len + 4;
                return 0;
        }
        return err_set(w->e, -EBADMSG,
                       "multipart: Content-Type has no boundary of 1 to 70 characters");
}

/* ---- one part's head ---- */

static int bad_part(struct walk *w, const char *what)
{
        return err_set(w->e, -EBADMSG, "multipart: part %zu %s", w->parts.n, what);
}

static int read_disposition(struct walk *w, struct http_part *part, const char *value, size_t n)
{
        struct http_param_walk pw = {value, value + n};
        char text[1024];
        const char *name;
        size_t name_len, len;
        int r;

        if (w->has_disposition || n < 9 || strncasecmp(value, "form-data", 9) != 0 ||
            (n > 9 && value[9] != ';' && value[9] != ' '))
                return bad_part(w, "is no form-data");
        w->has_disposition = true;
        pw.p += 9;
        while ((r = http_param_next(&pw, &name, &name_len, text, sizeof text, &len)) > 0) {
                bool is_file = is_name(name, name_len, "filename");

                if (!is_file && !is_name(name, name_len, "name"))
                        continue; /* filename* too: RFC 7578 forbids it */
                if (utf8_valid_prefix(text, len) != len)
                        return bad_part(w, "has a name that is not UTF-8");
                if (is_file ? part->is_file : part->name[0] != '\0')
                        return bad_part(w, "has two names");
                part->is_file |= is_file;
                if (!is_file && len >= sizeof part->name)
                        return bad_part(w, "has a name of more than 64 bytes");
                /* A file's name is for people; what is too long is cut at a character. */
                if (len >= sizeof part->filename)
                        len = utf8_valid_prefix(text, sizeof part->filename - 1);
                memcpy(is_file ? part->filename : part->name, text, len);
        }
        return r < 0 ? bad_part(w, "has a malformed Content-Disposition") : 0;
}

static int read_header(struct walk *w, struct http_part *part, const char *line, size_t n)
{
        const char *colon = memchr(line, ':', n), *value = colon, *end = line + n;
        size_t name_len = colon ? (size_t)(colon - line) : 0;

        for (size_t i = 0; i < name_len; i++)
                if (!http_param_is_token_char(line[i]))
                        name_len = 0;
        if (name_len == 0)
                return bad_part(w, "has a malformed header");
        for (value++; value < end && (*value == ' ' || *value == '\t'); value++)
                ;
        while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
        n = (size_t)(end - value);
        for (size_t i = 0; i < n; i++)
                if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f)
                        return bad_part(w, "has a malformed header");
        if (is_name(line, name_len, "Content-Disposition"))
                return read_disposition(w, part, value, n);
        if (is_name(line, name_len, "Content-Type")) {
                if (n >= sizeof part->content_type || part->content_type[0])
                        return bad_part(w, "has two Content-Types or a long one");
                memcpy(part->content_type, value, n);
        }
        if (is_name(line, name_len, "Content-Transfer-Encoding") && !is_name(value, n, "binary") &&
            !is_name(value, n, "8bit") && !is_name(value, n, "7bit"))
                return bad_part(w, "has a Content-Transfer-Encoding, which forms may not have");
        return 0;
}

/* From behind the delimiter's line to behind the empty line. */
static int read_head(struct walk *w, struct http_part *part)
{
        const char *window = w->p + MIN_OF((size_t)(w->end - w->p), PART_HEAD_MAX);
        int r;

        w->has_disposition = false;
        for (;;) {
                const char *eol = memmem(w->p, (size_t)(window - w->p), "\r\n", 2);

                if (!eol)
                        return bad_part(w, "has no end of its headers within 8 KiB");
                if (eol == w->p)
                        break;
                r = read_header(w, part, w->p, (size_t)(eol - w->p));
                if (r < 0)
                        return r;
                w->p = eol + 2;
        }
        w->p += 2;
        if (part->name[0] == '\0')
                return bad_part(w, "has no name");
        for (size_t i = 0; i + 1 < w->parts.n; i++)
                if (strcmp(w->parts.parts[i].name, part->name) == 0)
                        return bad_part(w, "has the name of an earlier one");
        return 0;
}

/* ---- the parts ---- */

static struct http_part *add_part(struct walk *w)
{
        struct http_part *p;

        if (w->parts.n == w->cap) {
                w->cap = w->cap ? w->cap * 2 : 4;
                p = realloc(w->parts.parts, w->cap * sizeof *p);
                if (!p)
                        return NULL;
                w->parts.parts = p;
        }
        p = &w->parts.parts[w->parts.n++];
        memset(p, 0, sizeof *p);
        return p;
}

/* Behind a delimiter: 1 when it was the last, 0 when a part follows. */
static int end_of_delimiter(struct walk *w)
{
        if (w->end - w->p >= 2 && memcmp(w->p, "--", 2) == 0)
                return 1;
        while (w->p < w->end && (*w->p == ' ' || *w->p == '\t'))
                w->p++;
        if (w->end - w->p < 2 || memcmp(w->p, "\r\n", 2) != 0)
                return err_set(w->e, -EBADMSG,
                               "multipart: the end is missing or a boundary's line "
                               "goes on");
        w->p += 2;
        return 0;
}

static int read_part(struct walk *w)
{
        struct http_part *part;
        const char *end;
        int r;

        if (w->parts.n == HTTP_BODY_PARTS_MAX)
                return err_set(w->e, -EBADMSG, "multipart: more than %d parts",
                               HTTP_BODY_PARTS_MAX);
        part = add_part(w);
        if (!part)
                return err_set(w->e, -ENOMEM, "multipart: no memory");
        r = read_head(w, part);
        if (r < 0)
                return r;
        end = memmem(w->p, (size_t)(w->end - w->p), w->delimiter, w->delimiter_len);
        if (!end)
                return bad_part(w, "has no end");
        part->data = w->p;
        part->size = (size_t)(end - w->p);
        w->p = end + w->delimiter_len;
        return 0;
}

/* The first delimiter may stand at the very beginning, without its CRLF. */
static int skip_to_first(struct walk *w)
{
        size_t bare = w->delimiter_len - 2;
        const char *at;

        if ((size_t)(w->end - w->p) >= bare && memcmp(w->p, w->delimiter + 2, bare) == 0) {
                w->p += bare;
                return 0;
        }
        at = memmem(w->p, (size_t)(w->end - w->p), w->delimiter, w->delimiter_len);
        if (!at)
                return err_set(w->e, -EBADMSG, "multipart: the body does not hold its boundary");
        w->p = at + w->delimiter_len;
        return 0;
}

int http_multipart_parse(const char *content_type, const char *body, size_t n,
                         struct http_parts *ret, struct err *e)
{
        struct walk w = {.p = body, .end = body + n, .e = e};
        int r = find_boundary(&w, content_type);

        if (r == 0)
                r = skip_to_first(&w);
        while (r == 0) {
                r = end_of_delimiter(&w);
                if (r == 0)
                        r = read_part(&w);
        }
        if (r < 0) {
                http_parts_done(&w.parts);
                return r;
        }
        *ret = w.parts;
        return 0;
}

void http_parts_done(struct http_parts *p)
{
        free(p->parts);
        *p = (struct http_parts){0};
}
