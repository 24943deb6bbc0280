/* fuzz_plan.c -- the box's orders: one plan has one spelling. */
#include <errno.h>

#include "fuzz.h"
#include "sandbox/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(free) char *bytes = exact_copy(data, size);
        scoped(str) struct str again = {0};
        scoped(plan) struct plan p = {0};
        struct err e = {0};
        int r = plan_decode(bytes, size, &p, &e);

        must(r == 0 || r == -EBADMSG, "a plan or none");
        if (r < 0) {
                must_have_words(e.msg);
                return 0;
        }
        plan_encode(&p, &again);
        must(again.len == size && !memcmp(again.data, bytes, size), "a plan has one spelling");
        return 0;
}
