/* test.h -- cmocka, with the includes it wants in the order it wants them. */
#ifndef FORGESYTE_TESTS_TEST_H
#define FORGESYTE_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
