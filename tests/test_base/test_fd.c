/* Files below a folder, whose names come from others, and paths that somebody may have bent: with
 * openat2, and where there is none. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/test.h"
#include "base/fd.h"

/* ROOT/secret.py, ROOT/in/good.py, ROOT/in/sub/deep.py, and links: ROOT/in/up -> .., leading out,
 * and ROOT/in/same -> good.py, ROOT/in/leaf -> ../secret.py. */
static char root[] = "/tmp/forgesyte-test-XXXXXX";
static const char *const files[] = {"secret.py", "in/good.py", "in/sub/deep.py"};
static const char *const links[][2] = {
    {"..", "in/up"}, {"good.py", "in/same"}, {"../secret.py", "in/leaf"}};

static void path_of(char *to, size_t size, const char *name)
{
        snprintf(to, size, "%s/%s", root, name);
}

static int make_tree(void **state)
{
        char path[256];

        (void)state;
        assert_non_null(mkdtemp(root));
        path_of(path, sizeof path, "in");
        assert_int_equal(mkdir(path, 0755), 0);
        path_of(path, sizeof path, "in/sub");
        assert_int_equal(mkdir(path, 0755), 0);
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
                FILE *f;

                path_of(path, sizeof path, files[i]);
                f = fopen(path, "w");
                assert_non_null(f);
                fputs(files[i], f);
                assert_int_equal(fclose(f), 0);
        }
        for (size_t i = 0; i < ARRAY_LEN(links); i++) {
                path_of(path, sizeof path, links[i][1]);
                assert_int_equal(symlink(links[i][0], path), 0);
        }
        return 0;
}

static int remove_tree(void **state)
{
        static const char *const folders[] = {"in/sub", "in", ""};
        char path[256];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(links); i++) {
                path_of(path, sizeof path, links[i][1]);
                assert_int_equal(unlink(path), 0);
        }
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
                path_of(path, sizeof path, files[i]);
                assert_int_equal(unlink(path), 0);
        }
        for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
                path_of(path, sizeof path, folders[i]);
                assert_int_equal(rmdir(path), 0);
        }
        return 0;
}

/* In a process of its own: openat2 fails with this error from now on. */
static void deny_openat2(int error)
{
        struct sock_filter code[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog filter = {ARRAY_LEN(code), code};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
                _exit(99);
}

/* links: what a link that stays inside comes to. The number of what is not as expected, or 0. */
static int try_all(int links_inside)
{
        const struct {
                const char *path;
                int result;
        } rows[] = {
            {"good.py", 0},
            {"sub/deep.py", 0},
            {"same", links_inside},
            {"leaf", links_inside ? links_inside : -EXDEV},
            {"up/secret.py", links_inside ? -ENOTDIR : -EXDEV},
            {"../secret.py", -EXDEV},
            {"sub/../../secret.py", -EXDEV},
            {"missing.py", -ENOENT},
            {"missing/x.py", -ENOENT},
            {"good.py/x.py", -ENOTDIR},
            {"sub", -EINVAL},
        };
        char path[256];
        scoped(fd) int dir = -1;

        path_of(path, sizeof path, "in");
        dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                scoped(free) char *text = NULL;
                size_t n = 0;
                struct err e;
                int r = fd_read_file_below(dir, rows[i].path, 100, &text, &n, &e);

                if (r != rows[i].result || (r == 0 && n == 0)) {
                        fprintf(stderr, "# %s: %d, not %d\n", rows[i].path, r, rows[i].result);
                        return (int)i + 1;
                }
        }
        return 0;
}

static void test_nothing_leads_out_of_a_folder(void **state)
{
        (void)state;
        assert_int_equal(try_all(0), 0);
}

/* on_the_way: what a link that is not the last comes to. As above. */
static int try_straight(int on_the_way)
{
        const struct {
                const char *path;
                int result;
        } rows[] = {{"in/good.py", 0},          {"in/sub", 0},
                    {"in/same", -ELOOP},        {"in/leaf", -ELOOP},
                    {"in/up", -ELOOP},          {"in/up/secret.py", on_the_way},
                    {"in/missing.py", -ENOENT}, {"in/good.py/x", -ENOTDIR}};

        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                char path[256];
                struct stat there, opened;
                scoped(fd) int fd = -1;
                int r;

                path_of(path, sizeof path, rows[i].path);
                r = fd = fd_open_straight(path);
                if (MIN_OF(r, 0) != rows[i].result ||
                    (r >= 0 && (stat(path, &there) < 0 || fstat(fd, &opened) < 0 ||
                                there.st_ino != opened.st_ino))) {
                        fprintf(stderr, "# %s: %d, not %d\n", path, r, rows[i].result);
                        return (int)i + 1;
                }
        }
        return 0;
}

static void test_a_straight_path_has_no_links(void **state)
{
        (void)state;
        assert_int_equal(try_straight(-ELOOP), 0);
}

static void test_nothing_does_without_openat2(void **state)
{
        static const int errors[] = {ENOSYS, EPERM};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
                pid_t pid = fork();
                int status = 0;

                if (pid == 0) {
                        deny_openat2(errors[i]);
                        _exit(try_all(-ELOOP) | try_straight(-ENOTDIR));
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFEXITED(status));
                assert_int_equal(WEXITSTATUS(status), 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_nothing_leads_out_of_a_folder),
            cmocka_unit_test(test_a_straight_path_has_no_links),
            cmocka_unit_test(test_nothing_does_without_openat2),
        };

        return cmocka_run_group_tests_name("fd", tests, make_tree, remove_tree);
}
