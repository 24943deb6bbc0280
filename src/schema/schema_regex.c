#define PCRE2_CODE_UNIT_WIDTH 8
#include "schema/schema_regex.h"

#include <pcre2.h>
#include <stdlib.h>

#include "schema/json_schema.h"
#include "schema/schema_ecma.h"

/* What PCRE2 itself is held to. The budget counts backtracking better than its match limit does. */
#define NESTED_GROUPS_MAX 100
#define MATCH_LIMIT       UINT32_MAX
#define HEAP_LIMIT_KIB    16384

struct schema_regex {
        pcre2_code *code;
        struct schema_ecma_facts facts;
};

struct schema_matcher {
        pcre2_general_context *memory;
        pcre2_match_context *context;
        pcre2_match_data *data;
        struct schema_budget *budget;
        const struct schema_regex *regex; /* the one that is matching now */
        size_t last;                      /* where in the text the matcher was last heard of */
};

/* PCRE2 allocates through these, so that what makes our malloc fail makes its fail too. */
static void *allocate(size_t n, void *data unused_param)
{
        return malloc(n);
}

static void release(void *p, void *data unused_param)
{
        free(p);
}

void schema_regex_free(struct schema_regex *regex)
{
        if (!regex)
                return;
        pcre2_code_free(regex->code);
        free(regex);
}

/* Automatic callouts make the matcher report before each item of the pattern: PCRE2's own limits
 * count backtracking only, and not the quadratic rescanning of, say, \s+$ in a megabyte of blanks.
 */
#define OPTIONS                                                                                    \
        (PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF | PCRE2_AUTO_CALLOUT |       \
         PCRE2_NEVER_BACKSLASH_C)

static int compile_code(const struct str *pattern, pcre2_code **ret, struct err *e)
{
        pcre2_general_context *memory = pcre2_general_context_create(allocate, release, NULL);
        pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
        pcre2_code *code = NULL;
        PCRE2_SIZE offset;
        int why = PCRE2_ERROR_NOMEMORY;

        if (context) {
                pcre2_set_parens_nest_limit(context, NESTED_GROUPS_MAX);
                code = pcre2_compile((PCRE2_SPTR)pattern->data, pattern->len, OPTIONS, &why,
                                     &offset, context);
        }
        pcre2_compile_context_free(context);
        pcre2_general_context_free(memory);
        if (!code && (why == PCRE2_ERROR_NOMEMORY || why == PCRE2_ERROR_HEAP_FAILED))
                return err_set(e, -ENOMEM, "no memory for a regular expression");
        if (!code) {
                PCRE2_UCHAR words[160];

                pcre2_get_error_message(why, words, sizeof words);
                return err_set(e, -EINVAL, "%s", (const char *)words);
        }
        *ret = code;
        return 0;
}

int schema_regex_compile(const char *pattern, size_t n, struct schema_regex **ret, struct err *e)
{
        scoped(schema_regex_free) struct schema_regex *regex = NULL;
        scoped(str) struct str translated = {0};
        int r;

        if (n > JSON_SCHEMA_PATTERN_MAX)
                return err_set(e, -EINVAL, "longer than %d bytes", JSON_SCHEMA_PATTERN_MAX);
        regex = calloc(1, sizeof *regex);
        if (!regex)
                return err_set(e, -ENOMEM, "no memory for a regular expression");
        str_adds(&translated, "");
        r = schema_ecma_translate(pattern, n, &translated, &regex->facts, e);
        if (r < 0)
                return r;
        if (translated.bad)
                return err_set(e, -ENOMEM, "no memory for a regular expression");
        r = compile_code(&translated, &regex->code, e);
        if (r < 0)
                return r;
        *ret = take_ptr(regex);
        return 0;
}

size_t schema_regex_size(const struct schema_regex *regex)
{
        size_t size = 0;

        pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &size);
        return size;
}

/* Half a step, and what can have been looked at since the last report: the text moved
 * over, or, where an item failed, its repetitions and the text its back-references compared. */
static int on_progress(pcre2_callout_block *block, void *data)
{
        struct schema_matcher *m = data;
        const struct schema_ecma_facts *facts = &m->regex->facts;
        size_t at = block->current_position;
        size_t moved = at > m->last ? at - m->last : 0;
        size_t compared = facts->repeat_min - 1;

        if (facts->backreferences && at > block->start_match)
                compared += facts->repeat_min * (at - block->start_match);
        m->last = at;
        return schema_spend(m->budget,
                            SCHEMA_STEP / 2 + (moved + compared) / SCHEMA_BYTES_PER_PART) < 0
                   ? PCRE2_ERROR_CALLOUT
                   : 0;
}

int schema_matcher_new(struct schema_budget *budget, struct schema_matcher **ret)
{
        scoped(schema_matcher_free) struct schema_matcher *m = calloc(1, sizeof *m);

        if (!m)
                return -ENOMEM;
        m->budget = budget;
        m->memory = pcre2_general_context_create(allocate, release, NULL);
        if (!m->memory)
                return -ENOMEM;
        m->context = pcre2_match_context_create(m->memory);
        m->data = pcre2_match_data_create(1, m->memory);
        if (!m->context || !m->data)
                return -ENOMEM;
        pcre2_set_match_limit(m->context, MATCH_LIMIT);
        pcre2_set_heap_limit(m->context, HEAP_LIMIT_KIB);
        pcre2_set_callout(m->context, on_progress, m);
        *ret = take_ptr(m);
        return 0;
}

void schema_matcher_free(struct schema_matcher *m)
{
        if (!m)
                return;
        pcre2_match_data_free(m->data);
        pcre2_match_context_free(m->context);
        pcre2_general_context_free(m->memory);
        free(m);
}

int schema_regex_search(const struct schema_regex *regex, struct schema_matcher *m,
                        const char *text, size_t n)
{
        int r;

        if (schema_spend(m->budget, SCHEMA_STEP + n / SCHEMA_BYTES_PER_PART) < 0)
                return -E2BIG;
        m->regex = regex;
        m->last = 0;
        r = pcre2_match(regex->code, (PCRE2_SPTR)text, n, 0, 0, m->data, m->context);
        if (r >= 0)
                return 1;
        if (r == PCRE2_ERROR_NOMEMORY)
                return -ENOMEM;
        if (r == PCRE2_ERROR_CALLOUT || r == PCRE2_ERROR_MATCHLIMIT ||
            r == PCRE2_ERROR_DEPTHLIMIT || r == PCRE2_ERROR_HEAPLIMIT)
                return -E2BIG;
        return 0;
}
