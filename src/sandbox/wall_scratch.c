/* wall_scratch.c -- the two places that a plugin can write to: its own, empty, of a size. */
#include <stdio.h>
#include <sys/mount.h>

#include "base/fd.h"
#include "sandbox/mount_tree.h"
#include "sandbox/walls.h"

static int mount_one(int root, const char *target, const struct plan *p, struct err *e)
{
        char size[48];
        const char *const bounded[] = {size, "nr_inodes=4096", "mode=1777", NULL};
        const char *const unbounded[] = {"mode=1777", NULL};
        scoped(fd) int tree = -1;

        snprintf(size, sizeof size, "size=%llu", (unsigned long long)p->tmp_bytes);
        tree = mount_tree_new("tmpfs", wall_is_off(p, WALL_SCRATCH) ? unbounded : bounded,
                              MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (tree < 0)
                return err_set_errno(e, tree, "make %s", target);
        return mount_tree_attach(tree, root, target, e);
}

int scratch_mount(int root, const struct plan *p, struct err *e)
{
        int r = mount_one(root, "/tmp", p, e);

        return r < 0 ? r : mount_one(root, "/dev/shm", p, e);
}
