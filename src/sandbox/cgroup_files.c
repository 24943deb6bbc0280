#include "sandbox/cgroup_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

int cgroup_write(int dirfd, const char *file, const char *text)
{
        scoped(fd) int fd = openat(dirfd, file, O_WRONLY | O_CLOEXEC);
        size_t n = strlen(text);

        if (fd < 0)
                return -errno;
        if (write(fd, text, n) != (ssize_t)n)
                return errno ? -errno : -EIO;
        return 0;
}

int cgroup_write_number(int dirfd, const char *file, uint64_t value)
{
        char text[32];

        snprintf(text, sizeof text, "%" PRIu64, value);
        return cgroup_write(dirfd, file, text);
}

/* These files are small, and a cut one only loses its tail. */
static bool read_small(int dirfd, const char *file, char *buf, size_t size)
{
        scoped(fd) int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

        buf[n > 0 ? n : 0] = '\0';
        return n > 0;
}

uint64_t cgroup_read_number(int dirfd, const char *file)
{
        char text[64];

        return read_small(dirfd, file, text, sizeof text) ? strtoull(text, NULL, 10) : 0;
}

uint64_t cgroup_read_key(int dirfd, const char *file, const char *key)
{
        char text[4096];

        return read_small(dirfd, file, text, sizeof text) ? cgroup_parse_key(text, key) : 0;
}

uint64_t cgroup_parse_key(const char *text, const char *key)
{
        size_t len = strlen(key);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (!strncmp(line, key, len) && line[len] == ' ')
                        return strtoull(line + len + 1, NULL, 10);
        }
        return 0;
}

/* Is `word` one of the items of list[0..n), parted by any of `parting`? */
static bool has_item(const char *list, size_t n, const char *parting, const char *word)
{
        size_t len = strlen(word);

        for (size_t i = 0; i < n;) {
                size_t item = 0;

                while (i + item < n && !strchr(parting, list[i + item]))
                        item++;
                if (item == len && !memcmp(list + i, word, len))
                        return true;
                i += item + 1;
        }
        return false;
}

bool cgroup_has_word(int dirfd, const char *file, const char *word)
{
        char text[1024];

        return read_small(dirfd, file, text, sizeof text) &&
               has_item(text, strlen(text), " \n", word);
}

bool cgroup_parse_own(const char *text, const char *controller, char *ret, size_t size)
{
        for (const char *line = text; line && *line; line = strchr(line, '\n')) {
                const char *list, *path;
                size_t len;

                line += *line == '\n';
                len = strcspn(line, "\n");
                list = memchr(line, ':', len);
                path = list ? memchr(list + 1, ':', len - (size_t)(list + 1 - line)) : NULL;
                if (!path)
                        continue;
                if (*controller ? !has_item(list + 1, (size_t)(path - list - 1), ",", controller)
                                : path != list + 1)
                        continue;
                len -= (size_t)(path + 1 - line);
                if (path[1] != '/' || len >= size)
                        return false;
                memcpy(ret, path + 1, len);
                ret[len] = '\0';
                return true;
        }
        return false;
}

/* mountinfo writes blanks, tabs, newlines and backslashes as \ooo. */
static bool unescape(const char *from, size_t n, char *to, size_t size)
{
        size_t len = 0;

        for (size_t i = 0; i < n; i++) {
                char c = from[i];

                if (c == '\\' && i + 3 < n + 0 && from[i + 1] >= '0' && from[i + 1] <= '3') {
                        c = (char)((from[i + 1] - '0') * 64 + (from[i + 2] - '0') * 8 +
                                   (from[i + 3] - '0'));
                        i += 3;
                }
                if (len + 1 >= size)
                        return false;
                to[len++] = c;
        }
        to[len] = '\0';
        return true;
}

/* One line: ID PARENT MAJ:MIN ROOT POINT OPTIONS [FIELDS] - TYPE SOURCE SUPEROPTIONS */
static bool mount_matches(const char *line, size_t n, const char *controller, char *ret_point,
                          char *ret_root, size_t size)
{
        const char *word[64];
        size_t len[64], words = 0, dash;

        for (size_t i = 0; i < n && words < ARRAY_LEN(word); words++) {
                word[words] = line + i;
                for (len[words] = 0; i < n && line[i] != ' '; i++)
                        len[words]++;
                i++;
        }
        for (dash = 6; dash < words && !(len[dash] == 1 && *word[dash] == '-'); dash++)
                ;
        if (dash + 3 >= words)
                return false;
        if (*controller == '\0' ? len[dash + 1] != 7 || memcmp(word[dash + 1], "cgroup2", 7) != 0
                                : len[dash + 1] != 6 || memcmp(word[dash + 1], "cgroup", 6) != 0 ||
                                      !has_item(word[dash + 3], len[dash + 3], ",", controller))
                return false;
        return unescape(word[3], len[3], ret_root, size) &&
               unescape(word[4], len[4], ret_point, size);
}

bool cgroup_parse_mount(const char *text, const char *controller, char *ret_point, char *ret_root,
                        size_t size)
{
        while (*text) {
                size_t n = strcspn(text, "\n");

                if (mount_matches(text, n, controller, ret_point, ret_root, size))
                        return true;
                text += n + (text[n] == '\n');
        }
        return false;
}

bool cgroup_parse_name(const char *name, int *ret_pid, uint64_t *ret_start)
{
        unsigned counter;
        int end = 0;

        return sscanf(name, "forgesyte-%9d-%20" SCNu64 "-%9u%n", ret_pid, ret_start, &counter,
                      &end) == 3 &&
               name[end] == '\0' && *ret_pid > 0;
}

uint64_t cgroup_parse_start(const char *stat)
{
        /* The name in parentheses may hold anything, so count from its end. */
        const char *p = strrchr(stat, ')');

        for (int field = 2; p && field < 22; field++) {
                p = strchr(p + 1, ' ');
        }
        return p ? strtoull(p + 1, NULL, 10) : 0;
}
