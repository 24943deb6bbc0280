/* image_limits.c -- see image_limits.h. All walkers stop at the first byte that is not there. */
#include "image_limits.h"

#include <string.h>

bool image_budget_admits(struct image_budget *budget, const struct image_size *page)
{
        int64_t most = page->is_colour ? IMAGE_COLOUR_MEGAPIXELS_MAX : IMAGE_MEGAPIXELS_MAX;
        int64_t area = page->area;

        if (page->width <= 0 || page->height <= 0)
                return true; /* no bomb; the decoder says what is wrong with it */
        if (page->width > IMAGE_SIDE_MAX || page->height > IMAGE_SIDE_MAX)
                return false;
        if (area < (int64_t)page->width * page->height)
                area = (int64_t)page->width * page->height;
        budget->pixels += area;
        return area <= most * 1000000 && budget->pixels <= IMAGE_MEGAPIXELS_MAX * 1000000LL;
}

struct cursor {
        const uint8_t *p, *end;
};

static bool has(const struct cursor *c, size_t n)
{
        return (size_t)(c->end - c->p) >= n;
}

static bool skip(struct cursor *c, size_t n)
{
        bool ok = has(c, n);

        c->p = ok ? c->p + n : c->end;
        return ok;
}

static int le16(const uint8_t *p)
{
        return p[0] | p[1] << 8;
}

/* A palette's bytes, from the flags before it. */
static size_t gif_palette(uint8_t flags)
{
        return flags & 0x80 ? (size_t)3 << ((flags & 7) + 1) : 0;
}

static bool gif_skip_blocks(struct cursor *c)
{
        while (has(c, 1) && *c->p != 0) {
                if (!skip(c, 1u + *c->p))
                        return false;
        }
        return skip(c, 1);
}

/* Behind the 0x2c: place, size, flags, palette, code size, data. */
static bool gif_frame(struct cursor *c, struct image_size *ret)
{
        int w, h;

        if (!has(c, 9))
                return false;
        w = le16(c->p + 4);
        h = le16(c->p + 6);
        if (ret->width == 0) {
                ret->width = w;
                ret->height = h;
        }
        ret->area += (int64_t)w * h;
        return skip(c, 9 + gif_palette(c->p[8]) + 1) && gif_skip_blocks(c);
}

int image_size_of_gif(const uint8_t *data, size_t size, struct image_size *ret)
{
        struct cursor c = {.p = data, .end = data + size};
        bool more = has(&c, 13) && skip(&c, 13 + gif_palette(data[10]));

        *ret = (struct image_size){.is_colour = true};
        while (more && has(&c, 2)) {
                uint8_t kind = *c.p++;

                if (kind == 0x2c)
                        more = gif_frame(&c, ret);
                else if (kind == 0x21)
                        more = skip(&c, 1) && gif_skip_blocks(&c);
                else
                        more = false; /* 0x3b, the end, or garbage */
        }
        return ret->width > 0 ? 0 : -1;
}

static uint32_t tiff_number(const uint8_t *p, size_t bytes, bool big_endian)
{
        uint32_t n = 0;

        for (size_t i = 0; i < bytes; i++)
                n = n << 8 | p[big_endian ? i : bytes - 1 - i];
        return n;
}

int image_pages_of_tiff(const uint8_t *data, size_t size)
{
        bool big = size >= 8 && data[0] == 'M';
        size_t at = size >= 8 ? tiff_number(data + 4, 4, big) : 0, length;
        int pages = 0;

        for (; at != 0 && pages <= IMAGE_PAGES_MAX; pages++) {
                if (at > size - 6)
                        return 0;
                length = 2 + 12 * (size_t)tiff_number(data + at, 2, big);
                if (at + length > size - 4)
                        return 0;
                at = tiff_number(data + at + length, 4, big);
        }
        return pages;
}

/* Marker by marker to the start of scan; from there on 0xff 0xd9 can only be the end. */
bool image_jpeg_has_end(const uint8_t *data, size_t size)
{
        struct cursor c = {.p = data + 2, .end = data + size};

        while (size > 4 && has(&c, 4) && c.p[0] == 0xff) {
                uint8_t marker = c.p[1];

                if (marker == 0xda)
                        return memmem(c.p, (size_t)(c.end - c.p), "\xff\xd9", 2) != NULL;
                if (marker == 0xff) /* fill */
                        skip(&c, 1);
                else
                        skip(&c, 2 + ((size_t)c.p[2] << 8 | c.p[3]));
        }
        return memmem(data, size, "\xff\xd9", 2) != NULL; /* an odd one: the decoder decides */
}
