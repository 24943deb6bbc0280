#include "health/health_router.h"

#include <string.h>

#include "base/macro.h"
#include "base/mem.h"
#include "base/str.h"

/* Names listed in a 404; more than these help nobody. */
#define NAMES_MAX 20

struct request {
        const char *name; /* of the plugin, not NUL-terminated; NULL on routes without one */
        size_t name_len;
        bool verbose;
        const struct health_source *source;
        const struct health_host *host;
};

static const char *host_status(const struct health_host *host)
{
        return host->draining ? "draining" : host->n_pending ? "loading" : "ready";
}

/* json_object_set_new, which frees the value when it fails; missing memory makes *ok false. */
static void put(json_t *object, const char *key, json_t *take_value, bool *ok)
{
        if (!take_value || json_object_set_new(object, key, take_value) < 0)
                *ok = false;
}

static struct health_answer answer(unsigned status, json_t *take_body, bool ok)
{
        if (ok && take_body)
                return (struct health_answer){status, take_body};
        json_decref(take_body);
        return (struct health_answer){500, NULL};
}

static struct health_answer answer_livez(const struct request *req)
{
        bool ok = true;
        json_t *body = json_object();

        (void)req;
        put(body, "status", json_string("alive"), &ok);
        return answer(200, body, ok);
}

static json_t *pending_to_json(const struct health_host *host)
{
        json_t *list = json_array();

        for (size_t i = 0; list && i < host->n_pending; i++)
                if (json_array_append_new(list, json_string(host->pending[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

/* {"ocr":"INITIALIZED",...} */
static json_t *states_to_json(const struct health_source *source)
{
        scoped(free) struct plugin_health *list = NULL;
        json_t *states;
        size_t n = 0;
        bool ok = true;

        if (source->list(source->ctx, &list, &n) != 0)
                return NULL;
        states = json_object();
        for (size_t i = 0; i < n && ok; i++)
                put(states, list[i].name, json_string(lifecycle_state_name(list[i].state)), &ok);
        if (ok)
                return states;
        json_decref(states);
        return NULL;
}

static struct health_answer answer_readyz(const struct request *req)
{
        bool ready = !req->host->draining && req->host->n_pending == 0;
        json_t *body = json_object();
        bool ok = true;

        put(body, "status", json_string(host_status(req->host)), &ok);
        if (req->verbose) {
                put(body, "pending", pending_to_json(req->host), &ok);
                put(body, "plugins", states_to_json(req->source), &ok);
        }
        return answer(ready ? 200 : 503, body, ok);
}

static struct health_answer answer_summary(const struct request *req)
{
        scoped(free) struct plugin_health *list = NULL;
        json_t *body = json_object(), *plugins = json_object();
        struct health_totals totals = {0};
        size_t n = 0;
        bool ok = req->source->list(req->source->ctx, &list, &n) == 0;

        if (ok)
                totals = health_model_totals(list, n);
        put(body, "status", json_string(host_status(req->host)), &ok);
        put(body, "version", json_string(req->host->version), &ok);
        put(body, "uptime_seconds", json_real((double)req->host->uptime_ns / NSEC_PER_SEC), &ok);
        if (health_model_put_totals(plugins, &totals) < 0)
                ok = false;
        put(body, "plugins", plugins, &ok);
        return answer(200, body, ok);
}

static struct health_answer answer_list(const struct request *req)
{
        scoped(free) struct plugin_health *list = NULL;
        size_t n = 0;

        if (req->source->list(req->source->ctx, &list, &n) != 0)
                return answer(500, NULL, false);
        return answer(200, health_model_list(list, n, req->host->mono_now_ns), true);
}

/* "No plugin named 'x'. There are: ocr, motion." */
static void describe_missing(struct str *s, const struct request *req,
                             const struct plugin_health *list, size_t n)
{
        str_adds(s, "No plugin named '");
        str_add_printable(s, req->name, req->name_len, 64);
        str_adds(s, n ? "'. There are: " : "'. There are none.");
        for (size_t i = 0; i < n && i < NAMES_MAX; i++)
                str_addf(s, "%s%s", i ? ", " : "", list[i].name);
        if (n > NAMES_MAX)
                str_addf(s, " and %zu more", n - NAMES_MAX);
        if (n)
                str_addc(s, '.');
}

static struct health_answer answer_missing(const struct request *req)
{
        scoped(free) struct plugin_health *list = NULL;
        scoped(str) struct str words = {0};
        json_t *body;
        size_t n = 0;
        bool ok = true;

        if (req->source->list(req->source->ctx, &list, &n) != 0)
                return answer(500, NULL, false);
        describe_missing(&words, req, list, n);
        if (words.bad)
                return answer(500, NULL, false);
        body = json_object();
        put(body, "ok", json_false(), &ok);
        put(body, "error", json_stringn(words.data, words.len), &ok);
        put(body, "error_type", json_string("PluginNotFound"), &ok);
        return answer(404, body, ok);
}

static struct health_answer answer_plugin(const struct request *req)
{
        char name[HEALTH_NAME_SIZE];
        scoped(free) struct plugin_health *h = NULL;

        if (req->name_len >= sizeof name)
                return answer_missing(req);
        memcpy(name, req->name, req->name_len);
        name[req->name_len] = '\0';
        h = calloc(1, sizeof *h);
        if (!h)
                return answer(500, NULL, false);
        if (req->source->get(req->source->ctx, name, h) != 0)
                return answer_missing(req);
        return answer(200, health_model_plugin(h, req->host->mono_now_ns), true);
}

/* Between prefix and suffix is one non-empty segment: the plugin's name. */
static const struct route {
        const char *prefix, *suffix; /* suffix NULL: the prefix is the whole path */
        struct health_answer (*answer)(const struct request *req);
} routes[] = {
    {"/livez", NULL, answer_livez},
    {"/readyz", NULL, answer_readyz},
    {"/healthz", NULL, answer_summary},
    {"/v1/health", NULL, answer_summary},
    {"/v1/plugins", NULL, answer_list},
    {"/v1/plugins/", "", answer_plugin},
    {"/v1/plugins/", "/health", answer_plugin},
};

static bool route_matches(const struct route *route, const char *path, struct request *req)
{
        size_t prefix = strlen(route->prefix);

        if (!route->suffix)
                return strcmp(path, route->prefix) == 0;
        if (strncmp(path, route->prefix, prefix) != 0)
                return false;
        req->name = path + prefix;
        req->name_len = strcspn(req->name, "/");
        return req->name_len > 0 && strcmp(req->name + req->name_len, route->suffix) == 0;
}

int health_router_answer(const char *path, bool verbose, const struct health_source *source,
                         const struct health_host *host, struct health_answer *ret)
{
        struct request req = {.verbose = verbose, .source = source, .host = host};

        for (size_t i = 0; i < ARRAY_LEN(routes); i++)
                if (route_matches(&routes[i], path, &req)) {
                        *ret = routes[i].answer(&req);
                        return 0;
                }
        return 1;
}
