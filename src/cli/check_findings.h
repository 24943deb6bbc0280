/* check_findings.h -- what `forgesyte check` learnt from a plugin's source, ready to be shown.
 * Knows: the lines of docs/PROTOCOL.md (check kind 8).   May not know: where they come from.
 * Threads: any.                                          Owns: its texts. */
#ifndef FORGESYTE_CLI_CHECK_FINDINGS_H
#define FORGESYTE_CLI_CHECK_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/str.h"

struct check_finding {
        bool problem;      /* else a note */
        const char *place; /* file:line, file, or what it is about */
        const char *words;
        const char *package; /* that pip would install; "" when there is none */
};

struct check_findings {
        char *text; /* which the others point into */
        char *python;
        struct check_finding *list;
        size_t n, problems;
};

/* text: the lines, or NULL; python: how its interpreter is started by a person. Lines that are none
 * of ours are passed over. -ENOMEM. */
int check_findings_parse(const char *text, const char *python,
                         struct check_findings *ret) must_check;
void check_findings_done(struct check_findings *f);
static inline void check_findings_scoped(struct check_findings *f)
{
        check_findings_done(f);
}

/* "plugin.py:3: No module named 'cv2'. Install with: ..." */
void check_findings_say(const struct check_findings *f, const struct check_finding *one,
                        struct str *to);
/* The problems' sentences, joined by "; ". */
void check_findings_reason(const struct check_findings *f, struct str *to);
/* The problems, or the notes, as an array. NULL: no memory. */
json_t *check_findings_to_json(const struct check_findings *f, bool problems);

#endif
