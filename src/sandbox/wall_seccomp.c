/* wall_seccomp.c -- loads the filter that the host compiled; the last thing before the plugin. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sandbox/walls.h"

int wall_seccomp(struct box *b, struct err *e)
{
        struct sock_filter *code = b->plan.filter;
        struct sock_fprog prog = {(unsigned short)(b->plan.filter_size / sizeof *code), code};

        if (prog.len == 0)
                return 1;
        for (unsigned i = 0; i < prog.len; i++)
                if (code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && code[i].k == PLAN_FILTER_PID)
                        code[i].k = (uint32_t)getpid();
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0)
                return err_set_errno(e, -errno, "load the filter");
        b->seccomp = true;
        return 0;
}
