/* unit.h -- one plugin over its generations: loading, its instances, its queue, its restarts.
 * Knows: instances, the loader, the tool runner.   May not know: HTTP.
 * Threads: the loop's.     Owns: instances, releases, the log. */
#ifndef FORGESYTE_HOST_UNIT_H
#define FORGESYTE_HOST_UNIT_H

#include "host/instance.h"
#include "host/memory_trim.h"
#include "host/supervisor.h"
#include "host/unit_prefork.h"
#include "loader/plugin_loader.h"

/* A manifest with the generation that runs it; calls keep it alive. */
struct release {
        unsigned refs;
        uint32_t generation;
        struct plugin_manifest *manifest;
};
struct release *release_ref(struct release *r);
void release_unref(struct release *r);

struct unit_waiter {
        TAILQ_ENTRY(unit_waiter) link;
        void (*fn)(void *ctx);
        void *ctx;
        uint64_t round; /* the unit's, when it began to wait */
        bool own;       /* malloc'ed by unit_when_settled: freed after fn */
};

struct unit {
        TAILQ_ENTRY(unit) link;
        struct supervisor *s;
        char name[65];
        char *dir;
        char *python;            /* the interpreter whose package it is; NULL: a folder's plugin */
        char *made;              /* the manifest of a package that brings none; NULL: in dir */
        bool seen;               /* the interpreter has told of it again */
        bool gone;               /* its folder vanished: kept until its last call and process end */
        unsigned calls;          /* that point here */
        struct release *release; /* the current generation's; NULL: no manifest */
        struct plugin_loader loader;
        bool usable; /* the current generation was INITIALIZED and has not failed */
        enum lifecycle_state announced;
        TAILQ_HEAD(, instance) instances; /* of all generations */
        struct tool_queue queue;
        struct plugin_log log;
        struct restart_policy restart, respawn;
        struct loop_timer restart_timer, respawn_timer, start_timer;
        bool start_probe; /* what start_timer starts */
        struct unit_prefork prefork;
        unsigned missing; /* instances to be started when respawn_timer fires */
        TAILQ_HEAD(, unit_waiter) waiters;
        uint64_t round;       /* how often waiters were served */
        int64_t refreshed_ns; /* when its workers' memory was last read */
};

struct unit *unit_new(struct supervisor *s, const char *name, const char *dir);
void unit_free(struct unit *u);

/* Begins a generation with this manifest, or with a refusal. */
void unit_load(struct unit *u, struct plugin_manifest *take_m, enum plugin_error error,
               const char *refusal);
/* Reads the manifest anew and begins a generation; a load under way is given up for it. */
void unit_reload(struct unit *u);
void unit_retire(struct unit *u); /* its folder is gone */
/* No more calls: queued and waiting ones end with these words. */
void unit_close(struct unit *u, const char *words);
bool unit_is_pending(const struct unit *u);

/* fn is called once when no load is under way. The waiter is the caller's. */
void unit_wait(struct unit *u, struct unit_waiter *w, void (*fn)(void *ctx), void *ctx);
/* -ENOMEM. */
int unit_when_settled(struct unit *u, void (*fn)(void *ctx), void *ctx) must_check;

/* Gives queued calls to free instances. */
void unit_pump(struct unit *u);
/* A call's outcome fails the plugin (under "on_error": "fail"): BROKE, before the client hears of
 * it. */
void unit_note_outcome(struct unit *u, struct release *of, const struct tool_outcome *o);
/* Whatever is queued for a plugin that has failed ends now; else nothing happens. After each end
 * that may have failed it, so that the one to blame hears of it first. */
void unit_fail_stranded(struct unit *u);
/* Tells the world when the state has changed. */
void unit_announce(struct unit *u);
void unit_refresh(struct unit *u, int64_t now_ns);

/* host_call's side of an instance's events (host/call.c). */
void host_call_result(struct tool_call *call, uint8_t *take_payload, size_t n);
void host_call_finish(struct tool_call *call, struct tool_outcome *o);
/* The queued call must be checked against the current release: true when it may go on; false: it
 * has ended. */
bool host_call_adopt(struct tool_call *call, struct release *r);
/* It was handed over: its execution deadline. */
int64_t host_call_dispatched(struct tool_call *call, int64_t now_ns);
/* What unit and call need of the supervisor. */
struct supervisor {
        struct supervisor_options o;
        const struct host_config *config;
        struct sandbox_runner *runner;
        struct plugin_registry *registry;
        struct memory_trim trim;
        TAILQ_HEAD(unit_list, unit) units;
        TAILQ_HEAD(, python_discovery) discoveries; /* under way (python_discovery.h) */
        unsigned discovery_failures;
        unsigned calls;        /* under way */
        int64_t next_start_ns; /* before that, no further plugin's first worker is started */
        bool draining;
        bool closing;
        TAILQ_HEAD(, settle_wait) settle_waits;
        uint64_t settle_round;
};
struct settle_wait {
        TAILQ_ENTRY(settle_wait) link;
        uint64_t round;
        void (*fn)(void *ctx);
        void *ctx;
};
/* An interpreter's packages: those told of between begin and end are new or as they were, and the
 * ones not told of any more are gone. label: what to call one that has no good name; made: a
 * manifest for a package without one, or NULL. */
void supervisor_adopt_begin(struct supervisor *s, const char *python);
void supervisor_adopt(struct supervisor *s, const char *label, const char *dir, const char *python,
                      const char *made);
void supervisor_adopt_end(struct supervisor *s, const char *python);
struct unit *supervisor_unit(struct supervisor *s, const char *name);
void supervisor_settled(struct supervisor *s); /* a unit's load has ended */
void supervisor_bury(struct unit *u); /* frees a retired unit later, once nobody needs it */
void supervisor_emit(struct supervisor *s, const struct supervisor_event *event);

#endif
