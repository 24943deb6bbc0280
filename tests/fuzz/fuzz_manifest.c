/* fuzz_manifest.c -- a stranger's manifest.json, of our form and of ForgeSyte's, then 0xff and what
 * the plugin's worker says of its tools (META). */
#include <errno.h>

#include "base/json.h"
#include "fuzz.h"
#include "loader/dependency_checker.h"
#include "loader/plugin_manifest.h"

static void check_tools(const struct plugin_manifest *m)
{
        for (size_t i = 0; i < m->n_tools; i++) {
                const struct manifest_tool *t = &m->tools[i];

                must(t->bytes_args && t->file_args, "lists are there");
                must(str_is_tool_name(t->name), "a tool has a name");
                must(plugin_manifest_tool(m, t->name) == t, "one tool a name");
                must(!t->input_schema == !t->input && !t->output_schema == !t->output,
                     "a schema is compiled");
        }
}

static void check_limits(const struct plugin_limits *l)
{
        must(l->timeout_seconds > 0 && l->load_timeout_seconds > 0 && l->memory_bytes > 0 &&
                 l->instances > 0,
             "limits are above 0");
}

static void check_fields(const struct plugin_manifest *m)
{
        must(str_is_plugin_name(m->name), "a plugin has a name");
        must(m->version && m->description && m->entrypoint, "texts are there");
        must(m->packages && m->libraries && m->commands && m->read && m->write && m->env,
             "lists are there");
        check_limits(&m->limits);
        for (size_t i = 0; m->read[i]; i++)
                must(m->read[i][0] == '/', "a path is absolute");
        for (size_t i = 0; m->write[i]; i++)
                must(m->write[i][0] == '/', "a path is absolute");
        for (size_t i = 0; m->env[i]; i++)
                must(strchr(m->env[i], '='), "a variable has a value");
        for (size_t i = 0; i < m->n_models; i++)
                must(m->models[i].path[0] && m->models[i].path[0] != '/' &&
                         (!m->models[i].sha256 || strlen(m->models[i].sha256) == 64),
                     "a model lies in the folder");
        check_tools(m);
}

/* What a manifest was read from is kept, and reads the same again. */
static void check_raw(const struct plugin_manifest *m)
{
        scoped(plugin_manifest_free) struct plugin_manifest *again = NULL;
        scoped(str) struct str text = {0};
        struct err e = {0};

        str_add_json(&text, m->raw);
        must(!text.bad, "memory");
        must(plugin_manifest_parse(text.data, text.len, &again, &e) == 0, "reads again");
        must(!strcmp(m->name, again->name) && m->n_tools == again->n_tools &&
                 m->runtime == again->runtime && json_equal(m->raw, again->raw),
             "reads the same");
}

static void check_clamp(struct plugin_manifest *m)
{
        const struct plugin_limits max = {1, 2, MIB(64), 1, 1};
        scoped(str) struct str words = {0};

        plugin_manifest_clamp(m, &max, &words);
        check_limits(&m->limits);
        must(m->limits.timeout_seconds <= 1 && m->limits.load_timeout_seconds <= 2 &&
                 m->limits.memory_bytes <= MIB(64) && m->limits.instances <= 1 &&
                 m->limits.queue <= 1,
             "limits are lowered");
}

static void check_plan(const struct plugin_manifest *m)
{
        struct dependency_plan plan = {0};

        if (dependency_checker_plan(m, "/plugin", NULL, &plan) >= 0)
                dependency_plan_done(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const uint8_t *end = size ? memchr(data, 0xff, size) : NULL;
        size_t n = end ? (size_t)(end - data) : size;
        scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
        scoped(free) char *text = exact_copy(data, n), *meta = NULL;
        struct err e = {0};
        int r = plugin_manifest_parse(text, n, &m, &e);

        must((r == 0) == (m != NULL), "a manifest when it is one");
        must(r == 0 || r == -EINVAL || r == -EBADMSG || r == -EFBIG, "a manifest or none");
        if (r < 0) {
                must_have_words(e.msg);
                must(utf8_valid_prefix(e.msg, strlen(e.msg)) == strlen(e.msg), "words are UTF-8");
                return 0;
        }
        check_fields(m);
        check_raw(m);
        check_plan(m);
        if (end) {
                meta = exact_copy(end + 1, size - n - 1);
                r = plugin_manifest_merge_meta(m, meta, size - n - 1, &e);
                must(r == 0 || e.msg[0], "a refusal has words");
                check_fields(m);
        }
        check_clamp(m);
        return 0;
}
