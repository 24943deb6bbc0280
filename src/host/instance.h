/* instance.h -- one worker process, from spawn to obituary, and the requests it is sent.
 * It turns bytes, deadlines and deaths into a handful of events for its owner (host/unit).
 * Knows: the box, the wire.    May not know: lifecycle, registry, HTTP.
 * Threads: the loop's.         Owns: the box and everything watched of it. */
#ifndef FORGESYTE_HOST_INSTANCE_H
#define FORGESYTE_HOST_INSTANCE_H

#include <sys/queue.h>
#include <sys/uio.h>

#include "host/instance_fork.h"
#include "host/loop.h"
#include "host/plugin_log.h"
#include "host/pool.h"
#include "host/shared_area.h"
#include "sandbox/sandbox_runner.h"
#include "toolrunner/tool_call.h"
#include "wire/wire_frame.h"
#include "wire/wire_message.h"

#define INSTANCE_CANCEL_GRACE_S   2
#define INSTANCE_SHUTDOWN_GRACE_S 5
#define INSTANCE_PROGRESS_PER_S   20
#define INSTANCE_VERDICT_GRACE_S  1  /* end of file to death; an idle worker's half frame */
#define INSTANCE_STACK_MS         50 /* from a Python plugin's deadline to its kill, at most */

enum instance_state {
        INSTANCE_BOOTING, /* HELLO, then CHECK or LOAD, INIT, VALIDATE */
        INSTANCE_IDLE,
        INSTANCE_BUSY,       /* `call` is running */
        INSTANCE_CANCELLING, /* a call whose client has left */
        INSTANCE_LEAVING,    /* SHUTDOWN was sent */
        INSTANCE_OVERDUE,    /* its deadline has passed: Python says where it is, and is killed */
        INSTANCE_TEMPLATE,   /* loaded, takes no calls: others are forked of it (instance_fork.h) */
        INSTANCE_DYING,      /* killed, or seen dead: waits for the last process */
};

struct instance;

/* What the owner hears. Each may call instance_* functions, but only gone may free. */
struct instance_owner {
        /* LOAD's META: 0, or -EINVAL and the words of a ValidationError. */
        int (*meta)(struct instance *i, const char *json, size_t n, struct err *e);
        void (*report)(struct instance *i, const struct wire_report *report);
        /* READY to `request` (WIRE_LOAD, WIRE_INIT, WIRE_VALIDATE): the owner sends the next one,
         * or declares the instance usable with instance_set_idle. */
        void (*ready)(struct instance *i, enum wire_type request);
        /* The call ended, and the worker is idle again. payload is owned by the callee. */
        void (*result)(struct instance *i, struct tool_call *call, uint8_t *take_payload, size_t n);
        void (*error)(struct instance *i, struct tool_call *call, struct tool_outcome *outcome);
        void (*progress)(struct instance *i, struct tool_call *call, double done, double total);
        /* It died, or was killed for breaking a rule: once. call is what it ran, or NULL. */
        void (*broke)(struct instance *i, struct tool_call *call, struct tool_outcome *outcome);
        /* What a template was asked to fork: the copy is loaded, and the owner's from now on; or
         * NULL, and why there is none. */
        void (*forked)(struct instance *template, struct instance *copy, const char *refusal);
        /* The last process is gone, and everything was said; free it. */
        void (*gone)(struct instance *i);
};

struct instance_outbox {
        struct iovec *iov;
        size_t n, cap, at;
        struct str text;                       /* what the pieces point into */
        int descriptors[WIRE_MAX_DESCRIPTORS]; /* go with the first byte of the next request */
        size_t n_descriptors;
        uint8_t head[WIRE_HEADER_SIZE], cancel[WIRE_HEADER_SIZE];
};

/* A bucket of so many frames, that fills again at INSTANCE_PROGRESS_PER_S. */
struct instance_rate {
        double left;
        int64_t at_ns;
};

struct instance {
        TAILQ_ENTRY(instance) link; /* the owner's list */
        const struct instance_owner *owner;
        void *ctx; /* the owner's */
        bool probe;
        uint32_t generation;
        enum instance_state state;
        struct tool_call *call;
        uint64_t calls;
        struct sandbox_usage usage; /* as last read by the owner */
        double timeout_seconds;     /* of calls, for the sentence */
        double boot_seconds;        /* for everything up to instance_set_idle */
        uint64_t memory_bytes;
        char *plugin_dir, *folder; /* of a Python plugin, as below; else NULL */

        struct loop *loop;
        struct plugin_log *log;
        uint64_t log_from;   /* its first line's number, at least */
        uint64_t stack_from; /* when OVERDUE: the first line that may be of its stacks */
        struct plugin_log_writer out_part, err_part;
        struct sandbox *box;
        struct wire_parser parser;
        uint32_t seq;
        uint64_t nonces[32]; /* call ids to come; only the host ever sees them */
        unsigned n_nonces;
        struct instance_outbox outbox;
        struct pool *pool;            /* NULL: bytes go through the socket, however many */
        struct instance_share *share; /* a call's bytes on their way into `area`; or NULL */
        struct shared_area *area;     /* what the last large call was given; or NULL */
        struct loop_timer area_timer; /* until it goes */
        uint64_t area_calls;          /* `calls` when it was given to a call */
        struct loop_watch channel, pidfd, out, err, oom;
        struct loop_timer deadline, grace, watch_timer;
        bool write_watched;
        enum wire_type request; /* the last one sent */
        struct instance_fork fork;
        bool leaving;                 /* SHUTDOWN was sent, whatever came of it */
        bool left_well;               /* and it ended by itself */
        struct instance_rate telling; /* PROGRESS frames that are passed on */
        bool broken;                  /* broke() was called: there is a verdict */
        bool dead;                    /* its pidfd has spoken */
};

struct instance_options {
        const struct instance_owner *owner;
        void *ctx;
        struct loop *loop;
        struct pool *pool; /* or NULL */
        struct plugin_log *log;
        bool probe;
        uint32_t generation;
        uint32_t max_output;
        double timeout_seconds;
        uint64_t memory_bytes;
        double boot_seconds;
        /* Of a Python plugin: its folder as the box sees it, and as the host does. Else NULL. */
        const char *plugin_dir, *folder;
};

/* Spawns it in the box of `policy` and sends HELLO. 0; -errno; 1: the box would be too weak. */
int instance_start(struct sandbox_runner *runner, const struct sandbox_policy *policy,
                   const struct instance_options *o, struct instance **ret,
                   struct err *e) must_check;
/* Kills, waits, frees: only for owners that are going away; no event is called. */
void instance_free(struct instance *i);

/* Sends a request with a payload (copied); its READY, REPORT or failure comes as an event. */
int instance_request(struct instance *i, enum wire_type type, const struct str *payload) must_check;
/* The load is done: no deadline any more. */
void instance_set_idle(struct instance *i);
/* Hands over a call; deadline: when its execution is over time. The call outlives its run. <0: it
 * was not handed over; the worker is as free as before (-E2BIG, -ENOMEM), or to be broken. */
int instance_call(struct instance *i, struct tool_call *call, int64_t deadline_ns) must_check;
/* The client has left: asks, and after the grace kills. The end comes as result, error or broke,
 * with the call (then error CANCELLED), unless `forget`: then with NULL. */
void instance_cancel(struct instance *i, bool forget);
/* Ends it in order when idle or booting; ignored otherwise. */
void instance_leave(struct instance *i);
/* May it be given a call? */
bool instance_is_free(const struct instance *i);
/* Kills it for a reason that the owner has: broke() comes at once. takes the outcome's strings. */
void instance_break(struct instance *i, struct tool_outcome *take_outcome);

/* "load", "init", "validate", "call", "check", "idle": where it is, for words. */
const char *instance_stage(const struct instance *i);

#endif
