#include "loader/dependency_checker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "loader/plugin_errors.h"
#include "wire/wire_frame.h"

#define DEFAULT_PYTHON "python3"
/* What the probe says is cut to this: a reason has to fit the health object. */
#define DETAIL_MAX   200
#define FINDINGS_MAX KIB(64)

/* --- the plan --- */

void dependency_plan_done(struct dependency_plan *p)
{
        for (size_t i = 0; i < p->n; i++) {
                free(p->checks[i].subject);
                free(p->checks[i].extra);
                free(p->checks[i].shown);
        }
        free(p->checks);
        free(p->interpreter);
        free(p->own_python);
        free(p->dir);
        *p = (struct dependency_plan){0};
}

static void dependency_plan_scoped(struct dependency_plan *p)
{
        dependency_plan_done(p);
}

static size_t list_length(char *const *list)
{
        size_t n = 0;

        while (list[n])
                n++;
        return n;
}

/* Takes subject, which may be NULL: no memory. The plan has room. */
static int add(struct dependency_plan *p, enum wire_check_kind kind, char *take_subject,
               const char *extra, const char *shown)
{
        struct dependency_check *check = &p->checks[p->n++];

        check->kind = kind;
        check->subject = take_subject;
        check->extra = mem_dup0(extra, strlen(extra));
        check->shown = mem_dup0(shown, strlen(shown));
        return check->subject && check->extra && check->shown ? 0 : -ENOMEM;
}

static int add_list(struct dependency_plan *p, enum wire_check_kind kind, char *const *list)
{
        int r = 0;

        for (; *list && r == 0; list++)
                r = add(p, kind, mem_dup0(*list, strlen(*list)), "", *list);
        return r;
}

static char *join_path(const char *dir, const char *path)
{
        char *joined;

        return asprintf(&joined, "%s/%s", dir, path) < 0 ? NULL : joined;
}

static int add_gpu(struct dependency_plan *p, const struct plugin_manifest *m)
{
        const char *how = m->runtime == PLUGIN_RUNTIME_PYTHON ? "python" : "native";
        int r = 0;

        if (!m->requires_gpu)
                return 0;
        r = add(p, WIRE_CHECK_GPU_DRIVER, mem_dup0("", 0), how, "driver");
        return r < 0 ? r : add(p, WIRE_CHECK_NVIDIA_SMI, mem_dup0("", 0), "", "nvidia-smi");
}

static int add_models(struct dependency_plan *p, const struct plugin_manifest *m,
                      const char *box_dir)
{
        int r = 0;

        for (size_t i = 0; i < m->n_models && r == 0; i++) {
                const struct manifest_model *model = &m->models[i];

                r = add(p, WIRE_CHECK_MODEL, join_path(box_dir, model->path),
                        model->sha256 ? model->sha256 : "", model->path);
        }
        return r;
}

/* The interpreter that packages are looked for in, and that asks torch for the GPU. */
static bool wants_interpreter(const struct plugin_manifest *m)
{
        return m->packages[0] || (m->requires_gpu && m->runtime == PLUGIN_RUNTIME_PYTHON);
}

static int choose_interpreter(struct dependency_plan *p, const struct plugin_manifest *m,
                              const char *box_dir, const char *host_python)
{
        const char *python = m->python ? m->python : host_python ? host_python : DEFAULT_PYTHON;

        if (m->python || host_python) {
                p->own_python = mem_dup0(python, strlen(python));
                if (!p->own_python)
                        return -ENOMEM;
        }
        /* With a slash in it but not at its head it lies in the plugin's folder: a venv. */
        if (m->python && python[0] != '/' && strchr(python, '/'))
                p->interpreter = join_path(box_dir, python);
        else
                p->interpreter = mem_dup0(python, strlen(python));
        return p->interpreter ? 0 : -ENOMEM;
}

/* -E2BIG when it would not fit a CHECK. */
static int check_size(const struct dependency_plan *p)
{
        scoped(str) struct str payload = {0};

        dependency_checker_encode(p, &payload);
        if (payload.bad)
                return -ENOMEM;
        return payload.len > WIRE_MAX_CONTROL ? -E2BIG : 0;
}

int dependency_checker_plan(const struct plugin_manifest *m, const char *box_dir,
                            const char *host_python, struct dependency_plan *ret)
{
        scoped(dependency_plan) struct dependency_plan p = {0};
        size_t n = 2 + list_length(m->packages) + list_length(m->libraries) +
                   list_length(m->commands) + m->n_models;
        int r;

        p.checks = calloc(n, sizeof *p.checks);
        p.dir = mem_dup0(box_dir, strlen(box_dir));
        if (!p.checks || !p.dir)
                return -ENOMEM;
        r = wants_interpreter(m) ? choose_interpreter(&p, m, box_dir, host_python) : 0;
        if (r == 0)
                r = add_gpu(&p, m);
        if (r == 0)
                r = add_list(&p, WIRE_CHECK_PACKAGE, m->packages);
        if (r == 0)
                r = add_list(&p, WIRE_CHECK_LIBRARY, m->libraries);
        if (r == 0)
                r = add_list(&p, WIRE_CHECK_COMMAND, m->commands);
        if (r == 0)
                r = add_models(&p, m, box_dir);
        if (r == 0)
                r = check_size(&p);
        if (r < 0)
                return r;
        *ret = p;
        p = (struct dependency_plan){0};
        return 0;
}

int dependency_checker_plan_source(struct dependency_plan *p, const struct plugin_manifest *m,
                                   const char *box_dir, const char *host_python)
{
        scoped(str) struct str declared = {0};
        struct dependency_check *grown;
        int r = 0;

        if (m->runtime != PLUGIN_RUNTIME_PYTHON)
                return 0;
        if (!p->interpreter)
                r = choose_interpreter(p, m, box_dir, host_python);
        if (r < 0)
                return r;
        for (char **name = m->packages; *name; name++)
                str_addf(&declared, "%s\n", *name);
        str_adds(&declared, "");
        if (declared.bad)
                return -ENOMEM;
        grown = realloc(p->checks, (p->n + 1) * sizeof *grown);
        if (!grown)
                return -ENOMEM;
        p->checks = grown;
        r = add(p, WIRE_CHECK_SOURCE, mem_dup0(m->entrypoint, strlen(m->entrypoint)), declared.data,
                m->entrypoint);
        return r < 0 ? r : check_size(p);
}

void dependency_checker_encode(const struct dependency_plan *p, struct str *to)
{
        scoped(free) struct wire_check *checks = calloc(MAX_OF(p->n, 1), sizeof *checks);
        struct wire_check_list list = {.interpreter = wire_str_of(p->interpreter),
                                       .dir = wire_str_of(p->dir),
                                       .checks = checks,
                                       .n_checks = (uint16_t)p->n};

        if (!checks || p->n > UINT16_MAX) {
                to->bad = true;
                return;
        }
        for (size_t i = 0; i < p->n; i++) {
                checks[i].kind = (uint8_t)p->checks[i].kind;
                checks[i].subject = wire_str_of(p->checks[i].subject);
                checks[i].extra = wire_str_of(p->checks[i].extra);
        }
        wire_encode_check_list(to, &list);
}

/* --- the verdict --- */

/* What the probe found, or what its status means when it found no words. */
static void add_detail(struct str *s, const struct wire_verdict *v)
{
        static const char *const meanings[] = {
            [WIRE_CHECK_OK] = "well",
            [WIRE_CHECK_MISSING] = "not found",
            [WIRE_CHECK_BROKEN] = "broken",
            [WIRE_CHECK_UNKNOWN] = "could not be checked",
        };

        if (v->detail.len)
                str_add_printable(s, v->detail.p, v->detail.len, DETAIL_MAX);
        else
                str_adds(s, meanings[v->status]);
}

static void say_package(struct str *s, const char *name, unsigned status)
{
        if (status == WIRE_CHECK_MISSING)
                plugin_text_package_missing(s, name);
        else
                str_addf(s,
                         "Package '%s' is installed but broken. Reinstall it in the plugin's "
                         "Python environment.",
                         name);
}

static void say_library(struct str *s, const char *name, unsigned status)
{
        if (status == WIRE_CHECK_MISSING)
                str_addf(s,
                         "Library not found: %s. Install the Debian package that provides it "
                         "(apt-file search %s).",
                         name, name);
        else
                str_addf(s,
                         "Library cannot be loaded: %s. Reinstall the Debian package that "
                         "provides it (apt-file search %s).",
                         name, name);
}

static void say_command(struct str *s, const char *name, unsigned status)
{
        if (status == WIRE_CHECK_MISSING)
                str_addf(s,
                         "Command not found: %s. Install the Debian package that provides it "
                         "(apt-file search bin/%s).",
                         name, name);
        else
                str_addf(s,
                         "Command cannot be run: %s. Reinstall the Debian package that provides "
                         "it (apt-file search bin/%s).",
                         name, name);
}

static void say_model(struct str *s, const char *path, unsigned status)
{
        if (status == WIRE_CHECK_MISSING)
                plugin_text_model_missing(s, path);
        else
                plugin_text_model_corrupt(s, path);
}

static void say_unknown(struct str *s, const struct dependency_check *check)
{
        static const char *const kinds[] = {
            [WIRE_CHECK_LIBRARY] = "Library",
            [WIRE_CHECK_COMMAND] = "Command",
            [WIRE_CHECK_MODEL] = "Model file",
            [WIRE_CHECK_PACKAGE] = "Package",
        };

        str_addf(s, "%s could not be checked: %s.", kinds[check->kind], check->shown);
}

/* Is it a module that its package lacks, and not the package? No pip would bring it. */
static bool is_missing_in_part(const struct dependency_check *check, const struct wire_verdict *v)
{
        return check->kind == WIRE_CHECK_PACKAGE && v->status == WIRE_CHECK_MISSING &&
               v->detail.len > 0 && strchr(check->shown, '.');
}

/* One problem that is not the GPU's: the sentence, and in brackets what was found. */
static void add_problem(struct str *s, const struct dependency_plan *p,
                        const struct dependency_check *check, const struct wire_verdict *v)
{
        static void (*const sayings[])(struct str *, const char *, unsigned) = {
            [WIRE_CHECK_LIBRARY] = say_library,
            [WIRE_CHECK_COMMAND] = say_command,
            [WIRE_CHECK_MODEL] = say_model,
            [WIRE_CHECK_PACKAGE] = say_package,
        };

        bool missing = v->status == WIRE_CHECK_MISSING;
        bool in_part = is_missing_in_part(check, v);

        if (v->status == WIRE_CHECK_UNKNOWN)
                say_unknown(s, check);
        else if (in_part)
                plugin_text_module_missing(s, check->shown);
        else
                sayings[check->kind](s, check->shown, v->status);
        /* Another interpreter's packages are not where a plain pip would put them. */
        if (check->kind == WIRE_CHECK_PACKAGE && missing && !in_part && p->own_python) {
                str_addf(s, " (that is: %s -m pip install ", p->own_python);
                plugin_text_pip_name(s, check->shown);
                str_addc(s, ')');
        }
        /* What is not there has no more to be said of it. */
        if (v->detail.len == 0 || (missing && !in_part))
                return;
        str_adds(s, " (");
        add_detail(s, v);
        str_addc(s, ')');
}

static bool is_source(const struct dependency_check *check)
{
        return check->kind == WIRE_CHECK_SOURCE;
}

static bool is_gpu(const struct dependency_check *check)
{
        return check->kind == WIRE_CHECK_GPU_DRIVER || check->kind == WIRE_CHECK_NVIDIA_SMI;
}

/* Both GPU checks must hold; one sentence for both. 1 when one of them does not. */
static int add_gpu_problem(const struct dependency_plan *p, const struct wire_report *report,
                           struct str *s)
{
        int found = 0;

        for (size_t i = 0; i < p->n; i++) {
                if (!is_gpu(&p->checks[i]) || report->verdicts[i].status == WIRE_CHECK_OK)
                        continue;
                if (!found)
                        plugin_text_gpu_missing(s);
                str_addf(s, "%s%s: ", found ? "; " : " (", p->checks[i].shown);
                add_detail(s, &report->verdicts[i]);
                found = 1;
        }
        if (found)
                str_addc(s, ')');
        return found;
}

static int check_report(const struct dependency_plan *p, const struct wire_report *report,
                        struct err *e)
{
        if (report->n_verdicts != p->n)
                return err_set(e, -EBADMSG, "the probe answered %u of %zu checks",
                               report->n_verdicts, p->n);
        for (size_t i = 0; i < p->n; i++)
                if (report->verdicts[i].status > WIRE_CHECK_UNKNOWN)
                        return err_set(e, -EBADMSG, "the probe's verdict %zu has status %u", i,
                                       report->verdicts[i].status);
        return 0;
}

int dependency_checker_verdict(const struct dependency_plan *p, const struct wire_report *report,
                               struct str *reason, struct err *e)
{
        int found, r = check_report(p, report, e);

        if (r < 0)
                return r;
        found = add_gpu_problem(p, report, reason);
        for (size_t i = 0; i < p->n; i++) {
                if (is_gpu(&p->checks[i]) || is_source(&p->checks[i]) ||
                    report->verdicts[i].status == WIRE_CHECK_OK)
                        continue;
                if (found)
                        str_adds(reason, "; ");
                add_problem(reason, p, &p->checks[i], &report->verdicts[i]);
                found = 1;
        }
        return reason->bad ? err_set_errno(e, -ENOMEM, "say what is missing") : found;
}

int dependency_checker_findings(const struct dependency_plan *p, const struct wire_report *report,
                                char **ret)
{
        struct str text = {0};

        *ret = NULL;
        if (report->n_verdicts != p->n || p->n == 0 || !is_source(&p->checks[p->n - 1]))
                return 0;
        if (report->verdicts[p->n - 1].status == WIRE_CHECK_UNKNOWN)
                str_adds(&text, "problem\tpython\t");
        str_add_printable(&text, report->verdicts[p->n - 1].detail.p,
                          report->verdicts[p->n - 1].detail.len, FINDINGS_MAX);
        *ret = str_take(&text);
        return *ret ? 0 : -ENOMEM;
}
