/* wall_pdeathsig.c -- dies with the process that made it. A change of identity clears that wish, so
 * it is made again behind it; a host that died in between is noticed by the parent's pid, or in a
 * pid namespace by init's broken pipe. */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sandbox/walls.h"

int wall_pdeathsig(struct box *b, struct err *e)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return err_set_errno(e, -errno, "ask to die with the host");
        if (b->plan.host_pid && (uint64_t)getppid() != b->plan.host_pid)
                return err_set(e, -ESRCH, "the host is gone");
        return 0;
}
