/* call_args.h -- a tool's arguments as a person types them, made into the body of a request.
 *   key=value   a text; the tool's schema says what type it is read as
 *   key=@file   the file's bytes; key=@- those of standard input; key=@@x the text "@x"
 *   --json      all arguments as one object: '{...}', @file or @-
 * Knows: files, multipart/form-data.   May not know: schemas, sockets.
 * Threads: any.            Owns: the bytes it read. */
#ifndef FORGESYTE_CLI_CALL_ARGS_H
#define FORGESYTE_CLI_CALL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

/* What the host's own parser takes at most (http/http_body.h). */
#define CALL_ARGS_MAX      64
#define CALL_ARGS_NAME_MAX 64
#define CALL_ARGS_SIZE_MAX MIB(128)

struct call_arg {
        char *name;
        bool is_file;
        char *filename;           /* of a file: its last part; "stdin" */
        const char *content_type; /* of a file: by its ending; static */
        char *data;
        size_t size;
};

/* Either args or json (then n is 0). */
struct call_args {
        struct call_arg *args;
        size_t n;
        char *json;
        size_t json_size;
};

/* words: "key=value" and so on; json: what --json got, or NULL. -EINVAL: not of these forms, twice
 * the same name, too many, both words and json, no JSON object; others when a file can't be read.
 * With words naming the argument. call_args_done frees. */
int call_args_parse(const char *const *words, size_t n, const char *json, struct call_args *ret,
                    struct err *e) must_check;
void call_args_done(struct call_args *a);

static inline void call_args_scoped(struct call_args *a)
{
        call_args_done(a);
}

#define CALL_ARGS_TYPE_SIZE 96
/* The body of a run request and its Content-Type (a buffer of CALL_ARGS_TYPE_SIZE): JSON when it
 * was given as JSON or there are no arguments, else multipart/form-data with a random boundary that
 * occurs in no part. */
int call_args_body(const struct call_args *a, struct str *body, char *content_type,
                   struct err *e) must_check;

#endif
