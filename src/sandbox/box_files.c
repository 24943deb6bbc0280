#include "sandbox/box_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "sandbox/mount_tree.h"

static int write_file(int rootfd, const char *path, const char *text, size_t n)
{
        scoped(fd) int fd =
            openat(rootfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0444);

        return fd < 0 ? -errno : fd_write_all(fd, text, n);
}

static int write_etc(int rootfd, const struct plan *p, struct err *e)
{
        char passwd[256], group[128];
        const char *const files[][2] = {
            {"etc/passwd", passwd},
            {"etc/group", group},
            {"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
            {"etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"},
        };

        snprintf(passwd, sizeof passwd,
                 "root:x:0:0:root:/:/sbin/nologin\nplugin:x:%u:%u:plugin:/tmp:/sbin/nologin\n"
                 "nobody:x:65534:65534:nobody:/:/sbin/nologin\n",
                 (unsigned)p->uid, (unsigned)p->gid);
        snprintf(group, sizeof group, "root:x:0:\nplugin:x:%u:\nnogroup:x:65534:\n",
                 (unsigned)p->gid);
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
                int r = write_file(rootfd, files[i][0], files[i][1], strlen(files[i][1]));

                if (r < 0)
                        return err_set_errno(e, r, "write /%s", files[i][0]);
        }
        return 0;
}

static int link_dev(int rootfd, struct err *e)
{
        static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                               {"/proc/self/fd/0", "dev/stdin"},
                                               {"/proc/self/fd/1", "dev/stdout"},
                                               {"/proc/self/fd/2", "dev/stderr"}};

        for (size_t i = 0; i < ARRAY_LEN(links); i++)
                if (symlinkat(links[i][0], rootfd, links[i][1]) < 0)
                        return err_set_errno(e, -errno, "link /%s", links[i][1]);
        return 0;
}

/* Without them libraries that count processors or look for features give up (torch aborts). They
 * tell what the host was like when the box was made. */
static int copy_proc(int rootfd, struct err *e)
{
        static const char *const names[] = {"cpuinfo", "meminfo", "stat",        "version",
                                            "uptime",  "loadavg", "filesystems", "vmstat"};

        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                scoped(free) char *text = NULL;
                char path[64];
                size_t n;
                int r;

                snprintf(path, sizeof path, "/proc/%s", names[i]);
                if (fd_read_file(AT_FDCWD, path, MIB(1), &text, &n, NULL) < 0)
                        continue;
                r = write_file(rootfd, path + 1, text, n);
                if (r < 0)
                        return err_set_errno(e, r, "copy %s", path);
        }
        return 0;
}

int box_files_write(int rootfd, const struct plan *p, struct err *e)
{
        static const char *const folders[] = {"etc", "dev", "proc", "tmp"};
        int r = 0;

        for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
                r = mount_tree_mkdir(rootfd, folders[i]);
                if (r < 0)
                        return err_set_errno(e, r, "make /%s", folders[i]);
        }
        r = write_etc(rootfd, p, e);
        if (r == 0)
                r = link_dev(rootfd, e);
        if (r == 0 && p->proc_static)
                r = copy_proc(rootfd, e);
        return r;
}
