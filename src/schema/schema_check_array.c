/* What is asked of arrays. */
#include <stdlib.h>

#include "schema/schema_check.h"
#include "schema/schema_keywords.h"
#include "schema/schema_value.h"

int schema_check_max_items(struct schema_run *run, const struct schema_rule *rule,
                           const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        size_t n = json_array_size(spot->value);

        if (!json_is_array(spot->value) || n <= rule->count)
                return 0;
        return schema_fail(run, spot, "maxItems", "%zu items are more than the maximum %zu", n,
                           rule->count);
}

int schema_check_min_items(struct schema_run *run, const struct schema_rule *rule,
                           const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        size_t n = json_array_size(spot->value);

        if (!json_is_array(spot->value) || n >= rule->count)
                return 0;
        return schema_fail(run, spot, "minItems", "%zu items are fewer than the minimum %zu", n,
                           rule->count);
}

/* --- uniqueItems: sorted by hash, so that only likely twins are compared --- */

struct hashed {
        uint64_t hash;
        size_t index;
};

static int by_hash(const void *x, const void *y)
{
        const struct hashed *a = x, *b = y;

        if (a->hash != b->hash)
                return a->hash < b->hash ? -1 : 1;
        return a->index < b->index ? -1 : 1;
}

static int compare_twins(struct schema_run *run, const struct schema_spot *spot,
                         const struct hashed *first, const struct hashed *end)
{
        for (const struct hashed *x = first; x < end; x++) {
                for (const struct hashed *y = x + 1; y < end && y->hash == x->hash; y++) {
                        int r =
                            schema_value_equal(&run->budget, json_array_get(spot->value, x->index),
                                               json_array_get(spot->value, y->index));

                        if (r < 0)
                                return r;
                        if (r)
                                return schema_fail(run, spot, "uniqueItems",
                                                   "items %zu and %zu are equal", x->index,
                                                   y->index);
                }
        }
        return 0;
}

int schema_check_unique_items(struct schema_run *run, const struct schema_rule *rule,
                              const struct schema_spot *spot,
                              struct schema_marks *marks unused_param)
{
        size_t n = json_array_size(spot->value);
        scoped(free) struct hashed *items = NULL;

        if (!json_is_true(rule->value) || n < 2)
                return 0;
        /* Sorting is charged up front, and so is the memory. */
        if (schema_spend(&run->budget, n * SCHEMA_STEP) < 0)
                return -E2BIG;
        items = calloc(n, sizeof *items);
        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                int r =
                    schema_value_hash(&run->budget, json_array_get(spot->value, i), &items[i].hash);

                if (r < 0)
                        return r;
                items[i].index = i;
        }
        qsort(items, n, sizeof *items, by_hash);
        return compare_twins(run, spot, items, items + n);
}

/* --- items --- */

/* Applies `node` to the items from `start` on. */
static int apply_from(struct schema_run *run, const struct schema_node *node,
                      const struct schema_spot *spot, size_t start, struct schema_marks *marks)
{
        size_t n = json_array_size(spot->value);

        for (size_t i = start; i < n; i++) {
                struct schema_spot item = schema_spot_item(run, spot, i);
                int r = schema_apply(run, node, &item, NULL);

                if (r != 0)
                        return r;
        }
        if (marks && n > start)
                schema_marks_set_all(marks);
        return 0;
}

int schema_check_prefix_items(struct schema_run *run, const struct schema_rule *rule,
                              const struct schema_spot *spot, struct schema_marks *marks)
{
        size_t n = MIN_OF(json_array_size(spot->value), rule->n_entries);

        for (size_t i = 0; i < n; i++) {
                struct schema_spot item = schema_spot_item(run, spot, i);
                int r = schema_apply(run, rule->entries[i].node, &item, NULL);

                if (r != 0)
                        return r;
                if (marks)
                        schema_marks_set(marks, i);
        }
        return 0;
}

/* Like apply_from, with words of its own where no item is allowed any more. */
static int apply_rest(struct schema_run *run, const struct schema_rule *rule,
                      const struct schema_spot *spot, size_t start, struct schema_marks *marks)
{
        size_t n = json_array_size(spot->value);

        if (rule->node->verdict == SCHEMA_NEVER && n > start)
                return schema_fail(run, spot, rule->keyword->name,
                                   "%zu items are more than the %zu allowed", n, start);
        return apply_from(run, rule->node, spot, start, marks);
}

int schema_check_items(struct schema_run *run, const struct schema_rule *rule,
                       const struct schema_spot *spot, struct schema_marks *marks)
{
        return apply_rest(run, rule, spot, rule->near[0] ? rule->near[0]->n_entries : 0, marks);
}

int schema_check_items_or_list(struct schema_run *run, const struct schema_rule *rule,
                               const struct schema_spot *spot, struct schema_marks *marks)
{
        return rule->node ? apply_rest(run, rule, spot, 0, marks)
                          : schema_check_prefix_items(run, rule, spot, marks);
}

/* Draft-07: only beside an `items` that is a list. */
int schema_check_additional_items(struct schema_run *run, const struct schema_rule *rule,
                                  const struct schema_spot *spot, struct schema_marks *marks)
{
        if (!rule->near[0] || rule->near[0]->node)
                return 0;
        return apply_rest(run, rule, spot, rule->near[0]->n_entries, marks);
}

static int count_matching(struct schema_run *run, const struct schema_rule *rule,
                          const struct schema_spot *spot, struct schema_marks *marks, size_t *ret)
{
        size_t count = 0;

        for (size_t i = 0; i < json_array_size(spot->value); i++) {
                struct schema_spot item = schema_spot_item(run, spot, i);
                int r = schema_try(run, rule->node, &item, NULL);

                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                count++;
                if (marks)
                        schema_marks_set(marks, i);
        }
        *ret = count;
        return 0;
}

int schema_check_contains(struct schema_run *run, const struct schema_rule *rule,
                          const struct schema_spot *spot, struct schema_marks *marks)
{
        size_t least = rule->near[0] ? rule->near[0]->count : 1;
        size_t most = rule->near[1] ? rule->near[1]->count : SIZE_MAX;
        size_t count = 0;
        int r;

        if (!json_is_array(spot->value))
                return 0;
        r = count_matching(run, rule, spot, marks, &count);
        if (r < 0)
                return r;
        if (count < least)
                return schema_fail(run, spot, rule->near[0] ? "minContains" : "contains",
                                   "%zu items match the schema of contains, at least %zu must",
                                   count, least);
        if (count > most)
                return schema_fail(run, spot, "maxContains",
                                   "%zu items match the schema of contains, at most %zu may", count,
                                   most);
        return 0;
}

int schema_check_unevaluated_items(struct schema_run *run, const struct schema_rule *rule,
                                   const struct schema_spot *spot, struct schema_marks *marks)
{
        for (size_t i = 0; i < json_array_size(spot->value); i++) {
                struct schema_spot item = schema_spot_item(run, spot, i);
                int r;

                if (schema_marks_has(marks, i))
                        continue;
                if (rule->node->verdict == SCHEMA_NEVER)
                        return schema_fail(run, &item, "unevaluatedItems",
                                           "no schema allows this item");
                r = schema_apply(run, rule->node, &item, NULL);
                if (r != 0)
                        return r;
        }
        if (json_is_array(spot->value))
                schema_marks_set_all(marks);
        return 0;
}
