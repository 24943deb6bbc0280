#include "host/instance_private.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "host/instance_io.h"
#include "host/instance_share.h"

static bool is_bytes(const struct call_args *a, const char *name)
{
        for (size_t b = 0; b < a->n_bytes; b++)
                if (!strcmp(a->bytes[b].name, name))
                        return true;
        return false;
}

/* Fills at most `max`: what does not fit is still in the JSON. */
static uint16_t scalars_of(const struct call_args *a, struct wire_scalar *to, size_t max)
{
        const char *key;
        json_t *value;
        uint16_t n = 0;

        json_object_foreach (a->json, key, value) {
                struct wire_scalar s = {.name = wire_str_of(key)};

                if (n == max)
                        break;
                if (json_is_boolean(value)) {
                        s.type = WIRE_BOOL;
                        s.b = json_is_true(value);
                } else if (json_is_integer(value)) {
                        s.type = WIRE_INT;
                        s.i = json_integer_value(value);
                } else if (json_is_real(value)) {
                        s.type = WIRE_NUMBER;
                        s.d = json_real_value(value);
                } else if (json_is_string(value)) {
                        s.type = WIRE_STRING;
                        s.s = (struct wire_str){json_string_value(value),
                                                (uint32_t)json_string_length(value)};
                }
                if (s.type && !is_bytes(a, key))
                        to[n++] = s;
        }
        return n;
}

/* A call's payload: text with its cuts, and the blobs that go between them. */
struct encoded_call {
        struct str text;
        struct wire_blob *blobs;
        uint32_t *offsets;
        size_t *cuts;
        size_t n;
        uint32_t len;
};

static void encoded_call_scoped(struct encoded_call *c)
{
        str_done(&c->text);
        free(c->blobs);
        free(c->offsets);
        free(c->cuts);
}

/* Into shared memory they go one behind the other, each where a vector register likes to begin. */
static void place_blobs(const struct wire_blob *blobs, size_t n, uint32_t *to)
{
        uint32_t at = 0;

        for (size_t b = 0; b < n; b++) {
                to[b] = (at + INSTANCE_SHARE_ALIGN - 1) & ~(INSTANCE_SHARE_ALIGN - 1);
                at = to[b] + blobs[b].size;
        }
}

static int encode_call(struct tool_call *call, bool shared, struct encoded_call *ret)
{
        size_t n = MIN_OF(json_object_size(call->args.json), (size_t)UINT16_MAX);
        scoped(free) struct wire_scalar *scalars = calloc(n + 1, sizeof *scalars);
        struct wire_call m = {.tool = wire_str_of(call->tool), .scalars = scalars};
        const struct str *json = &call->args.text;

        ret->n = call->args.n_bytes;
        m.blobs = ret->blobs = calloc(ret->n + 1, sizeof *ret->blobs);
        m.offsets = ret->offsets = calloc(ret->n + 1, sizeof *ret->offsets);
        ret->cuts = calloc(ret->n + 1, sizeof *ret->cuts);
        if (!scalars || !ret->blobs || !ret->offsets || !ret->cuts ||
            call_args_write(&call->args) < 0)
                return -ENOMEM;
        if (json->len > WIRE_MAX_CALL)
                return -E2BIG;
        m.json = (struct wire_str){json->data, (uint32_t)json->len};
        m.n_scalars = scalars_of(&call->args, scalars, n);
        m.n_blobs = (uint16_t)ret->n;
        for (size_t b = 0; b < ret->n; b++)
                ret->blobs[b] = (struct wire_blob){wire_str_of(call->args.bytes[b].name),
                                                   wire_str_of(call->args.bytes[b].content_type),
                                                   (const uint8_t *)call->args.bytes[b].data,
                                                   (uint32_t)call->args.bytes[b].size};
        if (shared)
                place_blobs(ret->blobs, ret->n, ret->offsets);
        ret->len = shared ? wire_encode_call_shm(&ret->text, &m)
                          : wire_encode_call(&ret->text, &m, ret->cuts);
        if (ret->text.bad)
                return -ENOMEM;
        return ret->len == 0 ? -E2BIG : 0;
}

int instance_call(struct instance *i, struct tool_call *call, int64_t deadline_ns)
{
        scoped(encoded_call) struct encoded_call c = {0};
        bool shared = instance_share_is_worth(i, call);
        int r = encode_call(call, shared, &c);

        /* Until here it is the call's fault, and the worker stays as it is. */
        if (r == 0 && shared)
                r = instance_share_take(i, &call->args, &c.text, take_ptr(c.offsets), deadline_ns);
        else if (r == 0)
                r = instance_set_deadline(i, deadline_ns);
        if (r < 0)
                return r;
        /* The deadline covers a frame that began before. */
        loop_timer_unset(i->loop, &i->grace);
        i->state = INSTANCE_BUSY;
        i->call = call;
        call->holder = i;
        if (shared) {
                instance_share_start(i);
                return 0;
        }
        r = instance_begin_request(i, WIRE_CALL);
        if (r == 0)
                r = instance_io_queue(i, WIRE_CALL, &c.text, c.blobs, c.n, c.cuts, c.len);
        if (r == -EPIPE || r == -ECONNRESET)
                return 0;
        if (r < 0)
                i->call = NULL;
        return r;
}

/* The call is about to be freed, also when its client had left before. */
static void forget_call(struct instance *i)
{
        i->call = NULL;
        /* The call takes its bytes with it. */
        if (instance_io_is_sending(i))
                instance_break_rule(i, PLUGIN_ERROR_CANCELLED, "it did not read its call");
}

void instance_cancel(struct instance *i, bool forget)
{
        bool first = i->state == INSTANCE_BUSY;

        if (i->state == INSTANCE_OVERDUE && forget)
                i->call = NULL; /* its kill is a matter of milliseconds, and has its verdict */
        if (!first && i->state != INSTANCE_CANCELLING)
                return;
        i->state = INSTANCE_CANCELLING;
        /* From now on the grace is its deadline: who is not asked any more does not time out. */
        loop_timer_unset(i->loop, &i->deadline);
        if (forget)
                forget_call(i);
        /* One that has not been sent ends where it would be. */
        if (!first || i->state != INSTANCE_CANCELLING || instance_share_is_filling(i))
                return;
        /* A channel that broke tells by its end of file. */
        if (instance_io_queue_cancel(i) == -ENOMEM)
                instance_break_rule(i, PLUGIN_ERROR_CANCELLED,
                                    "the host has no memory to ask it to stop");
        else
                instance_set_grace(i, INSTANCE_CANCEL_GRACE_S);
}
