#include "worker/shared_memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"

static size_t size_of(const struct wire_call *m)
{
        size_t size = 0;

        for (unsigned i = 0; i < m->n_blobs; i++)
                size = MAX_OF(size, (size_t)m->offsets[i] + m->blobs[i].size);
        return size;
}

/* The old mapping keeps its file's inode, so that no other file has the same. */
static int map_again(struct shared_memory *s, int fd, size_t size, const struct stat *st)
{
        /* All of it is going to be read: one call instead of a fault for each 64 KiB. */
        void *at = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);

        if (at == MAP_FAILED)
                return -errno;
        if (s->at)
                munmap(s->at, s->size);
        *s = (struct shared_memory){at, size, st->st_dev, st->st_ino};
        return 0;
}

int shared_memory_give(struct shared_memory *s, int take_fd, struct wire_call *m)
{
        scoped(fd) int fd = take_fd;
        size_t size = size_of(m);
        struct stat st;
        bool known;
        int r = 0;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (size > (size_t)st.st_size)
                return -EBADMSG;
        known = s->at && s->device == st.st_dev && s->inode == st.st_ino && s->size >= size;
        if (!known && size > 0)
                r = map_again(s, fd, size, &st);
        for (unsigned i = 0; i < m->n_blobs && r == 0; i++)
                m->blobs[i].data =
                    size ? (const uint8_t *)s->at + m->offsets[i] : (const uint8_t *)"";
        return r;
}
