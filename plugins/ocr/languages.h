/* languages.h -- which of tesseract's languages are installed.
 * Knows: a folder of *.traineddata.    May not know: tesseract, images.
 * Threads: one.            Owns: the list. */
#ifndef FORGESYTE_OCR_LANGUAGES_H
#define FORGESYTE_OCR_LANGUAGES_H

#include <stdbool.h>
#include <stddef.h>

#define LANGUAGES_MAX 512

/* names: sorted, "eng" or "script/Latin". */
struct languages {
        const char *folder;
        char *names[LANGUAGES_MAX];
        size_t n;
};

/* Reads the folder of $TESSDATA_PREFIX, or Debian's; no folder is an empty list. */
void languages_init(struct languages *list);
void languages_done(struct languages *list);
bool languages_has(const struct languages *list, const char *name, size_t length);
/* Into buf: "eng, osd". Cut with an ellipsis where buf ends. */
void languages_print(const struct languages *list, char *buf, size_t size);

#endif
