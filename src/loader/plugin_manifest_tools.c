/* The "tools" of a manifest, and what a worker says of its tools (META): the same table reads both.
 */
#include "loader/plugin_manifest_parts.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "loader/plugin_manifest_rules.h"

#define TOOLS_MAX   256
#define SHOWN_TOOLS 6 /* in words */

void manifest_tools_free(struct manifest_tool *tools, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free(tools[i].name);
                free(tools[i].description);
                json_decref(tools[i].input_schema);
                json_decref(tools[i].output_schema);
                json_schema_free(tools[i].input);
                json_schema_free(tools[i].output);
                manifest_list_free(tools[i].bytes_args);
                manifest_list_free(tools[i].file_args);
        }
        free(tools);
}

/* --- schemas --- */

/* A complaint of the schema compiler begins with a JSON pointer, which leads to the line. */
static int complain_schema(const struct manifest_at *at, const char *above, const struct err *why)
{
        const char *msg = why->msg;
        char pointer[256] = "";
        size_t n = strlen(above);

        if (n > 0 && strncmp(msg, above, n) == 0)
                msg += n;
        n = msg[0] == '/' ? strcspn(msg, ":") : 0;
        if (n < sizeof pointer)
                memcpy(pointer, msg, n);
        return manifest_complain_below(at, pointer, "%s", msg);
}

static int compile(const struct manifest_at *at, const json_t *schema, const char *above,
                   struct json_schema **ret)
{
        struct err why = {0};
        int r = json_schema_compile(schema, JSON_SCHEMA_2020_12, ret, &why);

        if (r == -ENOMEM)
                return manifest_no_memory(at);
        return r < 0 ? complain_schema(at, above, &why) : 0;
}

static bool is_bytes(const json_t *property)
{
        const char *type = json_string_value(json_object_get(property, "type"));
        const char *encoding = json_string_value(json_object_get(property, "contentEncoding"));

        return type && encoding && strcmp(type, "string") == 0 && strcmp(encoding, "base64") == 0;
}

/* Does its type leave room for a text? */
static bool may_be_string(const json_t *property)
{
        const json_t *type = json_object_get(property, "type"), *one;
        size_t i;

        json_array_foreach (type, i, one)
                if (json_is_string(one) && strcmp(json_string_value(one), "string") == 0)
                        return true;
        return !type || (json_is_string(type) && strcmp(json_string_value(type), "string") == 0);
}

/* What python/forgesyte_worker makes a file of. Not every path: whoever takes a model_path or an
 * output_path did not ask for strangers' files there. */
static bool is_file(const char *name, const json_t *property)
{
        const char *format = json_string_value(json_object_get(property, "format"));
        bool path = format && (strcmp(format, "path") == 0 || strcmp(format, "file-path") == 0);

        return (path || strcmp(name, "video_path") == 0) && may_be_string(property) &&
               !is_bytes(property);
}

static bool is_bytes_argument(unused_param const char *name, const json_t *property)
{
        return is_bytes(property);
}

/* Is one of its bytes arguments wanted as a view, and not as an object of its own? */
static bool has_views(const json_t *schema)
{
        json_t *properties = json_object_get(schema, "properties"), *property;
        const char *name;

        json_object_foreach (properties, name, property) {
                const char *format = json_string_value(json_object_get(property, "format"));

                if (format && strcmp(format, "memoryview") == 0 && is_bytes(property))
                        return true;
        }
        return false;
}

static int check_argument_name(const struct manifest_at *at, const char *name)
{
        if (strlen(name) <= PLUGIN_ARGUMENT_NAME_MAX)
                return 0;
        return manifest_complain(at,
                                 "an argument that takes bytes or a file must have a name of %d "
                                 "bytes at most: \"%.*s…\"",
                                 PLUGIN_ARGUMENT_NAME_MAX,
                                 (int)utf8_valid_prefix(name, PLUGIN_ARGUMENT_NAME_MAX), name);
}

/* The names of the properties that `is` picks; an empty list when there is none. */
static int find_args(const struct manifest_at *at, const json_t *schema,
                     bool (*is)(const char *name, const json_t *property), char ***ret)
{
        json_t *properties = json_object_get(schema, "properties"), *property;
        char **list = calloc(json_object_size(properties) + 1, sizeof *list);
        const char *name;
        size_t n = 0;

        if (!list)
                return manifest_no_memory(at);
        *ret = list;
        json_object_foreach (properties, name, property) {
                if (!is(name, property))
                        continue;
                if (check_argument_name(at, name) < 0)
                        return -EINVAL;
                list[n] = mem_dup0(name, strlen(name));
                if (!list[n++])
                        return manifest_no_memory(at);
        }
        return 0;
}

static json_t *any_string(void)
{
        scoped(json_decref) json_t *schema = json_object();

        if (!schema || json_object_set_new(schema, "type", json_string("string")) < 0)
                return NULL;
        return take_ptr(schema);
}

/* The schema that the host checks arguments with. It never makes base64 of bytes again, but puts an
 * empty string in their place: so there each bytes argument is any string, whatever else it says.
 */
static json_t *without_bytes_rules(const json_t *schema, char *const *bytes_args)
{
        scoped(json_decref) json_t *copy = json_deep_copy(schema);
        json_t *properties = json_object_get(copy, "properties");

        if (!copy)
                return NULL;
        for (; *bytes_args; bytes_args++) {
                json_t *any = any_string();

                if (!any || json_object_set_new(properties, *bytes_args, any) < 0)
                        return NULL;
        }
        return take_ptr(copy);
}

int manifest_tool_set_input(const struct manifest_at *at, json_t *schema, const char *above,
                            struct manifest_tool *tool)
{
        scoped(json_decref) json_t *checked = NULL;
        int r;

        if (tool->input_schema)
                return manifest_complain(at, "the tool has its arguments twice: leave one out");
        tool->input_schema = json_incref(schema);
        tool->views = has_views(schema);
        r = find_args(at, schema, is_bytes_argument, &tool->bytes_args);
        if (r < 0)
                return r;
        checked = without_bytes_rules(schema, tool->bytes_args);
        return checked ? compile(at, checked, above, &tool->input) : manifest_no_memory(at);
}

int manifest_tool_parse_input(const struct manifest_at *at, void *into)
{
        if (!json_is_object(at->value))
                return manifest_complain(at, "must be a JSON Schema object");
        return manifest_tool_set_input(at, (json_t *)at->value, "", into);
}

int manifest_tool_parse_output(const struct manifest_at *at, void *into)
{
        struct manifest_tool *tool = into;

        if (!json_is_object(at->value))
                return manifest_complain(at, "must be a JSON Schema object");
        if (tool->output_schema)
                return manifest_complain(at, "the tool has its answer twice: leave one out");
        tool->output_schema = json_incref((json_t *)at->value);
        return compile(at, at->value, "", &tool->output);
}

int manifest_tools_find_files(const struct manifest_at *at, enum plugin_runtime runtime,
                              struct manifest_tool *tools, size_t n)
{
        int r = 0;

        /* Only Python's side makes files of bytes. */
        for (size_t i = 0; i < n && r == 0; i++)
                r = find_args(at, runtime == PLUGIN_RUNTIME_PYTHON ? tools[i].input_schema : NULL,
                              is_file, &tools[i].file_args);
        return r;
}

/* --- tools --- */

int manifest_tool_parse_name(const struct manifest_at *at, void *into)
{
        return manifest_read_text(at, manifest_rule_tool_name,
                                  &((struct manifest_tool *)into)->name);
}

int manifest_tool_parse_description(const struct manifest_at *at, void *into)
{
        return manifest_read_text(at, manifest_rule_description,
                                  &((struct manifest_tool *)into)->description);
}

static const struct manifest_key tool_keys[] = {
    {"name", true, manifest_tool_parse_name},
    {"description", false, manifest_tool_parse_description},
    {"input_schema", false, manifest_tool_parse_input},
    {"output_schema", false, manifest_tool_parse_output},
};

static int read_tool(const struct manifest_at *at, void *into)
{
        return manifest_read_object(at, tool_keys, ARRAY_LEN(tool_keys), into);
}

static const struct manifest_tool *find_tool(const struct manifest_tool *tools, size_t n,
                                             const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(tools[i].name, name) == 0)
                        return &tools[i];
        return NULL;
}

/* What the tool does not have takes its empty form; the name must be new. */
static int complete_tool(const struct manifest_at *at, struct manifest_tool *tools, size_t i)
{
        struct manifest_tool *tool = &tools[i];
        const char *key = json_object_get(at->value, "id") ? "id" : "name";
        struct manifest_at name = manifest_member(at, key, NULL);

        if (find_tool(tools, i, tool->name))
                return manifest_complain(&name, "\"%s\" is the name of an earlier tool",
                                         tool->name);
        if (!tool->bytes_args)
                tool->bytes_args = calloc(1, sizeof *tool->bytes_args);
        if (!tool->description)
                tool->description = mem_dup0("", 0);
        return tool->bytes_args && tool->description ? 0 : manifest_no_memory(at);
}

int manifest_tools_read(const struct manifest_at *at,
                        int (*read)(const struct manifest_at *at, void *into),
                        struct manifest_tool **tools, size_t *n)
{
        void *iter = json_object_iter((json_t *)at->value);
        size_t n_items = MAX_OF(json_array_size(at->value), json_object_size(at->value));
        int r;

        if (n_items > TOOLS_MAX)
                return manifest_complain(at, "must have at most %d items", TOOLS_MAX);
        *tools = calloc(n_items + 1, sizeof **tools);
        if (!*tools)
                return manifest_no_memory(at);
        for (size_t i = 0; i < n_items; i++) {
                struct manifest_at item = iter ? manifest_member(at, json_object_iter_key(iter),
                                                                 json_object_iter_value(iter))
                                               : manifest_item(at, i);

                iter = iter ? json_object_iter_next((json_t *)at->value, iter) : NULL;
                *n = i + 1;
                r = read(&item, &(*tools)[i]);
                if (r == 0)
                        r = complete_tool(&item, *tools, i);
                if (r < 0)
                        return r;
        }
        return 0;
}

int manifest_parse_tools(const struct manifest_at *at, void *into)
{
        struct plugin_manifest *m = into;

        m->has_tools = true;
        if (!json_is_array(at->value))
                return manifest_complain(at, "must be a list");
        return manifest_tools_read(at, read_tool, &m->tools, &m->n_tools);
}

const struct manifest_tool *plugin_manifest_tool(const struct plugin_manifest *m, const char *name)
{
        return find_tool(m->tools, m->n_tools, name);
}

/* --- META --- */

struct tool_list {
        struct manifest_tool *tools;
        size_t n;
};

static void tool_list_scoped(struct tool_list *l)
{
        manifest_tools_free(l->tools, l->n);
}

static int parse_meta_tools(const struct manifest_at *at, void *into)
{
        struct tool_list *l = into;

        if (!json_is_array(at->value))
                return manifest_complain(at, "must be a list");
        return manifest_tools_read(at, read_tool, &l->tools, &l->n);
}

static const struct manifest_key meta_keys[] = {{"tools", true, parse_meta_tools}};

/* The first tool that one list has and the other lacks, or NULL. */
static const char *first_missing(const struct plugin_manifest *m, const struct tool_list *l)
{
        for (size_t i = 0; i < m->n_tools; i++)
                if (!find_tool(l->tools, l->n, m->tools[i].name))
                        return m->tools[i].name;
        return NULL;
}

/* With the tool that was meant, or those that there are. */
static int refuse_missing(const char *missing, const struct tool_list *list, struct err *e)
{
        const char *names[SHOWN_TOOLS], *near;
        scoped(str) struct str hint = {0};
        size_t n = MIN_OF(list->n, (size_t)SHOWN_TOOLS);

        for (size_t i = 0; i < n; i++)
                names[i] = list->tools[i].name;
        near = str_nearest(missing, names, n);
        if (near)
                str_addf(&hint, "; did you mean %s?", near);
        for (size_t i = 0; !near && i < n; i++)
                str_addf(&hint, "%s%s%s", i ? ", " : " (it has: ", names[i], i + 1 < n ? "" : ")");
        return err_set(e, -EINVAL, "it has no tool \"%s\", which manifest.json lists%s", missing,
                       hint.data ? hint.data : "");
}

int plugin_manifest_merge_meta(struct plugin_manifest *m, const char *json, size_t n, struct err *e)
{
        const struct manifest_source source = {json, n, e};
        scoped(json_decref) json_t *value = NULL;
        scoped(tool_list) struct tool_list list = {0};
        struct manifest_at root = {.source = &source};
        const char *missing;
        int r;

        r = json_parse(json, n, &value, e);
        if (r < 0)
                return r == -EBADMSG ? err_wrap(e, -EINVAL, "what it says of its tools") : r;
        root.value = value;
        r = manifest_read_object(&root, meta_keys, ARRAY_LEN(meta_keys), &list);
        if (r == 0)
                r = manifest_tools_find_files(&root, m->runtime, list.tools, list.n);
        if (r < 0)
                return err_wrap(e, r, "what it says of its tools");
        missing = first_missing(m, &list);
        if (missing)
                return refuse_missing(missing, &list, e);
        /* A second instance says the same again: the first one's word stands. */
        if (m->has_tools || m->n_tools)
                return 0;
        free(m->tools);
        m->tools = take_ptr(list.tools);
        m->n_tools = list.n;
        list.n = 0;
        return 0;
}
