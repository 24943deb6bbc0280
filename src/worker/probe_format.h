/* probe_format.h -- what a model file's own bytes tell about whether it is whole, without reading
 * it all. Knows: file formats.     May not know: where the file is, who needs it. Threads: any.
 * Owns: nothing. */
#ifndef FORGESYTE_WORKER_PROBE_FORMAT_H
#define FORGESYTE_WORKER_PROBE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define PROBE_FORMAT_HEAD 16

/* head: the first PROBE_FORMAT_HEAD bytes. name: with the extension. Any descriptor that pread
 * takes. */
struct probe_file {
        int fd;
        uint64_t size;
        const char *name;
        uint8_t head[PROBE_FORMAT_HEAD];
};

/* 0: nothing is wrong with it, as far as its format is known; 1: `why` says what is. */
int probe_format_check(const struct probe_file *f, char *why, size_t size);

#endif
