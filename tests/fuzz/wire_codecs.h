/* wire_codecs.h -- every message of docs/PROTOCOL.md, decoded and encoded again: what comes out
 * must be what went in, because each message has exactly one spelling. Knows: wire_message.h.   May
 * not know: where the bytes come from. Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_TESTS_WIRE_CODECS_H
#define FORGESYTE_TESTS_WIRE_CODECS_H

#include "wire/wire_message.h"

struct wire_codec {
        const char *name;
        /* The decoder's result; on success `to` has the same message encoded. */
        int (*recode)(const uint8_t *p, size_t n, struct str *to, struct err *e);
};

#define WIRE_CODECS 14
extern const struct wire_codec wire_codecs[WIRE_CODECS];

/* The payload of a CALL, put together from its pieces. */
void wire_join_call(struct str *to, const struct wire_call *m);

#endif
