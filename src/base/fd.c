#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int fd_close(int fd)
{
        int kept = errno;

        if (fd >= 0)
                close(fd);
        errno = kept;
        return -1;
}

int fd_set_nonblock(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;
        return 0;
}

int fd_write_all(int fd, const void *buf, size_t n)
{
        const char *p = buf;

        while (n > 0) {
                ssize_t w = write(fd, p, n);

                if (w < 0 && errno == EINTR)
                        continue;
                if (w < 0)
                        return -errno;
                p += w;
                n -= (size_t)w;
        }
        return 0;
}

/* Files such as those of /proc tell no size, so the buffer grows by what arrives. */
static int read_to_end(int fd, size_t max, char **ret, size_t *ret_size)
{
        scoped(free) char *buf = NULL;
        size_t cap = 0, len = 0;

        for (;;) {
                if (len + 1 >= cap) {
                        size_t grown = cap ? cap * 2 : 4096;
                        char *p = realloc(buf, grown);

                        if (!p)
                                return -ENOMEM;
                        buf = p;
                        cap = grown;
                }
                ssize_t r = read(fd, buf + len, cap - len - 1);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return -errno;
                if (r == 0)
                        break;
                len += (size_t)r;
                if (len > max)
                        return -EFBIG;
        }
        buf[len] = '\0';
        *ret = take_ptr(buf);
        *ret_size = len;
        return 0;
}

static int read_regular(int fd, const char *path, size_t max, char **ret, size_t *ret_size,
                        struct err *e)
{
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return err_set_errno(e, -errno, "stat %s", path);
        if (!S_ISREG(st.st_mode))
                return err_set(e, -EINVAL, "%s is not a regular file", path);
        r = read_to_end(fd, max, ret, ret_size);
        if (r == -EFBIG)
                return err_set(e, r, "%s is larger than %zu bytes", path, max);
        if (r < 0)
                return err_set_errno(e, r, "read %s", path);
        return 0;
}

/* Opening a fifo must not hang the host. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK)

int fd_read_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size,
                 struct err *e)
{
        scoped(fd) int fd = openat(dirfd, path, OPEN_FLAGS);

        if (fd < 0)
                return err_set_errno(e, -errno, "open %s", path);
        return read_regular(fd, path, max, ret, ret_size, e);
}

/* Where the kernel has no openat2, or a container does not know it: no links at all, and not up. */
static int open_step_by_step(int dirfd, const char *path, int flags)
{
        scoped(fd) int dir = -1;

        for (;;) {
                size_t n = strcspn(path, "/");
                char name[NAME_MAX + 1];
                int next;

                if (n == 0 || n > NAME_MAX)
                        return n == 0 ? -ENOENT : -ENAMETOOLONG;
                memcpy(name, path, n);
                name[n] = '\0';
                if (!strcmp(name, ".."))
                        return -EXDEV;
                next = openat(dir < 0 ? dirfd : dir, name,
                              O_NOFOLLOW | (path[n] ? O_PATH | O_DIRECTORY | O_CLOEXEC : flags));
                if (next < 0 || !path[n])
                        return next < 0 ? -errno : next;
                fd_close(dir);
                dir = next;
                path += n + 1;
        }
}

static bool lacks_openat2(int fd)
{
        return fd < 0 && (errno == ENOSYS || errno == EPERM);
}

static int open_below(int dirfd, const char *path)
{
        struct open_how how = {.flags = OPEN_FLAGS,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
        int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);

        if (lacks_openat2(fd))
                return open_step_by_step(dirfd, path, OPEN_FLAGS);
        return fd < 0 ? -errno : fd;
}

/* O_PATH and O_NOFOLLOW together would open a link itself. */
static int refuse_link(int fd)
{
        scoped(fd) int at = fd;
        struct stat st;

        if (at < 0)
                return at;
        if (fstat(at, &st) < 0)
                return -errno;
        return S_ISLNK(st.st_mode) ? -ELOOP : take_fd(&at);
}

int fd_open_straight(const char *path)
{
        struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
        int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);

        if (lacks_openat2(fd)) {
                scoped(fd) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

                return root < 0 ? -errno
                                : refuse_link(open_step_by_step(root, path + strspn(path, "/"),
                                                                O_PATH | O_CLOEXEC));
        }
        return fd < 0 ? -errno : fd;
}

int fd_read_file_below(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size,
                       struct err *e)
{
        int r = open_below(dirfd, path);
        scoped(fd) int fd = r;

        if (r == -EXDEV)
                return err_set(e, r, "%s leads out of its folder", path);
        if (r < 0)
                return err_set_errno(e, r, "open %s", path);
        return read_regular(fd, path, max, ret, ret_size, e);
}
