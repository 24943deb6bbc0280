/* manifest_fixture.h -- manifests that are taken, and what refusals are compared with. */
#ifndef FORGESYTE_TESTS_MANIFEST_FIXTURE_H
#define FORGESYTE_TESTS_MANIFEST_FIXTURE_H

#include <errno.h>
#include <string.h>

#include "loader/plugin_manifest.h"

static const char full[] =
    "{ \"name\": \"ocr\", \"version\": \"1.0.0\", \"description\": \"Reads text in images\",\n"
    "  \"runtime\": \"native\", \"entrypoint\": \"lib/ocr.so\", \"python\": \".venv/bin/python\",\n"
    "  \"requires_gpu\": true,\n"
    "  \"dependencies\": {\"packages\": [\"numpy\", \"PIL.Image\"],\n"
    "                     \"libraries\": [\"libtesseract.so.5\"], \"commands\": [\"ffmpeg\"]},\n"
    "  \"models\": { \"eng\": \"models/eng.traineddata\",\n"
    "    \"osd\": {\"path\": \"models/osd\", \"sha256\":\n"
    "      \"00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\"} },\n"
    "  \"limits\": { \"timeout_seconds\": 2.5, \"memory_mb\": 512, \"instances\": 2,\n"
    "               \"queue\": 8, \"load_timeout_seconds\": 30 },\n"
    "  \"on_error\": \"keep\", \"restart\": \"on-failure\",\n"
    "  \"permissions\": { \"network\": true, \"read\": [\"/usr/share/tesseract-ocr\"],\n"
    "                    \"write\": [\"/var/lib/ocr\"] },\n"
    "  \"env\": { \"OMP_THREAD_LIMIT\": \"1\", \"EMPTY\": \"\" },\n"
    "  \"tools\": [ { \"name\": \"analyze\", \"description\": \"Reads\",\n"
    "    \"input_schema\": {\"type\": \"object\", \"required\": [\"image\"], \"properties\": {\n"
    "      \"image\": {\"type\": \"string\", \"contentEncoding\": \"base64\", \"minLength\": 8,\n"
    "                  \"pattern\": \"^[A-Z]\"},\n"
    "      \"psm\": {\"type\": \"integer\", \"maximum\": 13}}},\n"
    "    \"output_schema\": {\"type\": \"object\"} },\n"
    "   { \"name\": \"Lang.List\" } ] }\n";

#define MINIMAL "{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"x.so\"}"
/* The least manifest, and one more member. */
#define WITH(member) "{\"name\":\"x\",\"version\":\"1\",\"entrypoint\":\"x.so\",\n" member "}"

static inline struct plugin_manifest *parse(const char *text)
{
        struct plugin_manifest *m = NULL;
        struct err e = {0};

        if (plugin_manifest_parse(text, strlen(text), &m, &e) != 0)
                fail_msg("refused: %s", e.msg);
        return m;
}

static inline void expect_complaint_begins(const char *text, size_t n, const char *begin)
{
        struct plugin_manifest *m = NULL;
        struct err e = {0};

        assert_int_equal(plugin_manifest_parse(text, n, &m, &e), -EINVAL);
        if (strncmp(e.msg, begin, strlen(begin)) != 0)
                fail_msg("\"%s\" does not begin with \"%s\"", e.msg, begin);
}

#endif
