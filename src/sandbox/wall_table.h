/* wall_table.h -- every wall of a box, once, in the order in which a box gets them.
 * X(id, name, enter, stops)
 *
 * name: FORGESYTE_FAKE_MISSING and sandbox_runner_options.fake_missing take it away, for the test
 * that shows what the wall is there for (tests/test_plugin_sandbox/test_wall_pairs.c has one for
 * each row). enter: the box's function, NULL for what the host makes around it (cgroup, clone) or
 * what another row's function does on its way. stops: what a plugin could do without it.
 *
 * Knows: names.    May not know: how.
 * Threads: any.    Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_WALL_TABLE_H
#define FORGESYTE_SANDBOX_WALL_TABLE_H

#include <stdint.h>

#define WALLS(X)                                                                                   \
        /* around it, by the host: cgroup.c, spawn.c, keeper.c */                                  \
        X(DUMPABLE, "dumpable", NULL, "looking into the host's memory and environment")            \
        X(MEMORY, "memory", NULL, "eating the machine's memory")                                   \
        X(PIDS, "pids", NULL, "a fork bomb")                                                       \
        X(CPU, "cpu", NULL, "keeping the host from the processor")                                 \
        X(PIDNS, "pidns", NULL, "naming other processes; outliving the box")                       \
        X(NETNS, "netns", NULL, "reaching the host's network, abstract sockets too")               \
        X(IPCNS, "ipcns", NULL, "System V segments and queues that stay")                          \
        X(KEEPER, "keeper", NULL, "outliving a host that was killed, where there is no pid one")   \
        /* in it, before the worker parts from init */                                             \
        X(OOM, "oom", wall_oom_score, "having the kernel kill the host for its memory")            \
        X(CGROUPNS, "cgroupns", wall_cgroup_namespace, "seeing where in the machine it runs")      \
        X(UTSNS, "utsns", wall_host_name, "seeing and changing the host's name")                   \
        X(MOUNTNS, "mountns", wall_mounts, "the host's files")                                     \
        X(SCRATCH, "scratch", NULL, "filling memory with files, and tables with inodes")           \
        X(PROC, "proc", NULL, "turning the kernel's knobs, reading its keys")                      \
        X(INIT, "init", wall_init, "being pid 1: an abort told as SIGSEGV, deaf to SIGTERM")       \
        /* in the worker proper */                                                                 \
        X(FDS, "fds", wall_fds, "using what the host has open")                                    \
        X(CORE, "core", NULL, "a core file's minutes and gigabytes")                               \
        X(NOFILE, "nofile", NULL, "the machine's descriptors")                                     \
        X(FSIZE, "fsize", NULL, "a file of any size")                                              \
        X(MEMLOCK, "memlock", NULL, "memory that can't be swapped")                                \
        X(MSGQUEUE, "msgqueue", NULL, "POSIX message queues")                                      \
        X(RTPRIO, "rtprio", NULL, "real-time priority")                                            \
        X(NICE, "nice", NULL, "a better priority")                                                 \
        X(SIGPENDING, "sigpending", NULL, "queued signals and timers")                             \
        X(NPROC, "nproc", NULL, "a fork bomb where there is no cgroup")                            \
        X(STACK, "stack", NULL, "a stack without an end")                                          \
        X(DATA, "data", NULL, "memory faster than the watch looks")                                \
        X(AS, "as", NULL, "page tables without end")                                               \
        X(RLIMITS, "rlimits", wall_rlimits, "all of the above")                                    \
        X(PRIORITY, "priority", wall_priority, "the host's processor, where no cgroup weighs it")  \
        X(CAPS, "caps", wall_caps, "every privilege of root inside the box")                       \
        X(UID, "uid", wall_uid, "the files and processes of the host's user")                      \
        X(PDEATHSIG, "pdeathsig", wall_pdeathsig, "outliving the host for a moment")               \
        X(NO_NEW_PRIVS, "nnp", wall_no_new_privs, "set-id programs")                               \
        X(LANDLOCK, "landlock", wall_landlock, "files, once more; TCP; signals abroad")            \
        X(SECCOMP, "seccomp", wall_seccomp, "the kernel's other 250 doors")

enum wall {
#define X(id, name, enter, stops) WALL_##id,
        WALLS(X)
#undef X
            WALL_COUNT
};

_Static_assert(WALL_COUNT <= 64, "a plan has a bit for each");

#define WALL_BIT(wall) (UINT64_C(1) << (wall))

#endif
