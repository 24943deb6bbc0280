/* The walk: a node's rules, one after another, at one spot of the instance. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schema/schema_check.h"
#include "schema/schema_keywords.h"

struct schema_spot schema_spot_member(const struct schema_run *run, const struct schema_spot *outer,
                                      const char *key, size_t key_len, json_t *value)
{
        return (struct schema_spot){.outer = outer,
                                    .value = value,
                                    .key = key,
                                    .key_len = key_len,
                                    .level = outer->level + 1,
                                    .base_depth = run->depth};
}

struct schema_spot schema_spot_item(const struct schema_run *run, const struct schema_spot *outer,
                                    size_t index)
{
        return (struct schema_spot){.outer = outer,
                                    .value = json_array_get(outer->value, index),
                                    .index = index,
                                    .level = outer->level + 1,
                                    .base_depth = run->depth};
}

int schema_run_search(struct schema_run *run, const struct schema_regex *regex, const char *text,
                      size_t n)
{
        int r = run->matcher ? 0 : schema_matcher_new(&run->budget, &run->matcher);

        if (r < 0)
                return r;
        r = schema_regex_search(regex, run->matcher, text, n);
        if (r == -E2BIG && run->budget.left >= 0)
                snprintf(run->violation->message, sizeof run->violation->message,
                         "a pattern takes too much memory to match a text of %zu bytes", n);
        return r;
}

/* --- words --- */

static void add_pointer(struct schema_words *w, const struct schema_spot *spot)
{
        if (!spot->outer)
                return;
        add_pointer(w, spot->outer);
        if (spot->key)
                schema_words_add_token(w, spot->key, spot->key_len);
        else
                schema_words_addf(w, "/%zu", spot->index);
}

/* Fills in pointer and rule, and begins the message with the pointer, if there is one. */
static struct schema_words begin_violation(struct json_schema_violation *v,
                                           const struct schema_spot *spot, const char *rule)
{
        struct schema_words pointer = schema_words_in(v->pointer, sizeof v->pointer);
        struct schema_words message = schema_words_in(v->message, sizeof v->message);

        add_pointer(&pointer, spot);
        snprintf(v->rule, sizeof v->rule, "%s", rule);
        if (*v->pointer)
                schema_words_addf(&message, "%s: ", v->pointer);
        return message;
}

int schema_fail(struct schema_run *run, const struct schema_spot *spot, const char *rule,
                const char *fmt, ...)
{
        run->fail_level = spot->level;
        if (run->quiet)
                return 1;
        struct schema_words message = begin_violation(run->violation, spot, rule);
        char text[ERR_MSG_MAX];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        schema_words_add(&message, text, strlen(text));
        return 1;
}

int schema_fail_value(struct schema_run *run, const struct schema_spot *spot, const char *rule,
                      const char *words, const json_t *operand)
{
        run->fail_level = spot->level;
        if (run->quiet)
                return 1;
        struct schema_words message = begin_violation(run->violation, spot, rule);

        schema_words_add_value(&message, spot->value);
        schema_words_add(&message, " ", 1);
        schema_words_add(&message, words, strlen(words));
        if (operand) {
                schema_words_add(&message, " ", 1);
                schema_words_add_value(&message, operand);
        }
        return 1;
}

/* A bound was hit: say which, whether or not words are wanted for failures. */
static int give_up(struct schema_run *run, const struct schema_spot *spot, const char *words)
{
        struct schema_words message = begin_violation(run->violation, spot, "");

        schema_words_add(&message, words, strlen(words));
        return -E2BIG;
}

/* --- the walk --- */

static int apply_rules(struct schema_run *run, const struct schema_node *node,
                       const struct schema_spot *spot, struct schema_marks *marks)
{
        int r = 0;

        for (size_t i = 0; i < node->n_rules && r == 0; i++) {
                const struct schema_rule *rule = &node->rules[i];

                if (!rule->keyword->check)
                        continue;
                r = schema_spend(&run->budget, SCHEMA_STEP);
                if (r == 0)
                        r = rule->keyword->check(run, rule, spot, marks);
        }
        return r;
}

/* unevaluated* sees what its own siblings looked at, not what cousins did: hence marks of its own,
 * which join the caller's only when all went well. */
static int apply_tracking(struct schema_run *run, const struct schema_node *node,
                          const struct schema_spot *spot, struct schema_marks *marks)
{
        scoped(schema_marks) struct schema_marks own = {0};
        int r = schema_marks_init(run, &own, spot->value);

        if (r == 0)
                r = apply_rules(run, node, spot, &own);
        if (r == 0 && marks)
                schema_marks_merge(marks, &own);
        return r;
}

static int apply_in_scope(struct schema_run *run, const struct schema_node *node,
                          const struct schema_spot *spot, struct schema_marks *marks)
{
        const struct schema_scope *outer = run->scope;
        struct schema_scope scope = {outer, node->resource};
        int r;

        if (!outer || outer->resource != node->resource)
                run->scope = &scope;
        run->depth++;
        r = node->tracks ? apply_tracking(run, node, spot, marks)
                         : apply_rules(run, node, spot, marks);
        run->depth--;
        run->scope = outer;
        return r;
}

int schema_apply(struct schema_run *run, const struct schema_node *node,
                 const struct schema_spot *spot, struct schema_marks *marks)
{
        if (schema_spend(&run->budget, SCHEMA_STEP) < 0)
                return -E2BIG;
        if (node->verdict == SCHEMA_ALWAYS)
                return 0;
        if (node->verdict == SCHEMA_NEVER)
                return schema_fail(run, spot, "false schema", "nothing is allowed here");
        if (run->depth - spot->base_depth >= JSON_SCHEMA_IN_PLACE_MAX)
                return give_up(run, spot,
                               "the schema's references go round and round, or too deep");
        if (run->depth >= JSON_SCHEMA_DEPTH_MAX)
                return give_up(run, spot, "the value and its schema are nested too deeply");
        return apply_in_scope(run, node, spot, marks);
}

int schema_try(struct schema_run *run, const struct schema_node *node,
               const struct schema_spot *spot, struct schema_marks *marks)
{
        scoped(schema_marks) struct schema_marks own = {0};
        int r = marks ? schema_marks_init(run, &own, spot->value) : 0;

        if (r < 0)
                return r;
        run->quiet++;
        r = schema_apply(run, node, spot, marks ? &own : NULL);
        run->quiet--;
        if (r == 0 && marks)
                schema_marks_merge(marks, &own);
        return r;
}

int json_schema_validate_within(const struct json_schema *s, const json_t *instance, uint32_t steps,
                                struct json_schema_violation *ret_violation)
{
        struct schema_run run = {
            .schema = s, .budget = {(int64_t)steps * SCHEMA_STEP}, .violation = ret_violation};
        /* jansson's iterators want a writable object and write nothing. */
        struct schema_spot whole = {.value = (json_t *)instance};
        int r;

        *ret_violation = (struct json_schema_violation){0};
        r = schema_apply(&run, s->root, &whole, NULL);
        schema_matcher_free(run.matcher);
        if (r == 0)
                *ret_violation = (struct json_schema_violation){0};
        else if (r == -E2BIG && !*ret_violation->message)
                snprintf(ret_violation->message, sizeof ret_violation->message,
                         "checking this value takes more than %" PRIu32 " steps", steps);
        else if (r == -ENOMEM)
                snprintf(ret_violation->message, sizeof ret_violation->message,
                         "no memory to check this value");
        return r;
}

int json_schema_validate(const struct json_schema *s, const json_t *instance,
                         struct json_schema_violation *ret_violation)
{
        return json_schema_validate_within(s, instance, JSON_SCHEMA_STEPS_MAX, ret_violation);
}
