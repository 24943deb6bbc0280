#include <stdlib.h>
#include <string.h>

#include "schema/schema_check.h"

static uint64_t *words_of(struct schema_marks *m)
{
        return m->more ? m->more : m->few;
}

static size_t word_count(const struct schema_marks *m)
{
        return (m->n + 63) / 64;
}

int schema_marks_init(struct schema_run *run, struct schema_marks *m, const json_t *value)
{
        *m = (struct schema_marks){0};
        m->n = json_is_object(value) ? json_object_size(value) : json_array_size(value);
        if (schema_spend(&run->budget, 1 + m->n / 64) < 0)
                return -E2BIG;
        if (m->n <= SCHEMA_MARKS_INLINE)
                return 0;
        m->more = calloc(word_count(m), sizeof *m->more);
        return m->more ? 0 : -ENOMEM;
}

void schema_marks_done(struct schema_marks *m)
{
        free(m->more);
        m->more = NULL;
}

void schema_marks_set(struct schema_marks *m, size_t i)
{
        words_of(m)[i / 64] |= 1ull << (i % 64);
}

void schema_marks_set_all(struct schema_marks *m)
{
        memset(words_of(m), 0xff, word_count(m) * sizeof(uint64_t));
}

bool schema_marks_has(const struct schema_marks *m, size_t i)
{
        const uint64_t *words = m->more ? m->more : m->few;

        return words[i / 64] >> (i % 64) & 1;
}

void schema_marks_merge(struct schema_marks *into, const struct schema_marks *from)
{
        const uint64_t *words = from->more ? from->more : from->few;

        for (size_t i = 0; i < word_count(into); i++)
                words_of(into)[i] |= words[i];
}
