#include "schema/schema_arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE KIB(8)

struct schema_arena_block {
        struct schema_arena_block *next;
        size_t used, size;
        _Alignas(max_align_t) unsigned char bytes[];
};

void schema_arena_done(struct schema_arena *a)
{
        struct schema_arena_block *block = a->blocks;

        while (block) {
                struct schema_arena_block *next = block->next;

                free(block);
                block = next;
        }
        a->blocks = NULL;
}

void *schema_arena_alloc(struct schema_arena *a, size_t n, size_t size)
{
        struct schema_arena_block *block = a->blocks;
        const size_t align = _Alignof(max_align_t);
        size_t need;
        void *p;

        if (n > (SIZE_MAX / 4) / (size ? size : 1))
                return NULL;
        need = (n * size + align - 1) / align * align;
        if (!block || block->size - block->used < need) {
                size_t room = MAX_OF(need, BLOCK_SIZE);

                block = calloc(1, sizeof *block + room);
                if (!block)
                        return NULL;
                block->size = room;
                block->next = a->blocks;
                a->blocks = block;
        }
        p = block->bytes + block->used;
        block->used += need;
        return p;
}

char *schema_arena_text(struct schema_arena *a, const char *text, size_t n)
{
        char *copy = schema_arena_alloc(a, n + 1, 1);

        if (copy && n)
                memcpy(copy, text, n);
        return copy;
}
