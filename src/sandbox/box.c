#include "sandbox/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "sandbox/walls.h"

/* The order matters: files before the root moves, the process that stays as init before the worker
 * gives its powers away, everything that needs a system call before the filter. */
static const struct {
        const char *name;
        int (*enter)(struct box *b, struct err *e);
} walls[] = {
#define X(id, name, enter, stops) {name, enter},
    WALLS(X)
#undef X
};

/* No words reach the host but these, so what can't be told must at least not go on. */
static void tell(const struct box_message *m)
{
        if (write(BOX_FD_SETUP, m, sizeof *m) < 0)
                _exit(70);
}

static int read_plan(struct plan *ret, struct err *e)
{
        scoped(free) char *bytes = NULL;
        scoped(fd) int fd = BOX_FD_PLAN;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return err_set_errno(e, -errno, "look at the host's orders");
        bytes = malloc((size_t)st.st_size + 1);
        if (!bytes)
                return err_set_errno(e, -ENOMEM, "read the host's orders");
        if (pread(fd, bytes, (size_t)st.st_size, 0) != st.st_size)
                return err_set(e, -EIO, "the host's orders are cut off");
        return plan_decode(bytes, (size_t)st.st_size, ret, e);
}

int box_enter_walls(struct box *b, enum wall first, enum wall last, struct err *e)
{
        for (unsigned i = first; i <= last; i++) {
                int r = 0;

                if (walls[i].enter && !wall_is_off(&b->plan, i))
                        r = walls[i].enter(b, e);
                if (r < 0)
                        return err_wrap(e, r, "%s", walls[i].name);
        }
        return 0;
}

/* The commonest mistake of a root host: a plugin's folder that only root can read. */
static int check_plugin_dir(const struct plan *p, struct err *e)
{
        const char *dir = p->namespaces & ISOLATION_NS_MOUNT ? SANDBOX_PLUGIN_DIR : p->plugin_dir;

        if (access(dir, R_OK | X_OK) == 0)
                return 0;
        return err_set_errno(e, -errno,
                             "plugin folder %s can't be read by the worker's user "
                             "(chmod o+rx it)",
                             p->plugin_dir);
}

struct crash_record *box_crash_record(void)
{
        void *page = mmap(NULL, sizeof(struct crash_record), PROT_READ | PROT_WRITE, MAP_SHARED,
                          BOX_FD_CRASH, 0);

        return page == MAP_FAILED ? NULL : page;
}

int box_enter(int argc, char **argv, struct err *e)
{
        struct box b = {0};
        struct box_message m = {0};
        struct stat st;
        int r;

        if (argc == 2 && !strcmp(argv[1], BOX_KEEPER_ARGUMENT))
                box_keep();
        if (argc < 2 || strcmp(argv[1], BOX_ARGUMENT) != 0 || fstat(BOX_FD_PLAN, &st) < 0)
                return err_set(e, -EINVAL, "this program is started by forgesyte, not by hand");
        r = read_plan(&b.plan, e);
        if (r == 0)
                r = box_enter_walls(&b, 0, WALL_COUNT - 1, e);
        if (r == 0)
                r = check_plugin_dir(&b.plan, e);
        if (r < 0) {
                m.kind = BOX_FAILED;
                m.number = -r;
                snprintf(m.text, sizeof m.text, "%.*s", (int)sizeof m.text - 1, e->msg);
        } else {
                m.kind = BOX_READY;
                m.uid = getuid();
                m.landlock_abi = b.landlock_abi;
                m.seccomp = b.seccomp;
        }
        tell(&m);
        close(BOX_FD_SETUP);
        plan_done(&b.plan);
        return r;
}
