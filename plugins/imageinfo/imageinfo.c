/* imageinfo.c -- an image's format and dimensions from its first bytes: the plugin ABI in one file.
 * Every byte is read through be(), which knows where the image ends. */
#include <stdlib.h>

#include "forgesyte/plugin.h"

struct image {
        const uint8_t *data;
        size_t size;
        uint32_t width, height;
        bool ended; /* a byte was asked for that is not there */
};

/* n bytes at `offset` as a number, the most significant first. */
static uint32_t be(struct image *img, size_t offset, size_t n)
{
        uint32_t value = 0;

        for (; n > 0 && offset < img->size; n--)
                value = value << 8 | img->data[offset++];
        img->ended |= n > 0;
        return value;
}

/* The same, the least significant byte first. */
static uint32_t le(struct image *img, size_t offset, size_t n)
{
        uint32_t value = 0;

        while (n-- > 0)
                value = value << 8 | be(img, offset + n, 1);
        return value;
}

static const char *found(struct image *img, const char *format, uint32_t width, uint32_t height)
{
        img->width = width, img->height = height;
        return format;
}

/* Segment by segment to the frame header: C0 to CF, without C4, C8 and CC. */
static const char *read_jpeg(struct image *img)
{
        for (size_t at = 2; !img->ended && be(img, at, 1) == 0xff;) {
                uint32_t kind = be(img, at + 1, 1);

                if (kind == 0xc0 || (kind > 0xc0 && kind <= 0xcf && kind % 4 != 0))
                        return found(img, "JPEG", be(img, at + 7, 2), be(img, at + 5, 2));
                at += kind == 0xff ? 1 : 2 + be(img, at + 2, 2);
        }
        return "JPEG";
}

static const char *read_webp(struct image *img)
{
        switch (be(img, 12, 4)) {
        case 0x56503820: /* "VP8 " */
                return found(img, "WebP", le(img, 26, 2) & 0x3fff, le(img, 28, 2) & 0x3fff);
        case 0x5650384c: /* "VP8L" */
                return found(img, "WebP", (le(img, 21, 2) & 0x3fff) + 1,
                             (le(img, 22, 3) >> 6 & 0x3fff) + 1);
        case 0x56503858: /* "VP8X" */
                return found(img, "WebP", le(img, 24, 3) + 1, le(img, 27, 3) + 1);
        }
        return "WebP";
}

static const char *read_header(struct image *img)
{
        if (be(img, 0, 4) == 0x89504e47 && be(img, 12, 4) == 0x49484452) /* .PNG, IHDR */
                return found(img, "PNG", be(img, 16, 4), be(img, 20, 4));
        if (be(img, 0, 3) == 0xffd8ff)
                return read_jpeg(img);
        if (be(img, 0, 4) == 0x47494638) /* GIF8 */
                return found(img, "GIF", le(img, 6, 2), le(img, 8, 2));
        if (be(img, 0, 4) == 0x52494646 && be(img, 8, 4) == 0x57454250) /* RIFF, WEBP */
                return read_webp(img);
        if (be(img, 0, 2) != 0x424d || le(img, 14, 4) < 40) /* BM; a negative height: top down */
                return NULL;
        return found(img, "BMP", le(img, 18, 4), (uint32_t)llabs((int32_t)le(img, 22, 4)));
}

static int inspect(void *state, struct forge_call *call)
{
        struct image img = {.size = 0};
        const char *format;

        (void)state;
        img.data = forge_call_bytes(call, "image", &img.size);
        format = img.data ? read_header(&img) : NULL;
        if (!format || img.ended || img.width == 0 || img.height == 0)
                return forge_call_fail(call, "BadImage", "no PNG, JPEG, GIF, WebP or BMP header");
        forge_call_result_string(call, "format", format);
        forge_call_result_int(call, "width", img.width);
        return forge_call_result_int(call, "height", img.height);
}

static const struct forge_tool tools[] = {FORGE_TOOL("inspect", inspect)};
FORGE_PLUGIN(.tools = tools, .n_tools = 1);
