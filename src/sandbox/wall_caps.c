/* wall_caps.c -- every capability given away. Raw system calls: the plugin shares this program's
 * symbols, so no libcap. */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/walls.h"

static int drop_bounding(struct err *e)
{
        for (unsigned long cap = 0; cap < 64; cap++) {
                if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
                        continue;
                if (errno == EINVAL) /* past the last one */
                        return 0;
                if (errno == EPERM) /* we have none to begin with; no_new_privs does the rest */
                        return 0;
                return err_set_errno(e, -errno, "drop capability %lu", cap);
        }
        return 0;
}

int caps_set(uint64_t kept, struct err *e)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

        memset(sets, 0, sizeof sets);
        sets[0].effective = sets[0].permitted = (uint32_t)kept;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
                return err_set_errno(e, -errno, "clear ambient capabilities");
        if (syscall(SYS_capset, &head, sets) < 0)
                return err_set_errno(e, -errno, "give capabilities away");
        return 0;
}

/* The next wall needs two of them, and has them given away in its turn. */
int wall_caps(struct box *b, struct err *e)
{
        const uint64_t change_user = UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID;
        int r = drop_bounding(e);

        return r < 0 ? r : caps_set(b->plan.own_user ? change_user : 0, e);
}
