/* wall_mounts.c -- a file tree of the box's own: read-only but for a private /tmp and /dev/shm,
 * with what programs need to run, the plugin's folder, and what the policy adds. Every source is
 * held by descriptor before anything is mounted over it. */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "sandbox/box_files.h"
#include "sandbox/mount_tree.h"
#include "sandbox/walls.h"

#define RO_FILES (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define RO_DATA  (RO_FILES | MOUNT_ATTR_NOEXEC)
#define RW_DATA  (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
/* A device node on a read-only mount can still be written to. */
#define RO_NODES (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)

enum show_when { ALWAYS, IF_NETWORK, IF_GPU, IF_SAFE };

/* What every box shows when the host has it. */
static const struct {
        const char *path;
        uint64_t attributes;
        enum show_when when;
} shown[] = {
    {"/usr", RO_FILES, ALWAYS},
    {"/etc/ld.so.cache", RO_DATA, ALWAYS},
    {"/etc/ld.so.conf", RO_DATA, ALWAYS},
    {"/etc/ld.so.conf.d", RO_DATA, ALWAYS},
    {"/etc/alternatives", RO_DATA, ALWAYS},
    {"/etc/localtime", RO_DATA, ALWAYS},
    {"/etc/fonts", RO_DATA, ALWAYS},
    {"/etc/mime.types", RO_DATA, ALWAYS},
    {"/etc/resolv.conf", RO_DATA, IF_NETWORK},
    {"/etc/services", RO_DATA, IF_NETWORK},
    {"/etc/gai.conf", RO_DATA, IF_NETWORK},
    {"/etc/ssl/certs", RO_DATA, IF_NETWORK},
    {"/etc/ssl/openssl.cnf", RO_DATA, IF_NETWORK},
    {"/etc/pki", RO_DATA, IF_NETWORK},
    {"/dev/null", RO_NODES, ALWAYS},
    {"/dev/zero", RO_NODES, IF_SAFE},
    {"/dev/full", RO_NODES, ALWAYS},
    {"/dev/random", RO_NODES, ALWAYS},
    {"/dev/urandom", RO_NODES, ALWAYS},
    {"/sys/devices/system/cpu", RO_DATA, ALWAYS},
    {"/sys/devices/system/node", RO_DATA, ALWAYS},
    {"/sys/bus/pci", RO_DATA, IF_GPU},
    {"/sys/devices", RO_DATA, IF_GPU},
    {"/etc/OpenCL", RO_DATA, IF_GPU},
    {"/etc/vulkan", RO_DATA, IF_GPU},
};

/* Links on most systems, folders on some: shown as they are. */
static const char *const root_names[] = {"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"};

#define TREES_MAX 512

/* A detached tree, or the text of a link, and the place it goes to. */
struct shown_tree {
        int fd; /* -1: a link */
        char *link;
        char *target;
};

struct view {
        struct shown_tree trees[TREES_MAX];
        size_t n;
};

static void view_scoped(struct view *v)
{
        for (size_t i = 0; i < v->n; i++) {
                fd_close(v->trees[i].fd);
                free(v->trees[i].link);
                free(v->trees[i].target);
        }
}

/* take_tree: a descriptor, which is the view's from here on, or -errno. */
static int view_take(struct view *v, int take_tree, const char *target)
{
        scoped(fd) int tree = take_tree;
        struct shown_tree *t = &v->trees[v->n];

        if (tree < 0)
                return tree;
        if (v->n == TREES_MAX)
                return -E2BIG;
        t->link = NULL;
        t->fd = take_fd(&tree);
        t->target = strdup(target);
        v->n++;
        return t->target ? 0 : -ENOMEM;
}

static int view_add(struct view *v, const char *source, const char *target, uint64_t attributes)
{
        return view_take(v, mount_tree_clone(source, attributes), target);
}

static int view_add_bind(struct view *v, const struct sandbox_bind *b)
{
        uint64_t attributes = b->writable ? RW_DATA : RO_FILES;

        return view_take(v, mount_tree_clone_straight(b->source, attributes), b->target);
}

static int view_add_link(struct view *v, const char *source, const char *target)
{
        struct shown_tree *t = &v->trees[v->n];
        char to[PATH_MAX];
        ssize_t n = readlink(source, to, sizeof to - 1);

        if (n <= 0)
                return n < 0 ? -errno : -EINVAL;
        if (v->n == TREES_MAX)
                return -E2BIG;
        to[n] = '\0';
        t->fd = -1;
        t->link = strdup(to);
        t->target = strdup(target);
        v->n++;
        return t->link && t->target ? 0 : -ENOMEM;
}

/* A link that is there already is as good, and one whose way leads over other links is left out:
 * who misses it will say so. */
static int put(const struct shown_tree *t, int root, struct err *e)
{
        int r;

        if (!t->link)
                return mount_tree_attach(t->fd, root, t->target, e);
        r = mount_tree_link(root, t->target, t->link);
        return r < 0 && r != -EEXIST && r != -ENOTDIR && r != -ELOOP
                   ? err_set_errno(e, r, "link %s", t->target)
                   : 0;
}

static bool is_shown(enum show_when when, const struct plan *p)
{
        switch (when) {
        case ALWAYS:
                return true;
        case IF_NETWORK:
                return p->network;
        case IF_GPU:
                return p->gpu;
        case IF_SAFE: /* to open it for writing must be refused, or harmless */
                return p->landlock_abi > 0 || !plan_is_watched(p);
        }
        return false;
}

/* The host's tree stays; but what the policy names must be there as well. */
static int check_sources(const struct plan *p, struct err *e)
{
        for (size_t i = 0; i < p->n_binds; i++) {
                const struct sandbox_bind *b = &p->binds[i];

                if (!b->optional && access(b->source, F_OK) < 0)
                        return err_set_errno(e, -errno, "take %s along", b->source);
        }
        return 1;
}

/* What is not there is not missed: hosts differ, and a plugin that needs it will say so. */
static int take_system(struct view *v, const struct plan *p, struct err *e)
{
        for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
                int r;

                if (!is_shown(shown[i].when, p))
                        continue;
                r = view_add(v, shown[i].path, shown[i].path, shown[i].attributes);
                if (r < 0 && (i == 0 || r == -ENOMEM))
                        return err_set_errno(e, r, "take %s along", shown[i].path);
        }
        for (size_t i = 0; i < ARRAY_LEN(root_names); i++) {
                struct stat st;

                if (lstat(root_names[i], &st) == 0 && S_ISDIR(st.st_mode) &&
                    view_add(v, root_names[i], root_names[i], RO_FILES) < 0)
                        return err_set(e, -EIO, "take %s along", root_names[i]);
        }
        return 0;
}

/* /dev/nvidia0, nvidiactl, nvidia-uvm, nvidia-caps/...: whatever the driver has made. */
static int take_gpu(struct view *v, const struct plan *p)
{
        DIR *dev = p->gpu ? opendir("/dev") : NULL;
        const struct dirent *d;

        while (dev && (d = readdir(dev))) {
                char path[sizeof "/dev/" + sizeof d->d_name];

                if (strncmp(d->d_name, "nvidia", 6) != 0)
                        continue;
                snprintf(path, sizeof path, "/dev/%s", d->d_name);
                if (view_add(v, path, path, RO_NODES) == -ENOMEM)
                        break;
        }
        if (dev)
                closedir(dev);
        return 0;
}

static int take_policy(struct view *v, const struct plan *p, struct err *e)
{
        int r = view_add(v, p->plugin_dir, SANDBOX_PLUGIN_DIR, RO_FILES);

        if (r < 0)
                return err_set_errno(e, r, "plugin folder %s", p->plugin_dir);
        for (size_t i = 0; i < p->n_binds; i++) {
                const struct sandbox_bind *b = &p->binds[i];

                r = b->link ? view_add_link(v, b->source, b->target) : view_add_bind(v, b);
                if (r == -ENOENT && b->optional)
                        continue;
                if (r < 0)
                        return err_set_errno(e, r, "take %s along", b->source);
        }
        return 0;
}

static int make_root(const struct plan *p, int *ret, struct err *e)
{
        static const char *const options[] = {"size=4m", "nr_inodes=4096", "mode=755", NULL};
        scoped(fd) int root =
            mount_tree_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
        int r;

        if (root < 0)
                return err_set_errno(e, root, "make the root");
        r = mount_tree_hang(root);
        if (r < 0)
                return err_set_errno(e, r, "hang up the root");
        for (size_t i = 0; i < ARRAY_LEN(root_names); i++) {
                char to[256] = {0};

                if (readlink(root_names[i], to, sizeof to - 1) > 0 &&
                    symlinkat(to, root, root_names[i] + 1) < 0)
                        return err_set_errno(e, -errno, "link %s", root_names[i]);
        }
        r = box_files_write(root, p, e);
        if (r == 0)
                *ret = take_fd(&root);
        return r;
}

static int turn_root(int root, struct err *e)
{
        struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
        char cwd[16];
        int r;

        if (mount_setattr(root, "", AT_EMPTY_PATH, &ro, sizeof ro) < 0)
                return err_set_errno(e, -errno, "make the root read-only");
        r = mount_tree_become_root(root);
        if (r < 0)
                return err_set_errno(e, r, "turn the root");
        if (!getcwd(cwd, sizeof cwd) || strcmp(cwd, "/") != 0)
                return err_set(e, -EIO, "the working directory is outside the box");
        return 0;
}

static int build(struct view *v, const struct plan *p, struct err *e)
{
        scoped(fd) int root = -1;
        int r = make_root(p, &root, e);

        if (r == 0)
                r = scratch_mount(root, p, e);
        if (r == 0)
                r = proc_mount(root, p, e);
        for (size_t i = 0; r == 0 && i < v->n; i++)
                r = put(&v->trees[i], root, e);
        return r < 0 ? r : turn_root(root, e);
}

int wall_mounts(struct box *b, struct err *e)
{
        const struct plan *p = &b->plan;
        scoped(view) struct view v;
        int r;

        v.n = 0;
        if (!(p->namespaces & ISOLATION_NS_MOUNT)) {
                umask(077);
                return check_sources(p, e);
        }
        umask(022); /* the tree is walked by another user than the one that builds it */
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return err_set_errno(e, -errno, "leave the host's mounts alone");
        r = take_system(&v, p, e);
        if (r == 0)
                r = take_gpu(&v, p);
        if (r == 0)
                r = take_policy(&v, p, e);
        if (r == 0)
                r = build(&v, p, e);
        umask(077);
        return r;
}
