#include "worker/native_call.h"

#include <math.h>
#include <string.h>

#include "worker/native_result.h"

struct forge_call {
        const struct wire_call *message;
        struct worker_channel *channel;
        struct native_result result;
        bool failed; /* fault is what forge_call_fail said */
        struct worker_fault fault;
};

/* --- arguments -------------------------------------------------------------------------------- */

/* C wants a NUL behind each text. In the payload a text is followed by a length, a count or a type
 * that has been read by now, or by the spare byte at its end; never by data. */
static void terminate(struct wire_str s)
{
        ((char *)(uintptr_t)s.p)[s.len] = '\0';
}

static void terminate_texts(const struct wire_call *m)
{
        terminate(m->tool);
        terminate(m->json);
        for (unsigned i = 0; i < m->n_scalars; i++) {
                terminate(m->scalars[i].name);
                if (m->scalars[i].type == WIRE_STRING)
                        terminate(m->scalars[i].s);
        }
        for (unsigned i = 0; i < m->n_blobs; i++) {
                terminate(m->blobs[i].name);
                terminate(m->blobs[i].content_type);
        }
}

/* A stand-in of no type for what was not given. */
static const struct wire_scalar *find_scalar(const struct forge_call *call, const char *name)
{
        static const struct wire_scalar absent;

        for (unsigned i = 0; i < call->message->n_scalars; i++)
                if (!strcmp(call->message->scalars[i].name.p, name))
                        return &call->message->scalars[i];
        return &absent;
}

const char *forge_call_json(const struct forge_call *call, size_t *ret_size)
{
        if (ret_size)
                *ret_size = call->message->json.len;
        return call->message->json.p;
}

const void *forge_call_bytes(const struct forge_call *call, const char *name, size_t *ret_size)
{
        if (ret_size)
                *ret_size = 0;
        for (unsigned i = 0; i < call->message->n_blobs; i++) {
                const struct wire_blob *b = &call->message->blobs[i];

                if (strcmp(b->name.p, name) != 0)
                        continue;
                if (ret_size)
                        *ret_size = b->size;
                return b->data;
        }
        return NULL;
}

const char *forge_call_string(const struct forge_call *call, const char *name, const char *fallback)
{
        const struct wire_scalar *s = find_scalar(call, name);

        return s->type == WIRE_STRING ? s->s.p : fallback;
}

int64_t forge_call_int(const struct forge_call *call, const char *name, int64_t fallback)
{
        const struct wire_scalar *s = find_scalar(call, name);

        /* 5.0 is an integer to JSON Schema; beyond 2^53 a double is no longer sure of it. */
        if (s->type == WIRE_NUMBER && s->d == trunc(s->d) && fabs(s->d) <= 9007199254740992.0)
                return (int64_t)s->d;
        return s->type == WIRE_INT ? s->i : fallback;
}

double forge_call_number(const struct forge_call *call, const char *name, double fallback)
{
        const struct wire_scalar *s = find_scalar(call, name);

        /* 5 is a number too. */
        if (s->type == WIRE_INT)
                return (double)s->i;
        return s->type == WIRE_NUMBER ? s->d : fallback;
}

bool forge_call_bool(const struct forge_call *call, const char *name, bool fallback)
{
        const struct wire_scalar *s = find_scalar(call, name);

        return s->type == WIRE_BOOL ? s->b : fallback;
}

const char *forge_call_tool(const struct forge_call *call)
{
        return call->message->tool.p;
}

/* --- the answer ------------------------------------------------------------------------------- */

int forge_call_result_json(struct forge_call *call, const char *json, size_t size)
{
        return native_result_set_json(&call->result, json, size);
}

int forge_call_result_string(struct forge_call *call, const char *name, const char *value)
{
        return native_result_add_string(&call->result, name, value);
}

int forge_call_result_int(struct forge_call *call, const char *name, int64_t value)
{
        return native_result_add_int(&call->result, name, value);
}

int forge_call_result_number(struct forge_call *call, const char *name, double value)
{
        return native_result_add_number(&call->result, name, value);
}

int forge_call_result_bool(struct forge_call *call, const char *name, bool value)
{
        return native_result_add_bool(&call->result, name, value);
}

int forge_call_result_bytes(struct forge_call *call, const char *name, const char *content_type,
                            const void *data, size_t size)
{
        return native_result_add_bytes(&call->result, name, content_type, data, size);
}

/* [A-Za-z][A-Za-z0-9_]{0,63} */
static bool is_error_type(const char *type)
{
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
        size_t n = type ? strlen(type) : 0;

        return n > 0 && n <= WORKER_FAULT_TYPE_MAX && strspn(type, all) == n &&
               strspn(type, letters) > 0;
}

int forge_call_fail(struct forge_call *call, const char *type, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        worker_fault_vset(&call->fault, WIRE_ERROR_DECLARED,
                          is_error_type(type) ? type : "ToolError", fmt, ap);
        va_end(ap);
        call->failed = true;
        return -1;
}

/* --- while it runs ---------------------------------------------------------------------------- */

void forge_call_progress(struct forge_call *call, double done, double total)
{
        worker_channel_progress(call->channel, done, total);
}

bool forge_call_cancelled(struct forge_call *call)
{
        return worker_channel_cancelled(call->channel);
}

/* --- running it ------------------------------------------------------------------------------- */

static forge_run_fn find_tool(const struct native_runtime *rt, const char *name)
{
        for (uint32_t i = 0; i < rt->plugin.n_tools; i++) {
                struct forge_tool tool = native_runtime_tool(rt, i);

                if (!strcmp(tool.name, name))
                        return tool.run;
        }
        return NULL;
}

static int finish_call(struct native_runtime *rt, struct forge_call *call, int r, struct str *to,
                       struct worker_fault *f)
{
        if (r == 0 && native_result_check(&call->result, f) == 0) {
                native_result_encode(&call->result, to);
                return 0;
        }
        if (r && call->failed)
                *f = call->fault;
        else if (r && rt->words[0])
                worker_fault_set(f, WIRE_ERROR_EXCEPTION, "PluginError", "%s", rt->words);
        else if (r && native_result_check(&call->result, f) == 0)
                /* Otherwise the tool gave up because its result was refused: that is the reason. */
                worker_fault_set(f, WIRE_ERROR_EXCEPTION, "PluginError", "tool %s returned %d",
                                 call->message->tool.p, r);
        native_result_done(&call->result);
        return 1;
}

int native_call_run(struct native_runtime *rt, const struct wire_call *m, uint64_t max_output,
                    struct str *to, struct worker_fault *f)
{
        struct forge_call call = {
            .message = m, .channel = rt->channel, .result = {.max = max_output}};
        forge_run_fn run;
        int r;

        terminate_texts(m);
        run = find_tool(rt, m->tool.p);
        if (!run) {
                worker_fault_set(f, WIRE_ERROR_EXCEPTION, "PluginError", "no tool is named %s",
                                 m->tool.p);
                return 1;
        }
        rt->words[0] = '\0';
        r = run(rt->state, &call);
        r = finish_call(rt, &call, r, to, f);
        native_result_done(&call.result);
        return r;
}
