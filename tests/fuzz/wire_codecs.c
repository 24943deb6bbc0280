#include "wire_codecs.h"

/* A message without arrays, and one with. */
#define PLAIN(name)                                                                                \
        static int recode_##name(const uint8_t *p, size_t n, struct str *to, struct err *e)        \
        {                                                                                          \
                struct wire_##name m;                                                              \
                int r = wire_decode_##name(p, n, &m, e);                                           \
                                                                                                   \
                if (r == 0)                                                                        \
                        wire_encode_##name(to, &m);                                                \
                return r;                                                                          \
        }
#define OWNING(name)                                                                               \
        static int recode_##name(const uint8_t *p, size_t n, struct str *to, struct err *e)        \
        {                                                                                          \
                scoped(wire_##name) struct wire_##name m = {0};                                    \
                int r = wire_decode_##name(p, n, &m, e);                                           \
                                                                                                   \
                if (r == 0)                                                                        \
                        wire_encode_##name(to, &m);                                                \
                return r;                                                                          \
        }

PLAIN(hello)
PLAIN(hello_ok)
PLAIN(error)
PLAIN(progress)
PLAIN(log)
PLAIN(forked)
PLAIN(ended)
OWNING(load)
OWNING(result)
OWNING(check_list)
OWNING(report)

static int recode_meta(const uint8_t *p, size_t n, struct str *to, struct err *e)
{
        struct wire_str json;
        int r = wire_decode_meta(p, n, &json, e);

        if (r == 0)
                wire_encode_meta(to, json);
        return r;
}

void wire_join_call(struct str *to, const struct wire_call *m)
{
        scoped(free) size_t *cuts = calloc(m->n_blobs + 1u, sizeof *cuts);
        scoped(str) struct str pieces = {0};
        size_t from = 0;

        if (!cuts || wire_encode_call(&pieces, m, cuts) == 0) {
                to->bad = true;
                return;
        }
        for (unsigned i = 0; i <= m->n_blobs; i++) {
                str_add(to, pieces.data + from, cuts[i] - from);
                if (i < m->n_blobs)
                        str_add(to, m->blobs[i].data, m->blobs[i].size);
                from = cuts[i];
        }
}

static int recode_call(const uint8_t *p, size_t n, struct str *to, struct err *e)
{
        scoped(wire_call) struct wire_call m = {0};
        int r = wire_decode_call(p, n, &m, e);

        if (r == 0)
                wire_join_call(to, &m);
        return r;
}

static int recode_call_shm(const uint8_t *p, size_t n, struct str *to, struct err *e)
{
        scoped(wire_call) struct wire_call m = {0};
        int r = wire_decode_call_shm(p, n, &m, e);

        if (r == 0 && wire_encode_call_shm(to, &m) == 0)
                to->bad = true;
        return r;
}

const struct wire_codec wire_codecs[WIRE_CODECS] = {
    {"HELLO", recode_hello},      {"HELLO_OK", recode_hello_ok}, {"LOAD", recode_load},
    {"META", recode_meta},        {"ERROR", recode_error},       {"CALL", recode_call},
    {"RESULT", recode_result},    {"PROGRESS", recode_progress}, {"LOG", recode_log},
    {"CHECK", recode_check_list}, {"REPORT", recode_report},     {"FORKED", recode_forked},
    {"ENDED", recode_ended},      {"CALL_SHM", recode_call_shm},
};
