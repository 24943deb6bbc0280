/* native_result.h -- the answer of a native call while the plugin builds it.
 * Knows: JSON text, the size the host takes.   May not know: frames, the plugin.
 * Threads: one at a time.  Owns: copies of everything it was given.
 *
 * What the plugin was refused (too large, no UTF-8) is remembered: if it goes on to say that the
 * call went well, native_result_check tells that it did not. */
#ifndef FORGESYTE_WORKER_NATIVE_RESULT_H
#define FORGESYTE_WORKER_NATIVE_RESULT_H

#include <stdint.h>

#include "base/str.h"
#include "wire/wire_message.h"
#include "worker/worker_fault.h"

/* X(id, error type, words) */
#define NATIVE_RESULT_TROUBLES(X)                                                                  \
        X(NONE, "", "")                                                                            \
        X(TOO_LARGE, "OutputTooLarge", "the result is larger than the host takes")                 \
        X(NO_MEMORY, "PluginError", "no memory for the result")                                    \
        X(NOT_UTF8, "InvalidOutput", "a text of the result is not UTF-8 or contains NUL")          \
        X(NOT_FINITE, "InvalidOutput", "a number of the result is infinite or not a number")       \
        X(NOT_OBJECT, "InvalidOutput", "members were added to a result that is not an object")     \
        X(NO_NAME, "InvalidOutput", "a member of the result has no name")

enum native_result_trouble {
#define X(id, type, words) NATIVE_RESULT_##id,
        NATIVE_RESULT_TROUBLES(X)
#undef X
};

struct native_result {
        uint64_t max; /* bytes of JSON, data, names and types together */
        uint64_t n_blob_bytes;
        struct str json; /* complete but for the last } when `open` */
        bool open;
        struct wire_blob *blobs; /* name, content_type and data are owned */
        uint16_t n_blobs;
        enum native_result_trouble json_trouble, blob_trouble;
};

void native_result_done(struct native_result *r);
static inline void native_result_scoped(struct native_result *r)
{
        native_result_done(r);
}

/* Each returns 0 or -1. */
int native_result_set_json(struct native_result *r, const char *json, size_t n);
int native_result_add_string(struct native_result *r, const char *name, const char *value);
int native_result_add_int(struct native_result *r, const char *name, int64_t value);
int native_result_add_number(struct native_result *r, const char *name, double value);
int native_result_add_bool(struct native_result *r, const char *name, bool value);
int native_result_add_bytes(struct native_result *r, const char *name, const char *content_type,
                            const void *data, size_t n);

/* 0: all of it may be sent; 1: `f` says why not. */
int native_result_check(const struct native_result *r, struct worker_fault *f) must_check;
/* Closes the object and adds the payload of the RESULT. */
void native_result_encode(struct native_result *r, struct str *to);

#endif
