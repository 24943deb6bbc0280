/* recognizer.c -- calls tesseract in the order in which its program does, so that both read the
 * same words: the page's own resolution, AnalyseLayout before psm 0 and 2, Recognize otherwise.
 * What tesseract itself has to say goes to stderr and so into the plugin's log. */
#include "recognizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void log_leptonica(const char *words)
{
        forge_log(FORGE_LOG_DEBUG, "leptonica: %.*s", (int)strcspn(words, "\n"), words);
}

int recognizer_init(struct recognizer *r)
{
        leptSetStderrHandler(log_leptonica);
        languages_init(&r->languages);
        r->language = NULL;
        r->tess = TessBaseAPICreate();
        if (!r->tess)
                return forge_error("no memory for tesseract");
        if (r->languages.n == 0)
                return forge_error("no language in %s. Install with: apt install tesseract-ocr-eng",
                                   r->languages.folder);
        return 0;
}

void recognizer_done(struct recognizer *r)
{
        if (r->tess)
                TessBaseAPIDelete(r->tess);
        free(r->language);
        languages_done(&r->languages);
}

static int check_languages(const struct recognizer *r, struct forge_call *call, const char *names)
{
        char installed[600];

        for (const char *at = names;; at++) {
                size_t length = strcspn(at, "+");

                if (!languages_has(&r->languages, at, length)) {
                        languages_print(&r->languages, installed, sizeof(installed));
                        return forge_call_fail(call, "UnknownLanguage",
                                               "language \"%.*s\" is not installed; there are: %s",
                                               length > 60 ? 60 : (int)length, at, installed);
                }
                at += length;
                if (*at == '\0')
                        return 0;
        }
}

/* Leaves the handle empty when it fails. */
static int load(struct recognizer *r, const char *language)
{
        free(r->language);
        r->language = strdup(language);
        if (r->language && TessBaseAPIInit3(r->tess, r->languages.folder, language) == 0)
                return 0;
        TessBaseAPIEnd(r->tess);
        free(r->language);
        r->language = NULL;
        return -1;
}

int recognizer_preload(struct recognizer *r)
{
        const char *first = languages_has(&r->languages, "eng", 3) ? "eng" : r->languages.names[0];

        if (load(r, first) == 0)
                return 0;
        return forge_error("the data of \"%s\" in %s can't be loaded", first, r->languages.folder);
}

int recognizer_use(struct recognizer *r, struct forge_call *call, const char *language)
{
        int failed = check_languages(r, call, language);

        if (failed != 0 || (r->language && strcmp(r->language, language) == 0))
                return failed;
        if (load(r, language) == 0)
                return 0;
        return forge_call_fail(call, "LanguageUnusable", "the data of \"%s\" in %s can't be loaded",
                               language, r->languages.folder);
}

struct watch {
        struct forge_call *call;
        ETEXT_DESC *monitor;
        int page, n_pages;
};

/* Before every word. Progress is told from here too: tesseract's own progress callback looks at a
 * word that may not be there. */
static bool on_word(void *arg, int words)
{
        const struct watch *w = arg;
        int percent = TessMonitorGetProgress(w->monitor);

        (void)words;
        forge_call_progress(w->call, (w->page - 1) * 100 + percent, w->n_pages * 100);
        return forge_call_cancelled(w->call);
}

static int recognize(struct recognizer *r, struct forge_call *call, int page, int n_pages)
{
        struct watch w = {.call = call, .page = page, .n_pages = n_pages};
        int failed;

        w.monitor = TessMonitorCreate();
        if (!w.monitor)
                return -1;
        TessMonitorSetProgressFunc(w.monitor, NULL);
        TessMonitorSetCancelFunc(w.monitor, on_word);
        TessMonitorSetCancelThis(w.monitor, &w);
        failed = TessBaseAPIRecognize(r->tess, w.monitor);
        TessMonitorDelete(w.monitor);
        if (forge_call_cancelled(call))
                return forge_call_fail(call, "Cancelled", "cancelled on page %d", page);
        if (failed != 0)
                return forge_call_fail(call, "BadImage", "tesseract can't segment page %d", page);
        return 0;
}

/* The script of psm 0 and which way up the page is, in the program's words and as an object. */
static int read_osd(struct recognizer *r, struct forge_call *call, int page,
                    struct recognition *into)
{
        int degrees = 0, rotate, failed;
        float orientation = 0, script = 0;
        const char *name = NULL;
        char *text;

        TessPageIteratorDelete(TessBaseAPIAnalyseLayout(r->tess));
        if (!TessBaseAPIDetectOrientationScript(r->tess, &degrees, &orientation, &name, &script))
                return forge_call_fail(call, "TooLittleText",
                                       "page %d has too few characters to tell its orientation "
                                       "and script (psm 0)",
                                       page);
        rotate = (360 - degrees) % 360;
        if (asprintf(&text,
                     "Page number: %d\nOrientation in degrees: %d\nRotate: %d\n"
                     "Orientation confidence: %.2f\nScript: %s\nScript confidence: %.2f\n",
                     page - 1, degrees, rotate, orientation, name, script) < 0)
                return -1;
        failed = recognition_add_text(into, text, page);
        free(text);
        if (!into->osd)
                into->osd =
                    json_pack("{s:i, s:i, s:f, s:s, s:f}", "orientation_degrees", degrees, "rotate",
                              rotate, "orientation_confidence", (double)orientation, "script", name,
                              "script_confidence", (double)script);
        return failed;
}

/* psm 2 is the program's "no OSD, or OCR": where lines are, and not what they say. */
static int read_layout(struct recognizer *r, int page, struct recognition *into)
{
        TessPageIterator *it = TessBaseAPIAnalyseLayout(r->tess);
        int failed = recognition_add_text(into, "", page);

        if (failed == 0)
                failed = recognition_add_layout(into, it, page);
        TessPageIteratorDelete(it);
        return failed;
}

static int read_words(struct recognizer *r, struct forge_call *call, int page,
                      struct recognition *into)
{
        char *text;
        int failed = recognize(r, call, page, into->n_pages);

        if (failed != 0)
                return failed;
        text = TessBaseAPIGetUTF8Text(r->tess);
        failed = recognition_add_text(into, text ? text : "", page);
        TessDeleteText(text);
        return failed == 0 ? recognition_add_lines(into, r->tess, page) : failed;
}

int recognizer_read(struct recognizer *r, struct forge_call *call, PIX *take_pix, int psm, int page,
                    struct recognition *into)
{
        int failed;

        TessBaseAPISetPageSegMode(r->tess, (TessPageSegMode)psm);
        TessBaseAPISetImage2(r->tess, take_pix);
        pixDestroy(&take_pix); /* tesseract has its own copy */
        if (psm == PSM_OSD_ONLY)
                failed = read_osd(r, call, page, into);
        else if (psm == PSM_AUTO_ONLY)
                failed = read_layout(r, page, into);
        else
                failed = read_words(r, call, page, into);
        /* Nothing of this page may colour the next: not what was learnt, nor its memory. */
        TessBaseAPIClear(r->tess);
        TessBaseAPIClearAdaptiveClassifier(r->tess);
        return failed;
}
