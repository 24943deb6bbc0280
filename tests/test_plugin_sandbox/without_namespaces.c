/* without_namespaces.c -- runs a program as an ordinary user who may not make namespaces.
 *   without_namespaces PROGRAM ARGUMENT... */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deny_namespaces.h"

#define NOBODY 65534

int main(int argc, char **argv)
{
        int r;

        if (argc < 2)
                return 2;
        if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                               setresuid(NOBODY, NOBODY, NOBODY) < 0)) {
                perror("become nobody");
                return 125;
        }
        r = deny_namespaces();
        if (r < 0) {
                fprintf(stderr, "deny namespaces: %s\n", strerror(-r));
                return 125;
        }
        execv(argv[1], argv + 1);
        perror(argv[1]);
        return 127;
}
