/* image_limits.h -- how large a picture may be, and what its bytes say about it before decoding.
 * Knows: bytes.            May not know: any image library, calls.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_OCR_IMAGE_LIMITS_H
#define FORGESYTE_OCR_IMAGE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Measured peaks: 60 megapixels of colour with transparency 793 MB, without 500 MB, 100 of grey
 * 300 MB; the manifest's memory_mb is 1024. */
enum {
        IMAGE_SIDE_MAX = 32767, /* tesseract's coordinates are 16 bits */
        IMAGE_MEGAPIXELS_MAX = 100,
        IMAGE_COLOUR_MEGAPIXELS_MAX = 60,
        IMAGE_PAGES_MAX = 100,
};

/* is_colour: more than one byte a pixel, once decoded and without its palette. area: pixels of all
 * frames when that is more than width times height, else 0. */
struct image_size {
        int width, height;
        bool is_colour;
        int64_t area;
};

/* What was admitted so far; zero-initialise. */
struct image_budget {
        int64_t pixels;
};

/* Adds a page; false when it, or all of them together, are more than the plugin's memory bears. */
bool image_budget_admits(struct image_budget *budget, const struct image_size *page);

/* The first frame's size and all frames' area; non-zero when there is no frame. */
int image_size_of_gif(const uint8_t *data, size_t size, struct image_size *ret);

/* How many pages the chain of directories promises, at most IMAGE_PAGES_MAX + 1; 0 when it leads
 * out of the file. */
int image_pages_of_tiff(const uint8_t *data, size_t size);

/* Is there an end marker behind the start of the picture itself (not a thumbnail's)? */
bool image_jpeg_has_end(const uint8_t *data, size_t size);

#endif
