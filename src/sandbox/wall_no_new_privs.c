/* wall_no_new_privs.c -- the promise never to get a privilege back by executing something. Landlock
 * and seccomp ask for it. */
#include <errno.h>
#include <sys/prctl.h>

#include "sandbox/walls.h"

int wall_no_new_privs(struct box *b unused_param, struct err *e)
{
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? err_set_errno(e, -errno, "promise") : 0;
}
