/* main.c -- the program `forgesyte`: finds the command and looks after the standard streams.
 * Knows: the commands' names.      May not know: what they do.
 * Threads: the first one.          Owns: the process's standing with its parent. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/command.h"

/* Started without one of descriptors 0 to 2, the next socket would take its number and be written
 * into. /dev/null in its place, opened the wrong way round, so that using it still fails. */
static int fill_standard_streams(void)
{
        for (int fd = 0; fd < 3; fd++) {
                if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
                        continue;
                if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
                        return -1;
        }
        return 0;
}

static int unknown_command(const char *name)
{
        const char *nearest = command_nearest(name);

        fprintf(stderr, "forgesyte: unknown command %.60s%s%s (forgesyte help lists them)\n", name,
                nearest ? "; did you mean " : "", nearest ? nearest : "");
        return CLI_USAGE;
}

static int dispatch(int argc, char **argv)
{
        static int (*const functions[])(int, char **) = {
#define X(name, function, usage, help) function,
                CLI_COMMANDS(X)
#undef X
        };
        const char *name = argc > 1 ? argv[1] : "";
        int command;

        if (!*name) {
                command_help_all(stderr);
                return CLI_USAGE;
        }
        if (!strcmp(name, "--help") || !strcmp(name, "-h"))
                name = "help";
        if (!strcmp(name, "--version") || !strcmp(name, "-V"))
                name = "version";
        command = command_from_name(name);
        return command < 0 ? unknown_command(name) : functions[command](argc - 1, argv + 1);
}

/* Is stdout a pipe that nobody reads any more? */
static bool reader_left(void)
{
        struct pollfd p = {STDOUT_FILENO, POLLOUT, 0};

        return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

/* A result that could not be written is no success. A reader that left needs no words. */
static int finish(int code)
{
        bool failed_before = ferror(stdout);

        errno = 0;
        if (fflush(stdout) == 0 && !failed_before)
                return code;
        if (!reader_left())
                fprintf(stderr, "forgesyte: write to stdout: %s\n",
                        errno ? strerror(errno) : "failed");
        return code == CLI_OK ? CLI_FAILURE : code;
}

int main(int argc, char **argv)
{
        /* A peer that hangs up is an error of one write, not the end of the program. */
        signal(SIGPIPE, SIG_IGN);
        if (fill_standard_streams() < 0)
                return CLI_FAILURE;
        return finish(dispatch(argc, argv));
}
