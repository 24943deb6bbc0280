/* wall_landlock.c -- which files may be opened, asked by the kernel at every open: behind a tree of
 * its own a second wall, and without one the only wall around the host's files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "sandbox/walls.h"

/* Bits that are younger than the headers we build with. */
#define FS_REFER              (UINT64_C(1) << 13)
#define FS_TRUNCATE           (UINT64_C(1) << 14)
#define FS_IOCTL_DEV          (UINT64_C(1) << 15)
#define FS_ABI_1              ((UINT64_C(1) << 13) - 1)
#define NET_BIND_CONNECT      UINT64_C(3)
#define SCOPE_SOCKETS_SIGNALS UINT64_C(3)

struct ruleset_attr {
        uint64_t fs, net, scoped;
};

#define READ   (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RUN    (READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define CHANGE ((FS_ABI_1 & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE) | FS_REFER | FS_TRUNCATE)
#define NODES  (READ | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define ON_FILE                                                                                    \
        (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
         LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

struct rule {
        const char *path;
        uint64_t rights;
};

/* In a tree of its own: what the mounts say anyway, said again. */
static const struct rule in_tree[] = {
    {"/", RUN},
    {"/tmp", CHANGE},
    {"/dev/shm", CHANGE},
    {"/dev", READ},
};

/* In the host's tree: programs and libraries, and what these read; never /home, /root, /var, /run,
 * /tmp or another process. There is no place to write to. */
static const struct rule in_host[] = {
    {"/usr", RUN},
    {"/bin", RUN},
    {"/sbin", RUN},
    {"/lib", RUN},
    {"/lib64", RUN},
    {"/etc/ld.so.cache", READ},
    {"/etc/ld.so.conf", READ},
    {"/etc/ld.so.conf.d", READ},
    {"/etc/alternatives", READ},
    {"/etc/localtime", READ},
    {"/etc/nsswitch.conf", READ},
    {"/etc/passwd", READ},
    {"/etc/group", READ},
    {"/etc/fonts", READ},
    {"/etc/mime.types", READ},
    {"/proc/self", READ},
    {"/proc/cpuinfo", READ},
    {"/proc/meminfo", READ},
    {"/proc/stat", READ},
    {"/proc/version", READ},
    {"/proc/filesystems", READ},
    {"/sys/devices/system", READ},
};

static const struct rule nodes[] = {
    {"/dev/null", NODES},
    {"/dev/full", NODES},
    {"/dev/random", NODES},
    {"/dev/urandom", NODES},
};

/* Opened to write, a shared mapping of it is memory that nobody but a cgroup counts. */
static const struct rule zero_counted[] = {{"/dev/zero", NODES}};
static const struct rule zero_watched[] = {{"/dev/zero", READ}};

static const struct rule for_network[] = {
    {"/etc/resolv.conf", READ}, {"/etc/hosts", READ},     {"/etc/services", READ},
    {"/etc/gai.conf", READ},    {"/etc/ssl/certs", READ}, {"/etc/ssl/openssl.cnf", READ},
    {"/etc/pki", READ},
};

static const struct rule for_gpu[] = {
    {"/sys/bus/pci", READ},
    {"/sys/devices", READ},
    {"/proc/driver/nvidia", READ},
};

struct ruleset {
        int fd;
        uint64_t handled;
};

/* take_place: an O_PATH descriptor, closed here, or -errno. 0, also when it does not exist; -errno.
 */
static int allow_place(const struct ruleset *set, int take_place, uint64_t rights)
{
        struct landlock_path_beneath_attr rule = {0};
        scoped(fd) int fd = take_place;
        struct stat st;

        if (fd < 0)
                return fd == -ENOENT || fd == -EACCES || fd == -ENOTDIR ? 0 : fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        rights &= set->handled;
        rule.allowed_access = S_ISDIR(st.st_mode) ? rights : rights & ON_FILE;
        rule.parent_fd = fd;
        if (syscall(SYS_landlock_add_rule, set->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
                return -errno;
        return 0;
}

static int allow(const struct ruleset *set, const char *path, uint64_t rights)
{
        int fd = open(path, O_PATH | O_CLOEXEC);

        return allow_place(set, fd < 0 ? -errno : fd, rights);
}

static int allow_all(const struct ruleset *set, const struct rule *rules, size_t n, struct err *e)
{
        for (size_t i = 0; i < n; i++) {
                int r = allow(set, rules[i].path, rules[i].rights);

                if (r < 0)
                        return err_set_errno(e, r, "allow %s", rules[i].path);
        }
        return 0;
}

/* The driver talks by ioctl, which is a right of its own since ABI 5. */
static int allow_gpu_nodes(const struct ruleset *set)
{
        DIR *dev = opendir("/dev");
        const struct dirent *d;
        int r = 0;

        while (r == 0 && dev && (d = readdir(dev))) {
                char path[sizeof "/dev/" + sizeof d->d_name];

                if (strncmp(d->d_name, "nvidia", 6) != 0)
                        continue;
                snprintf(path, sizeof path, "/dev/%s", d->d_name);
                r = allow(set, path, NODES | FS_IOCTL_DEV);
        }
        if (dev)
                closedir(dev);
        return r;
}

/* A link is followed by whoever may open what it leads to. */
static int allow_bind(const struct ruleset *set, const struct sandbox_bind *b, bool tree)
{
        if (b->link)
                return 0;
        if (!tree)
                return allow_place(set, fd_open_straight(b->source), b->writable ? CHANGE : RUN);
        return b->writable ? allow(set, b->target, CHANGE) : 0;
}

static int allow_policy(const struct ruleset *set, const struct plan *p, bool tree, struct err *e)
{
        int r = tree ? 0 : allow(set, p->plugin_dir, RUN);

        if (r < 0)
                return err_set_errno(e, r, "allow the plugin's folder");
        for (size_t i = 0; i < p->n_binds; i++) {
                r = allow_bind(set, &p->binds[i], tree);
                if (r < 0)
                        return err_set_errno(e, r, "allow %s", p->binds[i].source);
        }
        return 0;
}

static int fill(const struct ruleset *set, const struct plan *p, struct err *e)
{
        bool tree = p->namespaces & ISOLATION_NS_MOUNT;
        int r = tree ? allow_all(set, in_tree, ARRAY_LEN(in_tree), e)
                     : allow_all(set, in_host, ARRAY_LEN(in_host), e);

        if (r == 0)
                r = allow_all(set, nodes, ARRAY_LEN(nodes), e);
        if (r == 0)
                r = allow_all(set, plan_is_watched(p) ? zero_watched : zero_counted, 1, e);
        if (r == 0 && !tree && p->network)
                r = allow_all(set, for_network, ARRAY_LEN(for_network), e);
        if (r == 0 && !tree && p->gpu)
                r = allow_all(set, for_gpu, ARRAY_LEN(for_gpu), e);
        if (r == 0 && p->gpu && allow_gpu_nodes(set) < 0)
                r = err_set(e, -EIO, "allow the GPU's nodes");
        return r < 0 ? r : allow_policy(set, p, tree, e);
}

/* Everything the kernel can refuse is refused; an older kernel knows fewer rights. */
static struct ruleset_attr handled(const struct plan *p)
{
        struct ruleset_attr a = {.fs = FS_ABI_1};

        if (p->landlock_abi >= 2)
                a.fs |= FS_REFER;
        if (p->landlock_abi >= 3)
                a.fs |= FS_TRUNCATE;
        if (p->landlock_abi >= 5)
                a.fs |= FS_IOCTL_DEV;
        if (p->landlock_abi >= 4 && !p->network)
                a.net = NET_BIND_CONNECT;
        if (p->landlock_abi >= 6)
                a.scoped = SCOPE_SOCKETS_SIGNALS;
        return a;
}

int wall_landlock(struct box *b, struct err *e)
{
        const struct plan *p = &b->plan;
        struct ruleset_attr attr = handled(p);
        /* The kernel takes a shorter struct from older programs and refuses a longer one. */
        size_t size = p->landlock_abi >= 6 ? 24 : p->landlock_abi >= 4 ? 16 : 8;
        scoped(fd) int fd = -1;
        int r;

        if (!p->landlock_abi)
                return 1;
        fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
        if (fd < 0)
                return err_set_errno(e, -errno, "make the ruleset");
        r = fill(&(struct ruleset){fd, attr.fs}, p, e);
        if (r < 0)
                return r;
        if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
                return err_set_errno(e, -errno, "restrict itself");
        b->landlock_abi = (uint32_t)p->landlock_abi;
        return 0;
}
