#include "cli/check_findings.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

void check_findings_done(struct check_findings *f)
{
        free(f->list);
        free(f->text);
        free(f->python);
        *f = (struct check_findings){0};
}

/* A line becomes its parts, in place. */
static bool parse_line(char *line, struct check_finding *ret)
{
        const char *kind = strsep(&line, "\t");

        ret->problem = !strcmp(kind, "problem");
        ret->place = line ? strsep(&line, "\t") : NULL;
        ret->words = line ? strsep(&line, "\t") : NULL;
        ret->package = line ? strsep(&line, "\t") : "";
        return ret->words && !line && (ret->problem || !strcmp(kind, "note"));
}

int check_findings_parse(const char *text, const char *python, struct check_findings *ret)
{
        scoped(check_findings) struct check_findings f = {0};
        size_t room = 1;
        char *line, *rest;

        for (const char *at = text; at && (at = strchr(at, '\n')); at++)
                room++;
        f.text = strdup(text ? text : "");
        f.python = strdup(python);
        f.list = calloc(room, sizeof *f.list);
        if (!f.text || !f.python || !f.list)
                return -ENOMEM;
        rest = f.text;
        while ((line = strsep(&rest, "\n"))) {
                if (!parse_line(line, &f.list[f.n]))
                        continue;
                f.problems += f.list[f.n].problem;
                f.n++;
        }
        *ret = f;
        f = (struct check_findings){0};
        return 0;
}

static void add_install(const struct check_findings *f, const struct check_finding *one,
                        struct str *to)
{
        str_addf(to, "%s -m pip install %s", f->python, one->package);
}

void check_findings_say(const struct check_findings *f, const struct check_finding *one,
                        struct str *to)
{
        str_addf(to, "%s: %s", one->place, one->words);
        if (!*one->package)
                return;
        str_adds(to, ". Install with: ");
        add_install(f, one, to);
}

void check_findings_reason(const struct check_findings *f, struct str *to)
{
        size_t said = 0;

        for (size_t i = 0; i < f->n; i++) {
                if (!f->list[i].problem)
                        continue;
                if (said++)
                        str_adds(to, "; ");
                check_findings_say(f, &f->list[i], to);
        }
}

json_t *check_findings_to_json(const struct check_findings *f, bool problems)
{
        scoped(json_decref) json_t *all = json_array();

        for (size_t i = 0; i < f->n; i++) {
                const struct check_finding *one = &f->list[i];
                scoped(str) struct str install = {0};

                if (one->problem != problems)
                        continue;
                if (*one->package)
                        add_install(f, one, &install);
                if (install.bad ||
                    json_array_append_new(all,
                                          json_pack("{s:s,s:s,s:s?}", "place", one->place, "words",
                                                    one->words, "install", install.data)) < 0)
                        return NULL;
        }
        return take_ptr(all);
}
