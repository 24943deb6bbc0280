/* recognition.h -- what tesseract found on the pages of one call, gathered for the answer.
 * Knows: tesseract's results, jansson.     May not know: calls, how tesseract is driven.
 * Threads: one.            Owns: its text and JSON. */
#ifndef FORGESYTE_OCR_RECOGNITION_H
#define FORGESYTE_OCR_RECOGNITION_H

#include <jansson.h>
#include <tesseract/capi.h>

/* n_pages and blocks are set by recognition_init, the rest is zero. text: of all pages, a form feed
 * between them. blocks: lines as {text, confidence, bbox, page_num, block_num, line_num}. osd: what
 * psm 0 found on the first page, else NULL. confidence_sum: of n_words words, 0 to 100 each. */
struct recognition {
        int n_pages, n_words;
        double confidence_sum;
        char *text;
        json_t *blocks, *osd;
};

/* Each returns 0, or -1 when there is no memory. */
int recognition_init(struct recognition *into, int n_pages);
int recognition_add_text(struct recognition *into, const char *text, int page);
/* The page's lines of text with their place, and its words' confidence. */
int recognition_add_lines(struct recognition *into, TessBaseAPI *tess, int page);
/* The same of a page that was segmented but not read (psm 2): lines without text. */
int recognition_add_layout(struct recognition *into, TessPageIterator *it, int page);
void recognition_done(struct recognition *into);

#endif
