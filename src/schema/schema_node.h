/* schema_node.h -- what a schema document is compiled into: a tree of nodes, each a list of rules.
 * Knows: jansson, regexes.   May not know: how rules are checked.
 * Threads: immutable once compiled.   Owns: nothing; struct json_schema owns all of it. */
#ifndef FORGESYTE_SCHEMA_NODE_H
#define FORGESYTE_SCHEMA_NODE_H

#include <jansson.h>
#include <stdbool.h>

#include "schema/json_schema.h"
#include "schema/schema_arena.h"
#include "schema/schema_regex.h"

struct schema_keyword;
struct schema_node;

/* One member of a keyword's object or array. Which fields are set depends on the keyword's shape;
 * the members of an object are sorted by key. */
struct schema_entry {
        const char *key;
        size_t key_len;
        const struct schema_node *node;
        const struct schema_regex *regex;
        const json_t *names; /* property names that the member asks for */
};

/* One keyword of one schema. near: the sibling rules that schema_keywords.c names, or NULL. */
struct schema_rule {
        const struct schema_keyword *keyword;
        const json_t *value;
        const struct schema_rule *near[2];
        const struct schema_node *node;
        const struct schema_entry *entries;
        size_t n_entries;
        size_t count;
        unsigned types; /* bits 1 << enum schema_type */
        const struct schema_regex *regex;
        const char *dynamic_anchor; /* a $dynamicRef that the dynamic scope may redirect */
};

struct schema_dynamic_anchor {
        const struct schema_dynamic_anchor *next;
        const char *name;
        const struct schema_node *node;
};

/* What an $id (or the document) begins: its own base URI, draft and dynamic anchors. */
struct schema_resource {
        const char *uri;
        enum json_schema_draft draft;
        const struct schema_dynamic_anchor *dynamic_anchors;
};

/* Where a node stands: parent/keyword/key or parent/keyword/index; text instead for one that only
 * a reference led to. */
struct schema_place {
        const struct schema_node *parent;
        const char *keyword, *key, *text;
        size_t index; /* SCHEMA_NO_INDEX: none */
};

#define SCHEMA_NO_INDEX ((size_t)-1)

enum schema_verdict { SCHEMA_ASKS_RULES, SCHEMA_ALWAYS, SCHEMA_NEVER };

struct schema_node {
        enum schema_verdict verdict;
        const json_t *source;
        struct schema_resource *resource;
        struct schema_place place;
        uint64_t keywords; /* as schema_keywords_in has them */
        const struct schema_rule *rules;
        size_t n_rules;
        bool tracks; /* has unevaluatedProperties or unevaluatedItems */
};

struct schema_regex_list {
        struct schema_regex_list *next;
        struct schema_regex *regex;
};

struct json_schema {
        json_t *document;
        struct schema_arena arena;
        struct schema_regex_list *regexes;
        size_t regex_bytes; /* of all of them */
        const struct schema_node *root;
        struct schema_node always, never;
};

enum schema_type {
        SCHEMA_NULL,
        SCHEMA_BOOLEAN,
        SCHEMA_OBJECT,
        SCHEMA_ARRAY,
        SCHEMA_NUMBER,
        SCHEMA_STRING,
        SCHEMA_INTEGER,
        SCHEMA_TYPES
};
extern const char *const schema_type_names[SCHEMA_TYPES];

/* The entry of `rule` (which may be NULL) for a member's name, or NULL. */
const struct schema_entry *schema_rule_find(const struct schema_rule *rule, const char *key,
                                            size_t key_len);

#endif
