/* schema_uri.h -- just enough of RFC 3986 to tell which schema a $ref means.
 * Knows: text.             May not know: JSON, the network.
 * Threads: any.            Owns: a resolved URI's two texts. */
#ifndef FORGESYTE_SCHEMA_URI_H
#define FORGESYTE_SCHEMA_URI_H

#include "base/macro.h"
#include "base/mem.h"

#define SCHEMA_URI_MAX 2048

/* document: the absolute (or as absolute as the base allows) URI without its fragment.
 * fragment: percent-decoded, "" when there is none. Zero-initialise; both are owned. */
struct schema_uri {
        char *document;
        char *fragment;
};

/* Resolves `ref` against `base` (RFC 3986, section 5.2). 0; -EINVAL when either is longer than
 * SCHEMA_URI_MAX; -ENOMEM. */
int schema_uri_resolve(const char *base, const char *ref, struct schema_uri *ret) must_check;
void schema_uri_done(struct schema_uri *uri);

static inline void schema_uri_scoped(struct schema_uri *uri)
{
        schema_uri_done(uri);
}

#endif
