/* wire_message.h -- payloads of docs/PROTOCOL.md as structs, encoded and decoded in this one place.
 * Knows: layouts.          May not know: descriptors, plugins, JSON's grammar.
 * Threads: any.            Owns: what *_done says; strings of decoded messages are borrowed from
 * the payload they were decoded from, which must outlive them. */
#ifndef FORGESYTE_WIRE_WIRE_MESSAGE_H
#define FORGESYTE_WIRE_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Text with its length; decoded text is valid UTF-8 without NUL, and NUL-terminated where the
 * decoder could arrange it: never rely on that, use len. */
struct wire_str {
        const char *p;
        uint32_t len;
};

/* max_output: the largest answer to a call, JSON and bytes together. */
struct wire_hello {
        uint32_t protocol, abi;
        uint64_t max_output;
};
struct wire_hello_ok {
        uint32_t protocol, abi;
};

struct wire_model {
        struct wire_str name, path;
};
struct wire_load {
        struct wire_str runtime, plugin, dir, entrypoint;
        struct wire_str interpreter; /* empty for native */
        struct wire_model *models;
        uint16_t n_models;
};

enum wire_error_kind {
        WIRE_ERROR_DECLARED = 0,
        WIRE_ERROR_EXCEPTION = 1,
        WIRE_ERROR_ABI = 2,
        WIRE_ERROR_IMPORT = 3,
};
struct wire_error {
        uint8_t kind;
        struct wire_str type, text, traceback;
};

enum wire_scalar_type { WIRE_BOOL = 1, WIRE_INT = 2, WIRE_NUMBER = 3, WIRE_STRING = 4 };
struct wire_scalar {
        struct wire_str name;
        uint8_t type;
        bool b;
        int64_t i;
        double d;
        struct wire_str s;
};
struct wire_blob {
        struct wire_str name, content_type;
        const uint8_t *data;
        uint32_t size;
};
struct wire_call {
        struct wire_str tool, json;
        struct wire_scalar *scalars;
        uint16_t n_scalars;
        struct wire_blob *blobs;
        uint16_t n_blobs;
        uint32_t *offsets; /* CALL_SHM: of each blob's data in the shared memory; CALL: NULL */
};
struct wire_result {
        struct wire_str json;
        struct wire_blob *blobs;
        uint16_t n_blobs;
};

struct wire_progress {
        double done, total;
};
struct wire_log {
        uint8_t level;
        struct wire_str text;
};

struct wire_forked {
        uint32_t pid; /* in the box's pid namespace; 1 to INT32_MAX */
};
enum wire_end { WIRE_END_EXITED = 1, WIRE_END_KILLED = 2, WIRE_END_DUMPED = 3 }; /* CLD_... */
struct wire_ended {
        uint32_t pid;
        uint8_t how, status; /* status: the exit code, or the signal */
        uint64_t peak_bytes; /* 0: unknown */
};

enum wire_check_kind {
        WIRE_CHECK_GPU_DRIVER = 1,
        WIRE_CHECK_NVIDIA_SMI = 2,
        WIRE_CHECK_LIBRARY = 3,
        WIRE_CHECK_COMMAND = 4,
        WIRE_CHECK_MODEL = 5,
        WIRE_CHECK_PACKAGE = 6,
        WIRE_CHECK_ENTRY_POINTS = 7,
        WIRE_CHECK_SOURCE = 8,
};
enum wire_check_status {
        WIRE_CHECK_OK = 0,
        WIRE_CHECK_MISSING = 1,
        WIRE_CHECK_BROKEN = 2,
        WIRE_CHECK_UNKNOWN = 3,
};
struct wire_check {
        uint8_t kind;
        struct wire_str subject, extra;
};
/* dir: the plugin's folder as the box sees it, out of which no model's path may lead whatever links
 * say; empty: not checked. */
struct wire_check_list {
        struct wire_str interpreter, dir;
        struct wire_check *checks;
        uint16_t n_checks;
};
struct wire_verdict {
        uint8_t status;
        struct wire_str detail;
};
struct wire_report {
        struct wire_verdict *verdicts;
        uint16_t n_verdicts;
};

struct wire_str wire_str_of(const char *text); /* NULL is "" */

/* Encoders add the payload (no header) to `to`, whose `bad` tells of missing memory or a string
 * that does not fit its length field. */
void wire_encode_hello(struct str *to, const struct wire_hello *m);
void wire_encode_hello_ok(struct str *to, const struct wire_hello_ok *m);
void wire_encode_load(struct str *to, const struct wire_load *m);
void wire_encode_meta(struct str *to, struct wire_str json);
void wire_encode_error(struct str *to, const struct wire_error *m);
void wire_encode_result(struct str *to, const struct wire_result *m);
void wire_encode_progress(struct str *to, const struct wire_progress *m);
void wire_encode_log(struct str *to, const struct wire_log *m);
void wire_encode_forked(struct str *to, const struct wire_forked *m);
void wire_encode_ended(struct str *to, const struct wire_ended *m);
void wire_encode_check_list(struct str *to, const struct wire_check_list *m);
void wire_encode_report(struct str *to, const struct wire_report *m);

/* CALL is gathered, never copied: everything but the blobs' data goes to `to`, cut into
 * n_blobs + 1 pieces: piece i (to->data + cuts[i-1] .. cuts[i]) is followed by blobs[i].data.
 * The first piece begins where `to` ended before; cuts holds n_blobs + 1 offsets into `to`. Returns
 * the payload's whole length without what `to` held before, 0 when over WIRE_MAX_CALL or `bad`. */
uint32_t wire_encode_call(struct str *to, const struct wire_call *m, size_t *cuts);

/* The same with offsets instead of the blobs' data, and in one piece. Returns its length, 0 when
 * over WIRE_MAX_CALL or `bad`. */
uint32_t wire_encode_call_shm(struct str *to, const struct wire_call *m);

/* Decoders: 0; with words -EBADMSG when a length or a number is wrong or bytes are left over,
 * -EILSEQ when nothing is wrong but that a text is not UTF-8 or contains NUL; -ENOMEM. On success
 * the *_done function frees the arrays. */
int wire_decode_hello(const uint8_t *p, size_t n, struct wire_hello *ret, struct err *e) must_check;
int wire_decode_hello_ok(const uint8_t *p, size_t n, struct wire_hello_ok *ret,
                         struct err *e) must_check;
int wire_decode_load(const uint8_t *p, size_t n, struct wire_load *ret, struct err *e) must_check;
int wire_decode_meta(const uint8_t *p, size_t n, struct wire_str *ret_json,
                     struct err *e) must_check;
int wire_decode_error(const uint8_t *p, size_t n, struct wire_error *ret, struct err *e) must_check;
int wire_decode_call(const uint8_t *p, size_t n, struct wire_call *ret, struct err *e) must_check;
/* With offsets; the blobs' data is NULL. Offset + size is at most WIRE_MAX_CALL. */
int wire_decode_call_shm(const uint8_t *p, size_t n, struct wire_call *ret,
                         struct err *e) must_check;
int wire_decode_result(const uint8_t *p, size_t n, struct wire_result *ret,
                       struct err *e) must_check;
/* Whatever wire_decode_result finds but what is wrong within texts: lengths and counts alone, so
 * that it takes no time however large the texts are, and no memory. 0 or -EBADMSG. */
int wire_check_result(const uint8_t *p, size_t n, struct err *e) must_check;
int wire_decode_progress(const uint8_t *p, size_t n, struct wire_progress *ret,
                         struct err *e) must_check;
int wire_decode_log(const uint8_t *p, size_t n, struct wire_log *ret, struct err *e) must_check;
int wire_decode_forked(const uint8_t *p, size_t n, struct wire_forked *ret,
                       struct err *e) must_check;
int wire_decode_ended(const uint8_t *p, size_t n, struct wire_ended *ret, struct err *e) must_check;
int wire_decode_check_list(const uint8_t *p, size_t n, struct wire_check_list *ret,
                           struct err *e) must_check;
int wire_decode_report(const uint8_t *p, size_t n, struct wire_report *ret,
                       struct err *e) must_check;

void wire_load_done(struct wire_load *m);
void wire_call_done(struct wire_call *m);
void wire_result_done(struct wire_result *m);
void wire_check_list_done(struct wire_check_list *m);
void wire_report_done(struct wire_report *m);

#define WIRE_DEFINE_SCOPED(name)                                                                   \
        static inline void wire_##name##_scoped(struct wire_##name *m)                             \
        {                                                                                          \
                wire_##name##_done(m);                                                             \
        }
WIRE_DEFINE_SCOPED(load)
WIRE_DEFINE_SCOPED(call)
WIRE_DEFINE_SCOPED(result)
WIRE_DEFINE_SCOPED(check_list)
WIRE_DEFINE_SCOPED(report)
#undef WIRE_DEFINE_SCOPED

#endif
