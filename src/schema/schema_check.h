/* schema_check.h -- one validation under way, and the checks that keywords are made of.
 * Knows: nodes, values.    May not know: how schemas are compiled.
 * Threads: one validation each.   Owns: a run's scratch memory. */
#ifndef FORGESYTE_SCHEMA_CHECK_H
#define FORGESYTE_SCHEMA_CHECK_H

#include "schema/schema_budget.h"
#include "schema/schema_node.h"
#include "schema/schema_words.h"

/* Where in the instance we are: a chain on the C stack, innermost first. */
struct schema_spot {
        const struct schema_spot *outer;
        json_t *value;   /* never written to, reference count included */
        const char *key; /* the member's name; NULL: an item, or the whole */
        size_t key_len, index;
        unsigned level;      /* how far below the whole */
        unsigned base_depth; /* run->depth when we came here */
};

/* The resources we came through, innermost first: what $dynamicRef looks along. */
struct schema_scope {
        const struct schema_scope *outer;
        const struct schema_resource *resource;
};

/* Which members or items of one value some schema has looked at. */
#define SCHEMA_MARKS_INLINE 256
struct schema_marks {
        size_t n;
        uint64_t *more; /* for n above SCHEMA_MARKS_INLINE, owned */
        uint64_t few[SCHEMA_MARKS_INLINE / 64];
};

/* quiet: above 0, failures are counted but not put into words. fail_level: the level of the last
 * failure, for anyOf to choose the branch that came furthest. */
struct schema_run {
        const struct json_schema *schema;
        struct schema_budget budget;
        struct schema_matcher *matcher; /* owned; NULL until the first pattern */
        const struct schema_scope *scope;
        unsigned depth, quiet, fail_level;
        struct json_schema_violation *violation;
};

/* 0 fine, 1 not (and schema_fail was called), -E2BIG, -ENOMEM. marks may be NULL: nobody asks. */
typedef int schema_check(struct schema_run *run, const struct schema_rule *rule,
                         const struct schema_spot *spot, struct schema_marks *marks);

/* --- schema_run.c --- */
int schema_apply(struct schema_run *run, const struct schema_node *node,
                 const struct schema_spot *spot, struct schema_marks *marks) must_check;
/* The same without words, and with marks only of what turned out valid. */
int schema_try(struct schema_run *run, const struct schema_node *node,
               const struct schema_spot *spot, struct schema_marks *marks) must_check;
struct schema_spot schema_spot_member(const struct schema_run *run, const struct schema_spot *outer,
                                      const char *key, size_t key_len, json_t *value);
struct schema_spot schema_spot_item(const struct schema_run *run, const struct schema_spot *outer,
                                    size_t index);
/* 1 when text holds a match, 0 when not; <0. */
int schema_run_search(struct schema_run *run, const struct schema_regex *regex, const char *text,
                      size_t n) must_check;
/* Notes that `rule` (a keyword's name) is broken at `spot`; returns 1. */
int schema_fail(struct schema_run *run, const struct schema_spot *spot, const char *rule,
                const char *fmt, ...) printf_like(4, 5);
/* Like schema_fail; the words are the value at `spot`, then fmt, then `operand` unless NULL. */
int schema_fail_value(struct schema_run *run, const struct schema_spot *spot, const char *rule,
                      const char *words, const json_t *operand);

/* --- schema_marks.c --- */
int schema_marks_init(struct schema_run *run, struct schema_marks *m,
                      const json_t *value) must_check;
void schema_marks_done(struct schema_marks *m);
void schema_marks_set(struct schema_marks *m, size_t i);
void schema_marks_set_all(struct schema_marks *m);
bool schema_marks_has(const struct schema_marks *m, size_t i);
void schema_marks_merge(struct schema_marks *into, const struct schema_marks *from);

static inline void schema_marks_scoped(struct schema_marks *m)
{
        schema_marks_done(m);
}

/* --- schema_check_value.c --- */
schema_check schema_check_type, schema_check_enum, schema_check_const, schema_check_multiple_of,
    schema_check_maximum, schema_check_exclusive_maximum, schema_check_minimum,
    schema_check_exclusive_minimum, schema_check_max_length, schema_check_min_length,
    schema_check_pattern;
/* --- schema_check_array.c --- */
schema_check schema_check_max_items, schema_check_min_items, schema_check_unique_items,
    schema_check_prefix_items, schema_check_items, schema_check_items_or_list,
    schema_check_additional_items, schema_check_contains, schema_check_unevaluated_items;
/* --- schema_check_object.c --- */
schema_check schema_check_max_properties, schema_check_min_properties, schema_check_required,
    schema_check_dependencies, schema_check_properties, schema_check_pattern_properties,
    schema_check_additional_properties, schema_check_property_names,
    schema_check_unevaluated_properties;
/* --- schema_check_logic.c --- */
schema_check schema_check_ref, schema_check_dynamic_ref, schema_check_all_of, schema_check_any_of,
    schema_check_one_of, schema_check_not, schema_check_if;

#endif
