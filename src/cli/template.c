#include "cli/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"

static bool ends_in(const char *name, const char *ending)
{
        size_t n = strlen(name), m = strlen(ending);

        return n > m && !strcmp(name + n - m, ending);
}

/* text with @NAME@ and @IDENT@ filled in. Plugin names may begin with a digit and hold dashes, C
 * identifiers not. */
static void fill_in(struct str *s, const struct template_file *f, const char *name)
{
        const char *at = f->text, *end = f->text + f->size;

        while (at < end) {
                bool is_name = !strncmp(at, "@NAME@", 6), is_ident = !strncmp(at, "@IDENT@", 7);

                if (is_name)
                        str_adds(s, name);
                else if (is_ident && *name >= '0' && *name <= '9')
                        str_addc(s, '_');
                for (const char *c = name; is_ident && *c; c++)
                        str_addc(s, *c == '-' ? '_' : *c);
                if (!is_name && !is_ident)
                        str_addc(s, *at);
                at += is_name ? 6 : is_ident ? 7 : 1;
        }
}

static int write_one(int dirfd, const struct template_file *f, const char *name, struct err *e)
{
        scoped(str) struct str text = {0};
        scoped(fd) int fd = -1;
        char file[128];
        int r;

        snprintf(file, sizeof file, "%.*s",
                 (int)(strlen(f->name) - (ends_in(f->name, ".in") ? 3 : 0)), f->name);
        fill_in(&text, f, name);
        if (text.bad)
                return err_set_errno(e, -ENOMEM, "write %s", file);
        fd = openat(dirfd, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                    ends_in(file, ".sh") ? 0777 : 0666);
        if (fd < 0)
                return err_set_errno(e, -errno, "create %s", file);
        r = fd_write_all(fd, text.data, text.len);
        return r < 0 ? err_set_errno(e, r, "write %s", file) : 0;
}

int template_write(const struct template_file *files, const char *dir, const char *name,
                   struct err *e)
{
        scoped(fd) int dirfd = -1;

        if (mkdir(dir, 0777) < 0)
                return err_set_errno(e, -errno, "make the folder %s", dir);
        dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dirfd < 0)
                return err_set_errno(e, -errno, "open the folder %s", dir);
        for (; files->name; files++) {
                int r = write_one(dirfd, files, name, e);

                if (r < 0)
                        return err_wrap(e, r, "%s", dir);
        }
        return 0;
}
