/* dependency_checker.h -- what a manifest needs, as a list of checks for the probe, and the probe's
 * verdicts as words. Pure: the probe itself runs in a box (src/worker/probe.c).
 * Knows: manifests, checks.    May not know: processes, files.
 * Threads: any.                Owns: the plan's strings. */
#ifndef FORGESYTE_LOADER_DEPENDENCY_CHECKER_H
#define FORGESYTE_LOADER_DEPENDENCY_CHECKER_H

#include "loader/plugin_manifest.h"
#include "wire/wire_message.h"

struct dependency_plan {
        char *interpreter; /* NULL: none needed */
        char *own_python;  /* the interpreter as manifest or config names it; NULL: the system's */
        char *dir;         /* the plugin's folder as the box sees it: no model leads out of it */
        struct dependency_check {
                enum wire_check_kind kind;
                char *subject, *extra; /* as on the wire; paths as the box sees them */
                char *shown;           /* as a person knows it: the path in the manifest */
        } * checks;
        size_t n;
};

/* box_dir: the plugin's folder as the box sees it. host_python: the config's interpreter or NULL
 * (python3). Nothing to check: n is 0. -E2BIG when it would not fit a CHECK. */
int dependency_checker_plan(const struct plugin_manifest *m, const char *box_dir,
                            const char *host_python, struct dependency_plan *ret) must_check;
/* One more check, of a Python plugin's source; its verdict is findings, which
 * dependency_checker_verdict passes over. -E2BIG as above; a plan that failed is good for
 * dependency_plan_done alone. */
int dependency_checker_plan_source(struct dependency_plan *p, const struct plugin_manifest *m,
                                   const char *box_dir, const char *host_python) must_check;
void dependency_plan_done(struct dependency_plan *p);
/* Encodes the plan as a CHECK payload. */
void dependency_checker_encode(const struct dependency_plan *p, struct str *to);

/* Adds the reason, all problems joined by "; " in the diagrams' words with what was found in
 * brackets behind, to `reason`. 0: all is there; 1: something is missing or broken; -EBADMSG: the
 * report does not fit the plan; -ENOMEM. gpu: the fixed sentence, then which check failed how. */
int dependency_checker_verdict(const struct dependency_plan *p, const struct wire_report *report,
                               struct str *reason, struct err *e) must_check;

/* What a plan with a check of the source learnt from a report that fits it: lines as in
 * docs/PROTOCOL.md, made printable. *ret is NULL where there is no such check. -ENOMEM. */
int dependency_checker_findings(const struct dependency_plan *p, const struct wire_report *report,
                                char **ret) must_check;

#endif
