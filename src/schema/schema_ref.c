/* What a $ref means: a document by its URI, then a place in it by pointer or anchor. */
#include <errno.h>
#include <string.h>

#include "schema/schema_build.h"
#include "schema/schema_uri.h"

/* The next token of a pointer, unescaped into buf[0..size). False when it is malformed or too
 * long to be a key that anyone has. */
static bool next_token(const char **pointer, char *buf, size_t size)
{
        const char *at = *pointer + 1;
        size_t n = 0;

        for (; *at && *at != '/'; at++) {
                char c = *at;

                if (c == '~') {
                        at++;
                        if (*at != '0' && *at != '1')
                                return false;
                        c = *at == '0' ? '~' : '/';
                }
                if (n == size - 1)
                        return false;
                buf[n++] = c;
        }
        buf[n] = '\0';
        *pointer = at;
        return true;
}

static const json_t *child(const json_t *value, const char *token)
{
        size_t index = 0;

        if (json_is_object(value))
                return json_object_get(value, token);
        if (!*token || (*token == '0' && token[1]))
                return NULL;
        for (; *token; token++) {
                if (*token < '0' || *token > '9' || index > JSON_SCHEMA_VALUES_MAX)
                        return NULL;
                index = index * 10 + (size_t)(*token - '0');
        }
        return json_array_get(value, index);
}

/* Follows `pointer` from `root`. ret_around: the innermost schema on the way, whose resource and
 * draft hold at the target. The target, or NULL. */
static const json_t *follow(struct schema_build *b, const struct schema_node *root,
                            const char *pointer, const struct schema_node **ret_around)
{
        const json_t *value = root->source;
        char token[1024];

        *ret_around = root;
        while (*pointer && value) {
                const struct schema_node *here;

                if (!next_token(&pointer, token, sizeof token))
                        return NULL;
                value = child(value, token);
                here = json_is_object(value) ? schema_scan_node(b, value) : NULL;
                if (here)
                        *ret_around = here;
        }
        return value;
}

/* A pointer may lead where no keyword says that a schema stands; it then becomes one. */
static int resolve_pointer(struct schema_build *b, const struct schema_node *root,
                           const char *pointer, const struct schema_node **ret)
{
        struct schema_place place = {.index = SCHEMA_NO_INDEX};
        const struct schema_node *around;
        const json_t *value = follow(b, root, pointer, &around);
        int r;

        *ret = NULL;
        if (!value)
                return 0;
        if (!schema_scan_node(b, value)) {
                place.text = schema_arena_text(&b->schema->arena, pointer, strlen(pointer));
                if (!place.text)
                        return schema_build_no_memory(b);
        }
        r = schema_scan(b, value, &place, around->resource);
        if (r == 0)
                *ret = schema_scan_node(b, value);
        return r;
}

/* The node that `uri` means; *ret is NULL when there is none. */
static int find_target(struct schema_build *b, const struct schema_uri *uri,
                       const struct schema_node **ret)
{
        bool pointer = *uri->fragment == '/';
        int r = schema_scan_named(b, uri->document, pointer ? "" : uri->fragment, ret);

        if (r < 0)
                return schema_build_no_memory(b);
        return pointer && *ret ? resolve_pointer(b, *ret, uri->fragment, ret) : 0;
}

int schema_ref_resolve(struct schema_build *b, const struct schema_node *node, const char *keyword,
                       const char *reference, const struct schema_node **ret,
                       const char **ret_dynamic)
{
        scoped(schema_uri) struct schema_uri uri = {0};
        const struct schema_node *target = NULL;
        const char *dynamic;
        int r = schema_uri_resolve(node->resource->uri, reference, &uri);

        if (r < 0)
                return schema_build_uri_fail(b, node, keyword, r);
        r = find_target(b, &uri, &target);
        if (r < 0)
                return r;
        if (!target)
                return schema_build_fail(b, node, keyword, NULL,
                                         "\"%.200s\" leads to no schema in this document",
                                         reference);
        dynamic = json_string_value(json_object_get(target->source, "$dynamicAnchor"));
        *ret_dynamic = dynamic && strcmp(dynamic, uri.fragment) == 0 ? dynamic : NULL;
        *ret = target;
        return 0;
}
