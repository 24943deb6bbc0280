/* bench_box.c -- what a box costs: from spawn to a worker that answers, from a crash to the news of
 * it, and so on. Prints one line a measurement: name, median and worst in milliseconds. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "test_box.h"

#define RUNS 40

static int compare(const void *a, const void *b)
{
        double d = *(const double *)a - *(const double *)b;

        return (d > 0) - (d < 0);
}

static void report(const char *name, double *ms, size_t n)
{
        qsort(ms, n, sizeof *ms, compare);
        printf("%-34s median %8.2f ms   worst %8.2f ms\n", name, ms[n / 2], ms[n - 1]);
}

static double since(int64_t start)
{
        return (double)(clock_mono_ns() - start) / 1e6;
}

static void describe(const char *name, const char *fakes)
{
        struct test_box t;
        json_t *json;
        char *text;

        test_box_init(&t, fakes);
        json = isolation_to_json(sandbox_runner_isolation(t.runner));
        text = json_dumps(json, JSON_COMPACT);
        printf("-- %s: %s\n", name, text);
        free(text);
        json_decref(json);
        test_box_done(&t);
}

/* How long sandbox_spawn holds up its caller, and how long until the worker has answered. */
static void measure_spawn(const char *fakes)
{
        double held[RUNS], ready[RUNS], freed[RUNS];
        struct test_box t;

        test_box_init(&t, fakes);
        for (int i = 0; i < RUNS; i++) {
                int64_t start = clock_mono_ns();

                test_box_start(&t);
                held[i] = since(start);
                (void)test_box_ask(&t, "ping");
                ready[i] = since(start);
                start = clock_mono_ns();
                test_box_stop(&t);
                freed[i] = since(start);
        }
        test_box_done(&t);
        report("spawn returns", held, RUNS);
        report("spawn to ready", ready, RUNS);
        report("free of an idle box", freed, RUNS);
}

/* From the command to the obituary. */
static void measure_death(const char *name, const char *fakes, const char *before,
                          const char *command)
{
        double ms[RUNS];
        struct test_box t;

        test_box_init(&t, fakes);
        t.policy.memory_bytes = MIB(64);
        for (int i = 0; i < RUNS; i++) {
                struct obituary o;
                int64_t start;

                test_box_start(&t);
                (void)test_box_ask(&t, "%s", before);
                start = clock_mono_ns();
                if (command)
                        test_box_send(&t, command);
                else
                        sandbox_kill(t.sandbox);
                test_box_wait_dead(&t, &o);
                ms[i] = since(start);
                test_box_stop(&t);
        }
        test_box_done(&t);
        report(name, ms, RUNS);
}

/* ---- wall by wall
 * -------------------------------------------------------------------------------*/

static double cpu_ms(int who)
{
        struct rusage ru;

        getrusage((__rusage_who_t)who, &ru);
        return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e3 +
               (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e3;
}

/* A box's whole short life in processor time, the host's part and the box's; t has its runner. */
static double life(struct test_box *t)
{
        double start = cpu_ms(RUSAGE_SELF) + cpu_ms(RUSAGE_CHILDREN);

        test_box_start(t);
        (void)test_box_ask(t, "ping");
        test_box_stop(t);
        return cpu_ms(RUSAGE_SELF) + cpu_ms(RUSAGE_CHILDREN) - start;
}

/* Boxes with and without it take turns, so that a busy machine is as busy for both. */
static void measure_wall(const char *wall)
{
        double with[RUNS], without[RUNS];
        struct test_box all, less;

        test_box_init(&all, NULL);
        test_box_init(&less, wall);
        for (int i = 0; i < RUNS; i++) {
                with[i] = life(&all);
                without[i] = life(&less);
        }
        test_box_done(&less);
        test_box_done(&all);
        qsort(with, RUNS, sizeof *with, compare);
        qsort(without, RUNS, sizeof *without, compare);
        printf("%-34s costs  %8.2f ms   of    %8.2f ms of processor time\n", wall,
               with[RUNS / 2] - without[RUNS / 2], with[RUNS / 2]);
}

static double ns_a_call(const char *fakes)
{
        const long n = 200000;
        double best = 1e9;
        struct test_box t;

        test_box_open(&t, fakes);
        for (int i = 0; i < 10; i++) {
                double ns = (double)test_box_number(&t, "calls %ld", n) / (double)n;

                best = MIN_OF(best, ns);
        }
        test_box_done(&t);
        return best;
}

static void measure_walls(void)
{
        static const char *const walls[] = {
            "memory,pids,cpu", "pidns",  "netns", "ipcns",   "utsns", "cgroupns",
            "mountns",         "proc",   "init",  "rlimits", "caps",  "uid",
            "landlock",        "seccomp"};
        double with, without;

        for (size_t i = 0; i < ARRAY_LEN(walls); i++)
                measure_wall(walls[i]);
        with = ns_a_call(NULL);
        without = ns_a_call("seccomp");
        printf("%-34s %8.0f ns   without seccomp %8.0f ns\n", "a getppid()", with, without);
}

int main(int argc, char **argv)
{
        static const char *const machines[][2] = {
            {"all walls", NULL},
            {"user namespace", "root"},
            {"no namespaces", "userns,pidns,mountns,netns,root"},
        };

        if (!test_box_prepare(argc, argv))
                return 0;
        measure_walls();
        for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
                describe(machines[i][0], machines[i][1]);
                measure_spawn(machines[i][1]);
                measure_death("segv to obituary", machines[i][1], "ping", "segv");
                measure_death("64 MiB limit hit to obituary", machines[i][1], "ping",
                              "eat 1073741824");
                measure_death("kill of 50 children", machines[i][1], "fork 50", NULL);
        }
        return 0;
}
