/* test_box.h -- boxes for tests: a runner, a worker that obeys (box_probe.c), and how it ended.
 * Every wait has an event and a generous end. */
#ifndef FORGESYTE_TESTS_TEST_BOX_H
#define FORGESYTE_TESTS_TEST_BOX_H

#include "sandbox/sandbox_runner.h"
#include "support/test.h"

#define BOX_WAIT_MS 20000

struct test_box {
        struct sandbox_runner *runner;
        struct sandbox *sandbox;
        struct sandbox_policy policy;
        char dir[64]; /* the plugin's folder, on the host */
        char answer[4096];
};

/* Arguments: the worker program, absolute, and perhaps "nobody": become an ordinary user first.
 * False: that can't be done here, and the reason was printed. */
bool test_box_prepare(int argc, char **argv);

/* Ends the test as skipped, for this reason. */
void test_box_skip(const char *why) __attribute__((noreturn));

/* A runner with these walls missing, a policy with a folder that holds "file". */
void test_box_init(struct test_box *t, const char *fake_missing);
/* Spawns with t->policy; fails the test when that fails. */
void test_box_start(struct test_box *t);
/* init and start. */
void test_box_open(struct test_box *t, const char *fake_missing);
/* Frees the box only / everything. */
void test_box_stop(struct test_box *t);
void test_box_done(struct test_box *t);
/* The plugin's folder of a host that is no more. */
void test_box_remove_dir(const char *dir);

void test_box_send(struct test_box *t, const char *command);
/* Sends and returns the line that comes back; fails the test when none does. */
const char *test_box_ask(struct test_box *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The number at the beginning of that line. */
long test_box_number(struct test_box *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Waits for the death as a host would: watching memory, then reaping. */
void test_box_wait_dead(struct test_box *t, struct obituary *ret);
/* Sends, waits, composes. */
void test_box_die_of(struct test_box *t, const char *command, struct obituary *ret);

/* Processes (threads not counted) below this one, dead and unreaped ones too. */
int test_box_count_children(void);
int test_box_count_fds(void);
/* Does the process exist (as other than a zombie)? */
bool test_box_is_alive(pid_t pid);

/* Living processes of boxes of that policy name, their inits too; up to n pids. */
size_t test_box_named(const char *name, pid_t *ret, size_t n);
/* Waits until all of these are dead or zombies; fails the test when they live on. */
void test_box_wait_gone(const pid_t *pids, size_t n);

/* Waits until the process runs a program of this name. */
void test_box_wait_command(pid_t pid, const char *command);

/* Everything back to what it was at the last call of ..._mark. */
void test_box_mark_leaks(void);
void test_box_assert_no_leaks(void);

#endif
