#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <sha2.h>

#include "base/fd.h"
#include "worker/probe.h"
#include "worker/probe_format.h"

/* Says what an errno of looking for the file means. */
static void say_errno(struct probe_verdict *v, const char *what)
{
        bool missing = errno == ENOENT || errno == ENOTDIR;

        probe_say(v, missing ? WIRE_CHECK_MISSING : WIRE_CHECK_BROKEN, "%s: %s", what,
                  missing ? "does not exist" : strerror(errno));
}

/* Where the path leads once every link is followed; false with `v` set when that is nowhere, or out
 * of `dir`. The file may change until it is opened; then 16 bytes of another one are read, in the
 * box. */
static bool resolve(const char *path, const char *dir, char *real, struct probe_verdict *v)
{
        char home[PATH_MAX];
        size_t n;

        if (!realpath(path, real)) {
                say_errno(v, path);
                return false;
        }
        if (!*dir)
                return true;
        if (!realpath(dir, home)) {
                say_errno(v, dir);
                return false;
        }
        n = strcmp(home, "/") ? strlen(home) : 0;
        if (!strncmp(real, home, n) && real[n] == '/')
                return true;
        probe_say(v, WIRE_CHECK_BROKEN, "leads out of the plugin's folder, to %.300s", real);
        return false;
}

/* Opens it, and reads size and head; -1 with `v` set. */
static int open_model(const char *real, struct probe_file *f, struct probe_verdict *v)
{
        /* O_NONBLOCK: a fifo without a writer must not be waited for. */
        scoped(fd) int fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        struct stat st;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0) {
                say_errno(v, "open");
                return -1;
        }
        if (!S_ISREG(st.st_mode)) {
                probe_say(v, WIRE_CHECK_BROKEN, "%s",
                          S_ISDIR(st.st_mode) ? "a directory, not a file" : "not a regular file");
                return -1;
        }
        n = pread(fd, f->head, sizeof f->head, 0);
        if (n < 0) {
                say_errno(v, "read");
                return -1;
        }
        if (n < (ssize_t)sizeof f->head) {
                probe_say(v, WIRE_CHECK_BROKEN, n ? "truncated: %lld bytes" : "empty",
                          (long long)st.st_size);
                return -1;
        }
        f->size = (uint64_t)st.st_size;
        return take_fd(&fd);
}

static bool sha256_hex(int fd, char hex[SHA256_DIGEST_STRING_LENGTH])
{
        scoped(free) uint8_t *buf = malloc(MIB(1));
        uint8_t digest[SHA256_DIGEST_LENGTH];
        SHA2_CTX context;
        off_t at = 0;
        ssize_t n;

        if (!buf)
                return false;
        SHA256Init(&context);
        while ((n = pread(fd, buf, MIB(1), at)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return false;
                SHA256Update(&context, buf, (size_t)n);
                at += n;
        }
        SHA256Final(digest, &context);
        for (size_t i = 0; i < sizeof digest; i++)
                snprintf(hex + 2 * i, 3, "%02x", digest[i]);
        return true;
}

void probe_model(const char *path, const char *dir, const char *sha256, struct probe_verdict *v)
{
        struct probe_file f = {.name = path};
        char real[PATH_MAX], why[PROBE_DETAIL_MAX], hex[SHA256_DIGEST_STRING_LENGTH];
        scoped(fd) int fd = -1;

        if (!resolve(path, dir, real, v))
                return;
        fd = open_model(real, &f, v);
        if (fd < 0)
                return;
        f.fd = fd;
        if (probe_format_check(&f, why, sizeof why)) {
                probe_say(v, WIRE_CHECK_BROKEN, "%s", why);
                return;
        }
        if (!*sha256)
                probe_say(v, WIRE_CHECK_OK, "%s", "");
        else if (!sha256_hex(fd, hex))
                probe_say(v, WIRE_CHECK_BROKEN, "cannot be read to its end: %s", strerror(errno));
        else if (strcasecmp(hex, sha256) != 0)
                probe_say(v, WIRE_CHECK_BROKEN, "sha256 is %s, not %.80s", hex, sha256);
        else
                probe_say(v, WIRE_CHECK_OK, "%s", "");
}
