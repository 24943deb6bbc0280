/* wall_fds.c -- nothing of the host's stays open in the worker but the four it is given, and the
 * setup socket until the last wall stands. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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

int wall_fds(struct box *b unused_param, struct err *e)
{
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        /* The box's own instead of the host's, whose tree is gone: else /dev/stdin is out of reach.
         */
        if (null >= 0 && dup2(null, BOX_FD_NULL) < 0)
                return err_set_errno(e, -errno, "open /dev/null");
        fds_close_from(BOX_FD_SETUP + 1);
        for (int fd = 0; fd <= BOX_FD_SETUP; fd++)
                if (fcntl(fd, F_SETFD, fd == BOX_FD_SETUP ? FD_CLOEXEC : 0) < 0)
                        return err_set_errno(e, -errno, "descriptor %d", fd);
        return 0;
}
