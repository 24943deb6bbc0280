#include "worker/probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/wire_frame.h"
#include "worker/probe_python.h"

void probe_say(struct probe_verdict *v, enum wire_check_status status, const char *fmt, ...)
{
        va_list ap;

        v->status = status;
        va_start(ap, fmt);
        vsnprintf(v->detail, sizeof v->detail, fmt, ap);
        va_end(ap);
}

/* A CHECK whose texts are C strings, and room for the answers. */
struct probe {
        char *interpreter; /* NULL: none */
        char *dir;
        char **subjects, **extras;
        const struct wire_check *checks;
        size_t n;
        struct probe_verdict *verdicts;
};

static void probe_done(struct probe *p)
{
        for (size_t i = 0; i < p->n; i++) {
                if (p->subjects)
                        free(p->subjects[i]);
                if (p->extras)
                        free(p->extras[i]);
                if (p->verdicts)
                        free(p->verdicts[i].text);
        }
        free(p->interpreter);
        free(p->dir);
        free(p->subjects);
        free(p->extras);
        free(p->verdicts);
}

static inline void probe_scoped(struct probe *p)
{
        probe_done(p);
}

static bool probe_init(struct probe *p, const struct wire_check_list *list)
{
        size_t n = list->n_checks;
        bool ok;

        *p = (struct probe){.checks = list->checks, .n = n};
        p->interpreter = mem_dup0(list->interpreter.p, list->interpreter.len);
        p->dir = mem_dup0(list->dir.p, list->dir.len);
        p->subjects = calloc(n + 1, sizeof *p->subjects);
        p->extras = calloc(n + 1, sizeof *p->extras);
        p->verdicts = calloc(n + 1, sizeof *p->verdicts);
        ok = p->interpreter && p->dir && p->subjects && p->extras && p->verdicts;
        for (size_t i = 0; ok && i < n; i++) {
                p->subjects[i] = mem_dup0(list->checks[i].subject.p, list->checks[i].subject.len);
                p->extras[i] = mem_dup0(list->checks[i].extra.p, list->checks[i].extra.len);
                probe_say(&p->verdicts[i], WIRE_CHECK_UNKNOWN, "nobody knows check kind %u",
                          list->checks[i].kind);
                ok = p->subjects[i] && p->extras[i];
        }
        return ok;
}

/* --- one function a kind ---------------------------------------------------------------------- */

static void check_command(struct probe *p, size_t i)
{
        probe_command(p->subjects[i], NULL, &p->verdicts[i]);
}

static void check_model(struct probe *p, size_t i)
{
        probe_model(p->subjects[i], p->dir, p->extras[i], &p->verdicts[i]);
}

static void check_nvidia_smi(struct probe *p, size_t i)
{
        probe_nvidia_smi(&p->verdicts[i]);
}

static void check_library(struct probe *p, size_t i)
{
        probe_library(p->subjects[i], &p->verdicts[i]);
}

static void check_gpu_driver(struct probe *p, size_t i)
{
        bool python = !strcmp(p->extras[i], "python");

        if (python && !*p->interpreter)
                probe_say(&p->verdicts[i], WIRE_CHECK_UNKNOWN, "there is no Python interpreter");
        else
                probe_gpu_driver(python ? p->interpreter : NULL, &p->verdicts[i]);
}

/* At the first package, all of them: an interpreter is slow to start. */
static void check_packages(struct probe *p, size_t first)
{
        scoped(free) const char **names = calloc(p->n, sizeof *names);
        scoped(free) struct probe_verdict **verdicts = calloc(p->n, sizeof *verdicts);
        size_t n = 0;

        for (size_t i = 0; i < first; i++)
                if (p->checks[i].kind == WIRE_CHECK_PACKAGE)
                        return;
        if (!names || !verdicts)
                return;
        for (size_t i = first; i < p->n; i++) {
                if (p->checks[i].kind != WIRE_CHECK_PACKAGE)
                        continue;
                names[n] = p->subjects[i];
                verdicts[n++] = &p->verdicts[i];
                probe_say(&p->verdicts[i], WIRE_CHECK_UNKNOWN, "there is no Python interpreter");
        }
        if (*p->interpreter)
                probe_python_packages(p->interpreter, p->dir, names, n, verdicts);
}

static void check_entry_points(struct probe *p, size_t i)
{
        if (*p->interpreter)
                probe_python_entry_points(p->interpreter, p->subjects[i], &p->verdicts[i]);
        else
                probe_say(&p->verdicts[i], WIRE_CHECK_UNKNOWN, "there is no Python interpreter");
}

static void check_source(struct probe *p, size_t i)
{
        probe_python_source(p->interpreter, p->dir, p->subjects[i], p->extras[i], &p->verdicts[i]);
}

/* In this order, which is by risk: files, then programs in processes of their own, then strangers'
 * code in this one. */
static const struct {
        enum wire_check_kind kind;
        void (*check)(struct probe *p, size_t i);
} probe_order[] = {
    {WIRE_CHECK_COMMAND, check_command},       {WIRE_CHECK_MODEL, check_model},
    {WIRE_CHECK_PACKAGE, check_packages},      {WIRE_CHECK_ENTRY_POINTS, check_entry_points},
    {WIRE_CHECK_SOURCE, check_source},         {WIRE_CHECK_NVIDIA_SMI, check_nvidia_smi},
    {WIRE_CHECK_GPU_DRIVER, check_gpu_driver}, {WIRE_CHECK_LIBRARY, check_library},
};

/* --- the report ------------------------------------------------------------------------------- */

#define TEXT_MAX KIB(64)

/* Long lists get shorter words, so that the report fits its frame. */
static size_t detail_budget(size_t n, size_t max)
{
        size_t room = (KIB(256) - 2) / MAX_OF(n, 1);

        return room > 16 + max ? max : room > 16 ? room - 16 : 0;
}

static void encode(const struct probe *p, struct str *to)
{
        scoped(free) struct wire_verdict *verdicts = calloc(p->n + 1, sizeof *verdicts);
        scoped(free) size_t *starts = calloc(p->n + 1, sizeof *starts);
        scoped(str) struct str texts = {0};

        if (!verdicts || !starts) {
                to->bad = true;
                return;
        }
        for (size_t i = 0; i < p->n; i++) {
                const char *text = p->verdicts[i].text;
                const char *detail = text ? text : p->verdicts[i].detail;
                size_t budget = detail_budget(p->n, text ? TEXT_MAX : PROBE_DETAIL_MAX);

                starts[i] = texts.len;
                if (budget)
                        str_add_printable(&texts, detail, strlen(detail), budget);
                verdicts[i].status = (uint8_t)p->verdicts[i].status;
                verdicts[i].detail.len = (uint32_t)(texts.len - starts[i]);
        }
        for (size_t i = 0; i < p->n; i++)
                verdicts[i].detail.p = texts.data ? texts.data + starts[i] : "";
        to->bad = to->bad || texts.bad;
        wire_encode_report(to, &(struct wire_report){verdicts, (uint16_t)p->n});
}

void probe_run(const struct wire_check_list *list, struct str *to)
{
        scoped(probe) struct probe p;

        if (!probe_init(&p, list)) {
                to->bad = true;
                return;
        }
        for (size_t k = 0; k < ARRAY_LEN(probe_order); k++)
                for (size_t i = 0; i < p.n; i++)
                        if (list->checks[i].kind == probe_order[k].kind)
                                probe_order[k].check(&p, i);
        encode(&p, to);
}
