/* request_args.h -- a tool's arguments as a person types them, made into the body of a request.
 *   key=value   a text; the tool's schema says what type it is read as
 *   key=@file   the file's bytes; key=@- those of standard input; key=@@x the text "@x"
 *   --json      all arguments as one object: '{...}', @file or @-
 * Knows: files, multipart/form-data.   May not know: schemas, sockets.
 * Threads: any.            Owns: the bytes it read. */
#ifndef FORGESYTE_CLI_REQUEST_ARGS_H
#define FORGESYTE_CLI_REQUEST_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

/* What the host's own parser takes at most (http/http_body.h). */
#define REQUEST_ARGS_MAX      64
#define REQUEST_ARGS_NAME_MAX 64
#define REQUEST_ARGS_SIZE_MAX MIB(128)

struct request_arg {
        char *name;
        bool is_file;
        char *filename;           /* of a file: its last part; "stdin" */
        const char *content_type; /* of a file: by its ending; static */
        char *data;
        size_t size;
};

/* Either args or json (then n is 0). */
struct request_args {
        struct request_arg *args;
        size_t n;
        char *json;
        size_t json_size;
};

/* words: "key=value" and so on; json: what --json got, or NULL. -EINVAL: not of these forms, twice
 * the same name, too many, both words and json, no JSON object; others when a file can't be read.
 * With words naming the argument. request_args_done frees. */
int request_args_parse(const char *const *words, size_t n, const char *json,
                       struct request_args *ret, struct err *e) must_check;
void request_args_done(struct request_args *a);

static inline void request_args_scoped(struct request_args *a)
{
        request_args_done(a);
}

#define REQUEST_ARGS_TYPE_SIZE 96
/* The body of a run request and its Content-Type (a buffer of REQUEST_ARGS_TYPE_SIZE): JSON when it
 * was given as JSON or there are no arguments, else multipart/form-data with a random boundary that
 * occurs in no part. */
int request_args_body(const struct request_args *a, struct str *body, char *content_type,
                      struct err *e) must_check;

#endif
