/* recognizer.h -- tesseract, kept warm for one language: a picture in, text and lines out.
 * Knows: tesseract, plugin.h.     May not know: where pictures come from.
 * Threads: one.            Owns: the tesseract handle. */
#ifndef FORGESYTE_OCR_RECOGNIZER_H
#define FORGESYTE_OCR_RECOGNIZER_H

#include <leptonica/allheaders.h>
#include <tesseract/capi.h>

#include "forgesyte/plugin.h"
#include "languages.h"
#include "recognition.h"

/* language: what the handle was initialised for, NULL when it was not. */
struct recognizer {
        TessBaseAPI *tess;
        char *language;
        struct languages languages;
};

/* 0, or -1 after forge_error(). */
int recognizer_init(struct recognizer *r);
void recognizer_done(struct recognizer *r);

/* Loads eng, or else the first language, so that the first call need not and unusable data shows
 * early. 0, or -1 after forge_error(). */
int recognizer_preload(struct recognizer *r);
/* Makes the handle ready for `language` ("eng", "eng+deu"). Non-zero with UnknownLanguage or
 * LanguageUnusable declared. */
int recognizer_use(struct recognizer *r, struct forge_call *call, const char *language);

/* Reads one page (1-based) and adds to `into`. Takes the picture. Non-zero: declared, or no memory.
 * psm 0 needs recognizer_use("osd"). */
int recognizer_read(struct recognizer *r, struct forge_call *call, PIX *take_pix, int psm, int page,
                    struct recognition *into);

#endif
