/* Server-sent events, however the bytes are split. */
#include <errno.h>
#include <string.h>

#include "cli/sse.h"
#include "support/test.h"

static int trace(void *ctx, const char *name, const char *data, size_t n, struct err *e)
{
        (void)e;
        assert_int_equal(strlen(data), n);
        str_adds(ctx, name);
        str_addc(ctx, '=');
        str_add(ctx, data, n);
        str_addc(ctx, ';');
        return strcmp(data, "stop") ? 0 : -EPIPE;
}

static void test_events_however_they_are_split(void **state)
{
        static const char text[] =
            ": comment\n\ndata: one\n\nevent: state\r\ndata:two\r\ndata: lines\r\n"
            "\r\nid: 5\ndata\n\rdata: cr\r\revent: none\n\nretry: 1\ndata:  x\n\ndata: cut";

        (void)state;
        for (size_t piece = 1; piece <= strlen(text); piece++) {
                scoped(str) struct str got = {0};
                scoped(sse) struct sse s = {.event = trace, .ctx = &got};
                struct err e;

                for (size_t at = 0; at < strlen(text); at += piece)
                        assert_int_equal(
                            sse_feed(&s, text + at, MIN_OF(piece, strlen(text) - at), &e), 0);
                assert_string_equal(got.data,
                                    "message=one;state=two\nlines;message=;message=cr;message= x;");
        }
}

static void test_a_reader_may_stop(void **state)
{
        scoped(str) struct str got = {0};
        scoped(sse) struct sse s = {.event = trace, .ctx = &got};
        struct err e;

        (void)state;
        assert_int_equal(sse_feed(&s, "data: stop\n\ndata: more\n\n", 24, &e), -EPIPE);
        assert_string_equal(got.data, "message=stop;");
}

static void test_an_event_without_end_is_refused(void **state)
{
        scoped(sse) struct sse one = {.event = trace}, many = {.event = trace};
        struct err e;
        int r = 0;

        (void)state;
        for (size_t i = 0; r == 0 && i < SSE_EVENT_MAX; i++)
                r = sse_feed(&one, "xx", 2, &e);
        assert_int_equal(r, -EFBIG);
        r = 0;
        for (size_t i = 0; r == 0 && i < SSE_EVENT_MAX; i++)
                r = sse_feed(&many, "data:x\n", 7, &e);
        assert_int_equal(r, -EFBIG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_events_however_they_are_split),
            cmocka_unit_test(test_a_reader_may_stop),
            cmocka_unit_test(test_an_event_without_end_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
