/* wall_fds.c -- nothing of the host's stays open in the worker but the four it is given, the files
 * for its uploads where it gets such, and the setup socket until the last wall stands. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/macro.h"
#include "sandbox/walls.h"

int fds_close_from(int first)
{
        if (close_range((unsigned)first, ~0u, 0) == 0)
                return 0;
        /* A kernel before 5.9: the limit bounds what can be open, the host's was inherited. */
        for (long fd = first, end = sysconf(_SC_OPEN_MAX); fd < end; fd++)
                close((int)fd);
        return 0;
}

static int keep_open(int fd, int flags, struct err *e)
{
        return fcntl(fd, F_SETFD, flags) < 0 ? err_set_errno(e, -errno, "descriptor %d", fd) : 0;
}

int wall_fds(struct box *b, struct err *e)
{
        int files = (int)MIN_OF(b->plan.files, (uint64_t)BOX_FILES), r = 0;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        /* The box's own instead of the host's, whose tree is gone: else /dev/stdin is out of reach.
         */
        if (null >= 0 && dup2(null, BOX_FD_NULL) < 0)
                return err_set_errno(e, -errno, "open /dev/null");
        for (int fd = BOX_FD_SETUP + 1; fd < BOX_FD_FILE; fd++)
                close(fd);
        fds_close_from(BOX_FD_FILE + files);
        for (int fd = 0; r == 0 && fd <= BOX_FD_SETUP; fd++)
                r = keep_open(fd, fd == BOX_FD_SETUP ? FD_CLOEXEC : 0, e);
        for (int i = 0; r == 0 && i < files; i++)
                r = keep_open(BOX_FD_FILE + i, 0, e);
        return r;
}
