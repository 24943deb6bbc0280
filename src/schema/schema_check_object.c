/* What is asked of objects. */
#include <string.h>

#include "base/json.h"
#include "schema/schema_check.h"
#include "schema/schema_keywords.h"

int schema_check_max_properties(struct schema_run *run, const struct schema_rule *rule,
                                const struct schema_spot *spot,
                                struct schema_marks *marks unused_param)
{
        size_t n = json_object_size(spot->value);

        if (!json_is_object(spot->value) || n <= rule->count)
                return 0;
        return schema_fail(run, spot, "maxProperties",
                           "%zu properties are more than the maximum %zu", n, rule->count);
}

int schema_check_min_properties(struct schema_run *run, const struct schema_rule *rule,
                                const struct schema_spot *spot,
                                struct schema_marks *marks unused_param)
{
        size_t n = json_object_size(spot->value);

        if (!json_is_object(spot->value) || n >= rule->count)
                return 0;
        return schema_fail(run, spot, "minProperties",
                           "%zu properties are fewer than the minimum %zu", n, rule->count);
}

/* What looking a name up costs: a step, and hashing or comparing it. */
static int must_check spend_name(struct schema_run *run, size_t n)
{
        return schema_spend(&run->budget, SCHEMA_STEP + n / SCHEMA_BYTES_PER_PART);
}

static bool has_name(const json_t *object, const json_t *name)
{
        return json_object_getn(object, json_string_value(name), json_string_length(name));
}

/* because: the property that makes them required, or NULL. */
static int require_names(struct schema_run *run, const char *rule, const struct schema_spot *spot,
                         const json_t *names, const char *because)
{
        size_t n = json_array_size(names);

        for (size_t i = 0; i < n; i++) {
                const json_t *name = json_array_get(names, i);

                if (spend_name(run, json_string_length(name)) < 0)
                        return -E2BIG;
                if (has_name(spot->value, name))
                        continue;
                if (!because)
                        return schema_fail(run, spot, rule, "\"%.200s\" is required and missing",
                                           json_string_value(name));
                return schema_fail(run, spot, rule,
                                   "\"%.150s\" is required beside \"%.150s\" and missing",
                                   json_string_value(name), because);
        }
        return 0;
}

int schema_check_required(struct schema_run *run, const struct schema_rule *rule,
                          const struct schema_spot *spot, struct schema_marks *marks unused_param)
{
        if (!json_is_object(spot->value))
                return 0;
        return require_names(run, "required", spot, rule->value, NULL);
}

/* dependentRequired, dependentSchemas and the older dependencies, which is both. */
int schema_check_dependencies(struct schema_run *run, const struct schema_rule *rule,
                              const struct schema_spot *spot, struct schema_marks *marks)
{
        int r = 0;

        for (size_t i = 0; i < rule->n_entries && r == 0; i++) {
                const struct schema_entry *entry = &rule->entries[i];

                r = spend_name(run, entry->key_len);
                if (r < 0 || !json_object_getn(spot->value, entry->key, entry->key_len))
                        continue;
                r = entry->node
                        ? schema_apply(run, entry->node, spot, marks)
                        : require_names(run, rule->keyword->name, spot, entry->names, entry->key);
        }
        return r;
}

/* --- the members, one by one --- */

/* One member of the object at hand; i is its place in the object's order, which marks go by. */
struct member {
        struct schema_spot spot;
        size_t i;
};

/* 0 go on; anything else ends the walk and is its result. */
typedef int visit_member(struct schema_run *run, const struct schema_rule *rule,
                         const struct member *member, struct schema_marks *marks);

static int visit_members(struct schema_run *run, const struct schema_rule *rule,
                         const struct schema_spot *spot, struct schema_marks *marks,
                         visit_member *visit)
{
        const char *key;
        size_t key_len, i = 0;
        json_t *value;

        json_object_keylen_foreach(spot->value, key, key_len, value)
        {
                struct member member = {schema_spot_member(run, spot, key, key_len, value), i++};
                int r = spend_name(run, key_len);

                if (r == 0)
                        r = visit(run, rule, &member, marks);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* Applies `node` to the member, which thereby is evaluated. */
static int apply_member(struct schema_run *run, const struct schema_node *node,
                        const struct member *member, struct schema_marks *marks)
{
        if (marks)
                schema_marks_set(marks, member->i);
        return schema_apply(run, node, &member->spot, NULL);
}

static int visit_property(struct schema_run *run, const struct schema_rule *rule,
                          const struct member *member, struct schema_marks *marks)
{
        const struct schema_entry *entry =
            schema_rule_find(rule, member->spot.key, member->spot.key_len);

        return entry ? apply_member(run, entry->node, member, marks) : 0;
}

int schema_check_properties(struct schema_run *run, const struct schema_rule *rule,
                            const struct schema_spot *spot, struct schema_marks *marks)
{
        return visit_members(run, rule, spot, marks, visit_property);
}

static int visit_patterns(struct schema_run *run, const struct schema_rule *rule,
                          const struct member *member, struct schema_marks *marks)
{
        for (size_t i = 0; i < rule->n_entries; i++) {
                int r = schema_run_search(run, rule->entries[i].regex, member->spot.key,
                                          member->spot.key_len);

                if (r > 0)
                        r = apply_member(run, rule->entries[i].node, member, marks);
                if (r != 0)
                        return r;
        }
        return 0;
}

int schema_check_pattern_properties(struct schema_run *run, const struct schema_rule *rule,
                                    const struct schema_spot *spot, struct schema_marks *marks)
{
        return visit_members(run, rule, spot, marks, visit_patterns);
}

/* 1 when one of the patterns of `rule` (which may be NULL) matches the member's name; 0; <0. */
static int matches_pattern(struct schema_run *run, const struct schema_rule *rule,
                           const struct member *member)
{
        int r = 0;

        for (size_t i = 0; rule && i < rule->n_entries && r == 0; i++)
                r = schema_run_search(run, rule->entries[i].regex, member->spot.key,
                                      member->spot.key_len);
        return r;
}

static int visit_additional(struct schema_run *run, const struct schema_rule *rule,
                            const struct member *member, struct schema_marks *marks)
{
        int r;

        if (schema_rule_find(rule->near[0], member->spot.key, member->spot.key_len))
                return 0;
        r = matches_pattern(run, rule->near[1], member);
        if (r != 0)
                return r < 0 ? r : 0;
        if (rule->node->verdict == SCHEMA_NEVER)
                return schema_fail(run, &member->spot, "additionalProperties",
                                   "a property that is not allowed");
        return apply_member(run, rule->node, member, marks);
}

int schema_check_additional_properties(struct schema_run *run, const struct schema_rule *rule,
                                       const struct schema_spot *spot, struct schema_marks *marks)
{
        return visit_members(run, rule, spot, marks, visit_additional);
}

static int visit_unevaluated(struct schema_run *run, const struct schema_rule *rule,
                             const struct member *member, struct schema_marks *marks)
{
        if (schema_marks_has(marks, member->i))
                return 0;
        if (rule->node->verdict == SCHEMA_NEVER)
                return schema_fail(run, &member->spot, "unevaluatedProperties",
                                   "a property that no schema allows");
        return apply_member(run, rule->node, member, marks);
}

int schema_check_unevaluated_properties(struct schema_run *run, const struct schema_rule *rule,
                                        const struct schema_spot *spot, struct schema_marks *marks)
{
        return visit_members(run, rule, spot, marks, visit_unevaluated);
}

/* The name stands in for the value, at the member's own spot. It is a string of this validation's
 * own, so nothing shared is counted. */
static int visit_name(struct schema_run *run, const struct schema_rule *rule,
                      const struct member *member, struct schema_marks *marks unused_param)
{
        scoped(json_decref) json_t *name =
            json_stringn_nocheck(member->spot.key, member->spot.key_len);
        struct schema_spot spot = member->spot;
        int r;

        if (!name)
                return -ENOMEM;
        spot.value = name;
        r = schema_apply(run, rule->node, &spot, NULL);
        if (r > 0 && !run->quiet)
                memcpy(run->violation->rule, "propertyNames", sizeof "propertyNames");
        return r;
}

int schema_check_property_names(struct schema_run *run, const struct schema_rule *rule,
                                const struct schema_spot *spot, struct schema_marks *marks)
{
        return visit_members(run, rule, spot, marks, visit_name);
}
