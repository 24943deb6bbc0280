/* fuzz_wire.c -- the host's end of the wire under arbitrary bytes: libFuzzer's entry, and the unit
 * test over the corpus.
 *
 * First byte: what the rest is. 0: the payload of a message (second byte: which). 1: a worker's
 * stream as it is (second byte: the request). 2: records from which a stream with right checksums
 * is made, for what lies behind them. A stream must give the same frames however it is cut. */
#include "fuzz.h"
#include "wire/wire_frame.h"
#include "wire_codecs.h"

#define GENERATION 3
#define FIRST_ID   100
#define MAX_OUTPUT 5000

/* --- payloads --------------------------------------------------------------------------------- */

static void try_message(unsigned which, const uint8_t *p, size_t n)
{
        scoped(free) char *copy = exact_copy(p, n);
        scoped(str) struct str again = {0};
        struct err e = {0};
        int r;

        r = wire_codecs[which % WIRE_CODECS].recode((uint8_t *)copy, n, &again, &e);
        must(r <= 0, "a decoder has no named outcomes");
        must(r == 0 || e.msg[0], "a refusal has words");
        must(r < 0 || (again.len == n && (n == 0 || !memcmp(again.data, p, n))),
             "a message has one spelling");
}

/* --- streams ---------------------------------------------------------------------------------- */

static const uint8_t requests[] = {WIRE_HELLO, WIRE_LOAD,  WIRE_INIT,    WIRE_VALIDATE,
                                   WIRE_CALL,  WIRE_CHECK, WIRE_SHUTDOWN};

static void expect_next(struct wire_parser *p, unsigned *turn)
{
        int r = wire_parser_expect(p, requests[*turn % ARRAY_LEN(requests)], FIRST_ID + *turn);

        must(r == 0 && p->request, "an idle parser takes a request");
        ++*turn;
}

static void check_frame(const struct wire_frame *f)
{
        must((f->payload != NULL) == (f->header.len > 0),
             "a payload is there when it has a length");
        must(!f->payload || f->payload[f->header.len] == 0, "a NUL is behind it");
        must(f->header.len <= WIRE_MAX_OUTPUT_DEFAULT, "no frame is above all caps");
}

static void feed_stream(const uint8_t *bytes, size_t n, struct cut c, const void *how,
                        struct str *trace)
{
        unsigned turn = *(const unsigned *)how;
        struct wire_parser p;
        size_t at = 0;
        int r = 0;

        wire_parser_init(&p, GENERATION, MAX_OUTPUT);
        expect_next(&p, &turn);
        while (at < n && r >= 0) {
                scoped(wire_frame) struct wire_frame f = {0};
                size_t piece = cut_piece(c, at, n), used = 0;
                struct err e = {0};

                r = wire_parser_feed(&p, bytes + at, piece, &used, &f, &e);
                must(used <= piece, "no more is taken than there is");
                at += used;
                if (r == 1) {
                        check_frame(&f);
                        str_addf(trace, "%u:%u ", f.header.type, f.header.len);
                        str_add(trace, f.payload, f.header.len);
                        if (f.ends_request)
                                expect_next(&p, &turn);
                } else if (r < 0) {
                        must(!p.payload && p.failed, "a refusal keeps no memory");
                        str_addf(trace, "%d %s", r, e.msg);
                }
        }
        wire_parser_done(&p);
}

static void try_stream(unsigned turn, const uint8_t *p, size_t n)
{
        same_however_cut(p, n, &turn, feed_stream);
}

/* Records: type, kinks, length (one byte each). Kinks break one field of the header each. */
static void try_records(unsigned turn, const uint8_t *p, size_t n)
{
        scoped(str) struct str stream = {0};
        uint8_t header[WIRE_HEADER_SIZE];
        uint32_t seq = 0;

        while (n >= 3 && stream.len < 100000) {
                uint8_t type = p[0], kinks = p[1];
                uint32_t len = kinks & 0x40 ? p[2] * 300u : p[2];
                struct wire_header h = {
                    .type = kinks & 0x80 ? type : (uint8_t)(WIRE_HELLO_OK + type % 9),
                    .len = (kinks & 7) == 5 ? UINT32_MAX - p[2] : len,
                    .generation = GENERATION + ((kinks & 7) == 6),
                    .call_id = FIRST_ID + turn + (kinks >> 3 & 3),
                    .seq = seq++ + ((kinks & 7) == 7),
                };

                wire_header_encode(&h, header);
                str_add(&stream, header, sizeof header);
                for (uint32_t i = 0; i < len; i++)
                        str_addc(&stream, (char)i);
                p += 3;
                n -= 3;
        }
        try_stream(turn, (const uint8_t *)stream.data, stream.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size < 2)
                return 0;
        if (data[0] % 3 == 0)
                try_message(data[1], data + 2, size - 2);
        else if (data[0] % 3 == 1)
                try_stream(data[1], data + 2, size - 2);
        else
                try_records(data[1], data + 2, size - 2);
        return 0;
}
