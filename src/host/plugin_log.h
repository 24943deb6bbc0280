/* plugin_log.h -- what a plugin printed: its last lines, bounded, fit to be shown.
 * Knows: lines.            May not know: pipes, who reads.
 * Threads: the loop's.     Owns: the lines. */
#ifndef FORGESYTE_HOST_PLUGIN_LOG_H
#define FORGESYTE_HOST_PLUGIN_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/str.h"

#define PLUGIN_LOG_BYTES KIB(256) /* kept for each plugin: text, and what holds a line */
#define PLUGIN_LOG_LINE  KIB(4)   /* a longer line is cut into lines of this size */

enum plugin_log_stream { PLUGIN_LOG_STDOUT, PLUGIN_LOG_STDERR, PLUGIN_LOG_LOG };

struct plugin_log_line {
        STAILQ_ENTRY(plugin_log_line) link;
        uint64_t number; /* from 1 */
        int64_t at_ns;   /* UTC */
        enum plugin_log_stream stream;
        size_t len;
        char text[]; /* printable UTF-8, NUL-terminated */
};

struct plugin_log {
        STAILQ_HEAD(, plugin_log_line) lines;
        size_t bytes;
        uint64_t next_number, dropped_bytes;
        /* Told of each new line; NULL: nobody. */
        void (*on_line)(void *ctx, const struct plugin_log *log,
                        const struct plugin_log_line *line);
        void *ctx;
};

void plugin_log_init(struct plugin_log *l);
void plugin_log_done(struct plugin_log *l);

/* Cuts one stream into lines; one a pipe. */
struct plugin_log_writer {
        struct str part; /* the line so far, raw */
};
void plugin_log_writer_done(struct plugin_log_writer *w);
/* Takes raw bytes; a line without memory for it is dropped and counted. */
void plugin_log_write(struct plugin_log *l, struct plugin_log_writer *w,
                      enum plugin_log_stream stream, const char *bytes, size_t n, int64_t real_ns);
/* What stands without its newline becomes a line: the stream has ended. */
void plugin_log_flush(struct plugin_log *l, struct plugin_log_writer *w,
                      enum plugin_log_stream stream, int64_t real_ns);
/* Adds one whole line. */
void plugin_log_add(struct plugin_log *l, enum plugin_log_stream stream, const char *text, size_t n,
                    int64_t real_ns);

const char *plugin_log_stream_name(enum plugin_log_stream s);
/* {"number","at","stream","text"}, compact. */
void plugin_log_line_to_json(const struct plugin_log_line *line, struct str *to);

/* The last `max` bytes of stderr lines since line `from`, joined by newlines. */
void plugin_log_tail(const struct plugin_log *l, uint64_t from, size_t max, struct str *to);

#endif
