#include "host/shared_area.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define PAGE 4096 /* the smallest there is; a larger one leaves zeros behind ours */

static int make_memfd(void)
{
        unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
        int fd = memfd_create("forgesyte-arguments", flags | MFD_NOEXEC_SEAL);

        /* Before Linux 6.3 there is no such flag. */
        return fd < 0 && errno == EINVAL ? memfd_create("forgesyte-arguments", flags) : fd;
}

/* F_SEAL_FUTURE_WRITE would also forbid to punch holes, which is how the host gets its memory back
 * whoever still maps it: so the file is read-only by its mode and by the worker's description. */
static int seal(struct shared_area *a)
{
        char path[64];

        if (fchmod(a->write_fd, 0400) < 0 || ftruncate(a->write_fd, (off_t)a->size) < 0 ||
            fcntl(a->write_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        snprintf(path, sizeof path, "/proc/self/fd/%d", a->write_fd);
        a->read_fd = open(path, O_RDONLY | O_CLOEXEC);
        return a->read_fd < 0 ? -errno : 0;
}

int shared_area_new(size_t size, struct shared_area **ret)
{
        struct shared_area *a = calloc(1, sizeof *a);
        int r;

        if (!a)
                return -ENOMEM;
        a->size = size;
        a->read_fd = -1;
        a->write_fd = make_memfd();
        r = a->write_fd < 0 ? -errno : seal(a);
        if (r < 0) {
                shared_area_free(a);
                return r;
        }
        a->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, a->write_fd, 0);
        if (a->map == MAP_FAILED)
                a->map = NULL;
        *ret = a;
        return 0;
}

/* From a page's begin. What could not be given back now is when the last who maps it is gone. */
static void give_back(struct shared_area *a, size_t from)
{
        if (a->ready <= from)
                return;
        if (fallocate(a->write_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                      (off_t)(a->size - from)) == 0)
                a->ready = from;
}

void shared_area_empty(struct shared_area *a)
{
        give_back(a, 0);
}

void shared_area_free(struct shared_area *a)
{
        if (!a)
                return;
        give_back(a, 0);
        if (a->map)
                munmap(a->map, a->size);
        fd_close(a->write_fd);
        fd_close(a->read_fd);
        free(a);
}

static void retire_work(struct pool_job *job)
{
        give_back(container_of(job, struct shared_area, job), 0);
}

static void retire_done(struct pool_job *job)
{
        shared_area_free(container_of(job, struct shared_area, job));
}

void shared_area_retire(struct shared_area *a, struct pool *p)
{
        a->job = (struct pool_job){.work = retire_work, .done = retire_done};
        pool_submit(p, &a->job);
}

/* A page that cannot be had must be an error here, not a SIGBUS in memcpy. */
static int make_ready(struct shared_area *a, size_t end)
{
        size_t from = a->ready, to = MIN_OF((end + PAGE - 1) / PAGE * PAGE, a->size);

        if (to <= from || !a->map)
                return 0;
        if (madvise(a->map + from, to - from, MADV_POPULATE_WRITE) == 0) {
                a->ready = to;
                return 0;
        }
        if (errno != EINVAL)
                return -ENOMEM;
        /* Before Linux 5.14. */
        munmap(a->map, a->size);
        a->map = NULL;
        return 0;
}

static int write_all(struct shared_area *a, size_t at, const char *data, size_t n)
{
        int r = make_ready(a, at + n);

        if (r < 0)
                return r;
        if (a->map) {
                memcpy(a->map + at, data, n);
                return 0;
        }
        while (n > 0) {
                ssize_t w = pwrite(a->write_fd, data, n, (off_t)at);

                if (w < 0 && errno == EINTR)
                        continue;
                if (w <= 0)
                        return w < 0 ? -errno : -EIO;
                data += w;
                n -= (size_t)w;
                at += (size_t)w;
                a->ready = MAX_OF(a->ready, at);
        }
        return 0;
}

int shared_area_write(struct shared_area *a, size_t *at, size_t offset, const void *data, size_t n)
{
        static const char zeros[PAGE];
        int r;

        if (offset < *at || offset - *at > sizeof zeros || offset > a->size || n > a->size - offset)
                return -EINVAL;
        r = write_all(a, *at, zeros, offset - *at);
        if (r == 0)
                r = write_all(a, offset, data, n);
        if (r == 0)
                *at = offset + n;
        return r;
}

int shared_area_finish(struct shared_area *a, size_t at)
{
        size_t whole = MIN_OF((at + PAGE - 1) / PAGE * PAGE, a->size);
        size_t likely = MAX_OF(whole, a->before);
        int r = shared_area_write(a, &at, whole, "", 0);

        a->before = whole;
        /* A large one once is no reason to hold its pages for the small ones after it. */
        if (r == 0 && a->ready > likely)
                give_back(a, likely);
        return r;
}
