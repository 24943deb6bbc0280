#include "sandbox/mount_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"

static int clone_tree(int dirfd, const char *source, unsigned flags, uint64_t attributes)
{
        struct mount_attr attr = {.attr_set = attributes};
        scoped(fd) int tree =
            open_tree(dirfd, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | flags);

        if (tree < 0)
                return -errno;
        /* Recursive, which a plain remount is not. */
        if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
                return -errno;
        return take_fd(&tree);
}

int mount_tree_clone(const char *source, uint64_t attributes)
{
        return clone_tree(AT_FDCWD, source, 0, attributes);
}

int mount_tree_clone_straight(const char *source, uint64_t attributes)
{
        scoped(fd) int fd = fd_open_straight(source);

        return fd < 0 ? fd : clone_tree(fd, "", AT_EMPTY_PATH, attributes);
}

static int configure(int fs, const char *option)
{
        char key[32];
        const char *value = strchr(option, '=');

        if (!value)
                return fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0);
        snprintf(key, sizeof key, "%.*s", (int)(value - option), option);
        return fsconfig(fs, FSCONFIG_SET_STRING, key, value + 1, 0);
}

int mount_tree_new(const char *type, const char *const *options, uint64_t attributes)
{
        scoped(fd) int fs = fsopen(type, FSOPEN_CLOEXEC);
        int tree;

        if (fs < 0)
                return -errno;
        for (; *options; options++)
                if (configure(fs, *options) < 0)
                        return -errno;
        if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        tree = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
        return tree < 0 ? -errno : tree;
}

/* One component after the other, never through a link. */
static int walk(int rootfd, const char *path, bool last_is_file)
{
        scoped(fd) int at = fcntl(rootfd, F_DUPFD_CLOEXEC, 0);

        while (at >= 0) {
                char name[256];
                size_t len;
                int next;

                path += strspn(path, "/");
                len = strcspn(path, "/");
                if (len == 0)
                        return take_fd(&at);
                if (len >= sizeof name)
                        return -ENAMETOOLONG;
                memcpy(name, path, len);
                name[len] = '\0';
                path += len;
                if (last_is_file && path[strspn(path, "/")] == '\0') {
                        next = openat(at, name, O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0444);
                } else {
                        if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
                                return -errno;
                        next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                }
                if (next < 0)
                        return -errno;
                close(at);
                at = next;
        }
        return -errno;
}

int mount_tree_mkdir(int rootfd, const char *path)
{
        int fd = walk(rootfd, path, false);

        fd_close(fd);
        return fd < 0 ? fd : 0;
}

int mount_tree_link(int rootfd, const char *path, const char *to)
{
        const char *slash = strrchr(path, '/');
        char folder[PATH_MAX];
        scoped(fd) int at = -1;

        if (!slash || (size_t)(slash - path) >= sizeof folder)
                return -EINVAL;
        memcpy(folder, path, (size_t)(slash - path));
        folder[slash - path] = '\0';
        at = walk(rootfd, folder, false);
        if (at < 0)
                return at;
        return symlinkat(to, at, slash + 1) < 0 ? -errno : 0;
}

/* What is there already may lie behind links of the tree (/lib is one), but never outside it. */
static int mount_point(int rootfd, const char *target, bool is_file)
{
        struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                               .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
        int fd = (int)syscall(SYS_openat2, rootfd, target, &how, sizeof how);

        return fd >= 0 ? fd : walk(rootfd, target, is_file);
}

int mount_tree_attach(int tree, int rootfd, const char *target, struct err *e)
{
        scoped(fd) int point = -1;
        struct stat st;

        if (fstat(tree, &st) < 0)
                return err_set_errno(e, -errno, "look at what goes to %s", target);
        point = mount_point(rootfd, target, !S_ISDIR(st.st_mode));
        if (point < 0)
                return err_set_errno(e, point, "make the mount point %s", target);
        if (move_mount(tree, "", point, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return err_set_errno(e, -errno, "mount %s", target);
        return 0;
}

int mount_tree_hang(int tree)
{
        static const char *const places[] = {"/tmp", "/mnt", "/var", "/dev", "/usr"};

        for (size_t i = 0; i < ARRAY_LEN(places); i++)
                if (move_mount(tree, "", AT_FDCWD, places[i], MOVE_MOUNT_F_EMPTY_PATH) == 0)
                        return 0;
        return -errno;
}

int mount_tree_become_root(int tree)
{
        if (fchdir(tree) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
                return -errno;
        return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? -errno : 0;
}
