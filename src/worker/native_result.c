#include "worker/native_result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "worker/json_text.h"

/* Lengths that the wire spends on one bytes block. */
#define BLOB_OVERHEAD 12

void native_result_done(struct native_result *r)
{
        for (unsigned i = 0; i < r->n_blobs; i++) {
                free((void *)(uintptr_t)r->blobs[i].name.p);
                free((void *)(uintptr_t)r->blobs[i].content_type.p);
                free((void *)(uintptr_t)r->blobs[i].data);
        }
        free(r->blobs);
        str_done(&r->json);
        *r = (struct native_result){0};
}

static bool is_text(const char *text, size_t n)
{
        return utf8_valid_prefix(text, n) == n && !memchr(text, 0, n);
}

static bool fits(const struct native_result *r, size_t more)
{
        uint64_t used = r->n_blob_bytes + r->json.len + 2;

        return used <= r->max && more <= r->max - used;
}

/* --- the JSON part ---------------------------------------------------------------------------- */

static int json_refused(struct native_result *r, enum native_result_trouble why)
{
        if (r->json_trouble == NATIVE_RESULT_NONE)
                r->json_trouble = why;
        return -1;
}

int native_result_set_json(struct native_result *r, const char *json, size_t n)
{
        str_done(&r->json);
        r->open = false;
        r->json_trouble = NATIVE_RESULT_NONE;
        if (!fits(r, n))
                return json_refused(r, NATIVE_RESULT_TOO_LARGE);
        if (!is_text(json, n))
                return json_refused(r, NATIVE_RESULT_NOT_UTF8);
        str_add(&r->json, json, n);
        return r->json.bad ? json_refused(r, NATIVE_RESULT_NO_MEMORY) : 0;
}

static size_t trim_end(const struct str *s, size_t n)
{
        while (n > 0 && strchr(" \t\r\n", s->data[n - 1]))
                n--;
        return n;
}

/* Makes r->json an object that lacks its }: a new one, or the one that the plugin set as text. */
static int open_object(struct native_result *r, bool *ret_first)
{
        size_t start, end;

        if (r->json.len == 0)
                str_addc(&r->json, '{');
        start = r->json.data ? strspn(r->json.data, " \t\r\n") : 0;
        end = r->json.len;
        if (r->json.bad)
                return json_refused(r, NATIVE_RESULT_NO_MEMORY);
        if (!r->open && end > 1) {
                end = trim_end(&r->json, end);
                if (end < start + 2 || r->json.data[end - 1] != '}')
                        return json_refused(r, NATIVE_RESULT_NOT_OBJECT);
                end = trim_end(&r->json, end - 1);
        }
        if (r->json.data[start] != '{')
                return json_refused(r, NATIVE_RESULT_NOT_OBJECT);
        r->json.len = end;
        r->json.data[end] = '\0';
        r->open = true;
        *ret_first = end == start + 1;
        return 0;
}

/* Adds "name":value, where value is JSON text of n bytes. */
static int add_member(struct native_result *r, const char *name, const char *value, size_t n)
{
        bool first = true;
        size_t before;

        if (!name)
                return json_refused(r, NATIVE_RESULT_NO_NAME);
        if (!is_text(name, strlen(name)))
                return json_refused(r, NATIVE_RESULT_NOT_UTF8);
        if (!fits(r, strlen(name) + n + 4))
                return json_refused(r, NATIVE_RESULT_TOO_LARGE);
        if (open_object(r, &first) < 0)
                return -1;
        before = r->json.len;
        if (!first)
                str_addc(&r->json, ',');
        json_text_add_string(&r->json, name, strlen(name));
        str_addc(&r->json, ':');
        str_add(&r->json, value, n);
        if (!r->json.bad)
                return 0;
        /* What was there before stays whole, so that a plugin may still answer with less. */
        r->json.bad = false;
        r->json.len = before;
        return json_refused(r, NATIVE_RESULT_NO_MEMORY);
}

int native_result_add_string(struct native_result *r, const char *name, const char *value)
{
        scoped(str) struct str text = {0};
        size_t n;

        if (!value)
                return add_member(r, name, "null", 4);
        n = strlen(value);
        if (!fits(r, n))
                return json_refused(r, NATIVE_RESULT_TOO_LARGE);
        if (!is_text(value, n))
                return json_refused(r, NATIVE_RESULT_NOT_UTF8);
        json_text_add_string(&text, value, n);
        if (text.bad)
                return json_refused(r, NATIVE_RESULT_NO_MEMORY);
        return add_member(r, name, text.data, text.len);
}

int native_result_add_int(struct native_result *r, const char *name, int64_t value)
{
        char text[24];
        int n = snprintf(text, sizeof text, "%lld", (long long)value);

        return add_member(r, name, text, (size_t)n);
}

int native_result_add_number(struct native_result *r, const char *name, double value)
{
        scoped(str) struct str text = {0};

        if (!isfinite(value))
                return json_refused(r, NATIVE_RESULT_NOT_FINITE);
        json_text_add_number(&text, value);
        if (text.bad)
                return json_refused(r, NATIVE_RESULT_NO_MEMORY);
        return add_member(r, name, text.data, text.len);
}

int native_result_add_bool(struct native_result *r, const char *name, bool value)
{
        return value ? add_member(r, name, "true", 4) : add_member(r, name, "false", 5);
}

/* --- the bytes -------------------------------------------------------------------------------- */

static int blob_refused(struct native_result *r, enum native_result_trouble why)
{
        if (r->blob_trouble == NATIVE_RESULT_NONE)
                r->blob_trouble = why;
        return -1;
}

static int keep_blob(struct native_result *r, const char *name, const char *content_type,
                     const void *data, size_t n)
{
        scoped(free) char *name_copy = mem_dup0(name, strlen(name));
        scoped(free) char *type_copy = mem_dup0(content_type, strlen(content_type));
        scoped(free) char *data_copy = mem_dup0(data, n);
        struct wire_blob *grown = realloc(r->blobs, ((size_t)r->n_blobs + 1) * sizeof *r->blobs);

        if (grown)
                r->blobs = grown;
        if (!grown || !name_copy || !type_copy || !data_copy)
                return blob_refused(r, NATIVE_RESULT_NO_MEMORY);
        r->blobs[r->n_blobs++] = (struct wire_blob){
            .name = wire_str_of(take_ptr(name_copy)),
            .content_type = wire_str_of(take_ptr(type_copy)),
            .data = (const uint8_t *)take_ptr(data_copy),
            .size = (uint32_t)n,
        };
        return 0;
}

int native_result_add_bytes(struct native_result *r, const char *name, const char *content_type,
                            const void *data, size_t n)
{
        size_t overhead;

        if (!name || !*name)
                return blob_refused(r, NATIVE_RESULT_NO_NAME);
        if (!content_type)
                content_type = "application/octet-stream";
        if (!is_text(name, strlen(name)) || !is_text(content_type, strlen(content_type)))
                return blob_refused(r, NATIVE_RESULT_NOT_UTF8);
        overhead = strlen(name) + strlen(content_type) + BLOB_OVERHEAD;
        if (r->n_blobs == UINT16_MAX || n > UINT32_MAX || !fits(r, n + overhead))
                return blob_refused(r, NATIVE_RESULT_TOO_LARGE);
        if (keep_blob(r, name, content_type, data, n) < 0)
                return -1;
        r->n_blob_bytes += n + overhead;
        return 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

int native_result_check(const struct native_result *r, struct worker_fault *f)
{
        static const char *const types[] = {
#define X(id, type, words) type,
                NATIVE_RESULT_TROUBLES(X)
#undef X
        };
        static const char *const sentences[] = {
#define X(id, type, words) words,
                NATIVE_RESULT_TROUBLES(X)
#undef X
        };
        enum native_result_trouble trouble = r->json_trouble ? r->json_trouble : r->blob_trouble;

        if (trouble == NATIVE_RESULT_NONE)
                return 0;
        if (trouble == NATIVE_RESULT_TOO_LARGE)
                worker_fault_set(f, WIRE_ERROR_EXCEPTION, types[trouble], "%s: at most %llu bytes",
                                 sentences[trouble], (unsigned long long)r->max);
        else
                worker_fault_set(f, WIRE_ERROR_EXCEPTION, types[trouble], "%s", sentences[trouble]);
        return 1;
}

void native_result_encode(struct native_result *r, struct str *to)
{
        if (r->open)
                str_addc(&r->json, '}');
        r->open = false;
        if (r->json.bad)
                to->bad = true;
        wire_encode_result(to,
                           &(struct wire_result){
                               .json = {r->json.data ? r->json.data : "", (uint32_t)r->json.len},
                               .blobs = r->blobs,
                               .n_blobs = r->n_blobs,
                           });
}
