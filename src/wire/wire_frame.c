#include "wire/wire_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- the table: every rule of docs/PROTOCOL.md about what a worker may send ------------------- */

enum rule_times { ONCE = 1, MANY, ENDS };

/* during: bit of the request's type, bit 0 for idle. */
struct rule {
        uint32_t cap;
        uint16_t during;
        enum rule_times times;
};

#define IN(request) (1u << WIRE_##request)
#define NEVER       0u
#define IDLE        1u
#define ANYTIME     0xffffu

static const struct rule rules[] = {
#define X(id, number, cap, during, times)                                                          \
        [number - WIRE_HELLO_OK] = {cap, (uint16_t)(during), times},
    WIRE_TYPES_TO_HOST(X)
#undef X
};

#undef IN
#undef NEVER
#undef IDLE
#undef ANYTIME

static const struct rule *rule_of(unsigned type)
{
        if (type < WIRE_HELLO_OK || type - WIRE_HELLO_OK >= ARRAY_LEN(rules))
                return NULL;
        return &rules[type - WIRE_HELLO_OK];
}

uint32_t wire_request_cap(unsigned type)
{
        switch (type) {
#define X(id, number, cap, descriptors)                                                            \
        case number:                                                                               \
                return cap;
                WIRE_TYPES_TO_WORKER(X)
#undef X
        }
        return 0;
}

unsigned wire_request_descriptors(unsigned type)
{
        switch (type) {
#define X(id, number, cap, descriptors)                                                            \
        _Static_assert(descriptors <= WIRE_MAX_DESCRIPTORS, #id);                                  \
        case number:                                                                               \
                return descriptors;
                WIRE_TYPES_TO_WORKER(X)
#undef X
        }
        return 0;
}

const char *wire_type_name(unsigned type)
{
/* A number without a name still needs words, and there is no buffer to print them to. */
#define ONE(n) [n] = "type " #n,
#define TEN(d)                                                                                     \
        ONE(d##0)                                                                                  \
        ONE(d##1) ONE(d##2) ONE(d##3) ONE(d##4) ONE(d##5) ONE(d##6) ONE(d##7) ONE(d##8) ONE(d##9)
        static const char *const numbers[] = {
            TEN() TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) TEN(9) TEN(10) TEN(11)
                TEN(12) TEN(13) TEN(14) TEN(15) TEN(16) TEN(17) TEN(18) TEN(19) TEN(20) TEN(21)
                    TEN(22) TEN(23) TEN(24) TEN(25)};
#undef TEN
#undef ONE
        switch (type) {
#define X(id, number, ...)                                                                         \
        case number:                                                                               \
                return #id;
                WIRE_TYPES_TO_WORKER(X)
                WIRE_TYPES_TO_HOST(X)
#undef X
        }
        return type < ARRAY_LEN(numbers) ? numbers[type] : "unknown type";
}

/* --- the header ------------------------------------------------------------------------------- */

static void put_le(uint8_t *to, uint64_t value, unsigned size)
{
        for (unsigned i = 0; i < size; i++)
                to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *from, unsigned size)
{
        uint64_t value = 0;

        for (unsigned i = 0; i < size; i++)
                value |= (uint64_t)from[i] << (8 * i);
        return value;
}

/* CRC-32C (Castagnoli, reflected), four bits at a time: 28 bytes do not deserve a larger table. */
static uint32_t crc32c(const uint8_t *p, size_t n)
{
        static const uint32_t nibbles[16] = {
            0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
            0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
            0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
        };
        uint32_t crc = 0xffffffff;

        for (size_t i = 0; i < n; i++) {
                crc ^= p[i];
                crc = crc >> 4 ^ nibbles[crc & 15];
                crc = crc >> 4 ^ nibbles[crc & 15];
        }
        return ~crc;
}

void wire_header_encode(const struct wire_header *h, uint8_t *buf)
{
        put_le(buf, WIRE_MAGIC, 4);
        buf[4] = WIRE_VERSION;
        buf[5] = h->type;
        put_le(buf + 6, 0, 2);
        put_le(buf + 8, h->len, 4);
        put_le(buf + 12, h->generation, 4);
        put_le(buf + 16, h->call_id, 8);
        put_le(buf + 24, h->seq, 4);
        put_le(buf + 28, crc32c(buf, 28), 4);
}

int wire_header_decode(const uint8_t *buf, struct wire_header *ret, struct err *e)
{
        uint64_t magic = get_le(buf, 4), flags = get_le(buf + 6, 2);

        if (magic != WIRE_MAGIC)
                return err_set(e, -EBADMSG, "bad magic 0x%08x", (unsigned)magic);
        if (buf[4] != WIRE_VERSION)
                return err_set(e, -EBADMSG, "frame version %u, not %u", buf[4], WIRE_VERSION);
        if (get_le(buf + 28, 4) != crc32c(buf, 28))
                return err_set(e, -EBADMSG, "header checksum is wrong");
        if (flags != 0)
                return err_set(e, -EBADMSG, "reserved flags 0x%04x", (unsigned)flags);
        *ret = (struct wire_header){
            .type = buf[5],
            .len = (uint32_t)get_le(buf + 8, 4),
            .generation = (uint32_t)get_le(buf + 12, 4),
            .call_id = get_le(buf + 16, 8),
            .seq = (uint32_t)get_le(buf + 24, 4),
        };
        return 0;
}

/* --- the parser ------------------------------------------------------------------------------- */

void wire_parser_init(struct wire_parser *p, uint32_t generation, uint32_t max_output)
{
        *p = (struct wire_parser){
            .generation = generation,
            .result_cap =
                (uint32_t)MIN_OF((uint64_t)max_output + WIRE_OUTPUT_SLACK, UINT32_MAX - 1),
        };
}

void wire_parser_init_forked(struct wire_parser *p, uint32_t generation, uint32_t max_output,
                             uint64_t fork_id)
{
        wire_parser_init(p, generation, max_output);
        p->call_id = fork_id;
}

void wire_parser_done(struct wire_parser *p)
{
        free(take_ptr(p->payload));
        p->failed = true;
}

int wire_parser_expect(struct wire_parser *p, enum wire_type request, uint64_t call_id)
{
        if (p->request)
                return -EBUSY;
        if (request < WIRE_HELLO || request > WIRE_FORK || request == WIRE_CANCEL ||
            request == WIRE_PING || call_id == 0 || call_id == p->call_id)
                return -EINVAL;
        p->forks = request == WIRE_FORK ||
                   (p->forks && (request == WIRE_INIT || request == WIRE_SHUTDOWN));
        p->request = (uint8_t)request;
        p->previous_id = p->call_id;
        p->call_id = call_id;
        p->seen = 0;
        return 0;
}

bool wire_parser_midframe(const struct wire_parser *p)
{
        return !p->failed && (p->in_payload || p->have > 0);
}

static const char *request_name(const struct wire_parser *p)
{
        return p->request ? wire_type_name(p->request) : "nothing";
}

/* Is the frame from this worker, in sequence, about what was asked? */
static int check_origin(const struct wire_parser *p, const struct wire_header *h, struct err *e)
{
        bool id_ok = h->call_id == p->call_id || ((h->type == WIRE_LOG || h->type == WIRE_ENDED) &&
                                                  h->call_id && h->call_id == p->previous_id);

        if (h->generation != p->generation)
                return err_set(e, -EBADMSG, "%s of generation %u, not %u", wire_type_name(h->type),
                               h->generation, p->generation);
        if (h->seq != p->next_seq)
                return err_set(e, -EBADMSG, "%s with sequence number %u, not %u",
                               wire_type_name(h->type), h->seq, p->next_seq);
        if (!id_ok || h->call_id == 0)
                return err_set(e, -EBADMSG, "%s with another call's id", wire_type_name(h->type));
        return 0;
}

/* May it come now, once more, this large? */
static int check_permitted(const struct wire_parser *p, const struct wire_header *h, struct err *e)
{
        const struct rule *rule = rule_of(h->type);
        const char *name = wire_type_name(h->type);
        uint32_t cap;

        if (!rule)
                return err_set(e, -EBADMSG, "a worker does not send %s", name);
        if (!(rule->during >> p->request & 1))
                return err_set(e, -EBADMSG, "%s in answer to %s", name, request_name(p));
        if (rule->times != MANY && p->seen >> (h->type - WIRE_HELLO_OK) & 1)
                return err_set(e, -EBADMSG, "second %s in answer to %s", name, request_name(p));
        if (h->type == WIRE_ENDED && !p->forks)
                return err_set(e, -EBADMSG, "ENDED of a worker that was not asked to fork");
        if (h->type == WIRE_META && p->meta_seen)
                return err_set(e, -EBADMSG, "second META");
        if (h->type == WIRE_READY && p->request == WIRE_INIT && !p->meta_seen)
                return err_set(e, -EBADMSG, "READY in answer to INIT before META");
        cap = h->type == WIRE_RESULT ? p->result_cap : rule->cap;
        if (h->len > cap)
                return err_set(e, h->type == WIRE_RESULT ? -EMSGSIZE : -EBADMSG,
                               "%s of %u bytes, at most %u", name, h->len, cap);
        return 0;
}

static int take_header(struct wire_parser *p, struct err *e)
{
        struct wire_header h;
        int r = wire_header_decode(p->header_buf, &h, e);

        if (r == 0)
                r = check_origin(p, &h, e);
        if (r == 0)
                r = check_permitted(p, &h, e);
        if (r < 0)
                return r;
        p->header = h;
        p->next_seq++;
        p->seen |= UINT32_C(1) << (h.type - WIRE_HELLO_OK);
        p->meta_seen = p->meta_seen || h.type == WIRE_META;
        p->in_payload = true;
        p->have = 0;
        return 0;
}

/* Room for `more` bytes and the NUL; doubling, so that a lying length costs only what was sent. */
static int grow_payload(struct wire_parser *p, size_t more)
{
        size_t whole = (size_t)p->header.len + 1, need = p->have + more + 1;
        size_t cap = MAX_OF(p->payload_cap, KIB(4));
        uint8_t *grown;

        if (need <= p->payload_cap)
                return 0;
        while (cap < need)
                cap *= 2;
        cap = MIN_OF(cap, whole);
        grown = realloc(p->payload, cap);
        if (!grown)
                return -ENOMEM;
        p->payload = grown;
        p->payload_cap = cap;
        return 0;
}

static int take_payload(struct wire_parser *p, const uint8_t *bytes, size_t n, size_t *ret_used,
                        struct err *e)
{
        size_t take = MIN_OF(n, p->header.len - p->have);
        int r;

        if (take == 0)
                return 0;
        r = grow_payload(p, take);
        if (r < 0)
                return err_set_errno(e, r, "%s of %u bytes", wire_type_name(p->header.type),
                                     p->header.len);
        memcpy(p->payload + p->have, bytes, take);
        p->have += take;
        *ret_used += take;
        return 0;
}

static void finish_frame(struct wire_parser *p, struct wire_frame *ret)
{
        const struct rule *rule = rule_of(p->header.type);

        if (p->payload)
                p->payload[p->have] = '\0';
        *ret = (struct wire_frame){
            .header = p->header,
            .payload = take_ptr(p->payload),
            .ends_request = rule->times == ENDS,
        };
        if (ret->ends_request)
                p->request = 0;
        p->payload_cap = 0;
        p->have = 0;
        p->in_payload = false;
}

static int feed(struct wire_parser *p, const uint8_t *bytes, size_t n, size_t *ret_used,
                struct wire_frame *ret_frame, struct err *e)
{
        int r;

        if (!p->in_payload) {
                size_t take = MIN_OF(n, WIRE_HEADER_SIZE - p->have);

                if (take)
                        memcpy(p->header_buf + p->have, bytes, take);
                p->have += take;
                *ret_used = take;
                if (p->have < WIRE_HEADER_SIZE)
                        return 0;
                r = take_header(p, e);
                if (r < 0)
                        return r;
        }
        r = take_payload(p, bytes + *ret_used, n - *ret_used, ret_used, e);
        if (r < 0)
                return r;
        if (p->have < p->header.len)
                return 0;
        finish_frame(p, ret_frame);
        return 1;
}

int wire_parser_feed(struct wire_parser *p, const uint8_t *bytes, size_t n, size_t *ret_used,
                     struct wire_frame *ret_frame, struct err *e)
{
        int r;

        *ret_used = 0;
        if (p->failed)
                return err_set(e, -EBADMSG, "the stream is already broken");
        if (n == 0)
                return 0;
        r = feed(p, bytes, n, ret_used, ret_frame, e);
        if (r < 0) {
                /* Whatever follows a violation cannot be told apart from one. */
                p->failed = true;
                free(take_ptr(p->payload));
        }
        return r;
}

void wire_frame_done(struct wire_frame *f)
{
        free(f->payload);
        *f = (struct wire_frame){0};
}
