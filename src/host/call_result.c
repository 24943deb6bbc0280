#include "host/call_result.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "http/http_body.h"
#include "toolrunner/tool_json.h"
#include "toolrunner/tool_runner.h"
#include "wire/wire_message.h"

#define fail(ret, ...) (tool_outcome_fail(ret, PLUGIN_ERROR_INVALID_OUTPUT, __VA_ARGS__), 1)

/* Not the plugin's fault. */
static int fail_memory(struct tool_outcome *ret)
{
        tool_outcome_fail(ret, PLUGIN_ERROR_INTERNAL, "the host has no memory for the answer");
        return 1;
}

/* The object's text as it came, open at its end: `{"a":1,` or `{`. */
static int open_object(const struct wire_result *m, struct str *to, struct tool_outcome *ret)
{
        scoped(json_decref) json_t *value = NULL;
        struct err e;

        size_t n = m->json.len;
        int r;

        if (n == 0) {
                str_addc(to, '{');
                return 0;
        }
        r = tool_json_parse(m->json.p, n, &value, &e);
        if (r == -ENOMEM)
                return fail_memory(ret);
        if (r < 0)
                return fail(ret, "the plugin's answer is not valid JSON: %s", e.msg);
        if (!json_is_object(value))
                return fail(ret, "the plugin's answer has bytes, so its JSON must be an object");
        for (uint16_t i = 0; i < m->n_blobs; i++)
                if (json_object_getn(value, m->blobs[i].name.p, m->blobs[i].name.len))
                        return fail(ret, "the plugin's answer has the member '%.*s' twice",
                                    (int)MIN_OF(m->blobs[i].name.len, 64u), m->blobs[i].name.p);
        /* It is an object, so its last brace closes it. */
        while (m->json.p[--n] != '}')
                ;
        str_add(to, m->json.p, n);
        if (json_object_size(value) > 0)
                str_addc(to, ',');
        return 0;
}

static int merge_blobs(const struct wire_result *m, struct str *to, struct tool_outcome *ret)
{
        if (open_object(m, to, ret))
                return 1;
        for (uint16_t i = 0; i < m->n_blobs; i++) {
                const struct wire_blob *b = &m->blobs[i];

                if (i > 0)
                        str_addc(to, ',');
                str_add_json_string(to, b->name.p, b->name.len);
                str_adds(to, ":{\"content_type\":");
                str_add_json_string(to, b->content_type.p, b->content_type.len);
                str_adds(to, ",\"base64\":\"");
                http_base64_encode(to, b->data, b->size);
                str_adds(to, "\"}");
        }
        str_addc(to, '}');
        return to->bad ? fail_memory(ret) : 0;
}

/* The payload becomes the result. */
static int adopt_payload(uint8_t **payload, const struct wire_result *m, struct tool_outcome *ret)
{
        char *text = (char *)*payload;

        if (tool_outcome_succeed(ret, text, (size_t)(m->json.p - text), m->json.len) < 0)
                return fail_memory(ret);
        *payload = NULL;
        return 0;
}

static int adopt_text(struct str *text, struct tool_outcome *ret)
{
        if (tool_outcome_succeed(ret, text->data, 0, text->len) < 0)
                return fail_memory(ret);
        *text = (struct str){0};
        return 0;
}

/* 0; 1: ret says why not; -EAGAIN. */
static int make(enum tool_check effort, const struct manifest_tool *tool, uint8_t **payload,
                const struct wire_result *m, struct tool_outcome *ret)
{
        scoped(str) struct str text = {0};
        int r;

        if (m->n_blobs == 0 && m->json.len > 0) {
                r = tool_runner_check_result(effort, tool, m->json.p, m->json.len, ret);
                return r == 0 ? adopt_payload(payload, m, ret) : r;
        }
        r = merge_blobs(m, &text, ret);
        if (r == 0)
                r = tool_runner_check_result(effort, tool, text.data, text.len, ret);
        return r == 0 ? adopt_text(&text, ret) : r;
}

int call_result_make(enum tool_check effort, const struct manifest_tool *tool, uint8_t **payload,
                     size_t n, struct tool_outcome *ret)
{
        struct wire_result m;
        struct err e;
        int r = wire_decode_result(*payload, n, &m, &e);

        if (r == -ENOMEM) {
                (void)fail_memory(ret);
                return 0;
        }
        if (r < 0) {
                /* Right but for a text: it is what was said that is wrong, not how. */
                tool_outcome_fail(
                    ret, r == -EILSEQ ? PLUGIN_ERROR_INVALID_OUTPUT : PLUGIN_ERROR_PROTOCOL,
                    "%s (stage=call)", e.msg);
                return 0;
        }
        r = make(effort, tool, payload, &m, ret);
        wire_result_done(&m);
        return r == -EAGAIN ? r : 0;
}
