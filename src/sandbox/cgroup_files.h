/* cgroup_files.h -- reading and writing the small files of cgroups and /proc.
 * Knows: their formats.    May not know: what for.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_CGROUP_FILES_H
#define FORGESYTE_SANDBOX_CGROUP_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* 0 or -errno. */
int cgroup_write(int dirfd, const char *file, const char *text) must_check;
int cgroup_write_number(int dirfd, const char *file, uint64_t value) must_check;
/* The number in a file of one; 0 when there is none. */
uint64_t cgroup_read_number(int dirfd, const char *file);
/* The number behind "key " in a file of such lines; 0 when there is none. */
uint64_t cgroup_read_key(int dirfd, const char *file, const char *key);
/* Is `word` among the words of a file? */
bool cgroup_has_word(int dirfd, const char *file, const char *word);

/* Pure parsers, for tests and fuzzing. */

/* The number behind "key " in text of such lines; 0 when there is none. */
uint64_t cgroup_parse_key(const char *text, const char *key);

/* From /proc/self/cgroup: the path of `controller` ("" is version 2). False: not there. */
bool cgroup_parse_own(const char *text, const char *controller, char *ret, size_t size);
/* From /proc/self/mountinfo: where `controller` ("" is version 2) is mounted, and which cgroup is
 * that mount's root. False: nowhere. */
bool cgroup_parse_mount(const char *text, const char *controller, char *ret_point, char *ret_root,
                        size_t size);
/* "forgesyte-PID-START-N". False: not a name of ours. */
bool cgroup_parse_name(const char *name, int *ret_pid, uint64_t *ret_start);
/* The start time (field 22) of a /proc/PID/stat line; 0: garbled. */
uint64_t cgroup_parse_start(const char *stat);

#endif
