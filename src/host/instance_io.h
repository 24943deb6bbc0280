/* instance_io.h -- an instance's bytes: requests out, frames in, pipes into the log.
 * Knows: sockets, frames.  May not know: verdicts, calls' meaning.
 * Threads: the loop's.     Owns: nothing. */
#ifndef FORGESYTE_HOST_INSTANCE_IO_H
#define FORGESYTE_HOST_INSTANCE_IO_H

#include "host/instance.h"

/* These go with the request that is queued next: duplicates are sent and then closed, the caller
 * keeps its own. At most WIRE_MAX_DESCRIPTORS. 0 or -errno. */
int instance_io_attach(struct instance *i, const int *fds, size_t n) must_check;
/* Queues one request frame: payload pieces text[cuts] and the blobs between them. 0 or -errno. */
int instance_io_queue(struct instance *i, enum wire_type type, struct str *take_text,
                      const struct wire_blob *blobs, size_t n_blobs, const size_t *cuts,
                      uint32_t len) must_check;
int instance_io_queue_cancel(struct instance *i) must_check;
/* Sends what the socket takes. 0, also when some is left; -errno: the channel is broken. */
int instance_io_flush(struct instance *i) must_check;
/* Is a part of a request still to be sent? (Its blobs must stay.) */
bool instance_io_is_sending(const struct instance *i);
/* Frees what is still to be sent. */
void instance_io_done(struct instance *i);
/* A random call id, never 0. */
uint64_t instance_io_nonce(struct instance *i);

/* Reads once: >0 bytes, 0 end of file, -EAGAIN, -errno. */
ssize_t instance_io_read(int fd, void *buf, size_t n);
/* Drains a log pipe, but no more than about so much; false at its end. What is left, waits there,
 * and so does who wants to write more. */
bool instance_io_drain_log(struct instance *i, int fd, struct plugin_log_writer *w,
                           enum plugin_log_stream stream, size_t max_bytes, size_t max_lines);
/* Empties the pipe of one that has died: its last lines go into the log, what was before them is
 * counted as dropped. */
void instance_io_last_words(struct instance *i, int fd, struct plugin_log_writer *w,
                            enum plugin_log_stream stream);

#endif
