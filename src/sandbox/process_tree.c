#include "sandbox/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"

/* Links below /proc/PID/fd that are read in one look, and files found by it: so that a plugin which
 * opens what it can does not hold up whoever looks. */
#define LINKS_MAX 4096
#define FILES_MAX 256

struct tree {
        pid_t pids[PROCESS_TREE_MAX];
        size_t n;
        ino_t files[FILES_MAX]; /* files in memory that have been counted */
        size_t n_files, n_links;
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

static uint64_t number_behind(const char *text, const char *key)
{
        const char *p = strstr(text, key);

        return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

/* Page tables count: touching a byte every 2 MiB costs nothing else. */
static uint64_t private_in_status(const char *text)
{
        return (number_behind(text, "RssAnon:") + number_behind(text, "VmSwap:") +
                number_behind(text, "VmPTE:")) *
               1024;
}

static uint64_t shared_in_status(const char *text)
{
        return number_behind(text, "RssShmem:") * 1024;
}

uint64_t process_tree_parse_status(const char *text)
{
        return private_in_status(text) + shared_in_status(text);
}

/* What a file holds that lives in memory and has no name; each once, however many have it open. */
static uint64_t file_in_memory(struct tree *t, int dir, const char *fd)
{
        static const char prefix[] = "/memfd:";
        char link[sizeof prefix];
        struct stat st;

        if (readlinkat(dir, fd, link, sizeof link) < (ssize_t)sizeof prefix - 1 ||
            memcmp(link, prefix, sizeof prefix - 1) != 0 || fstatat(dir, fd, &st, 0) < 0)
                return 0;
        for (size_t i = 0; i < t->n_files; i++)
                if (t->files[i] == st.st_ino)
                        return 0;
        if (t->n_files < FILES_MAX)
                t->files[t->n_files++] = st.st_ino;
        return (uint64_t)st.st_blocks * 512;
}

/* Written to and not mapped, they are in nobody's status. */
static uint64_t files_in_memory(struct tree *t, pid_t pid)
{
        const struct dirent *d;
        uint64_t sum = 0;
        char path[64];
        DIR *dir;

        snprintf(path, sizeof path, "/proc/%d/fd", pid);
        dir = opendir(path);
        while (dir && t->n_links < LINKS_MAX && (d = readdir(dir))) {
                if (d->d_name[0] == '.')
                        continue;
                t->n_links++;
                sum += file_in_memory(t, dirfd(dir), d->d_name);
        }
        if (dir)
                closedir(dir);
        return sum;
}

struct counts {
        uint64_t own, shared, files, threads;
};

static void add_process(struct tree *t, pid_t pid, bool descriptors, struct counts *c)
{
        char path[64], text[4096];

        snprintf(path, sizeof path, "/proc/%d/status", pid);
        if (read_some(AT_FDCWD, path, text, sizeof text)) {
                c->own += private_in_status(text);
                c->shared += shared_in_status(text);
                c->threads += number_behind(text, "Threads:");
        }
        if (descriptors)
                c->files += files_in_memory(t, pid);
}

/* A mapped file in memory is in both sums of what is shared: the larger one holds. */
void process_tree_sum_up(const struct process_tree_look *look, struct process_tree_sum *ret)
{
        struct tree t = {.pids = {look->pid}, .n = 1};
        struct counts c = {.files = look->files};
        uint64_t bytes = 0;

        for (size_t i = 0; i < t.n; i++) {
                add_process(&t, t.pids[i], look->descriptors, &c);
                bytes = c.own + MAX_OF(c.shared, c.files);
                if (bytes > look->most_bytes || c.threads > look->most_threads)
                        break;
                add_descendants(&t, t.pids[i]);
        }
        *ret = (struct process_tree_sum){bytes, (unsigned)c.threads};
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
