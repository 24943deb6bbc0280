/* Every message of docs/PROTOCOL.md: there and back, cut anywhere, and each of its rules broken. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../fuzz/wire_codecs.h"
#include "../support/test.h"
#include "../support/failing_malloc.h"
#include "wire/wire_frame.h"

#define STR(literal)                                                                               \
        {                                                                                          \
                literal, sizeof(literal) - 1                                                       \
        }

/* --- one good sample of each, in the order of wire_codecs ------------------------------------- */

static struct wire_model models[] = {{STR("eng"), STR("/m/eng")}, {STR("deu"), STR("/m/deu")}};
static struct wire_scalar scalars[] = {
    {.name = STR("b"), .type = WIRE_BOOL, .b = true},
    {.name = STR("i"), .type = WIRE_INT, .i = -2},
    {.name = STR("d"), .type = WIRE_NUMBER, .d = 0.5},
    {.name = STR("s"), .type = WIRE_STRING, .s = STR("caf\xc3\xa9")},
};
static const uint8_t bytes[] = {0, 1, 2, 0xff, 0};
static struct wire_blob blobs[] = {
    {.name = STR("image"), .content_type = STR("image/png"), .data = bytes, .size = 5},
    {.name = STR("none"), .content_type = STR(""), .data = bytes, .size = 0},
};
static uint32_t offsets[] = {64, 0};
static struct wire_check checks[] = {
    {WIRE_CHECK_MODEL, STR("/plugin/a.pt"), STR("00ff")},
    {200, STR(""), STR("")},
};
static struct wire_verdict verdicts[] = {{WIRE_CHECK_OK, STR("")}, {WIRE_CHECK_BROKEN, STR("cut")}};

static void add_sample(size_t codec, struct str *to)
{
        switch (codec) {
        case 0:
                wire_encode_hello(to, &(struct wire_hello){1, 1, UINT64_C(1) << 40});
                return;
        case 1:
                wire_encode_hello_ok(to, &(struct wire_hello_ok){1, 2});
                return;
        case 2:
                wire_encode_load(to, &(struct wire_load){STR("native"), STR("ocr"), STR("/plugin"),
                                                         STR("ocr.so"), STR(""), models, 2});
                return;
        case 3:
                wire_encode_meta(to, (struct wire_str)STR("{\"tools\":[]}"));
                return;
        case 4:
                wire_encode_error(to, &(struct wire_error){WIRE_ERROR_ABI, STR("AbiMismatch"),
                                                           STR("wants ABI 999"), STR("")});
                return;
        case 5:
                wire_join_call(to, &(struct wire_call){.tool = STR("greet"),
                                                       .json = STR("{}"),
                                                       .scalars = scalars,
                                                       .n_scalars = 4,
                                                       .blobs = blobs,
                                                       .n_blobs = 2});
                return;
        case 6:
                wire_encode_result(to, &(struct wire_result){STR("{\"a\":1}"), blobs, 2});
                return;
        case 7:
                wire_encode_progress(to, &(struct wire_progress){0.25, 1});
                return;
        case 8:
                wire_encode_log(to, &(struct wire_log){2, STR("words")});
                return;
        case 9:
                wire_encode_check_list(
                    to, &(struct wire_check_list){STR("python3"), STR("/plugin"), checks, 2});
                return;
        case 10:
                wire_encode_report(to, &(struct wire_report){verdicts, 2});
                return;
        case 11:
                wire_encode_forked(to, &(struct wire_forked){INT32_MAX});
                return;
        case 13:
                wire_encode_call_shm(to, &(struct wire_call){.tool = STR("greet"),
                                                             .json = STR("{}"),
                                                             .scalars = scalars,
                                                             .n_scalars = 4,
                                                             .blobs = blobs,
                                                             .n_blobs = 2,
                                                             .offsets = offsets});
                return;
        case 12:
                wire_encode_ended(to, &(struct wire_ended){7, WIRE_END_KILLED, 11, UINT64_MAX});
                return;
        }
}

/* --- all of them ------------------------------------------------------------------------------ */

static void test_each_message_comes_back_as_it_was(void **state)
{
        (void)state;
        for (size_t i = 0; i < WIRE_CODECS; i++) {
                scoped(str) struct str sample = {0}, again = {0};
                struct err e = {0};

                add_sample(i, &sample);
                assert_false(sample.bad);
                if (wire_codecs[i].recode((uint8_t *)sample.data, sample.len, &again, &e) != 0)
                        fail_msg("%s: %s", wire_codecs[i].name, e.msg);
                assert_int_equal(again.len, sample.len);
                assert_memory_equal(again.data, sample.data, sample.len);
        }
}

static void test_each_message_cut_anywhere_is_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < WIRE_CODECS; i++) {
                scoped(str) struct str sample = {0};

                add_sample(i, &sample);
                for (size_t n = 0; n < sample.len; n++) {
                        /* A copy of exactly n bytes, so that a sanitizer sees a read behind it. */
                        scoped(free) uint8_t *copy = malloc(n ? n : 1);
                        scoped(str) struct str again = {0};
                        struct err e = {0};

                        memcpy(copy, sample.data, n);
                        assert_int_equal(wire_codecs[i].recode(copy, n, &again, &e), -EBADMSG);
                        assert_memory_equal(e.msg, wire_codecs[i].name,
                                            strlen(wire_codecs[i].name));
                }
        }
}

static void test_each_message_refuses_a_byte_too_many(void **state)
{
        (void)state;
        for (size_t i = 0; i < WIRE_CODECS; i++) {
                scoped(str) struct str sample = {0}, again = {0};
                struct err e = {0};

                add_sample(i, &sample);
                str_addc(&sample, '\0');
                assert_int_equal(
                    wire_codecs[i].recode((uint8_t *)sample.data, sample.len, &again, &e),
                    -EBADMSG);
                assert_non_null(strstr(e.msg, "bytes are left over"));
        }
}

static void test_nth_allocation_failure_is_reported_and_leaks_nothing(void **state)
{
        static const int arrays[WIRE_CODECS] = {[2] = 1, [5] = 2, [6] = 1, [9] = 1, [10] = 1};

        (void)state;
        for (size_t i = 0; i < WIRE_CODECS; i++) {
                scoped(str) struct str sample = {0};

                add_sample(i, &sample);
                for (int nth = 1; nth <= arrays[i]; nth++) {
                        scoped(str) struct str again = {0};
                        struct err e = {0};
                        int r;

                        failing_malloc_arm(nth);
                        r = wire_codecs[i].recode((uint8_t *)sample.data, sample.len, &again, &e);
                        failing_malloc_disarm();
                        assert_int_equal(r, -ENOMEM);
                }
        }
}

static void test_encoders_tell_of_missing_memory(void **state)
{
        (void)state;
        for (size_t i = 0; i < WIRE_CODECS; i++) {
                scoped(str) struct str to = {0};

                failing_malloc_arm(1);
                add_sample(i, &to);
                failing_malloc_disarm();
                assert_true(to.bad);
        }
}

/* --- single rules ----------------------------------------------------------------------------- */

/* Sample `codec`, its byte `at` set to `value`: refused with these words. */
static void refuse(int code, size_t codec, size_t at, uint8_t value, const char *words)
{
        scoped(str) struct str sample = {0}, again = {0};
        struct err e = {0};

        add_sample(codec, &sample);
        sample.data[at] = (char)value;
        assert_int_equal(wire_codecs[codec].recode((uint8_t *)sample.data, sample.len, &again, &e),
                         code);
        assert_int_equal(e.code, code);
        if (!strstr(e.msg, words))
                fail_msg("\"%s\" does not say \"%s\"", e.msg, words);
}

static void refuse_changed(size_t codec, size_t at, uint8_t value, const char *words)
{
        refuse(-EBADMSG, codec, at, value, words);
}

static void test_text_is_utf8_without_nul(void **state)
{
        (void)state;
        refuse(-EILSEQ, 3, 4, 0xff, "META: a text is not UTF-8");
        refuse(-EILSEQ, 3, 4, 0x00, "META: a text contains NUL");
        refuse(-EILSEQ, 8, 9, 0xc3, "LOG: a text is not UTF-8");
        refuse(-EILSEQ, 2, 4, 0xed, "LOAD: a text is not UTF-8");
        refuse(-EILSEQ, 6, 4, 0xc3, "RESULT: a text is not UTF-8");
}

/* What is wrong with the lengths is wrong whatever the texts are: both decoders say the same. */
static void test_a_result_is_counted_whatever_its_texts_are(void **state)
{
        scoped(str) struct str sample = {0};

        (void)state;
        add_sample(6, &sample);
        for (size_t at = 0; at < sample.len; at++)
                for (unsigned value = 0; value < 256; value++) {
                        scoped(wire_result) struct wire_result m = {0};
                        scoped(free) uint8_t *copy = (uint8_t *)mem_dup0(sample.data, sample.len);
                        struct err counted = {0}, whole = {0};
                        int c, r;

                        copy[4] = 0xff; /* no text begins like this */
                        copy[at] = (uint8_t)value;
                        c = wire_check_result(copy, sample.len, &counted);
                        r = wire_decode_result(copy, sample.len, &m, &whole);
                        assert_int_equal(c, r == -EILSEQ ? 0 : r);
                        if (c < 0)
                                assert_string_equal(counted.msg, whole.msg);
                }
}

/* The loop counts while others wait: of the texts and the bytes it reads nothing, so that it does
 * not matter how many there are. They lie in pages here that nobody can read. */
static void test_counting_a_result_reads_neither_text_nor_bytes(void **state)
{
        const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = MIB(16);
        const size_t name = page - 14; /* what is left beside the count and three lengths */
        uint8_t *map = mmap(NULL, 2 * size + 2 * page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        uint8_t *text = map + page, *data = text + size + page, *payload = text - 4;
        size_t before = failing_malloc_count(), n = (size_t)(data + size - payload);
        uint8_t head[10] = {1, 0, (uint8_t)name, (uint8_t)(name >> 8)};
        const uint8_t length[4] = {0, 0, (uint8_t)(size >> 16), (uint8_t)(size >> 24)};
        struct err e = {0};

        (void)state;
        assert_true(map != MAP_FAILED);
        memcpy(payload, length, 4);
        memcpy(text + size, head, sizeof head);
        memcpy(data - 4, length, 4);
        assert_int_equal(mprotect(text, size, PROT_NONE), 0);
        assert_int_equal(mprotect(data, size, PROT_NONE), 0);
        assert_int_equal(wire_check_result(payload, n, &e), 0);
        assert_int_equal(wire_check_result(payload, n - 1, &e), -EBADMSG);
        assert_string_equal(e.msg, "RESULT: a length points behind its end");
        assert_int_equal(failing_malloc_count(), before);
        munmap(map, 2 * size + 2 * page);
}

static void test_enums_name_what_there_is(void **state)
{
        (void)state;
        refuse_changed(4, 0, 4, "ERROR: an unknown kind");
        refuse_changed(8, 0, 4, "LOG: an unknown level");
        refuse_changed(10, 2, 4, "REPORT: an unknown status");
        /* CALL: str "greet", str "{}", u16 4, str "b", then its type and value. */
        refuse_changed(5, 9 + 6 + 2 + 5, 0, "CALL: an unknown type of argument");
        refuse_changed(5, 9 + 6 + 2 + 5, 5, "CALL: an unknown type of argument");
        refuse_changed(5, 9 + 6 + 2 + 6, 2, "CALL: a bool that is neither 0 nor 1");
}

static void test_numbers_are_finite(void **state)
{
        static const double bad[] = {NAN, INFINITY, -INFINITY};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                scoped(str) struct str to = {0};
                struct wire_progress m;
                struct err e = {0};

                wire_encode_progress(&to, &(struct wire_progress){1, bad[i]});
                assert_int_equal(wire_decode_progress((uint8_t *)to.data, to.len, &m, &e),
                                 -EBADMSG);
                assert_string_equal(e.msg, "PROGRESS: a number is not finite");
        }
}

static void test_lying_counts_are_refused_before_memory_is_spent(void **state)
{
        static const uint8_t report[] = {0xff, 0xff, 0, 0, 0, 0, 0};
        static const uint8_t result[] = {0, 0, 0, 0, 0xff, 0xff, 1, 2, 3};
        struct wire_report m;
        struct wire_result n;
        struct err e = {0};
        size_t before = failing_malloc_count();

        (void)state;
        assert_int_equal(wire_decode_report(report, sizeof report, &m, &e), -EBADMSG);
        assert_string_equal(e.msg, "REPORT: a count is larger than what follows");
        assert_int_equal(wire_decode_result(result, sizeof result, &n, &e), -EBADMSG);
        assert_string_equal(e.msg, "RESULT: a count is larger than what follows");
        assert_int_equal(wire_check_result(result, sizeof result, &e), -EBADMSG);
        assert_string_equal(e.msg, "RESULT: a count is larger than what follows");
        assert_int_equal(failing_malloc_count(), before);
}

static void test_lying_lengths_are_refused(void **state)
{
        (void)state;
        refuse_changed(3, 3, 0xff, "META: a length points behind its end");
        refuse_changed(8, 1, 6, "LOG: a length points behind its end");
        refuse_changed(6, 4 + 7 + 2 + 4 + 5 + 4 + 9 + 3, 0x80, "RESULT: a length points behind");
}

static void test_refused_messages_leave_the_result_alone(void **state)
{
        struct wire_call m = {.n_blobs = 77};
        struct err e;

        (void)state;
        assert_int_equal(wire_decode_call((const uint8_t *)"", 0, &m, &e), -EBADMSG);
        assert_int_equal(m.n_blobs, 77);
}

static void test_call_shm_says_where_its_bytes_are(void **state)
{
        static const struct {
                uint32_t offset, size;
                int result;
        } ranges[] = {{0, 0, 0},
                      {4096, 7, 0},
                      {0, WIRE_MAX_CALL, 0},
                      {1, WIRE_MAX_CALL, -EBADMSG},
                      {WIRE_MAX_CALL, 1, -EBADMSG},
                      {UINT32_MAX, UINT32_MAX, -EBADMSG}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
                struct wire_blob blob = {.name = STR("b"), .size = ranges[i].size};
                uint32_t offset = ranges[i].offset;
                struct wire_call m = {.tool = STR("t"),
                                      .json = STR("{}"),
                                      .blobs = &blob,
                                      .n_blobs = 1,
                                      .offsets = &offset};
                scoped(wire_call) struct wire_call got = {0};
                scoped(str) struct str payload = {0};
                struct err e;
                uint32_t len;

                blob.content_type = blob.name;
                len = wire_encode_call_shm(&payload, &m);
                assert_int_equal(len, payload.len);
                assert_int_equal(
                    wire_decode_call_shm((uint8_t *)payload.data, payload.len, &got, &e),
                    ranges[i].result);
                if (ranges[i].result < 0)
                        continue;
                assert_int_equal(got.offsets[0], ranges[i].offset);
                assert_int_equal(got.blobs[0].size, ranges[i].size);
                assert_null(got.blobs[0].data);
        }
}

static void test_call_is_gathered_around_its_bytes(void **state)
{
        struct wire_call m = {.tool = STR("greet"),
                              .json = STR("{}"),
                              .scalars = scalars,
                              .n_scalars = 4,
                              .blobs = blobs,
                              .n_blobs = 2};
        scoped(str) struct str pieces = {0};
        size_t cuts[3];
        uint32_t len;

        (void)state;
        str_adds(&pieces, "before");
        len = wire_encode_call(&pieces, &m, cuts);
        assert_int_equal(cuts[2], pieces.len);
        assert_int_equal(len, pieces.len - 6 + 5);
        /* Each piece ends with the length of the bytes that follow it. */
        assert_int_equal(pieces.data[cuts[0] - 4], 5);
        assert_int_equal(pieces.data[cuts[1] - 4], 0);
        assert_int_equal(cuts[1], cuts[2]);
}

static void test_call_above_the_cap_is_told(void **state)
{
        struct wire_blob huge[] = {{.name = STR("x"), .data = bytes, .size = WIRE_MAX_CALL}};
        struct wire_call m = {.tool = STR("t"), .json = STR("{}"), .blobs = huge, .n_blobs = 1};
        scoped(str) struct str pieces = {0};
        size_t cuts[2];

        (void)state;
        assert_int_equal(wire_encode_call(&pieces, &m, cuts), 0);
        assert_false(pieces.bad);
        huge[0].size = UINT32_MAX;
        assert_int_equal(wire_encode_call(&pieces, &m, cuts), 0);
}

static void test_scalar_of_no_type_is_not_sent(void **state)
{
        struct wire_scalar none[] = {{.name = STR("x")}};
        struct wire_call m = {.tool = STR("t"), .json = STR("{}"), .scalars = none, .n_scalars = 1};
        scoped(str) struct str pieces = {0};
        size_t cuts[1];

        (void)state;
        assert_int_equal(wire_encode_call(&pieces, &m, cuts), 0);
        assert_true(pieces.bad);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_each_message_comes_back_as_it_was),
            cmocka_unit_test(test_each_message_cut_anywhere_is_refused),
            cmocka_unit_test(test_each_message_refuses_a_byte_too_many),
            cmocka_unit_test(test_nth_allocation_failure_is_reported_and_leaks_nothing),
            cmocka_unit_test(test_encoders_tell_of_missing_memory),
            cmocka_unit_test(test_text_is_utf8_without_nul),
            cmocka_unit_test(test_a_result_is_counted_whatever_its_texts_are),
            cmocka_unit_test(test_counting_a_result_reads_neither_text_nor_bytes),
            cmocka_unit_test(test_enums_name_what_there_is),
            cmocka_unit_test(test_numbers_are_finite),
            cmocka_unit_test(test_lying_counts_are_refused_before_memory_is_spent),
            cmocka_unit_test(test_lying_lengths_are_refused),
            cmocka_unit_test(test_refused_messages_leave_the_result_alone),
            cmocka_unit_test(test_call_shm_says_where_its_bytes_are),
            cmocka_unit_test(test_call_is_gathered_around_its_bytes),
            cmocka_unit_test(test_call_above_the_cap_is_told),
            cmocka_unit_test(test_scalar_of_no_type_is_not_sent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
