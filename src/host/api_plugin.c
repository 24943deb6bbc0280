/* api_plugin.c -- the routes that act on plugins: manifest, run, reload.
 * Knows: the supervisor.   May not know: processes.
 * Threads: the loop's.     Owns: its requests until they are answered. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "host/api_internal.h"

void api_reply_unknown_plugin(struct api *a, struct http_exchange *x, const char *name)
{
        scoped(free) struct plugin_health *list = NULL;
        scoped(str) struct str names = {0};
        size_t n = 0;

        if (plugin_registry_list_all(supervisor_registry(a->o.supervisor), &list, &n) == 0)
                for (size_t i = 0; i < n; i++)
                        str_addf(&names, "%s%s", i ? ", " : "", list[i].name);
        api_reply_error(x, PLUGIN_ERROR_PLUGIN_NOT_FOUND,
                        "no plugin is called '%.64s'; there are: %s", name,
                        names.len ? names.data : "none");
}

/* As it was loaded: the tools as they can be called, whoever declared them, manifest or plugin. */
static json_t *manifest_json(const struct plugin_manifest *m)
{
        json_t *all = json_copy_object(m->raw), *tools = json_array();

        for (size_t i = 0; i < m->n_tools && tools; i++) {
                const struct manifest_tool *t = &m->tools[i];

                if (json_array_append_new(
                        tools, json_pack("{s:s,s:s?,s:O?,s:O?}", "name", t->name, "description",
                                         t->description, "input_schema", t->input_schema,
                                         "output_schema", t->output_schema)) < 0) {
                        json_decref(tools);
                        tools = NULL;
                }
        }
        if (!all || !tools || json_object_set(all, "tools", tools) < 0) {
                json_decref(all);
                all = NULL;
        }
        json_decref(tools);
        return all;
}

void api_get_manifest(struct api *a, struct http_exchange *x, const struct api_path *p)
{
        const char *name = p->segments[2];
        const struct plugin_manifest *m = supervisor_manifest(a->o.supervisor, name);
        scoped(free) struct plugin_health *h = malloc(sizeof *h);

        if (m) {
                api_reply_json(x, 200, manifest_json(m));
                return;
        }
        if (!h || plugin_registry_get_status(supervisor_registry(a->o.supervisor), name, h) != 0)
                api_reply_unknown_plugin(a, x, name);
        else
                api_reply_error(x, PLUGIN_ERROR_PLUGIN_UNAVAILABLE,
                                "plugin '%s' has no manifest: %s", name, h->reason);
}

/* --- run --- */

static void on_run_end(void *ctx, struct tool_outcome *o)
{
        struct api_request *r = ctx;

        api_reply_outcome(r->x, o);
        free(r);
}

struct query_copy {
        struct argument_source *source;
        bool bad;
};

static void copy_query(void *ctx, const char *name, const char *value)
{
        struct query_copy *q = ctx;

        if (argument_source_add_query(q->source, name, value) < 0)
                q->bad = true;
}

static bool read_source(struct http_exchange *x, struct argument_source *source)
{
        const char *type = http_exchange_header(x, "Content-Type");
        struct query_copy q = {.source = source};

        *source = (struct argument_source){0};
        if (type) {
                source->content_type = strdup(type);
                q.bad = !source->content_type;
        }
        source->body = http_exchange_take_body(x, &source->body_size);
        http_exchange_each_query(x, copy_query, &q);
        return !q.bad;
}

void api_post_run(struct api *a, struct http_exchange *x, const struct api_path *p)
{
        struct argument_source source;
        struct api_request *r;
        struct host_call *call;
        const char *coding = http_exchange_header(x, "Content-Encoding");

        if (!str_is_plugin_name(p->segments[2])) {
                api_reply_unknown_plugin(a, x, p->segments[2]);
                return;
        }
        if (!str_is_tool_name(p->segments[4])) {
                api_reply_error(x, PLUGIN_ERROR_TOOL_NOT_FOUND, "'%.64s' is no tool's name",
                                p->segments[4]);
                return;
        }
        if (coding && strcasecmp(coding, "identity")) {
                api_reply_error(x, PLUGIN_ERROR_UNSUPPORTED_MEDIA_TYPE,
                                "Content-Encoding is not supported: send the body as it is");
                return;
        }
        r = api_request_new(a, x);
        if (!r)
                return;
        if (!read_source(x, &source)) {
                argument_source_done(&source);
                free(r);
                api_reply_error(x, PLUGIN_ERROR_INTERNAL, "the host is out of memory");
                return;
        }
        call =
            supervisor_run(a->o.supervisor, p->segments[2], p->segments[4], &source, on_run_end, r);
        /* NULL: it was answered, and r is gone. */
        if (call)
                r->call = call;
}

/* --- reload --- */

static void on_reloaded(void *ctx)
{
        struct api_request *r = ctx;
        struct plugin_registry *registry = supervisor_registry(r->api->o.supervisor);
        scoped(free) struct plugin_health *h = malloc(sizeof *h);

        supervisor_refresh(r->api->o.supervisor, r->plugin);
        if (h && plugin_registry_get_status(registry, r->plugin, h) == 0)
                api_reply_json(r->x, 200, health_model_plugin(h, clock_mono_ns()));
        else
                api_reply_unknown_plugin(r->api, r->x, r->plugin);
        free(r);
}

void api_post_reload(struct api *a, struct http_exchange *x, const struct api_path *p)
{
        struct api_request *r;
        int result;

        if (a->draining) {
                api_reply_error(x, PLUGIN_ERROR_PLUGIN_UNAVAILABLE, "the server is shutting down");
                return;
        }
        r = api_request_new(a, x);
        if (!r)
                return;
        snprintf(r->plugin, sizeof r->plugin, "%s", p->segments[2]);
        result = supervisor_reload(a->o.supervisor, p->segments[2], on_reloaded, r);
        if (result == 0)
                return;
        free(r);
        if (result > 0)
                api_reply_unknown_plugin(a, x, p->segments[2]);
        else
                api_reply_error(x, PLUGIN_ERROR_INTERNAL, "the host is out of memory");
}

static void on_all_reloaded(void *ctx)
{
        struct api_request *r = ctx;
        struct plugin_registry *registry = supervisor_registry(r->api->o.supervisor);
        scoped(free) struct plugin_health *list = NULL;
        size_t n = 0;

        supervisor_refresh(r->api->o.supervisor, NULL);
        if (plugin_registry_list_all(registry, &list, &n) == 0)
                api_reply_json(r->x, 200, health_model_list(list, n, clock_mono_ns()));
        else
                api_reply_error(r->x, PLUGIN_ERROR_INTERNAL, "the host is out of memory");
        free(r);
}

void api_post_reload_all(struct api *a, struct http_exchange *x,
                         unused_param const struct api_path *p)
{
        struct api_request *r;
        struct err e;

        if (a->draining) {
                api_reply_error(x, PLUGIN_ERROR_PLUGIN_UNAVAILABLE, "the server is shutting down");
                return;
        }
        r = api_request_new(a, x);
        if (!r)
                return;
        if (supervisor_reload_all(a->o.supervisor, on_all_reloaded, r, &e) < 0) {
                free(r);
                api_reply_error(x, PLUGIN_ERROR_INTERNAL, "%s", e.msg);
        }
}
