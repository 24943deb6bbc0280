/* fuzz_arguments.c -- a request as the arguments of a tool. First byte: which tool. Then the
 * Content-Type, a name and a value of the query, each ended by 0xff, and the body. */
#include "fuzz.h"
#include "host/arguments.h"
#include "toolrunner/tool_runner.h"

static const char manifest[] =
    "{\"name\":\"p\",\"version\":\"1\",\"runtime\":\"python\",\"entrypoint\":\"p.py\",\"tools\":["
    "{\"name\":\"one\",\"input_schema\":{\"type\":\"object\",\"properties\":{"
    "\"image\":{\"type\":\"string\",\"contentEncoding\":\"base64\"},"
    "\"note\":{\"type\":\"string\"},\"count\":{\"type\":\"integer\"},"
    "\"flag\":{\"type\":\"boolean\"},\"box\":{\"type\":\"object\"},"
    "\"many\":{\"type\":[\"integer\",\"null\"]},\"any\":{}}}},"
    "{\"name\":\"two\",\"input_schema\":{\"type\":\"object\",\"properties\":{"
    "\"a\":{\"type\":\"string\",\"contentEncoding\":\"base64\"},"
    "\"b\":{\"type\":\"string\",\"contentEncoding\":\"base64\"}},"
    "\"required\":[\"a\"],\"additionalProperties\":false}},"
    "{\"name\":\"none\",\"input_schema\":{\"type\":\"object\",\"properties\":{"
    "\"note\":{\"type\":\"string\"}}}},{\"name\":\"free\"}]}";

static const char *const tools[] = {"one", "two", "none", "free"};

static bool is_within(const char *data, size_t n, const char *block, size_t size)
{
        return block && data >= block && n <= size && data + n <= block + size;
}

static void check(struct call_args *args, size_t body_size)
{
        must(json_is_object(args->json), "arguments are an object");
        for (size_t i = 0; i < args->n_bytes; i++) {
                const struct call_bytes *b = &args->bytes[i];

                must(b->own || b->size == 0 ||
                         is_within(b->data, b->size, args->backing, body_size),
                     "bytes lie in the body");
                must(memchr(b->name, 0, sizeof b->name) &&
                         memchr(b->content_type, 0, sizeof b->content_type),
                     "texts end");
                must(json_is_string(json_object_get(args->json, b->name)),
                     "a bytes argument stands in the object");
                must(b->size == 0 || !memcmp(b->data, b->data + b->size - 1, 1) || b->size > 1,
                     "bytes can be read");
        }
        must(call_args_write(args) == 0, "memory");
        must(args->text.len && args->text.data[0] == '{', "a plugin gets an object");
}

static void try_request(const struct plugin_manifest *m, const char *tool,
                        struct argument_source *source)
{
        struct tool_outcome outcome = {0};
        struct call_args args = {0};
        size_t size = source->body_size;
        int r = arguments_make(plugin_manifest_tool(m, tool), source, &args, &outcome);

        must(r == 0 || r == 1, "arguments or a reason");
        if (r == 0) {
                check(&args, size);
                r = tool_runner_check(TOOL_CHECK_WHOLE, m, tool, &args, &outcome);
                must(r == 0 || r == 1, "checked");
        }
        if (r == 1) {
                must(outcome.error != PLUGIN_ERROR_NONE && outcome.error != PLUGIN_ERROR_INTERNAL &&
                         outcome.words,
                     "a refusal has a type and words");
                must_have_words(outcome.words);
        }
        call_args_done(&args);
        tool_outcome_done(&outcome);
}

static bool is_utf8(const char *text)
{
        return utf8_valid_prefix(text, strlen(text)) == strlen(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
        scoped(free) char *name = NULL, *value = NULL;
        struct argument_source source = {0};
        const char *tool;

        if (size == 0)
                return 0;
        must(plugin_manifest_parse(manifest, sizeof manifest - 1, &m, NULL) == 0, "a manifest");
        tool = tools[*data++ % ARRAY_LEN(tools)];
        size--;
        source.content_type = next_field(&data, &size);
        name = next_field(&data, &size);
        value = next_field(&data, &size);
        /* Other names and values get no further than http_target_parse. */
        if (*name && is_utf8(name) && is_utf8(value))
                must(argument_source_add_query(&source, name, value) == 0, "memory");
        source.body = size ? exact_copy(data, size) : NULL;
        source.body_size = size;
        try_request(m, tool, &source);
        argument_source_done(&source);
        return 0;
}
