/* wall_oom_score.c -- when the machine runs out of memory as a whole, workers go before the host.
 * Only CAP_SYS_RESOURCE could lower it again. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/walls.h"

int wall_oom_score(struct box *b unused_param, struct err *e unused_param)
{
        scoped(fd) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

        return fd >= 0 && write(fd, "900", 3) == 3 ? 0 : 1;
}
