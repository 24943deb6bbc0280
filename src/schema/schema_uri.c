#include "schema/schema_uri.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"

/* A part that is absent has text NULL; "" is present and empty. */
struct part {
        const char *text;
        size_t len;
};

struct split {
        struct part scheme, authority, path, query, fragment;
};

static struct part part_until(const char **at, const char *stop)
{
        struct part part = {*at, strcspn(*at, stop)};

        *at += part.len;
        return part;
}

static struct split split_uri(const char *uri)
{
        struct split s = {0};
        size_t scheme = strcspn(uri, ":/?#");

        if (uri[scheme] == ':' && isalpha((unsigned char)uri[0])) {
                s.scheme = (struct part){uri, scheme};
                uri += scheme + 1;
        }
        if (strncmp(uri, "//", 2) == 0) {
                uri += 2;
                s.authority = part_until(&uri, "/?#");
        }
        s.path = part_until(&uri, "?#");
        if (*uri == '?') {
                uri++;
                s.query = part_until(&uri, "#");
        }
        if (*uri == '#')
                s.fragment = (struct part){uri + 1, strlen(uri + 1)};
        return s;
}

/* Adds path[0..n) with "." and ".." segments worked out. */
static void add_without_dots(struct str *out, const char *path, size_t n)
{
        size_t start = out->len, at = 0;

        while (at < n) {
                bool slash = path[at] == '/';
                const char *segment = path + at + slash;
                const char *end = memchr(segment, '/', n - at - slash);
                size_t len = end ? (size_t)(end - segment) : n - at - slash;
                bool last = at + slash + len == n;
                bool up = len == 2 && memcmp(segment, "..", 2) == 0;

                if (up || (len == 1 && *segment == '.')) {
                        while (up && out->len > start && out->data[--out->len] != '/')
                                ;
                        if (last && slash)
                                str_addc(out, '/');
                } else {
                        str_add(out, path + at, slash + len);
                }
                at += slash + len;
        }
}

/* The base's path up to its last slash, then the reference's path. */
static void add_merged_path(struct str *out, const struct split *base, struct part path)
{
        scoped(str) struct str merged = {0};
        size_t keep = base->path.len;

        while (keep > 0 && base->path.text[keep - 1] != '/')
                keep--;
        if (base->authority.text && base->path.len == 0)
                str_addc(&merged, '/');
        else
                str_add(&merged, base->path.text, keep);
        str_add(&merged, path.text, path.len);
        if (merged.bad)
                out->bad = true;
        else
                add_without_dots(out, merged.data, merged.len);
}

static void add_document(struct str *out, const struct split *base, const struct split *ref)
{
        bool own_scheme = ref->scheme.text;
        bool own_authority = own_scheme || ref->authority.text;
        bool own_path = own_authority || ref->path.len > 0;
        struct part scheme = own_scheme ? ref->scheme : base->scheme;
        struct part authority = own_authority ? ref->authority : base->authority;
        struct part query = own_path || ref->query.text ? ref->query : base->query;

        if (scheme.text) {
                str_add(out, scheme.text, scheme.len);
                str_addc(out, ':');
        }
        if (authority.text) {
                str_adds(out, "//");
                str_add(out, authority.text, authority.len);
        }
        if (!own_path)
                str_add(out, base->path.text, base->path.len);
        else if (own_authority || *ref->path.text == '/')
                add_without_dots(out, ref->path.text, ref->path.len);
        else
                add_merged_path(out, base, ref->path);
        if (query.text) {
                str_addc(out, '?');
                str_add(out, query.text, query.len);
        }
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* Decodes in place; a malformed escape, or one that would be a NUL, stays as it is. */
static void percent_decode(char *text)
{
        char *to = text;

        for (const char *from = text; *from; from++) {
                int high = *from == '%' ? hex_digit(from[1]) : -1;
                int low = high >= 0 ? hex_digit(from[2]) : -1;

                if (low >= 0 && high + low > 0) {
                        *to++ = (char)(high * 16 + low);
                        from += 2;
                } else {
                        *to++ = *from;
                }
        }
        *to = '\0';
}

int schema_uri_resolve(const char *base, const char *ref, struct schema_uri *ret)
{
        scoped(str) struct str document = {0};
        scoped(free) char *fragment = NULL;
        struct split base_parts, ref_parts;

        if (strlen(base) > SCHEMA_URI_MAX || strlen(ref) > SCHEMA_URI_MAX)
                return -EINVAL;
        base_parts = split_uri(base);
        ref_parts = split_uri(ref);
        str_adds(&document, "");
        add_document(&document, &base_parts, &ref_parts);
        fragment = mem_dup0(ref_parts.fragment.text, ref_parts.fragment.len);
        if (document.bad || !fragment)
                return -ENOMEM;
        percent_decode(fragment);
        /* What is no text when it is decoded names nothing but itself. */
        if (utf8_valid_prefix(fragment, strlen(fragment)) != strlen(fragment))
                memcpy(fragment, ref_parts.fragment.text, ref_parts.fragment.len + 1);
        ret->document = str_take(&document);
        ret->fragment = take_ptr(fragment);
        return 0;
}

void schema_uri_done(struct schema_uri *uri)
{
        free(uri->document);
        free(uri->fragment);
        *uri = (struct schema_uri){0};
}
