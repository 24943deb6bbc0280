/* recognition.c -- see recognition.h. */
#include "recognition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int recognition_init(struct recognition *into, int n_pages)
{
        *into = (struct recognition){.n_pages = n_pages, .blocks = json_array()};
        return into->blocks ? 0 : -1;
}

/* Adds a page's text behind a form feed, as the program prints it. */
int recognition_add_text(struct recognition *into, const char *text, int page)
{
        char *longer;

        if (asprintf(&longer, "%s%s%s", into->text ? into->text : "", page > 1 ? "\f" : "", text) <
            0)
                return -1;
        free(into->text);
        into->text = longer;
        return 0;
}

static void add_confidences(struct recognition *into, TessBaseAPI *tess)
{
        int *all = TessBaseAPIAllWordConfidences(tess);

        for (int i = 0; all && all[i] >= 0; i++) {
                into->confidence_sum += all[i];
                into->n_words++;
        }
        TessDeleteIntArray(all);
}

/* Where the walk over a page's lines is. Tesseract counts lines anew in each paragraph; a reader
 * who was not told of paragraphs expects them counted within the block. */
struct place {
        int page, block, line;
        bool block_begins;
};

/* A line that is text, blank or not, moves the numbers on; pictures and rules have none. */
static void step(struct place *at, const TessPageIterator *it, bool is_text)
{
        if (TessPageIteratorIsAtBeginningOf(it, RIL_BLOCK))
                at->block_begins = true;
        if (!is_text)
                return;
        if (at->block_begins) {
                at->block_begins = false;
                at->block++;
                at->line = 0;
        }
        at->line++;
}

static int add_line(json_t *blocks, const TessPageIterator *it, const struct place *at,
                    const char *text, double confidence)
{
        int left, top, right, bottom, length = (int)strcspn(text, "\n");

        if (!TessPageIteratorBoundingBox(it, RIL_TEXTLINE, &left, &top, &right, &bottom))
                return 0;
        return json_array_append_new(
            blocks, json_pack("{s:s#, s:f, s:{s:i, s:i, s:i, s:i}, s:i, s:i, s:i}", "text", text,
                              length, "confidence", fmin(fmax(confidence, 0), 1), "bbox", "x", left,
                              "y", top, "width", right - left, "height", bottom - top, "page_num",
                              at->page, "block_num", at->block, "line_num", at->line));
}

static int visit(struct recognition *into, const TessResultIterator *it, struct place *at)
{
        const TessPageIterator *where = TessResultIteratorGetPageIteratorConst(it);
        char *text = TessResultIteratorGetUTF8Text(it, RIL_TEXTLINE);
        int failed = 0;

        step(at, where, text != NULL);
        if (text && text[strspn(text, " \n")] != '\0')
                failed = add_line(into->blocks, where, at, text,
                                  TessResultIteratorConfidence(it, RIL_TEXTLINE) / 100.0);
        TessDeleteText(text);
        return failed;
}

int recognition_add_lines(struct recognition *into, TessBaseAPI *tess, int page)
{
        TessResultIterator *it = TessBaseAPIGetIterator(tess);
        struct place at = {.page = page};
        int failed = 0;

        if (!it)
                return 0; /* an empty page */
        do {
                failed = visit(into, it, &at);
        } while (failed == 0 && TessResultIteratorNext(it, RIL_TEXTLINE));
        TessResultIteratorDelete(it);
        add_confidences(into, tess);
        return failed;
}

static bool is_text(TessPolyBlockType type)
{
        return type >= PT_FLOWING_TEXT && type <= PT_CAPTION_TEXT;
}

int recognition_add_layout(struct recognition *into, TessPageIterator *it, int page)
{
        struct place at = {.page = page};
        int failed = 0;

        if (!it)
                return 0; /* an empty page */
        do {
                bool text = is_text(TessPageIteratorBlockType(it));

                step(&at, it, text);
                if (text)
                        failed = add_line(into->blocks, it, &at, "", 0);
        } while (failed == 0 && TessPageIteratorNext(it, RIL_TEXTLINE));
        return failed;
}

void recognition_done(struct recognition *into)
{
        free(into->text);
        json_decref(into->blocks);
        json_decref(into->osd);
}
