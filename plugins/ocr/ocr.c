/* ocr.c -- the plugin: one tool, analyze, which reads the text in an image.
 * Knows: plugin.h and the three modules beside it.
 * Threads: one.            Owns: the recognizer, for the life of the process. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "forgesyte/plugin.h"
#include "image_reader.h"
#include "recognizer.h"

static int ocr_init(void **state)
{
        struct recognizer *r = calloc(1, sizeof(*r));

        if (!r)
                return forge_error("no memory");
        *state = r;
        return recognizer_init(r);
}

static int ocr_validate(void *state)
{
        return recognizer_preload(state);
}

static void ocr_fini(void *state)
{
        struct recognizer *r = state;

        if (r)
                recognizer_done(r);
        free(r);
}

static int answer(struct forge_call *call, const struct image_reader *img, const char *language,
                  const struct recognition *found)
{
        bool has_text = json_array_size(found->blocks) > 0 && found->n_words > 0;
        double confidence = has_text ? found->confidence_sum / found->n_words / 100 : 0;
        json_t *result = json_pack(
            "{s:s, s:f, s:s, s:{s:i, s:i}, s:i, s:O, s:O*}", "text", found->text, "confidence",
            confidence, "language", language, "image_size", "width", img->width, "height",
            img->height, "pages", img->n_pages, "blocks", found->blocks, "osd", found->osd);
        char *json = result ? json_dumps(result, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
        int failed = json ? forge_call_result_json(call, json, strlen(json)) : -1;

        free(json);
        json_decref(result);
        return failed;
}

static int read_pages(struct recognizer *r, struct forge_call *call, struct image_reader *img,
                      int psm, struct recognition *found)
{
        int failed = 0;

        for (int page = 1; page <= img->n_pages && failed == 0; page++) {
                PIX *pix = image_reader_next(img, call);

                failed = pix ? recognizer_read(r, call, pix, psm, page, found) : -1;
        }
        return failed;
}

static int run_analyze(void *state, struct forge_call *call)
{
        struct image_reader img;
        struct recognition found;
        size_t size = 0;
        const void *data = forge_call_bytes(call, "image", &size);
        const char *language = forge_call_string(call, "language", "eng");
        int64_t psm = forge_call_int(call, "psm", PSM_AUTO);
        int failed;

        if (psm < PSM_OSD_ONLY || psm >= PSM_COUNT)
                return forge_call_fail(call, "BadPsm", "psm is 0 to 13");
        if (psm == PSM_OSD_ONLY)
                language = "osd"; /* as the program: that mode has data of its own */
        failed = image_reader_open(&img, call, data, data ? size : 0);
        if (failed == 0)
                failed = recognizer_use(state, call, language);
        if (failed != 0)
                return failed;
        failed = recognition_init(&found, img.n_pages);
        if (failed == 0)
                failed = read_pages(state, call, &img, (int)psm, &found);
        if (failed == 0)
                failed = answer(call, &img, language, &found);
        recognition_done(&found);
        return failed;
}

static const struct forge_tool tools[] = {FORGE_TOOL("analyze", run_analyze)};

FORGE_PLUGIN(.init = ocr_init, .validate = ocr_validate, .fini = ocr_fini, .tools = tools,
             .n_tools = 1);
