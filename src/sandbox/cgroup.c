#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/cgroup_files.h"
#include "sandbox/cgroup_place.h"
#include "sandbox/isolation_reason.h"

/* Each limit, listed once. text: written as it is, else the number of `source`. */
static const struct {
        bool version2;
        enum cgroup_controller controller;
        const char *file;
        enum { TEXT, MEMORY_BYTES, PIDS_MAX } source;
        const char *text;
        bool optional; /* absent without swap accounting, or on older kernels */
} limits_table[] = {
    {true, CGROUP_MEMORY, "memory.max", MEMORY_BYTES, NULL, false},
    {true, CGROUP_MEMORY, "memory.swap.max", TEXT, "0", true},
    {true, CGROUP_MEMORY, "memory.oom.group", TEXT, "1", true},
    {true, CGROUP_PIDS, "pids.max", PIDS_MAX, NULL, false},
    {true, CGROUP_CPU, "cpu.weight", TEXT, "10", true},
    {false, CGROUP_MEMORY, "memory.limit_in_bytes", MEMORY_BYTES, NULL, false},
    {false, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", MEMORY_BYTES, NULL, true},
    {false, CGROUP_PIDS, "pids.max", PIDS_MAX, NULL, false},
    {false, CGROUP_CPU, "cpu.shares", TEXT, "128", true},
};

/* ---- the runner's directories
 * ------------------------------------------------------------------*/

static uint64_t start_of(int pid)
{
        scoped(free) char *text = NULL;
        char path[64];
        size_t n;

        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        return fd_read_file(AT_FDCWD, path, KIB(4), &text, &n, NULL) < 0 ? 0
                                                                         : cgroup_parse_start(text);
}

bool cgroup_place_base(const struct cgroup_view *v, const char *controller, char *ret, size_t size)
{
        char point[PATH_MAX], mount_root[PATH_MAX], own[PATH_MAX];
        const char *below = own;
        size_t len;

        if (!cgroup_parse_mount(v->mounts, controller, point, mount_root, sizeof point))
                return false;
        if (v->given) {
                below = v->given + strspn(v->given, "/");
                return (size_t)snprintf(ret, size, "%s/%s", point, below) < size;
        }
        if (!cgroup_parse_own(v->own, controller, own, sizeof own))
                return false;
        /* In a container the mount may begin in the middle of the path. */
        len = strcmp(mount_root, "/") ? strlen(mount_root) : 0;
        if (!strncmp(own, mount_root, len) && (own[len] == '/' || own[len] == '\0'))
                below = own + len;
        if (!strcmp(below, "/"))
                below = "";
        return (size_t)snprintf(ret, size, "%s%s", point, below) < size;
}

int cgroup_place_make(struct cgroup_place *place)
{
        for (unsigned n = 0; n < 1000; n++) {
                int len =
                    snprintf(place->path, sizeof place->path, "%s/forgesyte-%d-%" PRIu64 "-%u",
                             place->base, getpid(), start_of(getpid()), n);

                if (len < 0 || (size_t)len >= sizeof place->path)
                        return -ENAMETOOLONG;
                if (mkdir(place->path, 0755) == 0)
                        return 0;
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

/* Cgroups can only be removed when empty, from the leaves up. */
static void remove_with_boxes(int basefd, const char *name)
{
        int fd = openat(basefd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *d;

        if (!dir) {
                fd_close(fd);
                return;
        }
        while ((d = readdir(dir)))
                if (d->d_type == DT_DIR && d->d_name[0] != '.')
                        (void)!unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR);
        closedir(dir);
        (void)!unlinkat(basefd, name, AT_REMOVEDIR);
}

/* What hosts that were killed have left. A living process in there keeps its cgroup. */
static void sweep(const char *base)
{
        DIR *dir = opendir(base);
        const struct dirent *d;

        while (dir && (d = readdir(dir))) {
                uint64_t start;
                int pid;

                if (d->d_type == DT_DIR && cgroup_parse_name(d->d_name, &pid, &start) &&
                    start_of(pid) != start)
                        remove_with_boxes(dirfd(dir), d->d_name);
        }
        if (dir)
                closedir(dir);
}

/* Version 2 when it gives us memory limits, else version 1, which may give us some. */
static void find_places(const struct cgroup_options *o, const struct cgroup_view *v,
                        struct cgroup_root *root, struct isolation *why)
{
        struct isolation two = {0}, one = {0};

        if (!o->no_version2)
                wall_cgroup2(v, root, &two);
        if (root->kind == ISOLATION_MEMORY_CGROUP2)
                return;
        *root = (struct cgroup_root){.kind = ISOLATION_MEMORY_RLIMIT};
        if (!o->no_version1)
                wall_cgroup1(v, root, &one);
        if (root->kind == ISOLATION_MEMORY_RLIMIT)
                isolation_reason(why, "memory", "no cgroup: %s%s%s", two.reasons[0],
                                 two.n_reasons && one.n_reasons ? "; " : "", one.reasons[0]);
}

void cgroup_root_open(const struct cgroup_options *o, struct cgroup_root *ret,
                      struct isolation *why)
{
        scoped(free) char *own = NULL, *mounts = NULL;
        struct cgroup_view v;
        size_t n;

        *ret = (struct cgroup_root){.kind = ISOLATION_MEMORY_RLIMIT};
        if (o->no_version1 && o->no_version2)
                return;
        if (fd_read_file(AT_FDCWD, "/proc/self/cgroup", KIB(64), &own, &n, NULL) < 0 ||
            fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MIB(1), &mounts, &n, NULL) < 0) {
                isolation_reason(why, "memory", "no cgroup: /proc does not tell which");
                return;
        }
        v = (struct cgroup_view){own, mounts, o->given, o->without};
        find_places(o, &v, ret, why);
        for (unsigned i = 0; i < ret->n_places; i++)
                sweep(ret->places[i].base);
}

void cgroup_root_close(struct cgroup_root *root)
{
        for (unsigned i = 0; i < root->n_places; i++) {
                scoped(fd) int base =
                    open(root->places[i].base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (base >= 0)
                        remove_with_boxes(base, strrchr(root->places[i].path, '/') + 1);
                sweep(root->places[i].base); /* who was still dying when this host began */
        }
        root->n_places = 0;
}

/* ---- one box
 * -----------------------------------------------------------------------------------*/

static int write_limits(const struct cgroup_root *root, unsigned controllers, int dir,
                        const struct cgroup_limits *l, struct err *e)
{
        for (size_t i = 0; i < ARRAY_LEN(limits_table); i++) {
                const char *file = limits_table[i].file;
                int r;

                if (limits_table[i].version2 != root->version2 ||
                    !(controllers & limits_table[i].controller))
                        continue;
                if (limits_table[i].source == TEXT)
                        r = cgroup_write(dir, file, limits_table[i].text);
                else
                        r = cgroup_write_number(
                            dir, file,
                            limits_table[i].source == MEMORY_BYTES ? l->memory_bytes : l->pids);
                if (r < 0 && !limits_table[i].optional)
                        return err_set_errno(e, r, "set %s", file);
        }
        return 0;
}

/* Version 1 tells by an eventfd, which is registered by naming both descriptors. */
static int watch_oom1(int dir)
{
        scoped(fd) int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        scoped(fd) int control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
        char text[64];

        if (event < 0 || control < 0)
                return -errno;
        snprintf(text, sizeof text, "%d %d", event, control);
        if (cgroup_write(dir, "cgroup.event_control", text) < 0)
                return -errno;
        return take_fd(&event);
}

static int watch_oom(const struct cgroup_root *root, int dir)
{
        char first[512];
        int fd;

        if (!root->version2)
                return watch_oom1(dir);
        fd = openat(dir, "memory.events", O_RDONLY | O_CLOEXEC);
        /* POLLPRI tells of changes since the last reading. */
        return fd >= 0 && pread(fd, first, sizeof first, 0) < 0 ? fd_close(fd) : fd;
}

static int make_in(const struct cgroup_root *root, unsigned i, const struct cgroup_limits *l,
                   struct cgroup_box *box, struct err *e)
{
        const struct cgroup_place *place = &root->places[i];
        scoped(fd) int parent = open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (parent < 0)
                return err_set_errno(e, -errno, "cgroup %s", place->path);
        if (mkdirat(parent, box->name, 0755) < 0)
                return err_set_errno(e, -errno, "make cgroup %s/%s", place->path, box->name);
        box->controllers[i] = place->controllers;
        box->dirs[i] = openat(parent, box->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (box->dirs[i] < 0)
                return err_set_errno(e, -errno, "cgroup %s/%s", place->path, box->name);
        r = write_limits(root, place->controllers, box->dirs[i], l, e);
        if (r < 0)
                return r;
        box->procs[i] = openat(box->dirs[i], "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (box->procs[i] < 0)
                return err_set_errno(e, -errno, "open cgroup.procs");
        if (place->controllers & CGROUP_MEMORY)
                box->oom = watch_oom(root, box->dirs[i]);
        if (root->version2)
                box->into = box->dirs[i];
        return 0;
}

int cgroup_box_make(const struct cgroup_root *root, const char *name,
                    const struct cgroup_limits *limits, struct cgroup_box *ret, struct err *e)
{
        struct cgroup_box box = {.into = -1, .oom = -1};
        int r = 0;

        snprintf(box.name, sizeof box.name, "%s", name);
        memset(box.dirs, -1, sizeof box.dirs);
        memset(box.procs, -1, sizeof box.procs);
        for (; r == 0 && box.n < root->n_places; box.n++)
                r = make_in(root, box.n, limits, &box, e);
        if (r < 0 && cgroup_box_remove(root, &box) < 0)
                return r; /* EBUSY can't be: nobody was ever inside */
        if (r == 0)
                *ret = box;
        return r;
}

void cgroup_box_born(struct cgroup_box *box)
{
        for (unsigned i = 0; i < box->n; i++)
                box->procs[i] = fd_close(box->procs[i]);
        box->into = -1;
}

int cgroup_box_remove(const struct cgroup_root *root, struct cgroup_box *box)
{
        cgroup_box_born(box);
        box->oom = fd_close(box->oom);
        while (box->n > 0) {
                const struct cgroup_place *place = &root->places[box->n - 1];
                char path[PATH_MAX + sizeof box->name];

                snprintf(path, sizeof path, "%s/%s", place->path, box->name);
                if (rmdir(path) < 0 && errno == EBUSY)
                        return -EBUSY;
                box->n--;
                box->dirs[box->n] = fd_close(box->dirs[box->n]);
        }
        return 0;
}

/* ---- what the counters say
 * ---------------------------------------------------------------------*/

static int dir_of(const struct cgroup_box *box, enum cgroup_controller controller)
{
        for (unsigned i = 0; i < box->n; i++)
                if (box->controllers[i] & controller)
                        return box->dirs[i];
        return -1;
}

void cgroup_box_kill(const struct cgroup_box *box)
{
        for (unsigned i = 0; i < box->n; i++)
                if (cgroup_write(box->dirs[i], "cgroup.kill", "1") < 0)
                        continue; /* version 1, or before 5.14: the namespace's init does it */
}

uint64_t cgroup_box_oom_kills(const struct cgroup_box *box)
{
        int dir = dir_of(box, CGROUP_MEMORY);
        uint64_t kills = cgroup_read_key(dir, "memory.events", "oom_kill");

        return kills ? kills : cgroup_read_key(dir, "memory.oom_control", "oom_kill");
}

/* Version 1 tells a whole subtree of an ancestor's full memory, and the kernel chooses whom it
 * kills for it; either version counts that kill where it hit. */
bool cgroup_box_was_full(const struct cgroup_box *box, bool version2)
{
        const uint64_t slack = 64 * KIB(4); /* so much is charged at once */
        int dir = dir_of(box, CGROUP_MEMORY);
        uint64_t limit;

        if (version2)
                return cgroup_read_key(dir, "memory.events", "oom") > 0;
        limit = cgroup_read_number(dir, "memory.limit_in_bytes");
        return cgroup_read_number(dir, "memory.max_usage_in_bytes") + slack >= limit;
}

bool cgroup_box_hit(const struct cgroup_box *box, bool version2)
{
        char text[512];
        bool event = false;

        /* Reading takes the event away. Version 1's comes before the kill, and sometimes with none
         * that the worker notices (a child of it dies): the event itself is the limit's word. */
        if (box->oom >= 0 && version2)
                (void)!pread(box->oom, text, sizeof text, 0);
        else if (box->oom >= 0)
                event = read(box->oom, text, sizeof(uint64_t)) == sizeof(uint64_t);
        return (event && cgroup_box_was_full(box, false)) || cgroup_box_oom_kills(box) > 0;
}

uint64_t cgroup_box_pids_events(const struct cgroup_box *box)
{
        return cgroup_read_key(dir_of(box, CGROUP_PIDS), "pids.events", "max");
}

uint64_t cgroup_box_rss(const struct cgroup_box *box, bool version2)
{
        int dir = dir_of(box, CGROUP_MEMORY);

        return cgroup_read_key(dir, "memory.stat", version2 ? "anon" : "rss") +
               cgroup_read_key(dir, "memory.stat", "shmem");
}

uint64_t cgroup_box_peak(const struct cgroup_box *box, bool version2)
{
        return cgroup_read_number(dir_of(box, CGROUP_MEMORY),
                                  version2 ? "memory.peak" : "memory.max_usage_in_bytes");
}
