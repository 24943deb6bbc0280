/* plugin_loader.h -- the seven steps of the diagrams' section 2, as a machine that is told what
 * happened and says what to do next. It moves the registry; the supervisor runs the processes.
 * Knows: manifests, checks, the registry.  May not know: processes, clocks.
 * Threads: the loop's.                     Owns: the plan of step 2, its findings. */
#ifndef FORGESYTE_LOADER_PLUGIN_LOADER_H
#define FORGESYTE_LOADER_PLUGIN_LOADER_H

#include "loader/dependency_checker.h"
#include "loader/plugin_errors.h"
#include "loader/plugin_registry.h"

#define PLUGIN_LOADER_STEPS(X)                                                                     \
        X(NONE, "not begun")                                                                       \
        X(MANIFEST, "reading manifest.json")                                                       \
        X(DEPENDENCIES, "checking dependencies")                                                   \
        X(IMPORT, "importing")                                                                     \
        X(INSTANTIATE, "instantiating")                                                            \
        X(VALIDATE, "validating")                                                                  \
        X(DONE, "loaded")                                                                          \
        X(ENDED, "failed or unavailable")

enum plugin_loader_step {
#define X(id, words) PLUGIN_LOADER_AT_##id,
        PLUGIN_LOADER_STEPS(X)
#undef X
};
const char *plugin_loader_step_words(enum plugin_loader_step step);

/* What the supervisor does next. */
enum plugin_loader_next {
        PLUGIN_LOADER_PROBE,    /* run plan in a probe, then plugin_loader_checked */
        PLUGIN_LOADER_SPAWN,    /* start a worker and LOAD, then plugin_loader_advance */
        PLUGIN_LOADER_INIT,     /* send INIT, then plugin_loader_advance */
        PLUGIN_LOADER_SELFTEST, /* send VALIDATE, then plugin_loader_advance */
        PLUGIN_LOADER_READY,    /* INITIALIZED: take calls */
        PLUGIN_LOADER_OVER,     /* FAILED or UNAVAILABLE: the registry has the reason */
};

struct plugin_loader {
        struct plugin_registry *registry;
        char name[65];
        uint32_t generation;
        enum plugin_loader_step step;
        bool look_inside; /* the caller's: step 2 looks into a Python plugin's source too */
        char *findings;   /* what it found there (dependency_checker_findings), or NULL */
        struct dependency_plan plan;
};

void plugin_loader_init(struct plugin_loader *l, struct plugin_registry *registry,
                        const char *name);
void plugin_loader_done(struct plugin_loader *l);

/* Steps 1 and 2: a new generation begins with the manifest m, or with `refusal`, the words for why
 * there is none (of type `error`). box_dir and host_python: as dependency_checker_plan. -ENOMEM, or
 * an enum plugin_loader_next. */
int plugin_loader_load(struct plugin_loader *l, const struct plugin_manifest *m,
                       enum plugin_error error, const char *refusal, const char *box_dir,
                       const char *host_python, int64_t mono_now_ns, struct err *e) must_check;
/* Step 2's report. */
int plugin_loader_checked(struct plugin_loader *l, const struct wire_report *report,
                          int64_t mono_now_ns) must_check;
/* A worker answered READY to the step under way. */
int plugin_loader_advance(struct plugin_loader *l, int64_t mono_now_ns) must_check;
/* A step failed, in the probe or a worker: FAILED (UNAVAILABLE for IsolationUnavailable). */
void plugin_loader_fail(struct plugin_loader *l, enum plugin_error error, const char *words,
                        int64_t mono_now_ns);
/* Between load and READY or OVER. */
bool plugin_loader_is_loading(const struct plugin_loader *l);

#endif
