/* schema_build.h -- a schema document on its way to becoming a struct json_schema.
 * Knows: keywords, URIs.   May not know: instances.
 * Threads: one at a time.  Owns: the index of what was found so far. */
#ifndef FORGESYTE_SCHEMA_BUILD_H
#define FORGESYTE_SCHEMA_BUILD_H

#include "schema/schema_node.h"

/* nodes: every node found, in order; rules are compiled for each in turn while references may
 * still add more. index: an object from the address of a JSON object, and from "uri#anchor", to a
 * place in nodes. */
struct schema_build {
        struct json_schema *schema;
        enum json_schema_draft default_draft;
        struct schema_node **nodes;
        size_t n_nodes, cap_nodes;
        json_t *index;
        size_t name_bytes; /* in the keys of index */
        struct err *e;
};

/* --- schema_scan.c: which values are schemas, and what they are called --- */

/* Registers the schema at `place` and all below it, unless that has happened. resource: the one
 * around it, or NULL for the document. -EINVAL, -ENOMEM. */
int schema_scan(struct schema_build *b, const json_t *source, const struct schema_place *place,
                struct schema_resource *resource) must_check;
/* The node of a scanned schema; booleans have two that all share. NULL when it wasn't scanned. */
const struct schema_node *schema_scan_node(const struct schema_build *b, const json_t *source);
/* The node called "document#anchor", or NULL. 0 or -ENOMEM. */
int schema_scan_named(const struct schema_build *b, const char *document, const char *anchor,
                      const struct schema_node **ret) must_check;
/* Words about keyword[/key] of the schema at `node`; both may be NULL. Returns -EINVAL. */
int schema_build_fail(struct schema_build *b, const struct schema_node *node, const char *keyword,
                      const char *key, const char *fmt, ...) printf_like(5, 6);
int schema_build_no_memory(struct schema_build *b);
/* Words for what schema_uri_resolve returned. */
int schema_build_uri_fail(struct schema_build *b, const struct schema_node *node,
                          const char *keyword, int r);

/* --- schema_ref.c --- */

/* What `reference` means in `node`. ret_dynamic: the anchor's name when the target stands there as
 * a $dynamicAnchor, else NULL. */
int schema_ref_resolve(struct schema_build *b, const struct schema_node *node, const char *keyword,
                       const char *reference, const struct schema_node **ret,
                       const char **ret_dynamic) must_check;

/* --- schema_rule.c --- */

/* Compiles the rules of one scanned node. */
int schema_rule_compile_all(struct schema_build *b, struct schema_node *node) must_check;

#endif
