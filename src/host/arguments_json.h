/* arguments_json.h -- a JSON body whose bytes arguments are decoded where they lie.
 * A photo in base64 would otherwise be copied three times: by the JSON parser, out of it, and by
 * the decoder. So each such string of the top level is cut out first and decoded in place; the
 * parser sees "" in its stead. What is not in the plain form (escapes in the text) takes the long
 * way. Knows: JSON's grammar.   May not know: HTTP. Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_HOST_ARGUMENTS_JSON_H
#define FORGESYTE_HOST_ARGUMENTS_JSON_H

#include "toolrunner/tool_call.h"

/* body is changed. On success args->json and args->bytes are set; bytes point into body.
 * 0; -EBADMSG with words: not a JSON object; -EINVAL with words: a bytes argument is not base64;
 * -ENOMEM. */
int arguments_from_json(const struct manifest_tool *tool, char *body, size_t n,
                        struct call_args *args, struct err *e) must_check;
/* The long way, also for text parts: decodes a base64 string or data: URL into an argument. */
int arguments_add_base64(struct call_args *args, const char *name, const char *text, size_t n,
                         struct err *e) must_check;
bool arguments_is_bytes(const struct manifest_tool *tool, const char *name, size_t len);
/* A text that an uploaded file may stand for. */
bool arguments_is_file(const struct manifest_tool *tool, const char *name);

#endif
