/* wall_proc.c -- /proc of the box's own processes. Read-only as a whole: nothing in there that a
 * plugin could write to is its to write; and what tells of the kernel's keys, timers and memory is
 * covered. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "sandbox/mount_tree.h"
#include "sandbox/walls.h"

#define DATA  (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define NODES (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)

static const char *const masked[] = {"kcore",      "keys",          "key-users",  "kmsg",
                                     "timer_list", "sysrq-trigger", "sched_debug"};

static int mask(int root, int tree, struct err *e)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_LEN(masked); i++) {
                scoped(fd) int null = mount_tree_clone("/dev/null", NODES);
                char path[64];

                snprintf(path, sizeof path, "/proc/%s", masked[i]);
                if (null >= 0 && faccessat(tree, masked[i], F_OK, 0) == 0)
                        r = mount_tree_attach(null, root, path, e);
        }
        return r;
}

int proc_mount(int root, const struct plan *p, struct err *e)
{
        static const char *const hidden[] = {"hidepid=2", NULL}, *const open[] = {NULL};
        bool off = wall_is_off(p, WALL_PROC);
        scoped(fd) int tree = -1;
        int r;

        if (p->proc_static)
                return 0; /* box_files_write has put copies there */
        tree = mount_tree_new("proc", off ? open : hidden, off ? DATA : DATA | MOUNT_ATTR_RDONLY);
        if (tree < 0)
                return err_set_errno(e, tree, "make /proc");
        r = mount_tree_attach(tree, root, "/proc", e);
        return r == 0 && !off ? mask(root, tree, e) : r;
}
