/* wall_priority.c -- the processor after everybody else's, as far as a priority says so; the
 * cgroup's weight says it better, where there is one. */
#include <errno.h>
#include <sys/resource.h>

#include "sandbox/walls.h"

int wall_priority(struct box *b unused_param, struct err *e)
{
        if (setpriority(PRIO_PROCESS, 0, 10) < 0 && errno != EACCES)
                return err_set_errno(e, -errno, "lower its priority");
        return 0;
}
