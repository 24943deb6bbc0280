/* Whichever allocation fails, JSON is either read and written as it is, or -ENOMEM. */
#include "support/test.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "support/failing_malloc.h"

/* Long enough that jansson's buffer grows in a string, in a key and in numbers. */
static const char text[] =
    "{\"a key that is longer than the first buffer\": 12345678901234567, \"list\": [1, 2.5e3, "
    "true, null, \"\\u00e9 and words that go on for a while, past thirty-two bytes and past "
    "sixty-four of them\", 0.333333333333333333333333333333333333333333333333333333333333333333"
    "3333333333], \"deep\": {\"a\": {\"b\": {\"c\": []}}}}";

static void read_all(void *expected)
{
        scoped(json_decref) json_t *value = NULL;
        struct err e = {0};
        int r = json_parse(text, sizeof text - 1, &value, &e);
        bool failed = failing_malloc_disarm();

        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(value == NULL, failed);
        assert_int_equal(e.msg[0] != '\0', failed);
        if (!failed)
                assert_true(json_equal(value, expected));
}

static void test_no_failed_allocation_is_taken_for_bad_text_or_changes_a_value(void **state)
{
        scoped(json_decref) json_t *value = NULL;

        (void)state;
        assert_int_equal(json_parse(text, sizeof text - 1, &value, NULL), 0);
        assert_true(failing_malloc_each(read_all, value) > 20);
}

static void test_bad_text_stays_bad_text(void **state)
{
        scoped(json_decref) json_t *value = NULL;
        struct err e = {0};

        (void)state;
        failing_malloc_arm(1);
        assert_int_equal(json_parse(text, sizeof text - 1, &value, &e), -ENOMEM);
        assert_int_equal(json_parse(text, sizeof text - 2, &value, &e), -EBADMSG);
        assert_non_null(strstr(e.msg, "line 1, column "));
        assert_null(value);
}

static void write_all(void *value)
{
        scoped(str) struct str s = {0};
        bool failed;

        str_add_json(&s, value);
        str_add_json_string(&s, text, sizeof text - 1);
        failed = failing_malloc_disarm();
        assert_int_equal(s.bad, failed);
}

static void test_text_that_could_not_be_written_is_marked(void **state)
{
        scoped(json_decref) json_t *value = NULL;

        (void)state;
        assert_int_equal(json_parse(text, sizeof text - 1, &value, NULL), 0);
        assert_true(failing_malloc_each(write_all, value) > 4);
}

static void put_one(void *ctx)
{
        scoped(json_decref) json_t *object = json_object();
        int r = object ? json_put(object, "key", json_string("value")) : -ENOMEM;
        bool failed = failing_malloc_disarm();

        (void)ctx;
        assert_true(r == 0 || (failed && r == -ENOMEM));
}

static void test_putting_a_member_fails_cleanly(void **state)
{
        (void)state;
        assert_true(failing_malloc_each(put_one, NULL) > 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_no_failed_allocation_is_taken_for_bad_text_or_changes_a_value),
            cmocka_unit_test(test_bad_text_stays_bad_text),
            cmocka_unit_test(test_text_that_could_not_be_written_is_marked),
            cmocka_unit_test(test_putting_a_member_fails_cleanly),
        };

        return cmocka_run_group_tests_name("json_memory", tests, NULL, NULL);
}
