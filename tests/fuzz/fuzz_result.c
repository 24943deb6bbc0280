/* fuzz_result.c -- the payload of a hostile worker's RESULT as the text for a client. First byte:
 * 0: the payload as it is; 1: the JSON in it, and behind 0xff the bytes of a blob. The text that a
 * client gets is JSON whatever the worker sends. */
#include <errno.h>
#include <math.h>

#include "base/json.h"
#include "fuzz.h"
#include "host/call_result.h"
#include "wire/wire_message.h"

static const char manifest[] =
    "{\"name\":\"p\",\"version\":\"1\",\"runtime\":\"native\",\"entrypoint\":\"p.so\",\"tools\":["
    "{\"name\":\"strict\",\"output_schema\":{\"type\":\"object\",\"properties\":{\"n\":"
    "{\"type\":\"integer\"}},\"required\":[\"n\"]}}]}";

static void check_envelope(struct tool_outcome *o)
{
        scoped(json_decref) json_t *value = NULL;
        scoped(free) char *text = NULL;
        struct err e = {0};
        size_t n;

        text = tool_outcome_take_envelope(o, &n);
        must(text, "memory");
        /* One level more than a result may have. */
        if (json_parse(text, n, &value, &e) < 0 && !strstr(e.msg, "nested deeper")) {
                fprintf(stderr, "%s: %.*s\n", e.msg, (int)n, text);
                must(false, "an envelope is JSON");
        }
        must(!value ||
                 json_is_true(json_object_get(value, "ok")) == (o->error == PLUGIN_ERROR_NONE),
             "an envelope says how it went");
}

/* What the loop lets through is never a protocol error later, and the other way round. */
static void check_counted(int counted, const struct tool_outcome *o)
{
        must(counted == 0 || counted == -EBADMSG, "lengths and counts are right or wrong");
        must((counted == 0) == (o->error != PLUGIN_ERROR_PROTOCOL),
             "who cannot count the pieces breaks the protocol, and nobody else");
}

/* As JSON Schema counts: -4E1 is an integer. */
static bool is_whole(const json_t *n)
{
        return json_is_integer(n) ||
               (json_is_real(n) && json_real_value(n) == floor(json_real_value(n)));
}

static void try_payload(const struct manifest_tool *tool, const void *bytes, size_t n)
{
        uint8_t *payload = (uint8_t *)exact_text(bytes, n);
        struct tool_outcome o = {0};
        struct err e;
        int counted = wire_check_result(payload, n, &e);

        if (call_result_make(TOOL_CHECK_WHOLE, tool, &payload, n, &o) != 0)
                abort();
        check_counted(counted, &o);
        if (o.error == PLUGIN_ERROR_NONE) {
                scoped(json_decref) json_t *value = NULL;

                must(o.result && json_parse(o.result, o.result_size, &value, NULL) == 0,
                     "a result is JSON");
                must(!tool || is_whole(json_object_get(value, "n")),
                     "a result is what the schema says");
        } else {
                must(o.error == PLUGIN_ERROR_INVALID_OUTPUT || o.error == PLUGIN_ERROR_PROTOCOL,
                     "the worker is to blame");
                must_have_words(o.words);
        }
        check_envelope(&o);
        tool_outcome_done(&o);
        free(payload);
}

static void try_parts(const struct manifest_tool *tool, const uint8_t *data, size_t n)
{
        const uint8_t *end = n ? memchr(data, 0xff, n) : NULL;
        size_t len = end ? (size_t)(end - data) : n;
        struct wire_blob blob = {wire_str_of("image"), wire_str_of("image/png"),
                                 end ? end + 1 : NULL, (uint32_t)(end ? n - len - 1 : 0)};
        struct wire_result m = {{(const char *)data, (uint32_t)len}, &blob, end ? 1 : 0};
        scoped(str) struct str payload = {0};

        wire_encode_result(&payload, &m);
        try_payload(tool, payload.data, payload.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
        const struct manifest_tool *tools[2] = {NULL, NULL};

        if (size == 0)
                return 0;
        must(plugin_manifest_parse(manifest, sizeof manifest - 1, &m, NULL) == 0, "a manifest");
        tools[1] = plugin_manifest_tool(m, "strict");
        for (size_t i = 0; i < 2; i++)
                if (data[0] & 1)
                        try_parts(tools[i], data + 1, size - 1);
                else
                        try_payload(tools[i], data + 1, size - 1);
        return 0;
}
