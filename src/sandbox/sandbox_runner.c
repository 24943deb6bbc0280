#include "sandbox/sandbox_runner.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/macro.h"
#include "sandbox/sandbox_private.h"

/* Death is told by pidfds alone, so without them there is no runner. */
static int require_pidfd(struct err *e)
{
        scoped(fd) int fd = pidfd_open(getpid(), 0);

        if (fd < 0)
                return err_set_errno(e, -errno, "this kernel has no pidfd (Linux 5.4 is needed)");
        return 0;
}

/* A worker that gets at the host's /proc entries would read the host's memory. */
static void close_proc_self(struct sandbox_runner *r)
{
        r->dumpable_before = prctl(PR_GET_DUMPABLE);
        prctl(PR_SET_DUMPABLE, 0);
}

/* Far from people's and services' uids, and most likely apart from those of another host on this
 * machine: boxes of one uid would share what the kernel counts by uid. */
static uint32_t default_uids(void)
{
        return SANDBOX_UID_FIRST + ((uint32_t)getpid() & 0x3fff) * SANDBOX_SLOTS;
}

static void open_cgroups(struct sandbox_runner *r, const struct wall_switches *off,
                         const char *given)
{
        static const struct {
                enum wall wall;
                enum cgroup_controller bit;
        } controllers[] = {
            {WALL_MEMORY, CGROUP_MEMORY}, {WALL_PIDS, CGROUP_PIDS}, {WALL_CPU, CGROUP_CPU}};
        bool none = wall_switch_is_set(off, WALL_SWITCH_CGROUP);
        struct cgroup_options options = {
            .given = given,
            .no_version1 = none || wall_switch_is_set(off, WALL_SWITCH_CGROUP1),
            .no_version2 = none || wall_switch_is_set(off, WALL_SWITCH_CGROUP2),
        };

        for (size_t i = 0; i < ARRAY_LEN(controllers); i++)
                if (wall_is_missing(off, controllers[i].wall))
                        options.without |= controllers[i].bit;
        cgroup_root_open(&options, &r->cgroups, &r->reasons);
}

/* What a box of this machine is before its policy is looked at. */
static void describe(struct sandbox_runner *r)
{
        struct isolation i = r->reasons;

        i.namespaces = r->machine.namespaces;
        i.seccomp = r->machine.seccomp;
        i.landlock_abi = r->machine.landlock_abi;
        i.memory = r->cgroups.kind;
        i.pids = r->cgroups.pids || r->machine.nproc;
        for (unsigned n = 0; n < r->cgroups.n_places; n++)
                i.cpu |= (r->cgroups.places[n].controllers & CGROUP_CPU) != 0;
        i.uid = r->machine.own_user ? r->uid_first : geteuid();
        r->reasons = i;
        isolation_judge(&i, geteuid());
        r->isolation = i;
}

int sandbox_runner_new(const struct sandbox_runner_options *o, struct sandbox_runner **ret,
                       struct err *e)
{
        scoped(sandbox_runner_free) struct sandbox_runner *r = NULL;
        struct wall_switches off;
        int code = require_pidfd(e);

        if (code == 0)
                code = wall_switches_parse(o->fake_missing, &off, e);
        if (code < 0)
                return code;
        if (!o->worker_path || o->worker_path[0] != '/')
                return err_set(e, -EINVAL, "the worker's path is not absolute");
        if (access(o->worker_path, X_OK) < 0)
                return err_set_errno(e, -errno, "worker program %s", o->worker_path);
        r = calloc(1, sizeof *r);
        if (!r)
                return err_set_errno(e, -ENOMEM, "make the sandbox runner");
        r->dumpable_before = -1;
        r->keeper = KEEPER_NONE;
        r->worker_path = strdup(o->worker_path);
        if (!r->worker_path)
                return err_set_errno(e, -ENOMEM, "make the sandbox runner");
        r->uid_first = o->uid_first ? o->uid_first : default_uids();
        r->off = wall_switches_off(&off, &r->reasons);
        if (!(r->off & WALL_BIT(WALL_DUMPABLE)))
                close_proc_self(r);
        probe_machine(&off, r->uid_first, &r->machine, &r->reasons);
        open_cgroups(r, &off, o->cgroup);
        describe(r);
        *ret = take_ptr(r);
        return 0;
}

void sandbox_runner_tidy(struct sandbox_runner *r)
{
        struct sandbox **at = &r->lingering;

        while (*at) {
                struct sandbox *s = *at, *next = s->next;

                if (sandbox_let_go(s))
                        *at = next;
                else
                        at = &s->next;
        }
}

/* The last chance to leave no cgroup behind: where much else runs, the dead of a box, whose share
 * of the processor is the least, may take seconds to be gone. */
#define END_WAIT_MS 10000

static void await_lingering(struct sandbox_runner *r)
{
        int64_t end = clock_mono_ns() + END_WAIT_MS * NSEC_PER_MSEC;

        for (sandbox_runner_tidy(r); r->lingering && clock_mono_ns() < end; sandbox_runner_tidy(r))
                poll(NULL, 0, 10);
}

void sandbox_runner_free(struct sandbox_runner *r)
{
        if (!r)
                return;
        while (r->boxes)
                sandbox_free(r->boxes);
        await_lingering(r);
        while (r->lingering) { /* stuck in the kernel: forgotten here, swept by the next host */
                struct sandbox *s = r->lingering;

                r->lingering = s->next;
                fd_close(s->pidfd);
                free(s);
        }
        keeper_stop(&r->keeper);
        cgroup_root_close(&r->cgroups);
        for (size_t i = 0; i < ARRAY_LEN(r->filters); i++)
                free(r->filters[i].code);
        if (r->dumpable_before >= 0)
                prctl(PR_SET_DUMPABLE, r->dumpable_before);
        free(r->worker_path);
        free(r);
}

const struct isolation *sandbox_runner_isolation(const struct sandbox_runner *r)
{
        return &r->isolation;
}
