/* sandbox_spawn.c -- from a policy to a running box. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "sandbox/sandbox_private.h"
#include "sandbox/seccomp_program.h"
#include "sandbox/spawn.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* Everything that lives only until the child has it. */
struct birth {
        int theirs[BOX_FD_COUNT];
        struct str plan;
        char **env;
};

static void birth_scoped(struct birth *b)
{
        for (int i = 0; i < BOX_FD_COUNT; i++)
                fd_close(b->theirs[i]);
        str_done(&b->plan);
        for (char **s = b->env; s && *s; s++)
                free(*s);
        free(b->env);
}

/* ---- what it will be
 * ---------------------------------------------------------------------------*/

static void foresee(const struct sandbox_runner *r, const struct sandbox_policy *p,
                    struct isolation *ret)
{
        *ret = r->reasons;
        if (p->network)
                ret->namespaces &= ~(unsigned)ISOLATION_NS_NET;
        isolation_judge(ret, geteuid());
}

static int check_level(const struct isolation *i, enum isolation_level wanted, struct err *e)
{
        if (i->level >= wanted)
                return 0;
        return err_set(e, 1, "this machine's isolation is \"%s\", less than \"%s\" (%s)",
                       isolation_level_name(i->level), isolation_level_name(wanted),
                       i->n_reasons ? i->reasons[0] : "no reason known");
}

static int take_slot(struct sandbox_runner *r, struct err *e)
{
        for (int i = 0; i < SANDBOX_SLOTS; i++) {
                if (r->slots[i])
                        continue;
                r->slots[i] = true;
                return i;
        }
        return err_set(e, -EAGAIN, "%d boxes at a time are the most", SANDBOX_SLOTS);
}

/* ---- the plan
 * ----------------------------------------------------------------------------------*/

static bool may_make_unix_sockets(const struct sandbox_runner *r, const struct sandbox_policy *p)
{
        const unsigned own = ISOLATION_NS_PID | ISOLATION_NS_MOUNT | ISOLATION_NS_NET;

        /* On the host's network abstract names reach the host's services; Landlock 6 stops that. */
        return (r->machine.namespaces & own) == own &&
               (!p->network || r->machine.landlock_abi >= 6);
}

static int get_filter(struct sandbox_runner *r, const struct plan *plan, bool may_fork,
                      const struct filter **ret, struct err *e)
{
        const struct seccomp_variant v = {
            .own_pids = plan->namespaces & ISOLATION_NS_PID,
            .own_tree = plan->namespaces & ISOLATION_NS_MOUNT,
            .landlock = plan->landlock_abi > 0,
            .network = plan->network,
            .unix_sockets = plan->unix_sockets,
            .gpu = plan->gpu,
            .watched = plan_is_watched(plan),
            .may_fork = may_fork,
        };
        struct filter *f = &r->filters[v.network + 2 * v.unix_sockets + 4 * v.gpu + 8 * v.may_fork +
                                       16 * v.watched];

        *ret = f;
        return f->code ? 0 : seccomp_program_compile(&v, &f->code, &f->size, e);
}

/* Behind a cgroup's limit it is the second wall and must not be met first: only the cgroup counts
 * the refusals, and they go into the obituary. */
static uint64_t process_rlimit(const struct sandbox_runner *r, const struct sandbox_policy *p,
                               bool own_pids)
{
        if (!r->machine.nproc)
                return 0;
        /* Forked instances have their parent's uid; each has as many in a cgroup of its own. */
        return (p->pids_max + own_pids + (r->cgroups.pids ? 16 : 0)) * (uint64_t)(1 + p->forks);
}

/* Borrows the policy's strings and the runner's filter. */
static int make_plan(struct sandbox *s, const struct sandbox_policy *p, struct str *ret,
                     struct err *e)
{
        struct sandbox_runner *r = s->runner;
        const struct machine *m = &r->machine;
        const struct filter none = {0}, *filter = &none;
        bool own_pids = s->isolation.namespaces & ISOLATION_NS_PID;
        uint32_t id = m->own_user ? r->uid_first + (uint32_t)s->slot
                      : s->isolation.namespaces & ISOLATION_NS_USER ? SPAWN_INNER_ID
                                                                    : geteuid();
        struct plan plan = {
            .namespaces = s->isolation.namespaces,
            .own_user = m->own_user,
            .uid = id,
            .gid = id,
            .network = p->network,
            .gpu = p->gpu,
            .unix_sockets = may_make_unix_sockets(r, p),
            .proc_static = !m->proc,
            .landlock_abi = (uint64_t)m->landlock_abi,
            .memory_by_rlimit = s->isolation.memory == ISOLATION_MEMORY_RLIMIT,
            .memory_bytes = p->memory_bytes,
            .tmp_bytes = p->tmp_bytes,
            .nproc = process_rlimit(r, p, own_pids),
            .nofile = p->nofile,
            .files = s->files[0] >= 0 ? BOX_FILES : 0,
            .core = m->core,
            .off = r->off,
            .host_pid = own_pids ? 0 : (uint64_t)getpid(),
            .name = (char *)p->name,
            .plugin_dir = p->plugin_dir,
            .binds = p->binds,
            .n_binds = p->n_binds,
        };
        int code = m->seccomp ? get_filter(r, &plan, p->may_fork && !own_pids, &filter, e) : 0;

        if (code < 0)
                return code;
        plan.filter = filter->code;
        plan.filter_size = filter->size;
        s->makes_files = plan.memory_by_rlimit && !(plan_is_watched(&plan) && m->seccomp);
        plan_encode(&plan, ret);
        return ret->bad ? err_set_errno(e, -ENOMEM, "write the box's orders") : 0;
}

/* Sealed, so that nothing in the box can rewrite what a later stage of it still reads. */
static int plan_to_memfd(const struct str *bytes, int *ret, struct err *e)
{
        scoped(fd) int fd = memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return err_set_errno(e, -errno, "hand over the box's orders");
        r = fd_write_all(fd, bytes->data, bytes->len);
        if (r == 0 &&
            fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
                r = -errno;
        if (r < 0)
                return err_set_errno(e, r, "hand over the box's orders");
        *ret = take_fd(&fd);
        return 0;
}

static int make_env(const struct sandbox_policy *p, char ***ret)
{
        static const char *const fixed[][2] = {
            {"HOME", "/tmp"},
            {"TMPDIR", "/tmp"},
            {"PATH", "/usr/local/bin:/usr/bin:/bin"},
            {"LANG", "C.UTF-8"},
        };
        scoped(sandbox_policy) struct sandbox_policy all = {0};
        int r = 0;

        for (char **s = p->env; r == 0 && s && *s; s++) {
                scoped(free) char *key = strndup(*s, strcspn(*s, "="));

                r = key ? sandbox_policy_add_env(&all, key, *s + strlen(key) + 1) : -ENOMEM;
        }
        for (size_t i = 0; r == 0 && i < ARRAY_LEN(fixed); i++) {
                size_t len = strlen(fixed[i][0]);
                bool given = false;

                for (char **s = p->env; s && *s; s++)
                        given |= !strncmp(*s, fixed[i][0], len) && (*s)[len] == '=';
                if (!given)
                        r = sandbox_policy_add_env(&all, fixed[i][0], fixed[i][1]);
        }
        if (r == 0)
                *ret = take_ptr(all.env);
        return r;
}

/* ---- descriptors
 * -------------------------------------------------------------------------------*/

int sandbox_make_pipe(int *ret_mine, int *ret_theirs)
{
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        *ret_mine = ends[0];
        *ret_theirs = ends[1];
        return fd_set_nonblock(ends[0]);
}

int sandbox_make_sockets(int type, int *ret_mine, int *ret_theirs)
{
        int ends[2], off = 0;

        if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        *ret_mine = ends[0];
        *ret_theirs = ends[1];
        /* We never receive descriptors; a new kernel can refuse them at the sender already. */
        (void)!setsockopt(ends[0], SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
        return fd_set_nonblock(ends[0]);
}

/* Of a fixed size for good: a shorter one would be the reader's SIGBUS, a longer one somebody's
 * store. We keep one descriptor, to read it by when the worker is dead. */
static int make_crash_record(int *ret_mine, int *ret_theirs)
{
        scoped(fd) int fd = memfd_create("crash", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || ftruncate(fd, sizeof(struct crash_record)) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        *ret_theirs = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (*ret_theirs < 0)
                return -errno;
        *ret_mine = take_fd(&fd);
        return 0;
}

/* What no cgroup counts has to be counted, and a file in memory can only be counted by who has it
 * open, too. By its name nobody in there can open it for writing. */
static int make_file(int *ret_mine, int *ret_theirs)
{
        scoped(fd) int fd = memfd_create("forgesyte-upload", MFD_CLOEXEC);

        if (fd < 0 || fchmod(fd, 0444) < 0)
                return -errno;
        *ret_theirs = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (*ret_theirs < 0)
                return -errno;
        *ret_mine = take_fd(&fd);
        return 0;
}

static int make_files(struct sandbox *s, const struct sandbox_policy *p, struct birth *b)
{
        int r = 0;

        if (!p->uploads || !sandbox_wants_watch(s))
                return 0;
        for (int i = 0; r == 0 && i < BOX_FILES; i++)
                r = make_file(&s->files[i], &b->theirs[BOX_FD_FILE + i]);
        return r;
}

static int make_fds(struct sandbox *s, const struct sandbox_policy *p, struct birth *b,
                    struct err *e)
{
        int on = 1, r;

        b->theirs[BOX_FD_NULL] = open("/dev/null", O_RDWR | O_CLOEXEC);
        r = b->theirs[BOX_FD_NULL] < 0 ? -errno : 0;
        if (r == 0)
                r = sandbox_make_pipe(&s->out, &b->theirs[BOX_FD_STDOUT]);
        if (r == 0)
                r = sandbox_make_pipe(&s->err, &b->theirs[BOX_FD_STDERR]);
        if (r == 0)
                r = sandbox_make_pipe(&s->status, &b->theirs[BOX_FD_STATUS]);
        if (r == 0)
                r = sandbox_make_sockets(SOCK_STREAM, &s->channel, &b->theirs[BOX_FD_CHANNEL]);
        if (r == 0)
                r = sandbox_make_sockets(SOCK_SEQPACKET, &s->setup, &b->theirs[BOX_FD_SETUP]);
        if (r == 0)
                r = make_crash_record(&s->crash, &b->theirs[BOX_FD_CRASH]);
        if (r == 0)
                r = make_files(s, p, b);
        /* The sender's pid comes with its words, as we number it: so we learn the worker's. */
        if (r == 0 && setsockopt(s->setup, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
                r = -errno;
        return r < 0 ? err_set_errno(e, r, "make the worker's descriptors") : 0;
}

/* ---- birth
 * -------------------------------------------------------------------------------------*/

static int make_cgroup(struct sandbox *s, const struct sandbox_policy *p, struct err *e)
{
        const struct cgroup_limits limits = {
            .memory_bytes = p->memory_bytes, .pids = p->pids_max + 1, /* the box's init */
        };
        char name[96];
        int r;

        if (s->runner->cgroups.n_places == 0)
                return 0;
        snprintf(name, sizeof name, "%u-%s", s->runner->serial++, p->name);
        r = cgroup_box_make(&s->runner->cgroups, name, &limits, &s->cgroup, e);
        s->has_cgroup = r == 0;
        return r;
}

static int start(struct sandbox *s, const struct sandbox_policy *p, struct birth *b, struct err *e)
{
        const struct sandbox_runner *r = s->runner;
        char *argv[] = {(char *)"forgesyte-worker", (char *)BOX_ARGUMENT, (char *)p->name, NULL};
        struct spawn spawn = {
            .namespaces = s->isolation.namespaces & ~(unsigned)ISOLATION_NS_CGROUP,
            .outlives = r->off & WALL_BIT(WALL_PDEATHSIG),
            .leaves_fds = r->off & WALL_BIT(WALL_FDS),
            .no_clone3 = r->machine.no_clone3,
            .into_cgroup = s->has_cgroup && !r->machine.no_clone3 ? s->cgroup.into : -1,
            .procs = s->cgroup.procs,
            .path = r->worker_path,
            .argv = argv,
            .envp = b->env,
        };
        int code;

        if (s->has_cgroup && spawn.into_cgroup < 0)
                spawn.n_procs = s->cgroup.n;
        memcpy(spawn.fds, b->theirs, sizeof spawn.fds);
        code = spawn_worker(&spawn, &s->pid, &s->pidfd, e);
        if (code == 0 && s->has_cgroup)
                cgroup_box_born(&s->cgroup);
        return code;
}

static int keep_all(struct sandbox_runner *r)
{
        int code = 0;

        for (struct sandbox *s = r->boxes; code == 0 && s; s = s->next)
                if (!s->dead)
                        code = keeper_add(&r->keeper, s->pidfd);
        return code;
}

/* Without a pid namespace the box's end is not its host's by nature. A keeper that was lost is
 * replaced, and told of all. */
static int keep(struct sandbox *s, struct err *e)
{
        struct sandbox_runner *r = s->runner;
        int code;

        if ((s->isolation.namespaces & ISOLATION_NS_PID) || (r->off & WALL_BIT(WALL_KEEPER)))
                return 0;
        code = keeper_start(&r->keeper, r->worker_path, e);
        if (code < 0)
                return code;
        code = keeper_add(&r->keeper, s->pidfd);
        if (code == -EPIPE || code == -ECONNRESET) {
                keeper_stop(&r->keeper);
                code = keeper_start(&r->keeper, r->worker_path, e);
                if (code == 0)
                        code = keep_all(r);
        }
        return code < 0 ? err_set_errno(e, code, "have the box kept") : 0;
}

struct sandbox *sandbox_alloc(struct sandbox_runner *r)
{
        struct sandbox *s = calloc(1, sizeof *s);

        if (!s)
                return NULL;
        s->runner = r;
        s->pidfd = s->channel = s->out = s->err = s->setup = s->status = s->crash = s->slot = -1;
        memset(s->files, -1, sizeof s->files);
        s->dead = true; /* until it was born */
        s->next = r->boxes;
        r->boxes = s;
        return s;
}

static int build(struct sandbox *s, const struct sandbox_policy *p, struct err *e)
{
        scoped(birth) struct birth b = {0};
        int r;

        memset(b.theirs, -1, sizeof b.theirs);
        s->slot = take_slot(s->runner, e);
        if (s->slot < 0)
                return s->slot;
        if (s->runner->machine.own_user)
                s->isolation.uid = s->runner->uid_first + (uint32_t)s->slot;
        r = make_fds(s, p, &b, e);
        if (r == 0)
                r = make_plan(s, p, &b.plan, e);
        if (r == 0)
                r = plan_to_memfd(&b.plan, &b.theirs[BOX_FD_PLAN], e);
        if (r == 0 && (r = make_env(p, &b.env)) < 0)
                err_set_errno(e, r, "make the worker's environment");
        if (r == 0)
                r = make_cgroup(s, p, e);
        if (r == 0)
                r = start(s, p, &b, e);
        if (r < 0)
                return r;
        s->dead = false;
        return keep(s, e);
}

int sandbox_spawn(struct sandbox_runner *r, const struct sandbox_policy *policy,
                  struct sandbox **ret, struct err *e)
{
        scoped(sandbox_free) struct sandbox *s = NULL;
        struct isolation foreseen;
        int code;

        sandbox_runner_tidy(r);
        if (!policy->plugin_dir || !policy->name[0])
                return err_set(e, -EINVAL, "a box needs a name and a plugin folder");
        foresee(r, policy, &foreseen);
        code = check_level(&foreseen, policy->min_level, e);
        if (code != 0)
                return code;
        s = sandbox_alloc(r);
        if (!s)
                return err_set_errno(e, -ENOMEM, "make a box");
        s->memory_bytes = policy->memory_bytes;
        s->pids_max = policy->pids_max;
        s->isolation = foreseen;
        code = build(s, policy, e);
        if (code < 0)
                return err_wrap(e, code, "box of %s", policy->name);
        *ret = take_ptr(s);
        return 0;
}
