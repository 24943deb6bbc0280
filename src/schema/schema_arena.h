/* schema_arena.h -- memory that lives exactly as long as a compiled schema.
 * Knows: bytes.            May not know: schemas.
 * Threads: one at a time.  Owns: its blocks. */
#ifndef FORGESYTE_SCHEMA_ARENA_H
#define FORGESYTE_SCHEMA_ARENA_H

#include "base/macro.h"

struct schema_arena_block;

/* Zero-initialise. */
struct schema_arena {
        struct schema_arena_block *blocks;
};

void schema_arena_done(struct schema_arena *a);
/* n zeroed objects of `size` bytes, aligned for anything; NULL when there is no memory. */
void *schema_arena_alloc(struct schema_arena *a, size_t n, size_t size) must_check;
/* A NUL-terminated copy of n bytes, or NULL. */
char *schema_arena_text(struct schema_arena *a, const char *text, size_t n) must_check;

#endif
