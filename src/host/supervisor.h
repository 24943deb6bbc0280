/* supervisor.h -- every plugin of this host: found, loaded, run, restarted, ended.
 * Knows: units, calls, the box.    May not know: HTTP, sockets.
 * Threads: the loop's; readers of the registry may be anywhere.
 * Owns: units, their workers, the sandbox runner. */
#ifndef FORGESYTE_HOST_SUPERVISOR_H
#define FORGESYTE_HOST_SUPERVISOR_H

#include "host/arguments.h"
#include "host/host_config.h"
#include "host/loop.h"
#include "host/plugin_log.h"
#include "host/pool.h"
#include "loader/plugin_registry.h"
#include "sandbox/sandbox_runner.h"
#include "toolrunner/tool_runner.h"

struct supervisor;
struct host_call;

enum supervisor_event_kind { SUPERVISOR_STATE, SUPERVISOR_CALL_END, SUPERVISOR_PROGRESS };

/* What happens, as it happens. All borrowed. */
struct supervisor_event {
        enum supervisor_event_kind kind;
        const char *plugin;
        /* STATE: from (ABSENT: it appears) and to, with the reason or "" */
        enum lifecycle_state from, to;
        const char *reason;
        /* CALL_END: outcome; PROGRESS: done, total */
        const char *tool;
        const struct tool_outcome *outcome;
        double done, total;
};

struct supervisor_options {
        const struct host_config *config; /* borrowed; replaced by supervisor_configure */
        struct loop *loop;
        struct pool *pool;
        const struct log *log;
        const char *worker_path;
        const char *only; /* load this plugin and no other; NULL: all */
        bool check_only;  /* stop after step 2, which looks into the source of Python plugins too: a
                             plugin that could be loaded stays LOADED */
        void (*on_event)(void *ctx, const struct supervisor_event *event); /* or NULL */
        void *ctx;
};

int supervisor_new(const struct supervisor_options *o, struct supervisor **ret,
                   struct err *e) must_check;
/* Everybody who waits gets an answer: calls end with PluginUnavailable, loads are given up and
 * their waiters called. The pool must be gone: what it had is back then. Workers are killed; from
 * now on calls are refused, and nothing moves any more. */
void supervisor_close(struct supervisor *s);
/* Closes (without calling those who wait for all plugins) and waits for the last process. */
void supervisor_free(struct supervisor *s);

struct plugin_registry *supervisor_registry(struct supervisor *s);
const struct isolation *supervisor_isolation(struct supervisor *s);
void supervisor_configure(struct supervisor *s, const struct host_config *config);

/* Looks for plugins (folders with a manifest.json, or such a folder itself) and begins to load
 * those that are new. Returns how many there are in all; -errno with words when a folder cannot be
 * read. */
int supervisor_scan(struct supervisor *s, const char *dir, struct err *e) must_check;

/* Looks for plugins among the packages of a Python interpreter, which is asked in a box; those
 * found are loaded like a folder's, and what goes wrong later is logged. -errno with words when it
 * cannot be asked. */
int supervisor_discover(struct supervisor *s, const char *python, struct err *e) must_check;
/* How many things of that kind went wrong so far. */
unsigned supervisor_discovery_failures(const struct supervisor *s);

/* The names of plugins that are still being found, checked or loaded, and of what step; a
 * malloc'ed NULL-terminated array in one block. NULL: no memory. */
char **supervisor_pending(struct supervisor *s, size_t *ret_n);

/* The manifest as loaded (borrowed until the loop's next turn); NULL: no such plugin, or none. */
const struct plugin_manifest *supervisor_manifest(struct supervisor *s, const char *name);
/* Its folder; NULL: no such plugin. */
const char *supervisor_plugin_dir(struct supervisor *s, const char *name);
/* What its source told (check_only): as dependency_checker_findings. */
const char *supervisor_findings(struct supervisor *s, const char *name);
/* NULL: no such plugin. */
struct plugin_log *supervisor_log(struct supervisor *s, const char *name);
/* Brings calls and rss_bytes of the plugin's instances (NULL: of all plugins') up to date in the
 * registry. */
void supervisor_refresh(struct supervisor *s, const char *name);

/* A new generation; done is called once, when loading has ended. 1: no such plugin. */
int supervisor_reload(struct supervisor *s, const char *name, void (*done)(void *ctx),
                      void *ctx) must_check;
/* Looks for new and vanished plugins too; done is called once, when all have settled. */
int supervisor_reload_all(struct supervisor *s, void (*done)(void *ctx), void *ctx,
                          struct err *e) must_check;
/* Calls done once when no plugin is pending; at once when none is. */
int supervisor_when_settled(struct supervisor *s, void (*done)(void *ctx), void *ctx) must_check;
/* A ctx whose owner is going away: its callbacks are not called any more. */
void supervisor_forget(struct supervisor *s, void *ctx);

/* One request to run a tool; takes the source's contents. end is called exactly once, perhaps
 * before this returns; then NULL is returned. It may take out of the outcome what it keeps. */
typedef void (*host_call_end_fn)(void *ctx, struct tool_outcome *outcome);
struct host_call *supervisor_run(struct supervisor *s, const char *plugin, const char *tool,
                                 struct argument_source *take_source, host_call_end_fn end,
                                 void *ctx);
/* The client has left: end is not called any more, and the handle is void. */
void supervisor_cancel(struct supervisor *s, struct host_call *call);

/* From now on calls are refused. drained: no call is under way. */
void supervisor_drain(struct supervisor *s);
bool supervisor_is_drained(const struct supervisor *s);

#endif
