/* instance_share.h -- a large call's bytes on their way to a worker: they are written into the
 * instance's shared area, in the pool when they are many, then CALL_SHM is sent with its
 * descriptor. Each instance has its own area: what one worker maps is never written for another.
 * Knows: areas, the pool, frames.  May not know: what a call is about.
 * Threads: the loop's; the bytes and the area are the pool's while they are written.
 * Owns: those bytes until they are written; the area. */
#ifndef FORGESYTE_HOST_INSTANCE_SHARE_H
#define FORGESYTE_HOST_INSTANCE_SHARE_H

#include "host/instance.h"

/* Bytes arguments of a call, together: below, the socket is as fast. docs/decisions/0008. */
#define INSTANCE_SHARE_MIN    MIB(1)
#define INSTANCE_SHARE_INLINE MIB(2) /* more is worth a trip to the pool */
#define INSTANCE_SHARE_ALIGN  64u

/* Is it a call for the shared area? Makes the area, where one is to be had. */
bool instance_share_is_worth(struct instance *i, const struct tool_call *call);
/* Takes the bytes from args (their JSON stays), the payload of CALL_SHM and its offsets, also when
 * it fails. 0; -ENOMEM: nothing was done. */
int instance_share_take(struct instance *i, struct call_args *args, struct str *take_payload,
                        uint32_t *take_offsets, int64_t deadline_ns) must_check;
/* Writes what was taken, then sends the instance's call, whose time begins there. What goes wrong
 * is the call's end: error or broke. */
void instance_share_start(struct instance *i);
/* Are bytes being written for its call, which has not been sent? */
static inline bool instance_share_is_filling(const struct instance *i)
{
        return i->share != NULL;
}
/* The instance goes. */
void instance_share_done(struct instance *i);

#endif
