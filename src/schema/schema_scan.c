/* The first pass: which values of the document are schemas, and what they are called. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "schema/schema_build.h"
#include "schema/schema_keywords.h"
#include "schema/schema_uri.h"
#include "schema/schema_words.h"

/* --- words --- */

static void add_place(struct schema_words *w, const struct schema_node *node)
{
        const struct schema_place *p = &node->place;

        if (p->parent)
                add_place(w, p->parent);
        if (p->text)
                schema_words_add(w, p->text, strlen(p->text));
        if (p->keyword)
                schema_words_add_token(w, p->keyword, strlen(p->keyword));
        if (p->key)
                schema_words_add_token(w, p->key, strlen(p->key));
        if (p->index != SCHEMA_NO_INDEX)
                schema_words_addf(w, "/%zu", p->index);
}

int schema_build_fail(struct schema_build *b, const struct schema_node *node, const char *keyword,
                      const char *key, const char *fmt, ...)
{
        char pointer[256], words[256];
        struct schema_words w = schema_words_in(pointer, sizeof pointer);
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(words, sizeof words, fmt, ap);
        va_end(ap);
        if (node)
                add_place(&w, node);
        if (keyword)
                schema_words_add_token(&w, keyword, strlen(keyword));
        if (key)
                schema_words_add_token(&w, key, strlen(key));
        return err_set(b->e, -EINVAL, "%s%s%s", pointer, *pointer ? ": " : "", words);
}

int schema_build_no_memory(struct schema_build *b)
{
        return err_set(b->e, -ENOMEM, "no memory to compile a schema");
}

int schema_build_uri_fail(struct schema_build *b, const struct schema_node *node,
                          const char *keyword, int r)
{
        if (r == -ENOMEM)
                return schema_build_no_memory(b);
        return schema_build_fail(b, node, keyword, NULL, "a URI of more than %d bytes",
                                 SCHEMA_URI_MAX);
}

/* --- the index --- */

/* A long base URI before every anchor would otherwise make a small document large. */
#define NAME_BYTES_MAX MIB(4)

#define ADDRESS_SIZE 24

static void address_of(const json_t *source, char *buf)
{
        snprintf(buf, ADDRESS_SIZE, "%p", (const void *)source);
}

/* The node the index has under `key`, or NULL. */
static struct schema_node *indexed(const struct schema_build *b, const char *key)
{
        const json_t *at = json_object_get(b->index, key);

        return at ? b->nodes[json_integer_value(at)] : NULL;
}

const struct schema_node *schema_scan_node(const struct schema_build *b, const json_t *source)
{
        char address[ADDRESS_SIZE];

        if (json_is_boolean(source))
                return json_is_true(source) ? &b->schema->always : &b->schema->never;
        address_of(source, address);
        return indexed(b, address);
}

static int name_of(struct str *name, const char *document, const char *anchor)
{
        str_adds(name, document);
        str_addc(name, '#');
        str_adds(name, anchor);
        return name->bad ? -ENOMEM : 0;
}

int schema_scan_named(const struct schema_build *b, const char *document, const char *anchor,
                      const struct schema_node **ret)
{
        scoped(str) struct str name = {0};
        int r = name_of(&name, document, anchor);

        if (r == 0)
                *ret = indexed(b, name.data);
        return r;
}

/* Calls the newest node "document#anchor". */
static int add_name(struct schema_build *b, const char *keyword, const char *document,
                    const char *anchor)
{
        struct schema_node *node = b->nodes[b->n_nodes - 1];
        scoped(str) struct str name = {0};
        struct schema_node *other;

        if (name_of(&name, document, anchor) < 0)
                return schema_build_no_memory(b);
        other = indexed(b, name.data);
        if (other && other != node)
                return schema_build_fail(b, node, keyword, NULL, "another schema has this name");
        b->name_bytes += name.len;
        if (b->name_bytes > NAME_BYTES_MAX)
                return schema_build_fail(b, node, keyword, NULL, "too many and too long names");
        if (json_object_set_new(b->index, name.data, json_integer((json_int_t)b->n_nodes - 1)) < 0)
                return schema_build_no_memory(b);
        return 0;
}

/* --- names and resources --- */

static const struct {
        const char *uri;
        enum json_schema_draft draft;
} known_drafts[] = {
    {"https://json-schema.org/draft/2020-12/schema", JSON_SCHEMA_2020_12},
    {"http://json-schema.org/draft-07/schema", JSON_SCHEMA_DRAFT_07},
    {"https://json-schema.org/draft-07/schema", JSON_SCHEMA_DRAFT_07},
};

/* Leaves *draft alone when there is no $schema. */
static int read_draft(struct schema_build *b, const struct schema_node *node,
                      enum json_schema_draft *draft)
{
        const json_t *value = json_object_get(node->source, "$schema");
        const char *uri = json_string_value(value);
        size_t n;

        if (!value)
                return 0;
        if (!uri)
                return schema_build_fail(b, node, "$schema", NULL, "not a string");
        n = strlen(uri);
        n -= n > 0 && uri[n - 1] == '#';
        for (size_t i = 0; i < ARRAY_LEN(known_drafts); i++) {
                if (strlen(known_drafts[i].uri) == n && memcmp(known_drafts[i].uri, uri, n) == 0) {
                        *draft = known_drafts[i].draft;
                        return 0;
                }
        }
        return schema_build_fail(b, node, "$schema", NULL,
                                 "neither draft 2020-12 nor draft-07, which are the known ones");
}

/* Begins a resource called `uri` at the newest node. */
static int begin_resource(struct schema_build *b, const char *uri, enum json_schema_draft draft)
{
        struct schema_node *node = b->nodes[b->n_nodes - 1];
        struct schema_resource *resource =
            schema_arena_alloc(&b->schema->arena, 1, sizeof *resource);
        const char *own_uri = schema_arena_text(&b->schema->arena, uri, strlen(uri));

        if (!resource || !own_uri)
                return schema_build_no_memory(b);
        resource->uri = own_uri;
        resource->draft = draft;
        node->resource = resource;
        return add_name(b, "$id", uri, "");
}

/* The document itself is a resource with or without an $id. */
static int read_document(struct schema_build *b, struct schema_node *node)
{
        enum json_schema_draft draft = b->default_draft;
        int r = read_draft(b, node, &draft);

        return r < 0 ? r : begin_resource(b, "", draft);
}

/* In draft-07 a $ref makes its siblings void, $id included. */
static bool only_ref_counts(const struct schema_node *node)
{
        return node->resource->draft == JSON_SCHEMA_DRAFT_07 &&
               json_object_get(node->source, "$ref");
}

static int read_id(struct schema_build *b, struct schema_node *node)
{
        const json_t *value = json_object_get(node->source, "$id");
        const char *id = json_string_value(value);
        enum json_schema_draft draft = node->resource->draft;
        scoped(schema_uri) struct schema_uri uri = {0};
        int r;

        if (!value || only_ref_counts(node))
                return 0;
        if (!id)
                return schema_build_fail(b, node, "$id", NULL, "not a string");
        r = schema_uri_resolve(node->resource->uri, id, &uri);
        if (r < 0)
                return schema_build_uri_fail(b, node, "$id", r);
        if (*uri.fragment && draft != JSON_SCHEMA_DRAFT_07)
                return schema_build_fail(b, node, "$id", NULL, "has a fragment (use $anchor)");
        if (*id != '#') {
                r = read_draft(b, node, &draft);
                if (r == 0)
                        r = begin_resource(b, uri.document, draft);
                if (r < 0)
                        return r;
        }
        return *uri.fragment ? add_name(b, "$id", uri.document, uri.fragment) : 0;
}

static int add_dynamic_anchor(struct schema_build *b, struct schema_node *node, const char *name)
{
        struct schema_dynamic_anchor *anchor =
            schema_arena_alloc(&b->schema->arena, 1, sizeof *anchor);

        if (!anchor)
                return schema_build_no_memory(b);
        anchor->name = name;
        anchor->node = node;
        anchor->next = node->resource->dynamic_anchors;
        node->resource->dynamic_anchors = anchor;
        return 0;
}

static int read_anchors(struct schema_build *b, struct schema_node *node)
{
        const char *plain = json_string_value(json_object_get(node->source, "$anchor"));
        const char *dynamic = json_string_value(json_object_get(node->source, "$dynamicAnchor"));
        int r = 0;

        if (node->resource->draft == JSON_SCHEMA_DRAFT_07)
                return 0;
        if (plain)
                r = add_name(b, "$anchor", node->resource->uri, plain);
        if (r == 0 && dynamic)
                r = add_name(b, "$dynamicAnchor", node->resource->uri, dynamic);
        if (r == 0 && dynamic)
                r = add_dynamic_anchor(b, node, dynamic);
        return r;
}

/* --- the walk --- */

static int add_node(struct schema_build *b, const json_t *source, const struct schema_place *place,
                    struct schema_resource *resource, struct schema_node **ret)
{
        struct schema_node *node = schema_arena_alloc(&b->schema->arena, 1, sizeof *node);
        char address[ADDRESS_SIZE];

        if (b->n_nodes == b->cap_nodes) {
                size_t cap = b->cap_nodes ? b->cap_nodes * 2 : 16;
                struct schema_node **nodes = realloc(b->nodes, cap * sizeof(struct schema_node *));

                if (!nodes)
                        return schema_build_no_memory(b);
                b->nodes = nodes;
                b->cap_nodes = cap;
        }
        address_of(source, address);
        if (!node ||
            json_object_set_new(b->index, address, json_integer((json_int_t)b->n_nodes)) < 0)
                return schema_build_no_memory(b);
        node->source = source;
        node->place = *place;
        node->resource = resource;
        b->nodes[b->n_nodes++] = node;
        *ret = node;
        return 0;
}

static int scan_list(struct schema_build *b, const struct schema_node *node, const char *keyword,
                     const json_t *list)
{
        int r = 0;

        for (size_t i = 0; i < json_array_size(list) && r == 0; i++) {
                struct schema_place place = {.parent = node, .keyword = keyword, .index = i};

                r = schema_scan(b, json_array_get(list, i), &place, node->resource);
        }
        return r;
}

/* Of `dependencies` only the members that are schemas. */
static int scan_map(struct schema_build *b, const struct schema_node *node, const char *keyword,
                    const json_t *map, bool or_names)
{
        const char *key;
        json_t *value;

        json_object_foreach ((json_t *)map, key, value) {
                struct schema_place place = {
                    .parent = node, .keyword = keyword, .key = key, .index = SCHEMA_NO_INDEX};
                int r = 0;

                if (!or_names || !json_is_array(value))
                        r = schema_scan(b, value, &place, node->resource);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The schemas in one keyword's value. What is no list or map where one must be is found later. */
static int scan_keyword(struct schema_build *b, const struct schema_node *node,
                        const struct schema_keyword *k, const json_t *value)
{
        struct schema_place place = {.parent = node, .keyword = k->name, .index = SCHEMA_NO_INDEX};

        switch (k->shape) {
        case SHAPE_SCHEMA:
                return schema_scan(b, value, &place, node->resource);
        case SHAPE_SCHEMA_OR_SCHEMAS:
                if (!json_is_array(value))
                        return schema_scan(b, value, &place, node->resource);
                return scan_list(b, node, k->name, value);
        case SHAPE_SCHEMAS:
                return scan_list(b, node, k->name, value);
        case SHAPE_SCHEMA_BY_NAME:
        case SHAPE_SCHEMA_BY_REGEX:
        case SHAPE_SCHEMA_OR_NAMES_BY_NAME:
                return scan_map(b, node, k->name, value, k->shape == SHAPE_SCHEMA_OR_NAMES_BY_NAME);
        case SHAPE_ANY:
        case SHAPE_TEXT:
        case SHAPE_FLAG:
        case SHAPE_LIST:
        case SHAPE_MAP:
        case SHAPE_NUMBER:
        case SHAPE_ABOVE_ZERO:
        case SHAPE_COUNT:
        case SHAPE_TYPES:
        case SHAPE_NAMES:
        case SHAPE_NAMES_BY_NAME:
        case SHAPE_REGEX:
        case SHAPE_REFERENCE:
        case SHAPE_ANCHOR:
                return 0;
        }
        return 0;
}

/* Draft-07 documents often have a $ref and the definitions it means side by side, so those are
 * still looked into. */
static int scan_keywords(struct schema_build *b, const struct schema_node *node)
{
        bool definitions_only = only_ref_counts(node);
        int r = 0;

        for (size_t i = 0; schema_keywords[i].name && r == 0; i++) {
                const struct schema_keyword *k = &schema_keywords[i];

                if ((node->keywords >> i & 1) &&
                    (!definitions_only || strcmp(k->name, "definitions") == 0))
                        r = scan_keyword(b, node, k, json_object_get(node->source, k->name));
        }
        return r;
}

int schema_scan(struct schema_build *b, const json_t *source, const struct schema_place *place,
                struct schema_resource *resource)
{
        struct schema_node *node = NULL;
        int r;

        if (json_is_boolean(source))
                return 0;
        if (!json_is_object(source)) {
                struct schema_node here = {.place = *place};

                return schema_build_fail(b, &here, NULL, NULL,
                                         "not a schema (an object or a boolean)");
        }
        if (schema_scan_node(b, source))
                return 0;
        r = add_node(b, source, place, resource, &node);
        if (r == 0 && !resource)
                r = read_document(b, node);
        if (r == 0)
                r = read_id(b, node);
        if (r == 0)
                r = read_anchors(b, node);
        if (r < 0)
                return r;
        node->keywords = schema_keywords_in(source, node->resource->draft);
        return scan_keywords(b, node);
}
