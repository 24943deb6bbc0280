/* main.c -- forgesyte-worker: the one program that maps plugin code, inside a box it cannot leave.
 * The host starts it; people do not. */
#include <stdio.h>

#include "sandbox/box.h"
#include "worker/crash_handler.h"
#include "worker/worker_loop.h"

int main(int argc, char **argv)
{
        static struct worker worker;
        struct crash_record *crash = box_crash_record();
        struct err e = {0};

        if (box_enter(argc, argv, &e) < 0)
                return WORKER_EXIT_BOX;
        crash_handler_arm(crash);
        /* Lines reach the plugin's log when they are written, not when 4 KiB are full. */
        setvbuf(stdout, NULL, _IOLBF, 0);
        return worker_run(&worker, WORKER_CHANNEL_FD);
}
