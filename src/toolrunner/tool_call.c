#include "toolrunner/tool_call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

void call_args_done(struct call_args *a)
{
        for (size_t i = 0; i < a->n_bytes; i++)
                free(a->bytes[i].own);
        free(a->bytes);
        free(a->backing);
        json_decref(a->json);
        str_done(&a->text);
        *a = (struct call_args){0};
}

int call_args_write(struct call_args *a)
{
        json_t *shown;

        if (a->text.len > 0)
                return 0;
        /* The bytes arguments' stand-ins for the schema are not arguments. */
        shown = a->n_bytes > 0 ? json_copy_object(a->json) : json_incref(a->json);
        for (size_t i = 0; shown && i < a->n_bytes; i++)
                json_object_del(shown, a->bytes[i].name);
        if (shown)
                str_add_json(&a->text, shown);
        json_decref(shown);
        if (shown && !a->text.bad)
                return 0;
        str_done(&a->text);
        return -ENOMEM;
}

int call_args_add_bytes(struct call_args *a, const char *name, const char *content_type,
                        const char *data, size_t size, char *take_own)
{
        struct call_bytes *grown = realloc(a->bytes, (a->n_bytes + 1) * sizeof *grown);

        if (!grown) {
                free(take_own);
                return -ENOMEM;
        }
        a->bytes = grown;
        grown += a->n_bytes++;
        *grown = (struct call_bytes){.data = data, .size = size, .own = take_own};
        snprintf(grown->name, sizeof grown->name, "%s", name);
        snprintf(grown->content_type, sizeof grown->content_type, "%s", content_type);
        return 0;
}

void tool_outcome_done(struct tool_outcome *o)
{
        free(o->words);
        free(o->traceback);
        free(o->place);
        free(o->envelope);
        free(o->stderr_tail);
        *o = (struct tool_outcome){0};
}

void tool_outcome_fail(struct tool_outcome *o, enum plugin_error error, const char *fmt, ...)
{
        va_list ap;

        o->error = error;
        va_start(ap, fmt);
        if (vasprintf(&o->words, fmt, ap) < 0)
                o->words = NULL;
        va_end(ap);
}

#define HEAD      "{\"ok\":true,\"result\":"
#define HEAD_SIZE (sizeof HEAD - 1)
#define TAIL      ",\"execution_time_ms\":%.3f}"
#define TAIL_MAX  64 /* with the NUL; no clock shows milliseconds of 40 digits */

int tool_outcome_succeed(struct tool_outcome *o, char *take_text, size_t from, size_t n)
{
        char *text = realloc(take_text, MAX_OF(from, HEAD_SIZE) + n + TAIL_MAX);

        if (!text)
                return -ENOMEM;
        memmove(text + HEAD_SIZE, text + from, n);
        memcpy(text, HEAD, HEAD_SIZE);
        text[HEAD_SIZE + n] = '\0';
        o->envelope = text;
        o->result = text + HEAD_SIZE;
        o->result_size = n;
        return 0;
}

char *tool_outcome_take_envelope(struct tool_outcome *o, size_t *ret_size)
{
        size_t n = HEAD_SIZE + o->result_size;
        char *text;

        if (o->error != PLUGIN_ERROR_NONE)
                return plugin_error_envelope(o->error, o->type[0] ? o->type : NULL,
                                             o->words ? o->words : "the host is out of memory",
                                             o->traceback, ret_size);
        text = take_ptr(o->envelope);
        o->result = NULL;
        o->result_size = 0;
        if (!text)
                return NULL;
        *ret_size = n + (size_t)snprintf(text + n, TAIL_MAX, TAIL, o->ms);
        return text;
}
