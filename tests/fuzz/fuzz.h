/* fuzz.h -- what the fuzz targets share: a fact that must hold, and blocks of exact size, so that a
 * sanitizer sees the first byte too far.
 * Knows: bytes.            May not know: what is fuzzed.
 * Threads: one.            Owns: nothing. */
#ifndef FORGESYTE_TESTS_FUZZ_H
#define FORGESYTE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool fact, const char *words)
{
        if (fact)
                return;
        fprintf(stderr, "%s\n", words);
        abort();
}

/* A refusal says why. */
static inline void must_have_words(const char *words)
{
        must(words && words[0] != '\0', "a refusal has words");
}

/* A copy of exactly n bytes; of none, a block of one. The caller frees. */
static inline char *exact_copy(const void *bytes, size_t n)
{
        char *copy = malloc(n ? n : 1);

        must(copy, "memory");
        if (n)
                memcpy(copy, bytes, n);
        return copy;
}

/* The same with a NUL behind; NULs inside stay. */
static inline char *exact_text(const void *bytes, size_t n)
{
        char *copy = malloc(n + 1);

        must(copy, "memory");
        if (n)
                memcpy(copy, bytes, n);
        copy[n] = '\0';
        return copy;
}

/* Cuts the first field off data[0..*n): what stands before the first 0xff, which no UTF-8 holds. */
static inline char *next_field(const uint8_t **data, size_t *n)
{
        const uint8_t *end = *n ? memchr(*data, 0xff, *n) : NULL;
        size_t len = end ? (size_t)(end - *data) : *n;
        char *text = exact_text(*data, len);
        size_t used = end ? len + 1 : len;

        *data += used;
        *n -= used;
        return text;
}

static inline bool str_equal(const struct str *a, const struct str *b)
{
        return a->len == b->len && (a->len == 0 || !memcmp(a->data, b->data, a->len));
}

/* One way to cut a stream: at `first` (unless that is 0), and then into pieces of `chunk`. */
struct cut {
        size_t first, chunk;
};

/* How long the piece is that begins at `at`. */
static inline size_t cut_piece(struct cut c, size_t at, size_t n)
{
        size_t piece = at < c.first ? c.first - at : c.chunk;

        return piece < n - at ? piece : n - at;
}

/* Feeds data[0..n) in the pieces of `c` and tells in `trace` what came of it. */
typedef void (*cut_feed_fn)(const uint8_t *data, size_t n, struct cut c, const void *how,
                            struct str *trace);

/* The trace must be the same whole, in single bytes, and cut in two at every offset; at some of
 * them, others each time, where all would be too much work. */
#define CUT_WORK KIB(16)
static inline void same_however_cut(const uint8_t *data, size_t n, const void *how,
                                    cut_feed_fn feed)
{
        scoped(str) struct str whole = {0}, bytes = {0};
        size_t step = 1 + n * n / CUT_WORK;

        feed(data, n, (struct cut){0, n ? n : 1}, how, &whole);
        feed(data, n, (struct cut){0, 1}, how, &bytes);
        must(str_equal(&whole, &bytes), "single bytes are the same stream");
        for (size_t at = 1 + (n ? data[n / 2] % step : 0); at < n; at += step) {
                scoped(str) struct str cut = {0};

                feed(data, n, (struct cut){at, n}, how, &cut);
                must(str_equal(&whole, &cut), "cutting a stream changes nothing");
        }
}

#endif
