/* fd.h -- descriptors that close themselves.
 * Knows: descriptors.      May not know: what is behind them.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_BASE_FD_H
#define FORGESYTE_BASE_FD_H

#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"

/* Closes fd unless it is negative; keeps errno. Returns -1, so `fd = fd_close(fd);` forgets it. */
int fd_close(int fd);

static inline void fd_scoped(int *fd)
{
        fd_close(*fd);
}

/* Hands a scoped(fd) over: its old holder becomes -1. */
static inline int take_fd(int *fd)
{
        int taken = *fd;

        *fd = -1;
        return taken;
}

/* Adds O_NONBLOCK. 0 or -errno. */
int fd_set_nonblock(int fd) must_check;
/* Writes all n bytes to a blocking descriptor, over EINTR and short writes. 0 or -errno. */
int fd_write_all(int fd, const void *buf, size_t n) must_check;
/* Reads a whole regular file of at most `max` bytes (a larger one is -EFBIG). The text is
 * NUL-terminated behind ret_size; the caller frees it. */
int fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size,
                 struct err *e) must_check;
/* The same, of a file below a folder, which neither a link nor ".." may lead out of (-EXDEV). */
int fd_read_file_below(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size,
                       struct err *e) must_check;
/* O_PATH of an absolute path, no part of which may be a link (-ELOOP; -ENOTDIR where the kernel has
 * no openat2). The descriptor or -errno. */
int fd_open_straight(const char *path) must_check;

#endif
