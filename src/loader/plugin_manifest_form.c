/* Manifests in ForgeSyte's own form, known by their "id": what it says otherwise than ours, made
 * into the same struct. It is read as its own server reads it: tools as a list or by name, inputs
 * as names and types, keys that are not ours passed over.
 */
#include "loader/plugin_manifest_parts.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"
#include "loader/plugin_manifest_rules.h"

/* Behind the pointers of complaints about a schema that was made of names and types. */
#define ABOVE_PROPERTIES "/properties"

/* --- the name --- */

/* The id as one of our names, as far as case, dots and spaces are all that is between them. */
int manifest_form_parse_id(const struct manifest_at *at, void *into)
{
        struct plugin_manifest *m = into;
        int r = manifest_read_text(at, NULL, &m->name);

        for (char *p = m->name; p && *p; p++) {
                if (*p >= 'A' && *p <= 'Z')
                        *p = (char)(*p - 'A' + 'a');
                else if (*p == '.' || *p == ' ')
                        *p = '-';
        }
        if (r < 0 || str_is_plugin_name(m->name))
                return r;
        return manifest_complain(at, "must be 1 to 64 characters of A-Z, a-z, 0-9, space, ., _ "
                                     "and -: in lower case, with - for space and ., it is the "
                                     "plugin's name");
}

/* --- inputs --- */

static bool is_text(const json_t *value, const char *text)
{
        return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool ends_in(const char *name, const char *end)
{
        size_t n = strlen(name), len = strlen(end);

        return n >= len && strcasecmp(name + n - len, end) == 0;
}

static bool is_schema(const json_t *value)
{
        return json_is_object(json_object_get(value, "properties")) ||
               is_text(json_object_get(value, "type"), "object");
}

static int set_text(json_t *object, const char *key, const char *text)
{
        return json_object_set_new(object, key, json_string(text));
}

/* Words for types, JSON Schema's own and those of who thinks in Python. python/forgesyte_worker's
 * schemas.py knows the same ones. */
static const struct {
        const char *word, *type; /* NULL: bytes */
} types[] = {
    {"string", "string"},   {"str", "string"},    {"text", "string"},  {"integer", "integer"},
    {"int", "integer"},     {"number", "number"}, {"float", "number"}, {"double", "number"},
    {"boolean", "boolean"}, {"bool", "boolean"},  {"array", "array"},  {"list", "array"},
    {"tuple", "array"},     {"object", "object"}, {"dict", "object"},  {"json", "object"},
    {"bytes", NULL},        {"binary", NULL},     {"base64", NULL},    {"image", NULL},
    {"file", NULL},
};

/* "string", "integer?": the question mark says that it may be left out. An unknown word permits
 * anything. <0: no memory. */
static int set_type(json_t *property, const char *text, bool *optional)
{
        size_t n = strlen(text);

        if (n > 0 && text[n - 1] == '?') {
                *optional = true;
                n--;
        }
        json_object_del(property, "type");
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
                if (strlen(types[i].word) != n || memcmp(types[i].word, text, n) != 0)
                        continue;
                return types[i].type ? set_text(property, "type", types[i].type)
                                     : set_text(property, "contentEncoding", "base64");
        }
        return 0;
}

static bool says_bytes(const char *name, const json_t *property)
{
        const json_t *format = json_object_get(property, "format");

        return ends_in(name, "_bytes") || is_text(format, "base64") || is_text(format, "binary") ||
               is_text(format, "byte") ||
               is_text(json_object_get(property, "contentEncoding"), "base64");
}

/* A handler that asks for image_bytes wants bytes; one that asks for image_base64 decodes it
 * itself, whatever else is said of it. <0: no memory. */
static int mark_bytes(const char *name, json_t *property)
{
        const json_t *type = json_object_get(property, "type");

        if (!json_is_object(property) || (type && !is_text(type, "string")) ||
            !says_bytes(name, property))
                return 0;
        if (ends_in(name, "base64") || ends_in(name, "b64")) {
                json_object_del(property, "contentEncoding");
                return set_text(property, "type", "string");
        }
        return set_text(property, "type", "string") < 0 ||
                       set_text(property, "contentEncoding", "base64") < 0
                   ? -1
                   : 0;
}

/* A property's own schema; "required" and "optional" as members of it are older than JSON Schema's
 * list. NULL: no memory. */
static json_t *property_of_object(const json_t *declared, bool *optional)
{
        scoped(json_decref) json_t *property = json_deep_copy(declared);
        const char *type = json_string_value(json_object_get(declared, "type"));
        const json_t *required = json_object_get(declared, "required");

        if (!property || (type && set_type(property, type, optional) < 0))
                return NULL;
        if (json_object_get(declared, "default") || json_is_false(required) ||
            json_is_true(json_object_get(declared, "optional")))
                *optional = true;
        if (json_is_boolean(required))
                json_object_del(property, "required");
        return take_ptr(property);
}

/* NULL: no memory. */
static json_t *property_of(const char *name, const json_t *declared, bool *optional)
{
        scoped(json_decref) json_t *property =
            json_is_object(declared) ? property_of_object(declared, optional) : json_object();

        if (property && json_is_string(declared) &&
            set_type(property, json_string_value(declared), optional) < 0)
                return NULL;
        return property && mark_bytes(name, property) == 0 ? take_ptr(property) : NULL;
}

/* <0: no memory. */
static int add_input(json_t *schema, const char *name, const json_t *declared)
{
        bool optional = false;
        json_t *property = property_of(name, declared, &optional);

        if (!property ||
            json_object_set_new(json_object_get(schema, "properties"), name, property) < 0)
                return -1;
        return optional
                   ? 0
                   : json_array_append_new(json_object_get(schema, "required"), json_string(name));
}

static json_t *empty_schema(void)
{
        scoped(json_decref) json_t *schema = json_object();

        if (!schema || set_text(schema, "type", "object") < 0 ||
            json_object_set_new(schema, "properties", json_object()) < 0 ||
            json_object_set_new(schema, "required", json_array()) < 0)
                return NULL;
        return take_ptr(schema);
}

/* Of names and types, or of names alone (which may be anything). NULL: no memory. */
static json_t *schema_of_names(const json_t *inputs)
{
        scoped(json_decref) json_t *schema = empty_schema();
        const char *name;
        json_t *declared;
        size_t i;

        if (!schema)
                return NULL;
        json_object_foreach ((json_t *)inputs, name, declared)
                if (add_input(schema, name, declared) < 0)
                        return NULL;
        json_array_foreach (inputs, i, declared)
                if (!json_object_get(json_object_get(schema, "properties"),
                                     json_string_value(declared)) &&
                    add_input(schema, json_string_value(declared), NULL) < 0)
                        return NULL;
        return take_ptr(schema);
}

/* A schema as it was written, but for bytes. NULL: no memory. */
static json_t *schema_of_schema(const json_t *inputs)
{
        scoped(json_decref) json_t *schema = json_deep_copy(inputs);
        const char *name;
        json_t *property;

        if (!schema)
                return NULL;
        json_object_foreach (json_object_get(schema, "properties"), name, property)
                if (mark_bytes(name, property) < 0)
                        return NULL;
        return take_ptr(schema);
}

static int check_names(const struct manifest_at *at)
{
        for (size_t i = 0; i < json_array_size(at->value); i++) {
                struct manifest_at item = manifest_item(at, i);

                if (!json_is_string(item.value))
                        return manifest_complain(&item, "must be an argument's name");
        }
        return 0;
}

static int parse_inputs(const struct manifest_at *at, void *into)
{
        scoped(json_decref) json_t *schema = NULL;
        bool given = is_schema(at->value);

        if (!json_is_object(at->value) && !json_is_array(at->value))
                return manifest_complain(at, "must be an object of names and types, a list of "
                                             "names, or a JSON Schema");
        if (check_names(at) < 0)
                return -EINVAL;
        schema = given ? schema_of_schema(at->value) : schema_of_names(at->value);
        if (!schema)
                return manifest_no_memory(at);
        return manifest_tool_set_input(at, schema, given ? "" : ABOVE_PROPERTIES, into);
}

/* Names and types of an answer were never checked by who wrote them down: only a schema is. */
static int parse_outputs(const struct manifest_at *at, void *into)
{
        return is_schema(at->value) ? manifest_tool_parse_output(at, into) : 0;
}

/* --- tools --- */

static const struct manifest_key form_tool_keys[] = {
    {"id", false, manifest_tool_parse_name},
    {"description", false, manifest_tool_parse_description},
    {"inputs", false, parse_inputs},
    {"outputs", false, parse_outputs},
    {"input_schema", false, manifest_tool_parse_input},
    {"output_schema", false, manifest_tool_parse_output},
};

/* Among tools by name it is the member's; else the id, or where there is none the name. */
static int settle_name(const struct manifest_at *at, struct manifest_tool *tool)
{
        const json_t *name = json_object_get(at->value, "name");
        struct manifest_at member =
            name ? manifest_member(at, "name", name) : manifest_member(at, "id", NULL);
        const char *wrong = at->key ? manifest_rule_tool_name(at->key) : NULL;

        if (wrong)
                return manifest_complain(at, "the tool's name must be %s", wrong);
        if (at->key) {
                free(tool->name);
                tool->name = mem_dup0(at->key, strlen(at->key));
                return tool->name ? 0 : manifest_no_memory(at);
        }
        if (tool->name)
                return 0;
        return name ? manifest_tool_parse_name(&member, tool)
                    : manifest_complain(&member, "is missing");
}

static int read_form_tool(const struct manifest_at *at, void *into)
{
        struct manifest_tool *tool = into;
        const json_t *title = json_object_get(at->value, "title");
        struct manifest_at member = manifest_member(at, "title", title);
        int r = manifest_read_open_object(at, form_tool_keys, ARRAY_LEN(form_tool_keys), tool);

        if (r == 0)
                r = settle_name(at, tool);
        if (r < 0 || !json_is_string(title) || (tool->description && *tool->description))
                return r;
        return manifest_tool_parse_description(&member, tool);
}

int manifest_form_parse_tools(const struct manifest_at *at, void *into)
{
        struct plugin_manifest *m = into;

        if (!json_is_array(at->value) && !json_is_object(at->value))
                return manifest_complain(at, "must be a list, or an object of names and tools");
        m->has_tools = true;
        return manifest_tools_read(at, read_form_tool, &m->tools, &m->n_tools);
}
