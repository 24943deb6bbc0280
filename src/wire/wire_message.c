#include "wire/wire_message.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "wire/wire_frame.h"

/* --- writing ---------------------------------------------------------------------------------- */

static void wr_le(struct str *to, uint64_t value, unsigned size)
{
        uint8_t bytes[8];

        for (unsigned i = 0; i < size; i++)
                bytes[i] = (uint8_t)(value >> (8 * i));
        str_add(to, bytes, size);
}

static void wr_u8(struct str *to, uint8_t value)
{
        wr_le(to, value, 1);
}

static void wr_u16(struct str *to, uint16_t value)
{
        wr_le(to, value, 2);
}

static void wr_u32(struct str *to, uint32_t value)
{
        wr_le(to, value, 4);
}

static void wr_f64(struct str *to, double value)
{
        uint64_t bits;

        memcpy(&bits, &value, sizeof bits);
        wr_le(to, bits, 8);
}

static void wr_str(struct str *to, struct wire_str s)
{
        wr_u32(to, s.len);
        str_add(to, s.p, s.len);
}

static void wr_blob_head(struct str *to, const struct wire_blob *b)
{
        wr_str(to, b->name);
        wr_str(to, b->content_type);
        wr_u32(to, b->size);
}

struct wire_str wire_str_of(const char *text)
{
        size_t n = text ? strlen(text) : 0;

        return (struct wire_str){text ? text : "", (uint32_t)MIN_OF(n, UINT32_MAX)};
}

void wire_encode_hello(struct str *to, const struct wire_hello *m)
{
        wr_u32(to, m->protocol);
        wr_u32(to, m->abi);
        wr_le(to, m->max_output, 8);
}

void wire_encode_hello_ok(struct str *to, const struct wire_hello_ok *m)
{
        wr_u32(to, m->protocol);
        wr_u32(to, m->abi);
}

void wire_encode_load(struct str *to, const struct wire_load *m)
{
        wr_str(to, m->runtime);
        wr_str(to, m->plugin);
        wr_str(to, m->dir);
        wr_str(to, m->entrypoint);
        wr_str(to, m->interpreter);
        wr_u16(to, m->n_models);
        for (unsigned i = 0; i < m->n_models; i++) {
                wr_str(to, m->models[i].name);
                wr_str(to, m->models[i].path);
        }
}

void wire_encode_meta(struct str *to, struct wire_str json)
{
        wr_str(to, json);
}

void wire_encode_error(struct str *to, const struct wire_error *m)
{
        wr_u8(to, m->kind);
        wr_str(to, m->type);
        wr_str(to, m->text);
        wr_str(to, m->traceback);
}

static void wr_scalar(struct str *to, const struct wire_scalar *s)
{
        wr_str(to, s->name);
        wr_u8(to, s->type);
        switch ((enum wire_scalar_type)s->type) {
        case WIRE_BOOL:
                wr_u8(to, s->b);
                return;
        case WIRE_INT:
                wr_le(to, (uint64_t)s->i, 8);
                return;
        case WIRE_NUMBER:
                wr_f64(to, s->d);
                return;
        case WIRE_STRING:
                wr_str(to, s->s);
                return;
        }
        to->bad = true; /* a type that no decoder takes */
}

/* What CALL and CALL_SHM have in common: everything up to the blobs. */
static void wr_call_head(struct str *to, const struct wire_call *m)
{
        wr_str(to, m->tool);
        wr_str(to, m->json);
        wr_u16(to, m->n_scalars);
        for (unsigned i = 0; i < m->n_scalars; i++)
                wr_scalar(to, &m->scalars[i]);
        wr_u16(to, m->n_blobs);
}

uint32_t wire_encode_call(struct str *to, const struct wire_call *m, size_t *cuts)
{
        size_t start = to->len;
        uint64_t len = 0;

        wr_call_head(to, m);
        for (unsigned i = 0; i < m->n_blobs; i++) {
                wr_blob_head(to, &m->blobs[i]);
                cuts[i] = to->len;
                len += m->blobs[i].size;
        }
        cuts[m->n_blobs] = to->len;
        len += to->len - start;
        return to->bad || len > WIRE_MAX_CALL ? 0 : (uint32_t)len;
}

uint32_t wire_encode_call_shm(struct str *to, const struct wire_call *m)
{
        size_t start = to->len;

        wr_call_head(to, m);
        for (unsigned i = 0; i < m->n_blobs; i++) {
                wr_str(to, m->blobs[i].name);
                wr_str(to, m->blobs[i].content_type);
                wr_u32(to, m->offsets[i]);
                wr_u32(to, m->blobs[i].size);
        }
        return to->bad || to->len - start > WIRE_MAX_CALL ? 0 : (uint32_t)(to->len - start);
}

void wire_encode_result(struct str *to, const struct wire_result *m)
{
        wr_str(to, m->json);
        wr_u16(to, m->n_blobs);
        for (unsigned i = 0; i < m->n_blobs; i++) {
                wr_blob_head(to, &m->blobs[i]);
                str_add(to, m->blobs[i].data, m->blobs[i].size);
        }
}

void wire_encode_progress(struct str *to, const struct wire_progress *m)
{
        wr_f64(to, m->done);
        wr_f64(to, m->total);
}

void wire_encode_log(struct str *to, const struct wire_log *m)
{
        wr_u8(to, m->level);
        wr_str(to, m->text);
}

void wire_encode_forked(struct str *to, const struct wire_forked *m)
{
        wr_u32(to, m->pid);
}

void wire_encode_ended(struct str *to, const struct wire_ended *m)
{
        wr_u32(to, m->pid);
        wr_u8(to, m->how);
        wr_u8(to, m->status);
        wr_le(to, m->peak_bytes, 8);
}

void wire_encode_check_list(struct str *to, const struct wire_check_list *m)
{
        wr_str(to, m->interpreter);
        wr_str(to, m->dir);
        wr_u16(to, m->n_checks);
        for (unsigned i = 0; i < m->n_checks; i++) {
                wr_u8(to, m->checks[i].kind);
                wr_str(to, m->checks[i].subject);
                wr_str(to, m->checks[i].extra);
        }
}

void wire_encode_report(struct str *to, const struct wire_report *m)
{
        wr_u16(to, m->n_verdicts);
        for (unsigned i = 0; i < m->n_verdicts; i++) {
                wr_u8(to, m->verdicts[i].status);
                wr_str(to, m->verdicts[i].detail);
        }
}

/* --- reading: a cursor that fails once and for all -------------------------------------------- */

/* bad: what was wrong first, NULL while all is well. After a failure every read gives zero.
 * bad_text: what was wrong with a text first; that keeps nobody from reading on. */
struct reader {
        const uint8_t *p, *end;
        const char *bad, *bad_text;
        int code;
};

static struct reader reader_of(const uint8_t *p, size_t n)
{
        static const uint8_t nothing[1];

        return n ? (struct reader){.p = p, .end = p + n}
                 : (struct reader){.p = nothing, .end = nothing};
}

static void fail(struct reader *r, int code, const char *what)
{
        if (r->bad)
                return;
        r->bad = what;
        r->code = code;
}

static const uint8_t *rd_bytes(struct reader *r, size_t n)
{
        const uint8_t *at = r->p;

        if (n > (size_t)(r->end - r->p))
                fail(r, -EBADMSG, "a length points behind its end");
        if (r->bad)
                return NULL;
        r->p += n;
        return at;
}

static uint64_t rd_le(struct reader *r, unsigned size)
{
        const uint8_t *bytes = rd_bytes(r, size);
        uint64_t value = 0;

        for (unsigned i = 0; bytes && i < size; i++)
                value |= (uint64_t)bytes[i] << (8 * i);
        return value;
}

static uint32_t rd_u32(struct reader *r)
{
        return (uint32_t)rd_le(r, 4);
}

static double rd_f64(struct reader *r)
{
        uint64_t bits = rd_le(r, 8);
        double value;

        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
                fail(r, -EBADMSG, "a number is not finite");
        return value;
}

/* A byte that names one of first..last. */
static uint8_t rd_enum(struct reader *r, unsigned first, unsigned last, const char *what)
{
        unsigned value = (unsigned)rd_le(r, 1);

        if (!r->bad && (value < first || value > last))
                fail(r, -EBADMSG, what);
        return (uint8_t)value;
}

static struct wire_str rd_str(struct reader *r)
{
        uint32_t len = rd_u32(r);
        const char *p = (const char *)rd_bytes(r, len);

        if (p && !r->bad_text && utf8_valid_prefix(p, len) < len)
                r->bad_text = "a text is not UTF-8";
        if (p && !r->bad_text && memchr(p, 0, len))
                r->bad_text = "a text contains NUL";
        return r->bad ? (struct wire_str){"", 0} : (struct wire_str){p, len};
}

/* A u16 count of items that take at least min_wire bytes each; 0 for one that cannot be there. */
static uint16_t rd_count(struct reader *r, size_t min_wire)
{
        uint16_t n = (uint16_t)rd_le(r, 2);

        if (n * min_wire > (size_t)(r->end - r->p))
                fail(r, -EBADMSG, "a count is larger than what follows");
        return r->bad ? 0 : n;
}

/* And a zeroed array for it, once the count is known to be possible. */
static void *rd_array(struct reader *r, size_t item, size_t min_wire, uint16_t *ret_n)
{
        uint16_t n = rd_count(r, min_wire);
        void *items;

        if (n == 0)
                return NULL;
        items = calloc(n, item);
        if (!items) {
                fail(r, -ENOMEM, "no memory");
                return NULL;
        }
        *ret_n = n;
        return items;
}

#define BLOB_MIN 12 /* three lengths */

static struct wire_blob *rd_blobs(struct reader *r, uint16_t *ret_n)
{
        struct wire_blob *blobs = rd_array(r, sizeof *blobs, BLOB_MIN, ret_n);

        for (unsigned i = 0; blobs && i < *ret_n; i++) {
                blobs[i].name = rd_str(r);
                blobs[i].content_type = rd_str(r);
                blobs[i].size = rd_u32(r);
                blobs[i].data = rd_bytes(r, blobs[i].size);
        }
        return blobs;
}

static void rd_ranges(struct reader *r, struct wire_call *m)
{
        m->blobs = rd_array(r, sizeof *m->blobs, 16, &m->n_blobs);
        m->offsets = calloc(m->n_blobs + 1u, sizeof *m->offsets);
        if (!m->offsets)
                fail(r, -ENOMEM, "no memory");
        for (unsigned i = 0; m->blobs && m->offsets && i < m->n_blobs; i++) {
                m->blobs[i].name = rd_str(r);
                m->blobs[i].content_type = rd_str(r);
                m->offsets[i] = rd_u32(r);
                m->blobs[i].size = rd_u32(r);
                if ((uint64_t)m->offsets[i] + m->blobs[i].size > WIRE_MAX_CALL)
                        fail(r, -EBADMSG, "a range lies beyond the largest call");
        }
}

static int finish(struct reader *r, const char *message, struct err *e)
{
        if (!r->bad && r->p != r->end)
                fail(r, -EBADMSG, "bytes are left over");
        if (r->bad)
                return err_set(e, r->code, "%s: %s", message, r->bad);
        if (r->bad_text)
                return err_set(e, -EILSEQ, "%s: %s", message, r->bad_text);
        return 0;
}

int wire_decode_hello(const uint8_t *p, size_t n, struct wire_hello *ret, struct err *e)
{
        struct reader r = reader_of(p, n);
        struct wire_hello m = {0};
        int result;

        m.protocol = rd_u32(&r);
        m.abi = rd_u32(&r);
        m.max_output = rd_le(&r, 8);
        result = finish(&r, "HELLO", e);
        if (result == 0)
                *ret = m;
        return result;
}

int wire_decode_hello_ok(const uint8_t *p, size_t n, struct wire_hello_ok *ret, struct err *e)
{
        struct reader r = reader_of(p, n);
        struct wire_hello_ok m = {0};
        int result;

        m.protocol = rd_u32(&r);
        m.abi = rd_u32(&r);
        result = finish(&r, "HELLO_OK", e);
        if (result == 0)
                *ret = m;
        return result;
}

int wire_decode_load(const uint8_t *p, size_t n, struct wire_load *ret, struct err *e)
{
        struct reader r = reader_of(p, n);
        scoped(wire_load) struct wire_load m = {0};
        int result;

        m.runtime = rd_str(&r);
        m.plugin = rd_str(&r);
        m.dir = rd_str(&r);
        m.entrypoint = rd_str(&r);
        m.interpreter = rd_str(&r);
        m.models = rd_array(&r, sizeof *m.models, 8, &m.n_models);
        for (unsigned i = 0; i < m.n_models; i++) {
                m.models[i].name = rd_str(&r);
                m.models[i].path = rd_str(&r);
        }
        result = finish(&r, "LOAD", e);
        if (result == 0) {
                *ret = m;
                m.models = NULL;
        }
        return result;
}

int wire_decode_meta(const uint8_t *p, size_t n, struct wire_str *ret_json, struct err *e)
{
        struct reader r = reader_of(p, n);
        struct wire_str json = rd_str(&r);
        int result = finish(&r, "META", e);

        if (result == 0)
                *ret_json = json;
        return result;
}

int wire_decode_error(const uint8_t *p, size_t n, struct wire_error *ret, struct err *e)
{
        struct reader r = reader_of(p, n);
        struct wire_error m = {0};
        int result;

        m.kind = rd_enum(&r, WIRE_ERROR_DECLARED, WIRE_ERROR_IMPORT, "an unknown kind");
        m.type = rd_str(&r);
        m.text = rd_str(&r);
        m.traceback = rd_str(&r);
        result = finish(&r, "ERROR", e);
        if (result == 0)
                *ret = m;
        return result;
}

static void rd_scalar(struct reader *r, struct wire_scalar *s)
{
        s->name = rd_str(r);
        s->type = rd_enum(r, WIRE_BOOL, WIRE_STRING, "an unknown type of argument");
        if (r->bad)
                return;
        switch ((enum wire_scalar_type)s->type) {
        case WIRE_BOOL:
                s->b = rd_enum(r, 0, 1, "a bool that is neither 0 nor 1");
                return;
        case WIRE_INT:
                s->i = (int64_t)rd_le(r, 8);
                return;
        case WIRE_NUMBER:
                s->d = rd_f64(r);
                return;
        case WIRE_STRING:
                s->s = rd_str(r);
                return;
        }
}

static int decode_call(const uint8_t *p, size_t n, bool shared, struct wire_call *ret,
                       struct err *e)
{
        struct reader r = reader_of(p, n);
        scoped(wire_call) struct wire_call m = {0};
        int result;

        m.tool = rd_str(&r);
        m.json = rd_str(&r);
        m.scalars = rd_array(&r, sizeof *m.scalars, 6, &m.n_scalars);
        for (unsigned i = 0; i < m.n_scalars; i++)
                rd_scalar(&r, &m.scalars[i]);
        if (shared)
                rd_ranges(&r, &m);
        else
                m.blobs = rd_blobs(&r, &m.n_blobs);
        result = finish(&r, shared ? "CALL_SHM" : "CALL", e);
        if (result == 0) {
                *ret = m;
                m = (struct wire_call){0};
        }
        return result;
}

int wire_decode_call(const uint8_t *p, size_t n, struct wire_call *ret, struct err *e)
{
        return decode_call(p, n, false, ret, e);
}

int wire_decode_call_shm(const uint8_t *p, size_t n, struct wire_call *ret, struct err *e)
{
        return decode_call(p, n, true, ret, e);
}

int wire_decode_result(const uint8_t *p, size_t n, struct wire_result *ret, struct err *e)
{
        struct reader r = reader_of(p, n);
        scoped(wire_result) struct wire_result m = {0};
        int result;

        m.json = rd_str(&r);
        m.blobs = rd_blobs(&r, &m.n_blobs);
        result = finish(&r, "RESULT", e);
        if (result == 0) {
                *ret = m;
                m.blobs = NULL;
        }
        return result;
}

/* Over a text or a blob. */
static void skip(struct reader *r)
{
        (void)rd_bytes(r, rd_u32(r));
}

int wire_check_result(const uint8_t *p, size_t n, struct err *e)
{
        struct reader r = reader_of(p, n);
        unsigned blobs;

        skip(&r);
        blobs = rd_count(&r, BLOB_MIN);
        for (unsigned i = 0; i < blobs && !r.bad; i++) {
                skip(&r); /* its name */
                skip(&r); /* its content type */
                skip(&r);
        }
        return finish(&r, "RESULT", e);
}

int wire_decode_progress(const uint8_t *p, size_t n, struct wire_progress *ret, struct err *e)
{
        struct reader r = reader_of(p, n);
        struct wire_progress m = {0};
        int result;

        m.done = rd_f64(&r);
        m.total = rd_f64(&r);
        result = finish(&r, "PROGRESS", e);
        if (result == 0)
                *ret = m;
        return result;
}

int wire_decode_log(const uint8_t *p, size_t n, struct wire_log *ret, struct err *e)
{
        struct reader r = reader_of(p, n);
        struct wire_log m = {0};
        int result;

        m.level = rd_enum(&r, 0, 3, "an unknown level");
        m.text = rd_str(&r);
        result = finish(&r, "LOG", e);
        if (result == 0)
                *ret = m;
        return result;
}

static uint32_t rd_pid(struct reader *r)
{
        uint32_t pid = rd_u32(r);

        if (!r->bad && (pid == 0 || pid > INT32_MAX))
                fail(r, -EBADMSG, "a number that no process has");
        return pid;
}

int wire_decode_forked(const uint8_t *p, size_t n, struct wire_forked *ret, struct err *e)
{
        struct reader r = reader_of(p, n);
        struct wire_forked m = {.pid = rd_pid(&r)};
        int result = finish(&r, "FORKED", e);

        if (result == 0)
                *ret = m;
        return result;
}

int wire_decode_ended(const uint8_t *p, size_t n, struct wire_ended *ret, struct err *e)
{
        struct reader r = reader_of(p, n);
        struct wire_ended m = {0};
        int result;

        m.pid = rd_pid(&r);
        m.how = rd_enum(&r, WIRE_END_EXITED, WIRE_END_DUMPED, "an unknown kind of end");
        m.status = (uint8_t)rd_le(&r, 1);
        m.peak_bytes = rd_le(&r, 8);
        result = finish(&r, "ENDED", e);
        if (result == 0)
                *ret = m;
        return result;
}

int wire_decode_check_list(const uint8_t *p, size_t n, struct wire_check_list *ret, struct err *e)
{
        struct reader r = reader_of(p, n);
        scoped(wire_check_list) struct wire_check_list m = {0};
        int result;

        m.interpreter = rd_str(&r);
        m.dir = rd_str(&r);
        m.checks = rd_array(&r, sizeof *m.checks, 9, &m.n_checks);
        for (unsigned i = 0; i < m.n_checks; i++) {
                m.checks[i].kind = (uint8_t)rd_le(&r, 1);
                m.checks[i].subject = rd_str(&r);
                m.checks[i].extra = rd_str(&r);
        }
        result = finish(&r, "CHECK", e);
        if (result == 0) {
                *ret = m;
                m.checks = NULL;
        }
        return result;
}

int wire_decode_report(const uint8_t *p, size_t n, struct wire_report *ret, struct err *e)
{
        struct reader r = reader_of(p, n);
        scoped(wire_report) struct wire_report m = {0};
        int result;

        m.verdicts = rd_array(&r, sizeof *m.verdicts, 5, &m.n_verdicts);
        for (unsigned i = 0; i < m.n_verdicts; i++) {
                m.verdicts[i].status =
                    rd_enum(&r, WIRE_CHECK_OK, WIRE_CHECK_UNKNOWN, "an unknown status");
                m.verdicts[i].detail = rd_str(&r);
        }
        result = finish(&r, "REPORT", e);
        if (result == 0) {
                *ret = m;
                m.verdicts = NULL;
        }
        return result;
}

void wire_load_done(struct wire_load *m)
{
        free(take_ptr(m->models));
        m->n_models = 0;
}

void wire_call_done(struct wire_call *m)
{
        free(take_ptr(m->scalars));
        free(take_ptr(m->blobs));
        m->n_scalars = 0;
        m->n_blobs = 0;
        free(take_ptr(m->offsets));
}

void wire_result_done(struct wire_result *m)
{
        free(take_ptr(m->blobs));
        m->n_blobs = 0;
}

void wire_check_list_done(struct wire_check_list *m)
{
        free(take_ptr(m->checks));
        m->n_checks = 0;
}

void wire_report_done(struct wire_report *m)
{
        free(take_ptr(m->verdicts));
        m->n_verdicts = 0;
}
