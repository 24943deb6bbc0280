#include "sandbox/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

struct tree {
        pid_t pids[PROCESS_TREE_MAX];
        size_t n;
};

static size_t read_some(int dirfd, const char *path, char *buf, size_t size)
{
        scoped(fd) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

        buf[n > 0 ? n : 0] = '\0';
        return n > 0 ? (size_t)n : 0;
}

/* "12 34 56 ": what one thread has forked. */
static void add_children(struct tree *t, int tasks, const char *thread)
{
        char path[288], text[8192];

        snprintf(path, sizeof path, "%s/children", thread);
        if (read_some(tasks, path, text, sizeof text))
                t->n += process_tree_parse_children(text, t->pids + t->n, PROCESS_TREE_MAX - t->n);
}

size_t process_tree_parse_children(const char *text, pid_t *ret, size_t room)
{
        size_t n = 0;
        char *end;

        for (long pid; n < room && (pid = strtol(text, &end, 10)) > 0 && pid <= INT_MAX; text = end)
                ret[n++] = (pid_t)pid;
        return n;
}

static void add_descendants(struct tree *t, pid_t pid)
{
        char path[64];
        const struct dirent *d;
        DIR *dir;

        snprintf(path, sizeof path, "/proc/%d/task", pid);
        dir = opendir(path);
        while (dir && (d = readdir(dir)))
                if (d->d_name[0] != '.')
                        add_children(t, dirfd(dir), d->d_name);
        if (dir)
                closedir(dir);
}

static uint64_t kib_behind(const char *text, const char *key)
{
        const char *p = strstr(text, key);

        return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

/* Page tables count: touching a byte every 2 MiB costs nothing else. */
uint64_t process_tree_parse_status(const char *text)
{
        return (kib_behind(text, "RssAnon:") + kib_behind(text, "RssShmem:") +
                kib_behind(text, "VmSwap:") + kib_behind(text, "VmPTE:")) *
               1024;
}

static uint64_t rss_of(pid_t pid)
{
        char path[64], text[4096];

        snprintf(path, sizeof path, "/proc/%d/status", pid);
        return read_some(AT_FDCWD, path, text, sizeof text) ? process_tree_parse_status(text) : 0;
}

uint64_t process_tree_rss(pid_t pid)
{
        struct tree t = {.pids = {pid}, .n = 1};
        uint64_t sum = 0;

        for (size_t i = 0; i < t.n; i++) {
                sum += rss_of(t.pids[i]);
                add_descendants(&t, t.pids[i]);
        }
        return sum;
}

pid_t process_tree_parent(pid_t pid)
{
        char path[64], text[512];
        const char *behind_name;
        long parent = 0;

        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        if (!read_some(AT_FDCWD, path, text, sizeof text))
                return 0;
        behind_name = strrchr(text, ')'); /* the name may hold anything */
        if (behind_name && strlen(behind_name) > 4)
                parent = strtol(behind_name + 4, NULL, 10); /* ") S 12" */
        return (pid_t)parent;
}
