/* probe.h -- what this machine lets us build: tried out in throw-away children, never asked for.
 * Knows: the walls' system calls.      May not know: plugins.
 * Threads: the runner's.               Owns: nothing. */
#ifndef FORGESYTE_SANDBOX_PROBE_H
#define FORGESYTE_SANDBOX_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/wall_switch.h"

struct machine {
        unsigned namespaces; /* with ISOLATION_NS_USER when that is how the others are got */
        bool proc;           /* proc can be mounted in there */
        bool own_user;       /* workers can become a uid of their own */
        bool nproc;          /* RLIMIT_NPROC counts a box's processes alone */
        bool no_clone3;
        bool seccomp;
        int landlock_abi;
        uint64_t core; /* the RLIMIT_CORE under which no core is made */
};

/* What is switched off is taken for absent. Reasons for what is missing go into `why`. */
void probe_machine(const struct wall_switches *off, uint32_t uid_first, struct machine *ret,
                   struct isolation *why);

#endif
