/* Every rule of docs/PROTOCOL.md about frames, each broken once. */
#include <errno.h>
#include <string.h>

#include "../support/test.h"
#include "../support/failing_malloc.h"
#include "wire/wire_frame.h"

#define GENERATION 5
#define CALL_ID    UINT64_C(0x1122334455667788)
#define MAX_OUTPUT 1000

/* A parser that awaits the answer to `request` (0: idle after a HELLO). */
static void await(struct wire_parser *p, unsigned request)
{
        wire_parser_init(p, GENERATION, MAX_OUTPUT);
        if (request)
                assert_int_equal(wire_parser_expect(p, request, CALL_ID), 0);
        else
                p->call_id = CALL_ID;
}

static struct wire_header header_of(unsigned type, uint32_t len)
{
        return (struct wire_header){
            .type = (uint8_t)type, .len = len, .generation = GENERATION, .call_id = CALL_ID};
}

static int feed(struct wire_parser *p, const uint8_t *bytes, size_t n, struct wire_frame *f,
                struct err *e)
{
        size_t used, at = 0;
        int r;

        do {
                r = wire_parser_feed(p, bytes + at, n - at, &used, f, e);
                at += used;
        } while (r == 0 && at < n);
        return r;
}

static int feed_header(struct wire_parser *p, const struct wire_header *h, struct wire_frame *f,
                       struct err *e)
{
        uint8_t buf[WIRE_HEADER_SIZE];

        wire_header_encode(h, buf);
        return feed(p, buf, sizeof buf, f, e);
}

/* The header alone must be refused with these words, and nothing is taken afterwards. */
static void expect_refused(struct wire_parser *p, const struct wire_header *h, int code,
                           const char *words)
{
        struct wire_frame f = {0};
        struct err e = {0};

        assert_int_equal(feed_header(p, h, &f, &e), code);
        if (!strstr(e.msg, words))
                fail_msg("\"%s\" does not say \"%s\"", e.msg, words);
        assert_int_equal(e.code, code);
        assert_null(p->payload);
        assert_int_equal(feed_header(p, h, &f, &e), -EBADMSG);
        assert_false(wire_parser_midframe(p));
        wire_parser_done(p);
}

/* A frame with a payload of `len` zeros must be taken. */
static void expect_taken(struct wire_parser *p, const struct wire_header *h, bool ends)
{
        scoped(free) uint8_t *zeros = calloc(1, h->len + 1u);
        scoped(wire_frame) struct wire_frame f = {0};
        struct err e = {0};
        int r = feed_header(p, h, &f, &e);

        if (r == 0)
                r = feed(p, zeros, h->len, &f, &e);
        if (r != 1)
                fail_msg("%s: %d %s", wire_type_name(h->type), r, e.msg);
        assert_int_equal(f.header.len, h->len);
        assert_int_equal(f.ends_request, ends);
        if (h->len)
                assert_int_equal(f.payload[h->len], 0);
        else
                assert_null(f.payload);
}

/* --- the header ------------------------------------------------------------------------------- */

static void test_header_layout_is_the_documents(void **state)
{
        /* Written down byte by byte from the document, the checksum by another implementation. */
        static const uint8_t expected[WIRE_HEADER_SIZE] = {
            'F',  'R',  'G',  'E',  1,    67,   0,    0,    4,    3,    2,
            1,    8,    7,    6,    5,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33,
            0x22, 0x11, 0x0c, 0x0b, 0x0a, 0x09, 0x9e, 0xdf, 0x19, 0xb1,
        };
        struct wire_header h = {.type = 67,
                                .len = 0x01020304,
                                .generation = 0x05060708,
                                .call_id = CALL_ID,
                                .seq = 0x090a0b0c};
        uint8_t buf[WIRE_HEADER_SIZE];
        struct wire_header back;
        struct err e;

        (void)state;
        wire_header_encode(&h, buf);
        assert_memory_equal(buf, expected, sizeof buf);
        assert_int_equal(wire_header_decode(buf, &back, &e), 0);
        assert_int_equal(back.type, h.type);
        assert_int_equal(back.len, h.len);
        assert_int_equal(back.generation, h.generation);
        assert_true(back.call_id == h.call_id);
        assert_int_equal(back.seq, h.seq);
}

static void test_any_flipped_bit_is_refused(void **state)
{
        struct wire_header h = header_of(WIRE_RESULT, 10), back;
        uint8_t buf[WIRE_HEADER_SIZE];
        struct err e;

        (void)state;
        wire_header_encode(&h, buf);
        for (unsigned bit = 0; bit < 8 * sizeof buf; bit++) {
                buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_int_equal(wire_header_decode(buf, &back, &e), -EBADMSG);
                buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(wire_header_decode(buf, &back, &e), 0);
}

/* With a right checksum (offset of the changed byte, then the four), so that it is the field itself
 * that is refused. */
static void refuse_raw(size_t at, uint8_t value, const char *words)
{
        static const uint8_t crcs[][5] = {
            {4, 0x82, 0xbe, 0x71, 0xd5}, {6, 0x73, 0xe9, 0x47, 0x49}, {7, 0x61, 0xc7, 0x05, 0x8c}};
        struct wire_header h = {.type = 67, .call_id = 1}, back;
        uint8_t buf[WIRE_HEADER_SIZE];
        struct err e = {0};

        wire_header_encode(&h, buf);
        buf[at] = value;
        for (size_t i = 0; i < ARRAY_LEN(crcs); i++)
                if (crcs[i][0] == at)
                        memcpy(buf + 28, crcs[i] + 1, 4);
        assert_int_equal(wire_header_decode(buf, &back, &e), -EBADMSG);
        if (!strstr(e.msg, words))
                fail_msg("\"%s\" does not say \"%s\"", e.msg, words);
}

static void test_magic_version_flags_are_named(void **state)
{
        (void)state;
        refuse_raw(0, 'X', "bad magic");
        refuse_raw(4, 9, "frame version 9");
        refuse_raw(6, 1, "reserved flags 0x0001");
        refuse_raw(7, 0x80, "reserved flags 0x8000");
        refuse_raw(20, 1, "checksum");
}

static void test_every_type_has_a_name(void **state)
{
        (void)state;
        assert_string_equal(wire_type_name(WIRE_RESULT), "RESULT");
        assert_string_equal(wire_type_name(WIRE_HELLO), "HELLO");
        assert_string_equal(wire_type_name(0), "type 0");
        assert_string_equal(wire_type_name(99), "type 99");
        assert_string_equal(wire_type_name(255), "type 255");
        assert_string_equal(wire_type_name(1000), "unknown type");
}

/* --- what may come when ----------------------------------------------------------------------- */

/* The table of the document, once more, by hand: E ends, M many, O once, . never. */
static const struct {
        uint8_t type;
        char idle, hello, load, init, validate, call, shutdown, check, fork;
} permitted[] = {
    {WIRE_HELLO_OK, '.', 'E', '.', '.', '.', '.', '.', '.', '.'},
    {WIRE_META, '.', '.', 'O', 'O', '.', '.', '.', '.', '.'},
    {WIRE_READY, '.', '.', 'E', 'E', 'E', '.', '.', '.', '.'},
    {WIRE_RESULT, '.', '.', '.', '.', '.', 'E', '.', '.', '.'},
    {WIRE_ERROR, '.', '.', 'E', 'E', 'E', 'E', '.', 'E', 'E'},
    {WIRE_PROGRESS, '.', '.', '.', '.', '.', 'M', '.', '.', '.'},
    {WIRE_LOG, 'M', 'M', 'M', 'M', 'M', 'M', 'M', 'M', 'M'},
    {WIRE_PONG, '.', '.', '.', '.', '.', '.', '.', '.', '.'},
    {WIRE_REPORT, '.', '.', '.', '.', '.', '.', '.', 'E', '.'},
    {WIRE_FORKED, '.', '.', '.', '.', '.', '.', '.', '.', 'E'},
    {WIRE_ENDED, 'M', '.', '.', 'M', '.', '.', 'M', '.', 'M'},
};

static void try_permitted(unsigned request, uint8_t type, char what)
{
        struct wire_header h = header_of(type, 0);
        struct wire_parser p;

        await(&p, request);
        if (type == WIRE_READY && request == WIRE_INIT)
                p.meta_seen = true;
        if (type == WIRE_ENDED)
                p.forks = true;
        if (what == '.') {
                expect_refused(&p, &h, -EBADMSG, "in answer to");
                return;
        }
        expect_taken(&p, &h, what == 'E');
        assert_int_equal(p.request, what == 'E' ? 0 : request);
        h.seq = 1;
        if (what == 'M')
                expect_taken(&p, &h, false);
        else if (what == 'O')
                expect_refused(&p, &h, -EBADMSG, "second META");
        else
                expect_refused(&p, &h, -EBADMSG, "in answer to nothing");
        wire_parser_done(&p);
}

static void test_each_type_is_permitted_only_where_the_document_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(permitted); i++) {
                try_permitted(0, permitted[i].type, permitted[i].idle);
                try_permitted(WIRE_HELLO, permitted[i].type, permitted[i].hello);
                try_permitted(WIRE_LOAD, permitted[i].type, permitted[i].load);
                try_permitted(WIRE_INIT, permitted[i].type, permitted[i].init);
                try_permitted(WIRE_VALIDATE, permitted[i].type, permitted[i].validate);
                try_permitted(WIRE_CALL, permitted[i].type, permitted[i].call);
                try_permitted(WIRE_SHUTDOWN, permitted[i].type, permitted[i].shutdown);
                try_permitted(WIRE_CHECK, permitted[i].type, permitted[i].check);
                try_permitted(WIRE_FORK, permitted[i].type, permitted[i].fork);
        }
}

static void test_types_of_the_host_and_unknown_types_are_refused(void **state)
{
        (void)state;
        for (unsigned type = 0; type < 256; type++) {
                struct wire_header h = header_of(type, 0);
                struct wire_parser p;

                if (type >= WIRE_HELLO_OK && type <= WIRE_ENDED)
                        continue;
                await(&p, WIRE_CALL);
                expect_refused(&p, &h, -EBADMSG, "a worker does not send");
        }
}

static void test_init_is_not_ready_before_meta(void **state)
{
        struct wire_header h = header_of(WIRE_READY, 0);
        struct wire_parser p;

        (void)state;
        await(&p, WIRE_INIT);
        expect_refused(&p, &h, -EBADMSG, "before META");
}

static void test_meta_comes_once_whenever_it_comes(void **state)
{
        struct wire_header h = header_of(WIRE_META, 0);
        struct wire_parser p;

        (void)state;
        await(&p, WIRE_INIT);
        p.meta_seen = true;
        expect_refused(&p, &h, -EBADMSG, "second META");
}

static void test_second_reply_comes_after_the_first_was_delivered(void **state)
{
        uint8_t buf[2 * WIRE_HEADER_SIZE];
        struct wire_header h = header_of(WIRE_ERROR, 0);
        scoped(wire_frame) struct wire_frame f = {0};
        struct wire_parser p;
        struct err e = {0};
        size_t used;

        (void)state;
        await(&p, WIRE_CALL);
        wire_header_encode(&h, buf);
        h.seq = 1;
        wire_header_encode(&h, buf + WIRE_HEADER_SIZE);
        assert_int_equal(wire_parser_feed(&p, buf, sizeof buf, &used, &f, &e), 1);
        assert_int_equal(used, WIRE_HEADER_SIZE);
        assert_int_equal(feed(&p, buf + used, sizeof buf - used, &f, &e), -EBADMSG);
        assert_string_equal(e.msg, "ERROR in answer to nothing");
        wire_parser_done(&p);
}

/* --- whose it is ------------------------------------------------------------------------------ */

static void test_another_generation_sequence_or_id_is_refused(void **state)
{
        struct wire_header h = header_of(WIRE_RESULT, 0);
        struct wire_parser p;

        (void)state;
        await(&p, WIRE_CALL);
        h.generation = GENERATION - 1;
        expect_refused(&p, &h, -EBADMSG, "RESULT of generation 4, not 5");
        await(&p, WIRE_CALL);
        h = header_of(WIRE_RESULT, 0);
        h.seq = 1;
        expect_refused(&p, &h, -EBADMSG, "sequence number 1, not 0");
        await(&p, WIRE_CALL);
        h = header_of(WIRE_RESULT, 0);
        h.call_id++;
        expect_refused(&p, &h, -EBADMSG, "RESULT with another call's id");
        await(&p, WIRE_CALL);
        h.call_id = 0;
        expect_refused(&p, &h, -EBADMSG, "another call's id");
}

static void test_log_may_cross_one_request_and_no_more(void **state)
{
        struct wire_header h = header_of(WIRE_READY, 0);
        struct wire_parser p;

        (void)state;
        await(&p, WIRE_VALIDATE);
        expect_taken(&p, &h, true);
        assert_int_equal(wire_parser_expect(&p, WIRE_CALL, CALL_ID + 1), 0);
        h = header_of(WIRE_LOG, 0);
        h.seq = 1;
        expect_taken(&p, &h, false);
        h = header_of(WIRE_ERROR, 0);
        h.seq = 2;
        h.call_id = CALL_ID + 1;
        expect_taken(&p, &h, true);
        assert_int_equal(wire_parser_expect(&p, WIRE_CALL, CALL_ID + 2), 0);
        h = header_of(WIRE_LOG, 0);
        h.seq = 3;
        expect_refused(&p, &h, -EBADMSG, "LOG with another call's id");
}

/* A worker becomes one with FORK and is none any more with what comes after INIT. */
static void test_ends_are_told_by_templates_only(void **state)
{
        static const struct {
                uint8_t requests[3];
                bool taken;
        } rows[] = {
            {{WIRE_LOAD}, false},
            {{WIRE_LOAD, WIRE_INIT}, false},
            {{WIRE_LOAD, WIRE_FORK}, true},
            {{WIRE_FORK, WIRE_FORK, WIRE_SHUTDOWN}, true},
            {{WIRE_FORK, WIRE_INIT}, true},
            {{WIRE_FORK, WIRE_INIT, WIRE_VALIDATE}, false},
            {{WIRE_FORK, WIRE_INIT, WIRE_CALL}, false},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct wire_header h = header_of(WIRE_ENDED, 0);
                struct wire_parser p;

                wire_parser_init(&p, GENERATION, MAX_OUTPUT);
                for (size_t k = 0; k < ARRAY_LEN(rows[i].requests) && rows[i].requests[k]; k++) {
                        p.request = 0;
                        h.call_id = CALL_ID + k;
                        assert_int_equal(wire_parser_expect(&p, rows[i].requests[k], h.call_id), 0);
                }
                p.request = 0; /* it has been answered */
                if (rows[i].taken)
                        expect_taken(&p, &h, false);
                else
                        expect_refused(&p, &h, -EBADMSG, "was not asked to fork");
                wire_parser_done(&p);
        }
}

/* A template's process dies while the next is being forked, and it is the next one's first words.
 */
static void test_an_end_may_cross_a_fork_and_a_copy_begins_with_the_forks_id(void **state)
{
        struct wire_header h = header_of(WIRE_ENDED, 0);
        struct wire_parser p;

        (void)state;
        await(&p, WIRE_FORK);
        expect_taken(&p,
                     &(struct wire_header){
                         .type = WIRE_FORKED, .generation = GENERATION, .call_id = CALL_ID},
                     true);
        assert_int_equal(wire_parser_expect(&p, WIRE_FORK, CALL_ID + 1), 0);
        h.seq = 1;
        expect_taken(&p, &h, false);
        h = header_of(WIRE_FORKED, 0);
        h.seq = 2;
        expect_refused(&p, &h, -EBADMSG, "FORKED with another call's id");
        wire_parser_init_forked(&p, GENERATION, MAX_OUTPUT, CALL_ID);
        h = header_of(WIRE_LOG, 0);
        expect_taken(&p, &h, false);
        assert_int_equal(wire_parser_expect(&p, WIRE_INIT, CALL_ID), -EINVAL);
        assert_int_equal(wire_parser_expect(&p, WIRE_INIT, CALL_ID + 2), 0);
        h.seq = 1;
        expect_taken(&p, &h, false);
}

static void test_nothing_is_permitted_before_the_first_request(void **state)
{
        struct wire_header h = header_of(WIRE_LOG, 0);
        struct wire_parser p;

        (void)state;
        wire_parser_init(&p, GENERATION, MAX_OUTPUT);
        h.call_id = 0;
        expect_refused(&p, &h, -EBADMSG, "another call's id");
}

static void test_expect_refuses_what_is_no_request(void **state)
{
        struct wire_parser p;

        (void)state;
        wire_parser_init(&p, GENERATION, MAX_OUTPUT);
        assert_int_equal(wire_parser_expect(&p, WIRE_CANCEL, 1), -EINVAL);
        assert_int_equal(wire_parser_expect(&p, WIRE_PING, 1), -EINVAL);
        assert_int_equal(wire_parser_expect(&p, (enum wire_type)(WIRE_FORK + 1), 1), -EINVAL);
        assert_int_equal(wire_parser_expect(&p, WIRE_RESULT, 1), -EINVAL);
        assert_int_equal(wire_parser_expect(&p, (enum wire_type)0, 1), -EINVAL);
        assert_int_equal(wire_parser_expect(&p, WIRE_CALL, 0), -EINVAL);
        assert_int_equal(wire_parser_expect(&p, WIRE_CALL, 1), 0);
        assert_int_equal(wire_parser_expect(&p, WIRE_CALL, 2), -EBUSY);
}

/* --- how large, and what it costs ---------------------------------------------------------------
 */

static const struct {
        uint8_t request, type;
        uint32_t cap;
} caps[] = {
    {WIRE_HELLO, WIRE_HELLO_OK, 64},   {WIRE_LOAD, WIRE_META, 1 << 20},
    {WIRE_VALIDATE, WIRE_READY, 0},    {WIRE_CALL, WIRE_RESULT, MAX_OUTPUT + (64 << 10)},
    {WIRE_CALL, WIRE_ERROR, 64 << 10}, {WIRE_CALL, WIRE_PROGRESS, 16},
    {WIRE_CALL, WIRE_LOG, 16 << 10},   {WIRE_CHECK, WIRE_REPORT, 256 << 10},
    {WIRE_FORK, WIRE_FORKED, 4},       {WIRE_FORK, WIRE_ENDED, 14},
};

static void test_caps_are_refused_from_the_header_alone(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
                bool result = caps[i].type == WIRE_RESULT;
                struct wire_header h = header_of(caps[i].type, caps[i].cap);
                struct wire_parser p;
                size_t before;

                await(&p, caps[i].request);
                expect_taken(&p, &h,
                             caps[i].type != WIRE_META && caps[i].type != WIRE_PROGRESS &&
                                 caps[i].type != WIRE_LOG && caps[i].type != WIRE_ENDED);
                wire_parser_done(&p);
                for (int huge = 0; huge < 2; huge++) {
                        await(&p, caps[i].request);
                        h.len = huge ? UINT32_MAX : caps[i].cap + 1;
                        before = failing_malloc_count();
                        expect_refused(&p, &h, result ? -EMSGSIZE : -EBADMSG, "at most");
                        assert_int_equal(failing_malloc_count(), before);
                }
        }
}

static void test_requests_have_caps_too(void **state)
{
        (void)state;
        assert_int_equal(wire_request_cap(WIRE_CALL), 128 << 20);
        assert_int_equal(wire_request_cap(WIRE_LOAD), 64 << 10);
        assert_int_equal(wire_request_cap(WIRE_CANCEL), 0);
        assert_int_equal(wire_request_cap(WIRE_RESULT), 0);
        assert_int_equal(wire_request_cap(200), 0);
}

static void test_requests_say_how_many_descriptors_come_with_them(void **state)
{
        (void)state;
        assert_int_equal(wire_request_descriptors(WIRE_CALL_SHM), 1);
        assert_int_equal(wire_request_descriptors(WIRE_FORK), 3);
        assert_int_equal(wire_request_descriptors(WIRE_CALL), 0);
        assert_int_equal(wire_request_descriptors(WIRE_CANCEL), 0);
        assert_int_equal(wire_request_descriptors(WIRE_RESULT), 0);
        assert_int_equal(wire_request_descriptors(200), 0);
}

static void test_buffer_grows_by_what_arrived(void **state)
{
        struct wire_header h = header_of(WIRE_RESULT, 60000);
        uint8_t some[5000] = {0};
        struct wire_frame f = {0};
        struct wire_parser p;
        struct err e;

        (void)state;
        await(&p, WIRE_CALL);
        assert_int_equal(feed_header(&p, &h, &f, &e), 0);
        assert_null(p.payload);
        assert_int_equal(feed(&p, some, 1, &f, &e), 0);
        assert_in_range(p.payload_cap, 1, 4096);
        assert_int_equal(feed(&p, some, sizeof some, &f, &e), 0);
        assert_in_range(p.payload_cap, 5001, 10240);
        wire_parser_done(&p);
}

/* --- bytes come as they like ------------------------------------------------------------------ */

/* PROGRESS, LOG, RESULT in one stream. */
static size_t make_stream(uint8_t *buf)
{
        static const struct {
                uint8_t type, len;
        } frames[] = {{WIRE_PROGRESS, 16}, {WIRE_LOG, 40}, {WIRE_LOG, 0}, {WIRE_RESULT, 90}};
        size_t n = 0;

        for (uint32_t i = 0; i < ARRAY_LEN(frames); i++) {
                struct wire_header h = header_of(frames[i].type, frames[i].len);

                h.seq = i;
                wire_header_encode(&h, buf + n);
                n += WIRE_HEADER_SIZE;
                memset(buf + n, 'a' + (int)i, h.len);
                n += h.len;
        }
        return n;
}

/* Feeds buf[0..n) and checks each frame that comes out. */
static void feed_stream(struct wire_parser *p, const uint8_t *buf, size_t n, uint32_t *frames)
{
        size_t at = 0, used;

        while (at < n) {
                scoped(wire_frame) struct wire_frame f = {0};
                struct err e = {0};
                int r = wire_parser_feed(p, buf + at, n - at, &used, &f, &e);

                assert_in_range(r, 0, 1);
                at += used;
                if (r == 0) {
                        assert_int_equal(at, n);
                        break;
                }
                assert_int_equal(f.header.seq, *frames);
                for (uint32_t i = 0; i < f.header.len; i++)
                        assert_int_equal(f.payload[i], 'a' + *frames);
                ++*frames;
        }
}

static void test_any_split_gives_the_same_frames(void **state)
{
        uint8_t stream[512];
        size_t n = make_stream(stream);

        (void)state;
        for (size_t split = 0; split <= n; split++) {
                uint32_t frames = 0;
                struct wire_parser p;

                await(&p, WIRE_CALL);
                feed_stream(&p, stream, split, &frames);
                assert_int_equal(wire_parser_midframe(&p), split != 0 && split != 48 &&
                                                               split != 120 && split != 152 &&
                                                               split != n);
                feed_stream(&p, stream + split, n - split, &frames);
                assert_int_equal(frames, 4);
                assert_int_equal(p.request, 0);
                wire_parser_done(&p);
        }
}

static void test_byte_by_byte_gives_the_same_frames(void **state)
{
        uint8_t stream[512];
        size_t n = make_stream(stream);
        uint32_t frames = 0;
        struct wire_parser p;

        (void)state;
        await(&p, WIRE_CALL);
        for (size_t i = 0; i < n; i++)
                feed_stream(&p, stream + i, 1, &frames);
        assert_int_equal(frames, 4);
        wire_parser_done(&p);
}

static void test_half_a_frame_is_given_up_without_a_leak(void **state)
{
        uint8_t stream[512];
        size_t n = make_stream(stream);
        uint32_t frames = 0;
        struct wire_parser p;

        (void)state;
        await(&p, WIRE_CALL);
        feed_stream(&p, stream, n - 1, &frames);
        assert_int_equal(frames, 3);
        wire_parser_done(&p);
        wire_parser_done(&p);
}

static void test_nth_allocation_failure_is_reported_and_leaks_nothing(void **state)
{
        uint8_t stream[512];
        size_t n = make_stream(stream);
        int failures = 0;

        (void)state;
        for (size_t nth = 1; nth < 10; nth++) {
                struct wire_parser p;
                struct err e = {0};
                size_t at = 0, used;
                int r = 0;

                await(&p, WIRE_CALL);
                failing_malloc_arm(nth);
                while (r >= 0 && at < n) {
                        scoped(wire_frame) struct wire_frame f = {0};

                        r = wire_parser_feed(&p, stream + at, n - at, &used, &f, &e);
                        at += used;
                }
                failing_malloc_disarm();
                if (r < 0) {
                        assert_int_equal(r, -ENOMEM);
                        failures++;
                }
                wire_parser_done(&p);
        }
        assert_int_equal(failures, 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_header_layout_is_the_documents),
            cmocka_unit_test(test_any_flipped_bit_is_refused),
            cmocka_unit_test(test_magic_version_flags_are_named),
            cmocka_unit_test(test_every_type_has_a_name),
            cmocka_unit_test(test_each_type_is_permitted_only_where_the_document_says),
            cmocka_unit_test(test_ends_are_told_by_templates_only),
            cmocka_unit_test(test_an_end_may_cross_a_fork_and_a_copy_begins_with_the_forks_id),
            cmocka_unit_test(test_types_of_the_host_and_unknown_types_are_refused),
            cmocka_unit_test(test_init_is_not_ready_before_meta),
            cmocka_unit_test(test_meta_comes_once_whenever_it_comes),
            cmocka_unit_test(test_second_reply_comes_after_the_first_was_delivered),
            cmocka_unit_test(test_another_generation_sequence_or_id_is_refused),
            cmocka_unit_test(test_log_may_cross_one_request_and_no_more),
            cmocka_unit_test(test_nothing_is_permitted_before_the_first_request),
            cmocka_unit_test(test_expect_refuses_what_is_no_request),
            cmocka_unit_test(test_caps_are_refused_from_the_header_alone),
            cmocka_unit_test(test_requests_have_caps_too),
            cmocka_unit_test(test_requests_say_how_many_descriptors_come_with_them),
            cmocka_unit_test(test_buffer_grows_by_what_arrived),
            cmocka_unit_test(test_any_split_gives_the_same_frames),
            cmocka_unit_test(test_byte_by_byte_gives_the_same_frames),
            cmocka_unit_test(test_half_a_frame_is_given_up_without_a_leak),
            cmocka_unit_test(test_nth_allocation_failure_is_reported_and_leaks_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
