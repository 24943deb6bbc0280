#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/check_findings.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "host/host.h"

/* Of what an interpreter said before it ended, in one line. */
#define LAST_WORDS_MAX 300

static void on_settled(void *ctx)
{
        *(bool *)ctx = true;
}

/* What is said of one plugin: its health, and what its source told. */
struct verdict {
        const struct plugin_health *health;
        struct check_findings findings;
};

static bool is_fine(const struct verdict *v)
{
        return lifecycle_state_is_available(v->health->state) && v->findings.problems == 0;
}

/* A source that cannot be loaded is a load that fails. */
static const char *state_of(const struct verdict *v)
{
        bool available = lifecycle_state_is_available(v->health->state);

        return lifecycle_state_name(available ? LIFECYCLE_FAILED : v->health->state);
}

static void print_line(const char *name, const char *kind, const char *text)
{
        printf("\n%s: %s", name, kind);
        terminal_put(stdout, text, strlen(text));
}

static void print_findings(const struct verdict *v)
{
        if (v->health->reason[0])
                print_line(v->health->name, "", v->health->reason);
        for (size_t i = 0; i < v->findings.n; i++) {
                const struct check_finding *one = &v->findings.list[i];
                scoped(str) struct str text = {0};

                check_findings_say(&v->findings, one, &text);
                print_line(v->health->name,
                           one->problem ? "" : "note: ", text.data ? text.data : one->words);
        }
        if (v->health->reason[0] || v->findings.n)
                putchar('\n');
}

static void print_table(const struct verdict *list, size_t n)
{
        scoped(terminal_table) struct terminal_table t = {.columns = 3};

        terminal_table_add(&t, "PLUGIN");
        terminal_table_add(&t, "VERSION");
        terminal_table_add(&t, "VERDICT");
        for (size_t i = 0; i < n; i++) {
                const struct plugin_health *h = list[i].health;

                terminal_table_add(&t, h->name);
                terminal_table_add(&t, h->version[0] ? h->version : "-");
                terminal_table_add(&t, is_fine(&list[i]) ? "ok" : state_of(&list[i]));
        }
        terminal_table_print(&t, stdout, 2, terminal_has_color(stdout));
        for (size_t i = 0; i < n; i++)
                print_findings(&list[i]);
}

/* NULL: no memory. */
static json_t *to_json(const struct verdict *v)
{
        scoped(json_decref) json_t *problems = check_findings_to_json(&v->findings, true);
        scoped(json_decref) json_t *notes = check_findings_to_json(&v->findings, false);
        const struct plugin_health *h = v->health;
        bool fine = is_fine(v);
        scoped(str) struct str reason = {0};

        str_adds(&reason, h->reason);
        if (!h->reason[0])
                check_findings_reason(&v->findings, &reason);
        if (!problems || !notes || reason.bad)
                return NULL;
        return json_pack("{s:s,s:s?,s:b,s:s?,s:s?,s:O,s:O}", "name", h->name, "version",
                         h->version[0] ? h->version : NULL, "ok", fine, "state",
                         fine ? NULL : state_of(v), "reason", reason.len ? reason.data : NULL,
                         "problems", problems, "notes", notes);
}

static int print_json(const struct verdict *list, size_t n)
{
        scoped(json_decref) json_t *all = json_array();
        scoped(str) struct str text = {0};

        for (size_t i = 0; i < n; i++)
                if (json_array_append_new(all, to_json(&list[i])) < 0)
                        return -ENOMEM;
        str_add_json(&text, all);
        if (text.bad)
                return -ENOMEM;
        puts(text.data);
        return 0;
}

/* The interpreter as a person starts it here. NULL: no memory. */
static char *python_of(struct supervisor *s, const char *name)
{
        const struct plugin_manifest *m = supervisor_manifest(s, name);
        const char *python = m && m->python ? m->python : "python3";
        char *path;

        if (python[0] == '/' || !strchr(python, '/'))
                return strdup(python);
        return asprintf(&path, "%s/%s", supervisor_plugin_dir(s, name), python) < 0 ? NULL : path;
}

/* An interpreter that ended early has said why, perhaps. */
static int add_last_words(struct supervisor *s, const char *name, struct str *findings)
{
        static const char about_python[] = "problem\tpython\t";
        const struct plugin_log *log = supervisor_log(s, name);
        scoped(str) struct str tail = {0};

        if (!log || !findings->data ||
            strncmp(findings->data, about_python, sizeof about_python - 1))
                return 0;
        plugin_log_tail(log, 0, LAST_WORDS_MAX, &tail);
        str_adds(&tail, "");
        for (char *c = tail.data; c && *c; c++)
                if (*c == '\n' || *c == '\t')
                        *c = ' ';
        if (!tail.bad && tail.len)
                str_addf(findings, ": %s", tail.data);
        return tail.bad ? -ENOMEM : 0;
}

static int look_at(struct supervisor *s, const struct plugin_health *h, struct verdict *ret)
{
        scoped(free) char *python = python_of(s, h->name);
        const char *found = supervisor_findings(s, h->name);
        scoped(str) struct str text = {0};

        ret->health = h;
        str_adds(&text, found ? found : "");
        if (!python || add_last_words(s, h->name, &text) < 0 || text.bad)
                return -ENOMEM;
        return check_findings_parse(text.data, python, &ret->findings);
}

static int print(const struct verdict *list, size_t n, const struct options *o)
{
        if (o->flags.format == CLI_FORMAT_JSON)
                return print_json(list, n);
        print_table(list, n);
        return 0;
}

static int show(struct host_core *c, const struct options *o)
{
        scoped(free) struct plugin_health *list = NULL;
        scoped(free) struct verdict *verdicts = NULL;
        size_t n = 0, bad = 0;
        int r = plugin_registry_list_all(supervisor_registry(c->supervisor), &list, &n);

        verdicts = calloc(n + 1, sizeof *verdicts);
        r = r == 0 && !verdicts ? -ENOMEM : r;
        for (size_t i = 0; i < n && r == 0; i++) {
                r = look_at(c->supervisor, &list[i], &verdicts[i]);
                bad += r == 0 && !is_fine(&verdicts[i]);
        }
        if (r == 0)
                r = print(verdicts, n, o);
        for (size_t i = 0; i < n && verdicts; i++)
                check_findings_done(&verdicts[i].findings);
        if (r < 0)
                return command_fail(CLI_COMMAND_check, CLI_FAILURE, "out of memory");
        if (supervisor_discovery_failures(c->supervisor))
                return CLI_FAILURE;
        return bad ? CLI_PLUGIN : CLI_OK;
}

static int discover(struct host_core *c, const struct options *o)
{
        struct err e = {0};

        for (char **python = o->host->python_plugins; *python; python++)
                if (supervisor_discover(c->supervisor, *python, &e) < 0)
                        return command_fail(CLI_COMMAND_check, CLI_FAILURE, "%s", e.msg);
        return COMMAND_GO;
}

static int check_all(struct host_core *c, const struct options *o)
{
        bool settled = false;
        struct err e = {0};
        int total = 0;
        int r = discover(c, o);

        if (r != COMMAND_GO)
                return r;

        for (size_t i = 0; i < o->n_rest && total >= 0; i++)
                total = supervisor_scan(c->supervisor, o->rest[i], &e);
        if (total < 0)
                return command_fail(CLI_COMMAND_check, CLI_FAILURE, "%s", e.msg);
        if (total == 0 && o->n_rest > 0)
                return command_fail(
                    CLI_COMMAND_check, CLI_FAILURE,
                    "no plugin in %.200s: a plugin is a folder with a manifest.json", o->rest[0]);
        if (supervisor_when_settled(c->supervisor, on_settled, &settled) < 0)
                return command_fail(CLI_COMMAND_check, CLI_FAILURE, "out of memory");
        if (host_core_wait(c, &settled, &e) < 0)
                return command_fail(CLI_COMMAND_check, CLI_FAILURE, "%s", e.msg);
        return show(c, o);
}

int cli_check(int argc, char **argv)
{
        const struct supervisor_options like = {.check_only = true};
        scoped(options) struct options o = {0};
        struct host_core core;
        struct err e = {0};
        int r = command_begin(CLI_COMMAND_check, argc, argv, 0, COMMAND_WORDS_MAX, &o);

        if (r != COMMAND_GO)
                return r;
        if (o.n_rest == 0 && !*o.host->python_plugins)
                return command_fail(CLI_COMMAND_check, CLI_USAGE, "wants DIR...");
        if (o.host->log_level > LOG_LEVEL_ERROR)
                o.host->log_level = LOG_LEVEL_ERROR;
        if (host_core_init(&core, o.host, &like, &e) < 0)
                return command_fail(CLI_COMMAND_check, CLI_FAILURE, "%s", e.msg);
        r = check_all(&core, &o);
        host_core_done(&core);
        return r;
}
