#include "host/unit_box.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/permissions.h"
#include "host/python_env.h"

int unit_box_manifest(const char *dir, const char *python, const char *made,
                      struct plugin_manifest **ret, struct err *e)
{
        scoped(plugin_manifest_free) struct plugin_manifest *m = NULL;
        int r = made ? plugin_manifest_parse(made, strlen(made), &m, e)
                     : plugin_manifest_load(dir, &m, e);

        if (r < 0)
                return r;
        if (python) {
                /* It is installed there and nowhere else. */
                free(m->python);
                m->python = strdup(python);
                if (!m->python)
                        return err_set_errno(e, -ENOMEM, "manifest.json");
        }
        *ret = take_ptr(m);
        return 0;
}

const char *unit_box_dir(const struct unit *u)
{
        bool tree = supervisor_isolation(u->s)->namespaces & ISOLATION_NS_MOUNT;

        return tree ? SANDBOX_PLUGIN_DIR : u->dir;
}

const char *unit_box_python(const struct unit *u)
{
        const struct host_config *c = u->s->config;

        for (size_t i = 0; i < c->n_plugins; i++)
                if (!strcmp(c->plugins[i].name, u->name) && c->plugins[i].python)
                        return c->plugins[i].python;
        return c->python;
}

int unit_box_choose_python(const struct unit *u, struct plugin_manifest *m)
{
        const char *python = m->python ? m->python : unit_box_python(u);
        char *chosen;

        if (!python || (m->python && python[0] != '/'))
                return 0;
        chosen = python_env_resolve(python);
        if (!chosen)
                return -ENOMEM;
        free(m->python);
        m->python = chosen;
        return 0;
}

static int add_env(struct sandbox_policy *p, const char *pair)
{
        const char *eq = strchr(pair, '=');
        scoped(free) char *key = eq ? mem_dup0(pair, (size_t)(eq - pair)) : NULL;

        return key ? sandbox_policy_add_env(p, key, eq + 1) : -ENOMEM;
}

/* The manifest's interpreter, which by now is the operator's where that named none, or python3. One
 * in the plugin's folder as the box sees it when `in_box`, else as the host does. -ENOMEM. */
static int interpreter_of(const struct unit *u, bool in_box, char **ret)
{
        const char *mine = u->release->manifest->python, *python = mine ? mine : "python3";
        bool inside = python[0] != '/' && strchr(python, '/');

        if (!inside)
                *ret = strdup(python);
        else if (asprintf(ret, "%s/%s", in_box ? unit_box_dir(u) : u->dir, python) < 0)
                *ret = NULL;
        return *ret ? 0 : -ENOMEM;
}

/* Also for the probe of a plugin that needs Python packages. */
static int show_python(struct unit *u, struct sandbox_policy *p, struct err *e)
{
        scoped(free) char *python = NULL, *lib = python_env_lib();
        size_t before = p->n_binds;
        int r = interpreter_of(u, false, &python);

        if (r < 0)
                return err_set_errno(e, r, "find the interpreter");
        r = python_env_bind(p, python, u->dir, e);
        if (r == 0)
                r = permissions_check_python(u->release->manifest, python, p, before, e);
        if (r < 0 || !lib)
                return r; /* without our files the worker says so */
        r = sandbox_policy_add_bind(p, lib, NULL, false, false);
        if (r == 0)
                r = sandbox_policy_add_env(p, "FORGESYTE_PYTHON_LIB", lib);
        return r < 0 ? err_set_errno(e, r, "show the box our Python files") : 0;
}

static int fill_policy(struct unit *u, struct sandbox_policy *p, struct err *e)
{
        const struct plugin_manifest *m = u->release->manifest;
        int r;

        snprintf(p->name, sizeof p->name, "%s", u->name);
        p->memory_bytes = m->limits.memory_bytes;
        p->network = m->network;
        p->gpu = m->requires_gpu;
        p->forks = m->prefork ? m->limits.instances + 1 : 0; /* a dead one may not be gone yet */
        p->min_level = u->s->config->min_isolation;
        r = sandbox_policy_set_plugin_dir(p, u->dir);
        for (char **pair = m->env; *pair && r == 0; pair++)
                r = add_env(p, *pair);
        if (r < 0)
                return err_set_errno(e, r, "describe the box of %s", u->name);
        return permissions_add(p, m, u->dir, u->s->config->plugin_dirs, e);
}

int unit_box_start(struct unit *u, bool probe, struct instance **ret, struct err *e)
{
        const struct plugin_limits *limits = &u->release->manifest->limits;
        scoped(sandbox_policy) struct sandbox_policy policy;
        struct instance_options o = {.owner = &unit_instance_owner,
                                     .ctx = u,
                                     .loop = u->s->o.loop,
                                     .pool = u->s->o.pool,
                                     .log = &u->log,
                                     .probe = probe,
                                     .generation = u->release->generation,
                                     .max_output = (uint32_t)u->s->config->max_output_bytes,
                                     .timeout_seconds = limits->timeout_seconds,
                                     .memory_bytes = limits->memory_bytes,
                                     .boot_seconds = limits->load_timeout_seconds,
                                     .folder = u->dir};
        int r;

        if (!probe && u->release->manifest->runtime == PLUGIN_RUNTIME_PYTHON)
                o.plugin_dir = unit_box_dir(u);
        sandbox_policy_init(&policy);
        policy.uploads = !probe && u->release->manifest->runtime == PLUGIN_RUNTIME_PYTHON;
        policy.may_fork = probe; /* nvidia-smi, and the interpreter that knows its packages */
        r = fill_policy(u, &policy, e);
        if (r < 0)
                return r;
        if (u->release->manifest->runtime == PLUGIN_RUNTIME_PYTHON ||
            u->release->manifest->packages[0]) {
                r = show_python(u, &policy, e);
                if (r < 0)
                        return r;
        }
        return instance_start(u->s->runner, &policy, &o, ret, e);
}

static int load_payload(const struct unit *u, struct str *to)
{
        const struct plugin_manifest *m = u->release->manifest;
        scoped(free) struct wire_model *models = calloc(m->n_models + 1, sizeof *models);
        scoped(str) struct str paths = {0};
        scoped(free) char *python = NULL;
        bool is_python = m->runtime == PLUGIN_RUNTIME_PYTHON;
        struct wire_load load = {
            .runtime = wire_str_of(m->runtime == PLUGIN_RUNTIME_PYTHON ? "python" : "native"),
            .plugin = wire_str_of(m->name),
            .dir = wire_str_of(unit_box_dir(u)),
            .entrypoint = wire_str_of(m->entrypoint),
            .models = models,
            .n_models = (uint16_t)m->n_models};
        size_t at = 0;

        if (!models || (is_python && interpreter_of(u, true, &python) < 0))
                return -ENOMEM;
        load.interpreter = wire_str_of(python);
        for (size_t i = 0; i < m->n_models; i++)
                str_addf(&paths, "%s/%s", unit_box_dir(u), m->models[i].path);
        if (paths.bad)
                return -ENOMEM;
        for (size_t i = 0; i < m->n_models; i++) {
                size_t len = strlen(unit_box_dir(u)) + 1 + strlen(m->models[i].path);

                models[i].name = wire_str_of(m->models[i].name);
                models[i].path = (struct wire_str){paths.data + at, (uint32_t)len};
                at += len;
        }
        wire_encode_load(to, &load);
        return to->bad ? -ENOMEM : 0;
}

int unit_box_payload(struct unit *u, const struct instance *i, enum wire_type type, struct str *to)
{
        if (type == WIRE_LOAD)
                return load_payload(u, to);
        if (type == WIRE_CHECK && i->probe)
                dependency_checker_encode(&u->loader.plan, to);
        return to->bad ? -ENOMEM : 0;
}
