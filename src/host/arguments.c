#include "host/arguments.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "host/arguments_json.h"
#include "http/http_body.h"
#include "toolrunner/tool_json.h"

void argument_source_done(struct argument_source *s)
{
        for (size_t i = 0; i < s->n_query; i++) {
                free(s->query[i].name);
                free(s->query[i].value);
        }
        free(s->query);
        free(s->content_type);
        free(s->body);
        *s = (struct argument_source){0};
}

int argument_source_add_query(struct argument_source *s, const char *name, const char *value)
{
        struct argument_pair *grown = realloc(s->query, (s->n_query + 1) * sizeof *grown);
        struct argument_pair pair;

        if (!grown)
                return -ENOMEM;
        s->query = grown;
        pair = (struct argument_pair){strdup(name), strdup(value)};
        grown[s->n_query++] = pair;
        return pair.name && pair.value ? 0 : -ENOMEM;
}

struct maker {
        const struct manifest_tool *tool;
        struct call_args *args;
        struct tool_outcome *outcome;
};

static int refuse(struct maker *m, enum plugin_error error, const struct err *e)
{
        /* Missing memory is the host's fault, whatever was being read. */
        tool_outcome_fail(m->outcome, e->code == -ENOMEM ? PLUGIN_ERROR_INTERNAL : error, "%s",
                          e->msg);
        return 1;
}

static int put(struct maker *m, const char *name, json_t *take_value)
{
        if (!take_value || json_object_set_new(m->args->json, name, take_value) < 0) {
                tool_outcome_fail(m->outcome, PLUGIN_ERROR_INTERNAL, "out of memory");
                return 1;
        }
        return 0;
}

/* Is `type` (or one of a list) in the property's schema? */
static bool has_type(const json_t *schema, const char *type)
{
        const json_t *types = json_object_get(schema, "type");
        const json_t *one;
        size_t i;

        if (json_is_string(types))
                return !strcmp(json_string_value(types), type);
        json_array_foreach (types, i, one)
                if (json_is_string(one) && !strcmp(json_string_value(one), type))
                        return true;
        return false;
}

/* A text part or query value, read by the type that the schema gives its name: a string stays one,
 * everything else is JSON; without a type it is a string. */
static int add_text(struct maker *m, const char *name, const char *text, size_t n)
{
        const json_t *properties = json_object_get(m->tool->input_schema, "properties");
        const json_t *schema = json_object_get(properties, name);
        bool typed = json_object_get(schema, "type") != NULL;
        json_t *value;
        struct err e;

        if (json_object_get(m->args->json, name)) {
                tool_outcome_fail(m->outcome, PLUGIN_ERROR_BAD_REQUEST,
                                  "argument '%s' is given twice", name);
                return 1;
        }
        if (arguments_is_bytes(m->tool, name, strlen(name))) {
                if (arguments_add_base64(m->args, name, text, n, &e) < 0)
                        return refuse(m, PLUGIN_ERROR_INVALID_ARGUMENTS, &e);
                return put(m, name, json_string(""));
        }
        if (typed && !has_type(schema, "string")) {
                if (tool_json_parse(text, n, &value, &e) == 0)
                        return put(m, name, value);
                /* Not JSON: a string, so that the schema's own words refuse it. */
        }
        if (utf8_valid_prefix(text, n) < n || memchr(text, '\0', n)) {
                tool_outcome_fail(m->outcome, PLUGIN_ERROR_BAD_REQUEST,
                                  "argument '%s' is not UTF-8 text; send it as a file part", name);
                return 1;
        }
        return put(m, name, json_stringn(text, n));
}

/* What stands for the file where the schema is checked: nothing for bytes, of which it is known;
 * for a path the name that the file had, which is all that its rules can be about. */
static json_t *stand_in(const struct maker *m, const struct http_part *part)
{
        const char *name = part->filename[0] ? part->filename : "upload";

        if (!arguments_is_file(m->tool, part->name))
                return json_string("");
        return json_string(utf8_valid_prefix(name, strlen(name)) == strlen(name) ? name : "upload");
}

static int add_file(struct maker *m, const struct http_part *part)
{
        /* A tool without a schema takes any file. */
        bool taken = !m->tool->input_schema ||
                     arguments_is_bytes(m->tool, part->name, strlen(part->name)) ||
                     arguments_is_file(m->tool, part->name);

        if (!taken) {
                tool_outcome_fail(m->outcome, PLUGIN_ERROR_INVALID_ARGUMENTS,
                                  "/%s: the tool takes no file under this name", part->name);
                return 1;
        }
        /* It goes to the worker as text, which must be UTF-8. */
        if (utf8_valid_prefix(part->content_type, strlen(part->content_type)) <
            strlen(part->content_type)) {
                tool_outcome_fail(m->outcome, PLUGIN_ERROR_BAD_REQUEST,
                                  "part '%s' has a Content-Type that is not UTF-8", part->name);
                return 1;
        }
        if (call_args_add_bytes(m->args, part->name, part->content_type, part->data, part->size,
                                NULL) < 0) {
                tool_outcome_fail(m->outcome, PLUGIN_ERROR_INTERNAL, "out of memory");
                return 1;
        }
        return put(m, part->name, stand_in(m, part));
}

static int from_multipart(struct maker *m, const char *content_type, const char *body, size_t n)
{
        struct http_parts parts;
        struct err e;
        int r = http_multipart_parse(content_type, body, n, &parts, &e);

        if (r < 0)
                return refuse(m, PLUGIN_ERROR_BAD_REQUEST, &e);
        for (size_t i = 0; i < parts.n && r == 0; i++) {
                const struct http_part *p = &parts.parts[i];

                /* What a browser sends for a file that nobody chose. */
                if (p->is_file && !p->filename[0] && p->size == 0)
                        continue;
                r = p->is_file ? add_file(m, p) : add_text(m, p->name, p->data, p->size);
        }
        http_parts_done(&parts);
        return r;
}

static int from_query(struct maker *m, const struct argument_source *s)
{
        for (size_t i = 0; i < s->n_query; i++)
                if (add_text(m, s->query[i].name, s->query[i].value, strlen(s->query[i].value)))
                        return 1;
        return 0;
}

/* The argument that a raw body is: the only one in bytes, else the only one for a file; or NULL. */
static const char *raw_argument(const struct manifest_tool *tool)
{
        bool bytes = tool->bytes_args && tool->bytes_args[0];
        char **names = bytes ? tool->bytes_args : tool->file_args;

        return names && names[0] && !names[1] ? names[0] : NULL;
}

static int from_raw(struct maker *m, const char *type, const struct argument_source *s)
{
        struct http_part part = {.data = s->body ? s->body : "", .size = s->body_size};
        const char *name = raw_argument(m->tool);

        if (!name) {
                tool_outcome_fail(m->outcome, PLUGIN_ERROR_UNSUPPORTED_MEDIA_TYPE,
                                  "a body of %s fits tools with exactly one bytes argument; send "
                                  "multipart/form-data or application/json",
                                  type);
                return 1;
        }
        snprintf(part.name, sizeof part.name, "%s", name);
        snprintf(part.content_type, sizeof part.content_type, "%s", type);
        return add_file(m, &part) || from_query(m, s) ? 1 : 0;
}

static bool is_raw_type(const char *type)
{
        return !strncmp(type, "image/", 6) || !strncmp(type, "video/", 6) ||
               !strncmp(type, "audio/", 6) || !strcmp(type, "application/octet-stream");
}

/* "application/json; charset=utf-8", or nothing said of it. */
static bool is_utf8(const char *content_type)
{
        const char *charset = strcasestr(content_type, "charset=");

        if (!charset)
                return true;
        charset += strlen("charset=");
        charset += *charset == '"';
        return !strncasecmp(charset, "utf-8", 5) || !strncasecmp(charset, "utf8", 4);
}

static int refuse_query(struct maker *m, const struct argument_source *s)
{
        if (s->n_query == 0)
                return 0;
        tool_outcome_fail(m->outcome, PLUGIN_ERROR_BAD_REQUEST,
                          "query '%s': arguments belong into this body, not into the query",
                          s->query[0].name);
        return 1;
}

bool argument_source_is_raw(const struct argument_source *s)
{
        char type[128];

        return s->content_type && http_media_type(s->content_type, type, sizeof type) == 0 &&
               is_raw_type(type);
}

static int make(struct maker *m, struct argument_source *s)
{
        char type[128] = "";
        struct err e;
        int r;

        if (s->content_type && http_media_type(s->content_type, type, sizeof type) < 0)
                type[0] = '\0';
        if (!s->content_type && s->body_size == 0)
                return from_query(m, s);
        if (!strcmp(type, "application/json") && !is_utf8(s->content_type)) {
                tool_outcome_fail(m->outcome, PLUGIN_ERROR_UNSUPPORTED_MEDIA_TYPE,
                                  "JSON is UTF-8, not '%.80s'", s->content_type);
                return 1;
        }
        if (!strcmp(type, "application/json")) {
                json_decref(take_ptr(m->args->json));
                r = arguments_from_json(m->tool, s->body ? s->body : (char[]){""}, s->body_size,
                                        m->args, &e);
                if (r < 0)
                        return refuse(m,
                                      r == -EINVAL ? PLUGIN_ERROR_INVALID_ARGUMENTS
                                                   : PLUGIN_ERROR_BAD_REQUEST,
                                      &e);
                return refuse_query(m, s);
        }
        if (!strcmp(type, "multipart/form-data"))
                return from_multipart(m, s->content_type, s->body ? s->body : "", s->body_size) ||
                               refuse_query(m, s)
                           ? 1
                           : 0;
        if (is_raw_type(type))
                return from_raw(m, type, s);
        tool_outcome_fail(m->outcome, PLUGIN_ERROR_UNSUPPORTED_MEDIA_TYPE,
                          "%s%.80s%s application/json, multipart/form-data, image/*, video/*, "
                          "audio/*, application/octet-stream",
                          s->content_type ? "Content-Type '" : "a body needs a Content-Type",
                          s->content_type ? s->content_type : "",
                          s->content_type ? "' is not one of" : ":");
        return 1;
}

int arguments_make(const struct manifest_tool *tool, struct argument_source *source,
                   struct call_args *ret, struct tool_outcome *outcome)
{
        struct call_args args = {.json = json_object()};
        struct maker m = {tool, &args, outcome};

        if (!args.json) {
                tool_outcome_fail(outcome, PLUGIN_ERROR_INTERNAL, "out of memory");
                return 1;
        }
        if (make(&m, source)) {
                call_args_done(&args);
                return 1;
        }
        args.backing = take_ptr(source->body);
        *ret = args;
        return 0;
}
