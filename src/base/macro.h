/* macro.h -- the compiler attributes and tiny macros every file uses.
 * Knows: the compiler.     May not know: anything of ours.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_BASE_MACRO_H
#define FORGESYTE_BASE_MACRO_H

#include <stddef.h>

/* The caller must look at the result: <0 is -errno, >0 a named outcome, 0 done. */
#define must_check             __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))
#define unused_param           __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* From a member's address to the struct that holds it. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define KIB(n)        ((size_t)(n) << 10)
#define MIB(n)        ((size_t)(n) << 20)
#define NSEC_PER_SEC  1000000000LL
#define NSEC_PER_MSEC 1000000LL

#endif
