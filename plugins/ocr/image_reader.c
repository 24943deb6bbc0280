/* image_reader.c -- the checks are of two kinds: limits, so that a small file cannot become a huge
 * picture, and ends, because decoders fill what is missing with grey and call it an image. */
#include "image_reader.h"

#include <string.h>

#include "image_limits.h"

/* Magic numbers rather than leptonica's detection: that accepts formats we do not want to parse. */
static const struct {
        const char *name;
        int format;
        unsigned int at, length;
        const char *magic;
} formats[] = {
    {"PNG", IFF_PNG, 0, 8, "\x89PNG\r\n\x1a\n"},
    {"JPEG", IFF_JFIF_JPEG, 0, 3, "\xff\xd8\xff"},
    {"TIFF", IFF_TIFF, 0, 4, "II*\0"},
    {"TIFF", IFF_TIFF, 0, 4, "MM\0*"},
    {"WebP", IFF_WEBP, 8, 4, "WEBP"},
    {"BMP", IFF_BMP, 0, 2, "BM"},
    {"GIF", IFF_GIF, 0, 4, "GIF8"},
};

enum { MAGIC_SPAN = 12 }; /* leptonica's own detection reads that much */

static int find_format(const l_uint8 *data, size_t size, const char **ret_name)
{
        for (size_t i = 0; size >= MAGIC_SPAN && i < sizeof(formats) / sizeof(formats[0]); i++) {
                if (memcmp(data + formats[i].at, formats[i].magic, formats[i].length) != 0)
                        continue;
                *ret_name = formats[i].name;
                return formats[i].format;
        }
        return IFF_UNKNOWN;
}

/* One page's size; 0 or non-zero when there is no such page. */
static int read_header(const struct image_reader *img, int format, int page, struct image_size *ret)
{
        l_int32 w = 0, h = 0, bps = 8, spp = 1, palette = format == IFF_BMP;
        int r;

        switch (format) {
        case IFF_TIFF:
                r = readHeaderMemTiff(img->data, img->size, page, &w, &h, &bps, &spp, NULL,
                                      &palette, NULL);
                break;
        case IFF_GIF: /* leptonica would decode it to tell */
                return image_size_of_gif(img->data, img->size, ret);
        default:
                r = pixReadHeaderMem(img->data, img->size, NULL, &w, &h, &bps, &spp,
                                     format == IFF_PNG ? &palette : NULL);
                break;
        }
        *ret = (struct image_size){
            .width = w, .height = h, .is_colour = bps * spp > 8 || (palette && bps > 1)};
        return r;
}

static int too_large(struct forge_call *call, const struct image_reader *img,
                     const struct image_size *size)
{
        return forge_call_fail(call, "ImageTooLarge",
                               "the %s says it is %d x %d pixels; read are at most %d pixels a "
                               "side and %d megapixels (%d in colour)",
                               img->format, size->width, size->height, IMAGE_SIDE_MAX,
                               IMAGE_MEGAPIXELS_MAX, IMAGE_COLOUR_MEGAPIXELS_MAX);
}

/* Every page's header against the limits, all together. */
static int check_pages(struct image_reader *img, struct forge_call *call, int format)
{
        struct image_budget budget = {.pixels = 0};
        struct image_size size;

        for (int page = 0; page < img->n_pages; page++) {
                if (read_header(img, format, page, &size) != 0)
                        return forge_call_fail(call, "BadImage",
                                               "page %d of the %s has no readable header", page + 1,
                                               img->format);
                if (!image_budget_admits(&budget, &size))
                        return too_large(call, img, &size);
                if (page == 0) {
                        img->width = size.width;
                        img->height = size.height;
                }
        }
        return 0;
}

int image_reader_open(struct image_reader *img, struct forge_call *call, const void *data,
                      size_t size)
{
        int format;

        *img = (struct image_reader){.data = data, .size = size, .n_pages = 1};
        if (size == 0)
                return forge_call_fail(call, "EmptyImage", "the image has no bytes");
        format = find_format(img->data, size, &img->format);
        if (format == IFF_UNKNOWN)
                return forge_call_fail(call, "BadImage",
                                       "not a PNG, JPEG, TIFF, WebP, BMP or GIF image");
        img->is_tiff = format == IFF_TIFF;
        if (img->is_tiff)
                img->n_pages = image_pages_of_tiff(img->data, size);
        if (img->n_pages > IMAGE_PAGES_MAX)
                return forge_call_fail(call, "ImageTooLarge", "more than %d pages",
                                       IMAGE_PAGES_MAX);
        if (img->n_pages == 0 || (format == IFF_JFIF_JPEG && !image_jpeg_has_end(img->data, size)))
                return forge_call_fail(call, "BadImage", "the %s is truncated", img->format);
        return check_pages(img, call, format);
}

PIX *image_reader_next(struct image_reader *img, struct forge_call *call)
{
        PIX *pix = img->is_tiff
                       ? pixReadMemFromMultipageTiff(img->data, img->size, &img->tiff_offset)
                       : pixReadMem(img->data, img->size);

        if (!pix)
                forge_call_fail(call, "BadImage", "the %s is damaged or truncated", img->format);
        return pix;
}
