/* box_faults.h -- ways in which box_probe.c dies by a fault of its own.
 * Knows: signals.  May not know: boxes.
 * Threads: the only one.   Owns: nothing. */
#ifndef FORGESYTE_TESTS_BOX_FAULTS_H
#define FORGESYTE_TESTS_BOX_FAULTS_H

#include "sandbox/crash_record.h"

/* Dies of it; returns when there is none of that name. record: what a forgery writes to. */
void box_fault(const char *name, struct crash_record *record);

#endif
