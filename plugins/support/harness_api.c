/* harness_api.c -- the forge_* functions as a test needs them: no box, no wire, no limits.
 * Knows: plugin.h.         May not know: how the call came about.
 * Threads: one.            Owns: nothing. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forgesyte/plugin.h"
#include "harness.h"

const char *forge_call_json(const struct forge_call *call, size_t *ret_size)
{
        if (ret_size)
                *ret_size = strlen(call->args_text);
        return call->args_text;
}

const void *forge_call_bytes(const struct forge_call *call, const char *name, size_t *ret_size)
{
        for (size_t i = 0; i < call->n_files; i++) {
                if (strcmp(call->files[i].name, name) != 0)
                        continue;
                *ret_size = call->files[i].size;
                return call->files[i].data;
        }
        return NULL;
}

const char *forge_call_string(const struct forge_call *call, const char *name, const char *fallback)
{
        const char *value = json_string_value(json_object_get(call->args, name));

        return value ? value : fallback;
}

int64_t forge_call_int(const struct forge_call *call, const char *name, int64_t fallback)
{
        const json_t *value = json_object_get(call->args, name);

        return json_is_integer(value) ? json_integer_value(value) : fallback;
}

double forge_call_number(const struct forge_call *call, const char *name, double fallback)
{
        const json_t *value = json_object_get(call->args, name);

        return json_is_number(value) ? json_number_value(value) : fallback;
}

bool forge_call_bool(const struct forge_call *call, const char *name, bool fallback)
{
        const json_t *value = json_object_get(call->args, name);

        return json_is_boolean(value) ? json_is_true(value) : fallback;
}

const char *forge_call_tool(const struct forge_call *call)
{
        return call->tool;
}

int forge_call_result_json(struct forge_call *call, const char *json, size_t size)
{
        json_t *value = json_loadb(json, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

        json_decref(call->result);
        call->result = value;
        return value ? 0 : -1;
}

static int put(struct forge_call *call, const char *name, json_t *take_value)
{
        if (!call->result)
                call->result = json_object();
        return json_object_set_new(call->result, name, take_value);
}

int forge_call_result_string(struct forge_call *call, const char *name, const char *value)
{
        return put(call, name, json_string(value));
}

int forge_call_result_int(struct forge_call *call, const char *name, int64_t value)
{
        return put(call, name, json_integer(value));
}

int forge_call_result_number(struct forge_call *call, const char *name, double value)
{
        return put(call, name, json_real(value));
}

int forge_call_result_bool(struct forge_call *call, const char *name, bool value)
{
        return put(call, name, json_boolean(value));
}

static char *base64(const unsigned char *data, size_t size)
{
        static const char digits[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char *text = malloc((size + 2) / 3 * 4 + 1), *out = text;

        for (size_t i = 0; text && i < size; i += 3) {
                size_t have = size - i;
                uint32_t bits = (uint32_t)data[i] << 16;

                bits |= have > 1 ? (uint32_t)data[i + 1] << 8 : 0;
                bits |= have > 2 ? data[i + 2] : 0;
                *out++ = digits[bits >> 18];
                *out++ = digits[bits >> 12 & 63];
                *out++ = have > 1 ? digits[bits >> 6 & 63] : '=';
                *out++ = have > 2 ? digits[bits & 63] : '=';
        }
        if (text)
                *out = '\0';
        return text;
}

int forge_call_result_bytes(struct forge_call *call, const char *name, const char *content_type,
                            const void *data, size_t size)
{
        char *text = base64(data, size);
        int r =
            put(call, name, json_pack("{s:s, s:s}", "content_type", content_type, "base64", text));

        free(text);
        return r;
}

int forge_call_fail(struct forge_call *call, const char *type, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(call->words, sizeof(call->words), fmt, ap);
        va_end(ap);
        snprintf(call->type, sizeof(call->type), "%s", type);
        call->declared = true;
        return -1;
}

void forge_call_progress(struct forge_call *call, double done, double total)
{
        fprintf(stderr, "%s: progress %g of %g\n", call->tool, done, total);
}

bool forge_call_cancelled(struct forge_call *call)
{
        (void)call;
        return false;
}

int forge_error(const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        fputs("error: ", stderr);
        vfprintf(stderr, fmt, ap);
        fputc('\n', stderr);
        va_end(ap);
        return -1;
}

void forge_log(enum forge_log_level level, const char *fmt, ...)
{
        static const char *const names[] = {"error", "warning", "info", "debug"};
        va_list ap;

        va_start(ap, fmt);
        fprintf(stderr, "%s: ", names[level]);
        vfprintf(stderr, fmt, ap);
        fputc('\n', stderr);
        va_end(ap);
}

const char *forge_plugin_dir(void)
{
        return harness_plugin_dir;
}

const char *forge_model_path(const char *name)
{
        (void)name;
        return NULL;
}
