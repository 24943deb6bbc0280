#include "host/arguments_json.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "http/http_body.h"
#include "toolrunner/tool_json.h"

static bool is_among(char *const *names, const char *name, size_t len)
{
        for (; names && *names; names++)
                if (strlen(*names) == len && !memcmp(*names, name, len))
                        return true;
        return false;
}

bool arguments_is_bytes(const struct manifest_tool *tool, const char *name, size_t len)
{
        return is_among(tool->bytes_args, name, len);
}

bool arguments_is_file(const struct manifest_tool *tool, const char *name)
{
        return is_among(tool->file_args, name, strlen(name));
}

int arguments_add_base64(struct call_args *args, const char *name, const char *text, size_t n,
                         struct err *e)
{
        char *copy = mem_dup0(text, n);
        char type[128] = "";
        size_t size;
        int r;

        if (!copy)
                return err_set_errno(e, -ENOMEM, "decode %s", name);
        r = http_base64_decode(copy, n, &size, type, sizeof type, e);
        if (r < 0) {
                free(copy);
                return err_wrap(e, -EINVAL, "/%s", name);
        }
        r = call_args_add_bytes(args, name, type, copy, size, copy);
        return r < 0 ? err_set_errno(e, r, "decode %s", name) : 0;
}

/* --- cutting out --- */

struct cutter {
        const struct manifest_tool *tool;
        struct call_args *args;
        char *p, *end;   /* the walk */
        char *kept;      /* begin of what was not yet added to `text` */
        struct str text; /* the body without the strings that were cut out */
};

static void skip_space(struct cutter *c)
{
        while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
                c->p++;
}

/* The end of the string that begins at p (its closing quote), and whether it has escapes. memchr
 * makes short work of megabytes; the quote that it found is kept until an escape has passed it. */
static char *string_end(char *p, char *end, bool *ret_escapes)
{
        char *from = p + 1, *quote = p, *slash;

        *ret_escapes = false;
        for (;;) {
                if (quote < from)
                        quote = memchr(from, '"', (size_t)(end - from));
                if (!quote)
                        return NULL;
                slash = memchr(from, '\\', (size_t)(quote - from));
                if (!slash)
                        return quote;
                *ret_escapes = true;
                from = slash + 2;
                if (from >= end)
                        return NULL;
        }
}

/* Nothing but printable ASCII, eight bytes at a step: what JSON forbids in a string is left to the
 * parser. */
static bool is_plain(const char *p, size_t n)
{
        const uint64_t high = UINT64_C(0x8080808080808080), space = UINT64_C(0x2020202020202020);
        uint64_t found = 0, eight;

        for (; n >= sizeof eight; p += sizeof eight, n -= sizeof eight) {
                memcpy(&eight, p, sizeof eight);
                found |= eight | (eight - space);
        }
        for (; n > 0; p++, n--)
                found |= (unsigned char)*p < 0x20 ? high : (unsigned char)*p;
        return !(found & high);
}

/* Steps over one value of any kind; false: not JSON (the parser will say how). */
static bool skip_value(struct cutter *c)
{
        size_t depth = 0;
        bool escapes;

        do {
                skip_space(c);
                if (c->p >= c->end)
                        return false;
                if (*c->p == '"') {
                        char *close = string_end(c->p, c->end, &escapes);

                        if (!close)
                                return false;
                        c->p = close + 1;
                } else if (*c->p == '{' || *c->p == '[') {
                        depth++;
                        c->p++;
                } else if (*c->p == '}' || *c->p == ']') {
                        if (depth == 0)
                                return false;
                        depth--;
                        c->p++;
                } else if (depth > 0 && (*c->p == ',' || *c->p == ':')) {
                        c->p++;
                } else {
                        char *start = c->p;

                        while (c->p < c->end && !strchr(" \t\r\n,:]}[{\"", *c->p))
                                c->p++;
                        if (c->p == start)
                                return false;
                }
        } while (depth > 0);
        return true;
}

static int cut_string(struct cutter *c, const char *key, size_t key_len, struct err *e)
{
        char name[PLUGIN_ARGUMENT_NAME_MAX + 1], type[128] = "";
        bool escapes;
        char *close = string_end(c->p, c->end, &escapes);
        size_t size;
        int r;

        if (!close || escapes || key_len >= sizeof name ||
            !is_plain(c->p + 1, (size_t)(close - c->p - 1))) /* the long way */
                return skip_value(c) ? 0 : 1;
        memcpy(name, key, key_len);
        name[key_len] = '\0';
        str_add(&c->text, c->kept, (size_t)(c->p + 1 - c->kept));
        c->kept = close;
        r = http_base64_decode(c->p + 1, (size_t)(close - c->p - 1), &size, type, sizeof type, e);
        if (r < 0)
                return err_wrap(e, -EINVAL, "/%s", name);
        r = call_args_add_bytes(c->args, name, type, c->p + 1, size, NULL);
        if (r < 0)
                return err_set_errno(e, r, "read the arguments");
        c->p = close + 1;
        return 0;
}

/* One member of the top-level object. 0; 1: this is not JSON; <0. */
static int cut_member(struct cutter *c, struct err *e)
{
        bool escapes;
        char *key, *close;

        skip_space(c);
        if (c->p >= c->end || *c->p != '"')
                return 1;
        key = c->p + 1;
        close = string_end(c->p, c->end, &escapes);
        if (!close)
                return 1;
        c->p = close + 1;
        skip_space(c);
        if (c->p >= c->end || *c->p != ':')
                return 1;
        c->p++;
        skip_space(c);
        if (c->p < c->end && *c->p == '"' && !escapes &&
            arguments_is_bytes(c->tool, key, (size_t)(close - key)))
                return cut_string(c, key, (size_t)(close - key), e);
        return skip_value(c) ? 0 : 1;
}

static int cut_all(struct cutter *c, struct err *e)
{
        int r;

        skip_space(c);
        if (c->p >= c->end || *c->p != '{')
                return 1;
        do {
                c->p++;
                r = cut_member(c, e);
                if (r != 0)
                        return r;
                skip_space(c);
        } while (c->p < c->end && *c->p == ',');
        return 0;
}

/* Bytes arguments that took the long way are still strings in the parsed object. */
static int decode_rest(const struct manifest_tool *tool, struct call_args *args, struct err *e)
{
        for (size_t i = 0; tool->bytes_args && tool->bytes_args[i]; i++) {
                const char *name = tool->bytes_args[i];
                json_t *value = json_object_get(args->json, name);
                bool cut = false;
                int r;

                for (size_t j = 0; j < args->n_bytes; j++)
                        cut = cut || !strcmp(args->bytes[j].name, name);
                if (cut || !json_is_string(value))
                        continue;
                r = arguments_add_base64(args, name, json_string_value(value),
                                         json_string_length(value), e);
                if (r < 0)
                        return r;
                if (json_string_set(value, "") < 0)
                        return err_set_errno(e, -ENOMEM, "read the arguments");
        }
        return 0;
}

int arguments_from_json(const struct manifest_tool *tool, char *body, size_t n,
                        struct call_args *args, struct err *e)
{
        struct cutter c = {.tool = tool, .args = args, .p = body, .end = body + n, .kept = body};
        int r = tool->bytes_args && tool->bytes_args[0] ? cut_all(&c, e) : 1;

        if (r >= 0) {
                /* Also when the walk stumbled: the parser finds the same fault and names it. */
                str_add(&c.text, c.kept, (size_t)(c.end - c.kept));
                r = c.text.bad ? err_set_errno(e, -ENOMEM, "read the arguments")
                               : tool_json_parse(c.text.data, c.text.len, &args->json, e);
        }
        str_done(&c.text);
        if (r < 0)
                return r;
        if (!json_is_object(args->json))
                return err_set(e, -EBADMSG, "the arguments must be a JSON object");
        return decode_rest(tool, args, e);
}
