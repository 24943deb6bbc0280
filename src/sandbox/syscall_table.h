/* syscall_table.h -- every system call that a worker may make, one a row, and why.
 * What is not here fails with EPERM. X(name, when, reason).
 *
 * when: ALWAYS; OWN_PIDS: only in a pid namespace of its own, where another process's number can't
 * be named; OWN_TREE: only in a file tree of its own; GUARDED: there, or where Landlock asks who
 * changes which file; COUNTED: only where a cgroup counts all memory; NOT_THERE: "this kernel is
 * older", so that libc takes its other path. Calls with conditions on their arguments are in
 * seccomp_program.c.
 *
 * Knows: names of system calls.    May not know: how a filter is made.
 * Threads: any.                    Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_SYSCALL_TABLE_H
#define FORGESYTE_SANDBOX_SYSCALL_TABLE_H

#define SYSCALLS(X)                                                                                \
        /* memory */                                                                               \
        X(brk, ALWAYS, "malloc")                                                                   \
        X(mmap, COUNTED, "malloc, libraries, models; elsewhere no shared memory without a file")   \
        X(munmap, ALWAYS, "likewise")                                                              \
        X(mremap, ALWAYS, "realloc")                                                               \
        X(mprotect, ALWAYS, "the dynamic loader, thread stacks, JITs")                             \
        X(madvise, ALWAYS, "allocators giving memory back")                                        \
        X(msync, ALWAYS, "mapped scratch files")                                                   \
        X(mlock, ALWAYS, "torch; bounded by RLIMIT_MEMLOCK")                                       \
        X(mlock2, ALWAYS, "likewise")                                                              \
        X(munlock, ALWAYS, "likewise")                                                             \
        X(mbind, ALWAYS, "numa-aware allocators")                                                  \
        X(get_mempolicy, ALWAYS, "torch")                                                          \
        X(set_mempolicy, ALWAYS, "torch")                                                          \
        X(membarrier, ALWAYS, "lock-free queues, glibc")                                           \
        X(memfd_create, COUNTED, "shared buffers, libffi")                                         \
        X(pkey_alloc, ALWAYS, "JITs; a right less, never one more")                                \
        X(pkey_free, ALWAYS, "likewise")                                                           \
        X(pkey_mprotect, ALWAYS, "likewise")                                                       \
        /* threads, processes, itself */                                                           \
        X(arch_prctl, ALWAYS, "thread-local storage, AMX tiles")                                   \
        X(set_tid_address, ALWAYS, "thread start")                                                 \
        X(set_robust_list, ALWAYS, "thread start")                                                 \
        X(get_robust_list, ALWAYS, "lock checkers")                                                \
        X(rseq, ALWAYS, "thread start, per-cpu allocators")                                        \
        X(futex, ALWAYS, "every lock")                                                             \
        X(exit, ALWAYS, "thread end")                                                              \
        X(exit_group, ALWAYS, "process end")                                                       \
        X(execve, ALWAYS, "interpreters and commands; nothing set-id gains by it")                 \
        X(fork, OWN_PIDS, "subprocesses; killing the box's init ends them all")                    \
        X(vfork, OWN_PIDS, "posix_spawn, Python's subprocess")                                     \
        X(wait4, ALWAYS, "subprocesses")                                                           \
        X(waitid, ALWAYS, "likewise")                                                              \
        X(pidfd_open, OWN_PIDS, "asyncio's child watcher")                                         \
        X(getpid, ALWAYS, "itself")                                                                \
        X(getppid, ALWAYS, "itself")                                                               \
        X(gettid, ALWAYS, "itself")                                                                \
        X(getuid, ALWAYS, "itself")                                                                \
        X(geteuid, ALWAYS, "itself")                                                               \
        X(getgid, ALWAYS, "itself")                                                                \
        X(getegid, ALWAYS, "itself")                                                               \
        X(getresuid, ALWAYS, "itself")                                                             \
        X(getresgid, ALWAYS, "itself")                                                             \
        X(getgroups, ALWAYS, "itself")                                                             \
        X(capget, ALWAYS, "libraries that ask what they may")                                      \
        X(getpgrp, ALWAYS, "itself")                                                               \
        X(getpgid, ALWAYS, "itself")                                                               \
        X(getsid, ALWAYS, "itself")                                                                \
        X(setpgid, OWN_PIDS, "job control of its subprocesses")                                    \
        X(setsid, OWN_PIDS, "subprocess with start_new_session")                                   \
        X(umask, ALWAYS, "temporary files")                                                        \
        X(getrlimit, ALWAYS, "itself")                                                             \
        X(setrlimit, ALWAYS, "itself; only ever lower")                                            \
        X(getrusage, ALWAYS, "itself")                                                             \
        X(times, ALWAYS, "itself")                                                                 \
        X(uname, ALWAYS, "which kernel")                                                           \
        X(sysinfo, ALWAYS, "how much memory there is")                                             \
        X(getcpu, ALWAYS, "per-cpu caches")                                                        \
        X(getpriority, ALWAYS, "itself")                                                           \
        X(setpriority, OWN_PIDS, "only ever less")                                                 \
        X(sched_yield, ALWAYS, "spin locks")                                                       \
        X(sched_getaffinity, ALWAYS, "how many processors there are")                              \
        X(sched_setaffinity, OWN_PIDS, "OpenMP binding its threads")                               \
        X(sched_getparam, ALWAYS, "pthread attributes")                                            \
        X(sched_getscheduler, ALWAYS, "pthread attributes")                                        \
        X(sched_getattr, ALWAYS, "pthread attributes")                                             \
        X(sched_get_priority_max, ALWAYS, "pthread attributes")                                    \
        X(sched_get_priority_min, ALWAYS, "pthread attributes")                                    \
        X(sched_setscheduler, OWN_PIDS, "thread pools; RLIMIT_RTPRIO is 0")                        \
        X(sched_setparam, OWN_PIDS, "likewise")                                                    \
        X(getrandom, ALWAYS, "seeds")                                                              \
        /* signals and time */                                                                     \
        X(rt_sigaction, ALWAYS, "handlers")                                                        \
        X(rt_sigprocmask, ALWAYS, "masks")                                                         \
        X(rt_sigreturn, ALWAYS, "leaving a handler")                                               \
        X(rt_sigpending, ALWAYS, "masks")                                                          \
        X(rt_sigsuspend, ALWAYS, "waiting")                                                        \
        X(rt_sigtimedwait, ALWAYS, "waiting")                                                      \
        X(sigaltstack, ALWAYS, "handling a stack overflow")                                        \
        X(signalfd, ALWAYS, "event loops")                                                         \
        X(signalfd4, ALWAYS, "event loops")                                                        \
        X(restart_syscall, ALWAYS, "the kernel itself makes it")                                   \
        X(pause, ALWAYS, "waiting")                                                                \
        X(alarm, ALWAYS, "timers")                                                                 \
        X(getitimer, ALWAYS, "timers")                                                             \
        X(setitimer, ALWAYS, "timers")                                                             \
        X(timer_create, ALWAYS, "timers; bounded by RLIMIT_SIGPENDING")                            \
        X(timer_settime, ALWAYS, "timers")                                                         \
        X(timer_gettime, ALWAYS, "timers")                                                         \
        X(timer_getoverrun, ALWAYS, "timers")                                                      \
        X(timer_delete, ALWAYS, "timers")                                                          \
        X(timerfd_create, ALWAYS, "event loops")                                                   \
        X(timerfd_settime, ALWAYS, "event loops")                                                  \
        X(timerfd_gettime, ALWAYS, "event loops")                                                  \
        X(nanosleep, ALWAYS, "waiting")                                                            \
        X(clock_nanosleep, ALWAYS, "waiting")                                                      \
        X(clock_gettime, ALWAYS, "where the vdso can't")                                           \
        X(clock_getres, ALWAYS, "likewise")                                                        \
        X(gettimeofday, ALWAYS, "likewise")                                                        \
        X(time, ALWAYS, "likewise")                                                                \
        /* descriptors */                                                                          \
        X(read, ALWAYS, "the wire")                                                                \
        X(write, ALWAYS, "the wire")                                                               \
        X(readv, ALWAYS, "stdio, ffmpeg")                                                          \
        X(writev, ALWAYS, "stdio, the wire")                                                       \
        X(pread64, ALWAYS, "model files")                                                          \
        X(pwrite64, ALWAYS, "scratch files")                                                       \
        X(preadv, ALWAYS, "likewise")                                                              \
        X(pwritev, ALWAYS, "likewise")                                                             \
        X(preadv2, ALWAYS, "likewise")                                                             \
        X(pwritev2, ALWAYS, "likewise")                                                            \
        X(lseek, ALWAYS, "files")                                                                  \
        X(close, ALWAYS, "files")                                                                  \
        X(close_range, ALWAYS, "subprocess")                                                       \
        X(dup, ALWAYS, "redirection")                                                              \
        X(dup2, ALWAYS, "redirection")                                                             \
        X(dup3, ALWAYS, "redirection")                                                             \
        X(flock, ALWAYS, "scratch files")                                                          \
        X(pipe, ALWAYS, "subprocess")                                                              \
        X(pipe2, ALWAYS, "subprocess")                                                             \
        X(eventfd, ALWAYS, "event loops")                                                          \
        X(eventfd2, ALWAYS, "event loops")                                                         \
        X(poll, ALWAYS, "waiting")                                                                 \
        X(ppoll, ALWAYS, "waiting")                                                                \
        X(select, ALWAYS, "waiting")                                                               \
        X(pselect6, ALWAYS, "waiting")                                                             \
        X(epoll_create, ALWAYS, "event loops")                                                     \
        X(epoll_create1, ALWAYS, "event loops")                                                    \
        X(epoll_ctl, ALWAYS, "event loops")                                                        \
        X(epoll_wait, ALWAYS, "event loops")                                                       \
        X(epoll_pwait, ALWAYS, "event loops")                                                      \
        X(epoll_pwait2, ALWAYS, "event loops")                                                     \
        X(sendfile, ALWAYS, "copying files")                                                       \
        X(copy_file_range, ALWAYS, "copying files")                                                \
        X(fadvise64, ALWAYS, "reading ahead")                                                      \
        X(readahead, ALWAYS, "reading ahead")                                                      \
        X(fsync, ALWAYS, "scratch files")                                                          \
        X(fdatasync, ALWAYS, "scratch files")                                                      \
        X(sync_file_range, ALWAYS, "scratch files")                                                \
        X(ftruncate, ALWAYS, "scratch files, shared buffers")                                      \
        X(fallocate, ALWAYS, "likewise")                                                           \
        /* files: which ones is for the mounts and Landlock to say */                              \
        X(open, GUARDED, "files; elsewhere to read only")                                          \
        X(openat, GUARDED, "likewise")                                                             \
        X(openat2, GUARDED, "files")                                                               \
        X(creat, GUARDED, "files")                                                                 \
        X(stat, ALWAYS, "files")                                                                   \
        X(lstat, ALWAYS, "files")                                                                  \
        X(fstat, ALWAYS, "files")                                                                  \
        X(newfstatat, ALWAYS, "files")                                                             \
        X(statx, ALWAYS, "files")                                                                  \
        X(statfs, ALWAYS, "free space")                                                            \
        X(fstatfs, ALWAYS, "free space")                                                           \
        X(access, ALWAYS, "files")                                                                 \
        X(faccessat, ALWAYS, "files")                                                              \
        X(faccessat2, ALWAYS, "files")                                                             \
        X(readlink, ALWAYS, "files")                                                               \
        X(readlinkat, ALWAYS, "files")                                                             \
        X(getdents, ALWAYS, "folders")                                                             \
        X(getdents64, ALWAYS, "folders")                                                           \
        X(getcwd, ALWAYS, "folders")                                                               \
        X(chdir, ALWAYS, "folders")                                                                \
        X(fchdir, ALWAYS, "folders")                                                               \
        X(mkdir, GUARDED, "scratch")                                                               \
        X(mkdirat, GUARDED, "scratch")                                                             \
        X(rmdir, GUARDED, "scratch")                                                               \
        X(unlink, GUARDED, "scratch")                                                              \
        X(unlinkat, GUARDED, "scratch")                                                            \
        X(rename, GUARDED, "scratch")                                                              \
        X(renameat, GUARDED, "scratch")                                                            \
        X(renameat2, GUARDED, "scratch")                                                           \
        X(link, GUARDED, "scratch, POSIX semaphores")                                              \
        X(linkat, GUARDED, "scratch")                                                              \
        X(symlink, GUARDED, "scratch")                                                             \
        X(symlinkat, GUARDED, "scratch")                                                           \
        X(truncate, OWN_TREE, "scratch; Landlock sees it since its third version")                 \
        X(chmod, OWN_TREE, "scratch; Landlock does not see it, so only in a tree of its own")      \
        X(fchmod, OWN_TREE, "likewise")                                                            \
        X(fchmodat, OWN_TREE, "likewise")                                                          \
        X(utime, OWN_TREE, "likewise")                                                             \
        X(utimes, OWN_TREE, "likewise")                                                            \
        X(futimesat, OWN_TREE, "likewise")                                                         \
        X(utimensat, OWN_TREE, "likewise")                                                         \
        X(getxattr, ALWAYS, "copying files")                                                       \
        X(lgetxattr, ALWAYS, "copying files")                                                      \
        X(fgetxattr, ALWAYS, "copying files")                                                      \
        X(listxattr, ALWAYS, "copying files")                                                      \
        X(llistxattr, ALWAYS, "copying files")                                                     \
        X(flistxattr, ALWAYS, "copying files")                                                     \
        /* sockets: which families is for socket() to say */                                       \
        X(connect, ALWAYS, "multiprocessing")                                                      \
        X(bind, ALWAYS, "multiprocessing")                                                         \
        X(listen, ALWAYS, "multiprocessing")                                                       \
        X(accept, ALWAYS, "multiprocessing")                                                       \
        X(accept4, ALWAYS, "multiprocessing")                                                      \
        X(getsockname, ALWAYS, "multiprocessing")                                                  \
        X(getpeername, ALWAYS, "multiprocessing")                                                  \
        X(getsockopt, ALWAYS, "multiprocessing")                                                   \
        X(setsockopt, ALWAYS, "multiprocessing")                                                   \
        X(sendto, ALWAYS, "the wire")                                                              \
        X(recvfrom, ALWAYS, "the wire")                                                            \
        X(sendmsg, ALWAYS, "multiprocessing")                                                      \
        X(recvmsg, ALWAYS, "multiprocessing")                                                      \
        X(sendmmsg, ALWAYS, "name resolution")                                                     \
        X(recvmmsg, ALWAYS, "name resolution")                                                     \
        X(shutdown, ALWAYS, "multiprocessing")                                                     \
        /* refused in the way that makes libraries go on */                                        \
        X(clone3, NOT_THERE, "its flags lie in memory, where no filter sees them")                 \
        X(io_uring_setup, NOT_THERE, "passes by every rule above")                                 \
        X(io_uring_enter, NOT_THERE, "likewise")                                                   \
        X(io_uring_register, NOT_THERE, "likewise")                                                \
        X(userfaultfd, NOT_THERE, "makes kernel races easy to win")                                \
        X(memfd_secret, NOT_THERE, "memory that nobody can account for")                           \
        X(futex_waitv, NOT_THERE, "new; libraries have the old way")                               \
        X(process_madvise, NOT_THERE, "names other processes")

/* Newer than the headers: numbers are the same on every architecture since 424. */
#define SYSCALLS_NEWER_FIRST 450 /* set_mempolicy_home_node */
#define SYSCALLS_NEWER_LAST  499

#endif
