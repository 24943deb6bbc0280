/* arguments.h -- a request's body and query as the arguments of a tool (design section 4).
 * Knows: tools' schemas, JSON, multipart.  May not know: sockets, the registry.
 * Threads: any: touches nothing but its parameters.  Owns: nothing. */
#ifndef FORGESYTE_HOST_ARGUMENTS_H
#define FORGESYTE_HOST_ARGUMENTS_H

#include "toolrunner/tool_call.h"

struct argument_pair {
        char *name, *value;
};

/* What a request brought. Owned by its holder; the arguments take `body` when they are made. */
struct argument_source {
        char *content_type; /* NULL: none was sent */
        char *body;
        size_t body_size;
        struct argument_pair *query;
        size_t n_query;
};
void argument_source_done(struct argument_source *s);
/* Copies a pair: -ENOMEM. */
int argument_source_add_query(struct argument_source *s, const char *name, const char *value);

/* Is its body one argument as it stands? Then arguments_make is quick, however large it is. */
bool argument_source_is_raw(const struct argument_source *s);

/* 0 and *ret; 1 and an outcome (BadRequest, UnsupportedMediaType, InvalidArguments) otherwise. */
int arguments_make(const struct manifest_tool *tool, struct argument_source *source,
                   struct call_args *ret, struct tool_outcome *outcome) must_check;

#endif
