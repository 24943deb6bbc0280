#include "worker/worker_loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "forgesyte/plugin.h"
#include "worker/native_call.h"
#include "worker/probe.h"
#include "worker/python_runtime.h"

/* --- one function a request; what a decoder refuses, the host should not have sent -------------
 */

static void refuse(const struct err *e)
{
        worker_channel_give_up(WORKER_EXIT_PROTOCOL, e->msg);
}

static void on_hello(struct worker *w, struct wire_frame *f)
{
        scoped(str) struct str payload = {0};
        struct wire_hello hello = {0};
        struct err e;

        if (wire_decode_hello(f->payload, f->header.len, &hello, &e) < 0)
                refuse(&e);
        w->max_output = hello.max_output;
        wire_encode_hello_ok(
            &payload, &(struct wire_hello_ok){.protocol = WIRE_VERSION, .abi = FORGE_ABI_VERSION});
        w->stage = WORKER_GREETED;
        worker_channel_answer(&w->channel, WIRE_HELLO_OK, &payload);
}

static bool is_python(const struct wire_load *m)
{
        static const char python[] = "python";

        return m->runtime.len == sizeof python - 1 && !memcmp(m->runtime.p, python, m->runtime.len);
}

static bool load_runtime(struct worker *w, const struct wire_load *m, const struct wire_frame *f,
                         struct worker_fault *fault)
{
        if (is_python(m))
                return python_runtime_start(&w->channel, w->max_output, m, f->payload,
                                            f->header.len, fault) == 0;
        return native_runtime_load(&w->runtime, m, &w->channel, fault) == 0;
}

static void on_load(struct worker *w, struct wire_frame *f)
{
        scoped(wire_load) struct wire_load m = {0};
        scoped(str) struct str meta = {0}, payload = {0};
        struct worker_fault fault;
        struct err e;

        if (wire_decode_load(f->payload, f->header.len, &m, &e) < 0)
                refuse(&e);
        if (!load_runtime(w, &m, f, &fault)) {
                worker_channel_fault(&w->channel, &fault);
                return;
        }
        native_runtime_add_meta(&w->runtime, &meta);
        wire_encode_meta(&payload, (struct wire_str){meta.data, (uint32_t)meta.len});
        w->stage = WORKER_LOADED;
        worker_channel_send(&w->channel, WIRE_META, &payload);
        worker_channel_answer(&w->channel, WIRE_READY, NULL);
}

static void answer_ready(struct worker *w, int r, const struct worker_fault *fault)
{
        fflush(stdout);
        if (r)
                worker_channel_fault(&w->channel, fault);
        else
                worker_channel_answer(&w->channel, WIRE_READY, NULL);
}

static void on_init(struct worker *w, struct wire_frame *f unused_param)
{
        struct worker_fault fault;
        int r = native_runtime_init(&w->runtime, &fault);

        if (r == 0)
                w->stage = WORKER_READY;
        answer_ready(w, r, &fault);
}

static void on_validate(struct worker *w, struct wire_frame *f unused_param)
{
        struct worker_fault fault;
        int r = native_runtime_validate(&w->runtime, &fault);

        answer_ready(w, r, &fault);
}

static void answer_call(struct worker *w, int r, const struct str *payload,
                        const struct worker_fault *fault)
{
        fflush(stdout);
        if (r)
                worker_channel_fault(&w->channel, fault);
        else
                worker_channel_answer(&w->channel, WIRE_RESULT, payload);
}

static void on_call(struct worker *w, struct wire_frame *f)
{
        scoped(wire_call) struct wire_call m = {0};
        scoped(str) struct str payload = {0};
        struct worker_fault fault;
        struct err e;
        int r;

        if (wire_decode_call(f->payload, f->header.len, &m, &e) < 0)
                refuse(&e);
        r = native_call_run(&w->runtime, &m, w->max_output, &payload, &fault);
        answer_call(w, r, &payload, &fault);
}

static void on_call_shm(struct worker *w, struct wire_frame *f)
{
        scoped(wire_call) struct wire_call m = {0};
        scoped(str) struct str payload = {0};
        struct worker_fault fault;
        struct err e;
        int r;

        if (wire_decode_call_shm(f->payload, f->header.len, &m, &e) < 0)
                refuse(&e);
        r = shared_memory_give(&w->memory, worker_channel_take_descriptor(&w->channel, 0), &m);
        if (r == -EBADMSG)
                worker_channel_give_up(WORKER_EXIT_PROTOCOL, "an argument outside its memory");
        if (r < 0)
                worker_channel_give_up(WORKER_EXIT_NO_MEMORY, "cannot map the arguments");
        r = native_call_run(&w->runtime, &m, w->max_output, &payload, &fault);
        answer_call(w, r, &payload, &fault);
}

static void on_check(struct worker *w, struct wire_frame *f)
{
        scoped(wire_check_list) struct wire_check_list m = {0};
        scoped(str) struct str payload = {0};
        struct err e;

        if (wire_decode_check_list(f->payload, f->header.len, &m, &e) < 0)
                refuse(&e);
        probe_run(&m, &payload);
        worker_channel_answer(&w->channel, WIRE_REPORT, &payload);
}

static const struct request_rule {
        enum wire_type type;
        enum worker_stage stage; /* the one in which it is in order */
        void (*handle)(struct worker *w, struct wire_frame *f);
} request_rules[] = {
    {WIRE_HELLO, WORKER_STARTED, on_hello},     {WIRE_LOAD, WORKER_GREETED, on_load},
    {WIRE_CHECK, WORKER_GREETED, on_check},     {WIRE_INIT, WORKER_LOADED, on_init},
    {WIRE_VALIDATE, WORKER_READY, on_validate}, {WIRE_CALL, WORKER_READY, on_call},
    {WIRE_CALL_SHM, WORKER_READY, on_call_shm},
};

static void serve(struct worker *w, struct wire_frame *f)
{
        for (size_t i = 0; i < ARRAY_LEN(request_rules); i++) {
                const struct request_rule *rule = &request_rules[i];

                if (rule->type == f->header.type && rule->stage == w->stage) {
                        rule->handle(w, f);
                        return;
                }
        }
        worker_channel_give_up(WORKER_EXIT_PROTOCOL, "a request of the host is out of turn");
}

int worker_run(struct worker *w, int fd)
{
        worker_channel_init(&w->channel, fd);
        for (;;) {
                scoped(wire_frame) struct wire_frame f = {0};

                worker_channel_next(&w->channel, &f);
                if (f.header.type == WIRE_SHUTDOWN)
                        break;
                serve(w, &f);
        }
        if (w->stage == WORKER_READY)
                native_runtime_fini(&w->runtime);
        return 0;
}
