/* clock.h -- the two clocks: monotonic for every deadline, UTC for what people read.
 * Only programs' edges call these; pure modules take the time as a parameter.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_BASE_CLOCK_H
#define FORGESYTE_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t clock_mono_ns(void);
/* Nanoseconds since 1970 UTC. */
int64_t clock_real_ns(void);

#define CLOCK_RFC3339_SIZE 32
/* "2026-11-22T09:41:00.123Z" from nanoseconds since 1970; buf holds CLOCK_RFC3339_SIZE bytes. */
void clock_rfc3339(int64_t real_ns, char *buf);

#endif
