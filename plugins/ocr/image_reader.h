/* image_reader.h -- bytes of a stranger become pictures, or a declared error.
 * What an image claims to be is checked before it is decoded: its format, its pages, its size.
 * Knows: leptonica, plugin.h.      May not know: tesseract.
 * Threads: one.            Owns: nothing; the bytes stay the call's. */
#ifndef FORGESYTE_OCR_IMAGE_READER_H
#define FORGESYTE_OCR_IMAGE_READER_H

#include <leptonica/allheaders.h>
#include <stdbool.h>
#include <stddef.h>

#include "forgesyte/plugin.h"

/* width, height: of the first page. A picture that is no TIFF has one page. */
struct image_reader {
        const l_uint8 *data;
        size_t size;
        const char *format; /* "PNG", for words */
        bool is_tiff;
        int width, height, n_pages;
        size_t tiff_offset; /* where the next page is */
};

/* 0, or non-zero with EmptyImage, BadImage or ImageTooLarge declared. */
int image_reader_open(struct image_reader *img, struct forge_call *call, const void *data,
                      size_t size);
/* The next page, decoded as the tesseract program decodes it; the caller destroys it. NULL with
 * BadImage declared. To be called n_pages times. */
PIX *image_reader_next(struct image_reader *img, struct forge_call *call);

#endif
