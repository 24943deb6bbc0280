/* References, and schemas made of schemas. */
#include <string.h>

#include "schema/schema_check.h"
#include "schema/schema_keywords.h"

int schema_check_ref(struct schema_run *run, const struct schema_rule *rule,
                     const struct schema_spot *spot, struct schema_marks *marks)
{
        return schema_apply(run, rule->node, spot, marks);
}

/* Leaves *ret alone when the resource has no such anchor. */
static int find_dynamic_anchor(struct schema_run *run, const struct schema_resource *resource,
                               const char *name, const struct schema_node **ret)
{
        const struct schema_dynamic_anchor *anchor = resource->dynamic_anchors;

        for (; anchor; anchor = anchor->next) {
                if (schema_spend(&run->budget, SCHEMA_STEP) < 0)
                        return -E2BIG;
                if (strcmp(anchor->name, name) == 0)
                        *ret = anchor->node;
        }
        return 0;
}

/* The outermost resource we came through that has the anchor decides. */
int schema_check_dynamic_ref(struct schema_run *run, const struct schema_rule *rule,
                             const struct schema_spot *spot, struct schema_marks *marks)
{
        const struct schema_node *target = rule->node;
        const struct schema_scope *scope = rule->dynamic_anchor ? run->scope : NULL;

        for (; scope; scope = scope->outer) {
                int r = find_dynamic_anchor(run, scope->resource, rule->dynamic_anchor, &target);

                if (r < 0)
                        return r;
        }
        return schema_apply(run, target, spot, marks);
}

int schema_check_all_of(struct schema_run *run, const struct schema_rule *rule,
                        const struct schema_spot *spot, struct schema_marks *marks)
{
        int r = 0;

        for (size_t i = 0; i < rule->n_entries && r == 0; i++)
                r = schema_apply(run, rule->entries[i].node, spot, marks);
        return r;
}

/* What the branches of anyOf and oneOf came to. */
struct branches {
        size_t matched, first, second; /* how many, and which */
        size_t best;                   /* the one that failed deepest in the value */
        unsigned best_level;
};

/* Tries branches until `enough` matched (marks want to hear of all of them). */
static int try_branches(struct schema_run *run, const struct schema_rule *rule,
                        const struct schema_spot *spot, struct schema_marks *marks, size_t enough,
                        struct branches *ret)
{
        struct branches b = {.best_level = spot->level};

        for (size_t i = 0; i < rule->n_entries && (b.matched < enough || marks); i++) {
                int r = schema_try(run, rule->entries[i].node, spot, marks);

                if (r < 0)
                        return r;
                if (r == 0) {
                        *(b.matched == 0 ? &b.first : &b.second) = i;
                        b.matched++;
                } else if (run->fail_level > b.best_level) {
                        b.best = i;
                        b.best_level = run->fail_level;
                }
        }
        *ret = b;
        return 0;
}

/* The branch that got deepest into the value is the one that was meant: its words are shown. It is
 * walked again for them, so that trying branches costs no words. */
static int fail_no_branch(struct schema_run *run, const struct schema_rule *rule,
                          const struct schema_spot *spot, const struct branches *b)
{
        if (!run->quiet && (b->best_level > spot->level || rule->n_entries == 1))
                return schema_apply(run, rule->entries[b->best].node, spot, NULL);
        schema_fail(run, spot, rule->keyword->name, "matches none of the %zu schemas of %s",
                    rule->n_entries, rule->keyword->name);
        run->fail_level = b->best_level;
        return 1;
}

int schema_check_any_of(struct schema_run *run, const struct schema_rule *rule,
                        const struct schema_spot *spot, struct schema_marks *marks)
{
        struct branches b;
        int r = try_branches(run, rule, spot, marks, 1, &b);

        if (r < 0 || b.matched)
                return r;
        return fail_no_branch(run, rule, spot, &b);
}

int schema_check_one_of(struct schema_run *run, const struct schema_rule *rule,
                        const struct schema_spot *spot, struct schema_marks *marks)
{
        struct branches b;
        int r = try_branches(run, rule, spot, marks, 2, &b);

        if (r < 0 || b.matched == 1)
                return r;
        if (b.matched == 0)
                return fail_no_branch(run, rule, spot, &b);
        return schema_fail(run, spot, "oneOf",
                           "matches more than one schema of oneOf (numbers %zu and %zu of %zu)",
                           b.first + 1, b.second + 1, rule->n_entries);
}

int schema_check_not(struct schema_run *run, const struct schema_rule *rule,
                     const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        int r = schema_try(run, rule->node, spot, NULL);

        if (r < 0)
                return r;
        return r == 0 ? schema_fail_value(run, spot, "not", "matches what it must not match", NULL)
                      : 0;
}

int schema_check_if(struct schema_run *run, const struct schema_rule *rule,
                    const struct schema_spot *spot, struct schema_marks *marks)
{
        int r = schema_try(run, rule->node, spot, marks);
        const struct schema_rule *branch;

        if (r < 0)
                return r;
        branch = rule->near[r];
        return branch ? schema_apply(run, branch->node, spot, marks) : 0;
}
