#include "host/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "health/health_router.h"
#include "host/api_internal.h"

/* --- replies --- */

static void reply_text(struct http_exchange *x, unsigned status, char *take_text, size_t size,
                       const char *header, const char *value)
{
        struct http_reply reply = {
            .status = status, .take_body = take_text, .size = size, .extra = {header, value}};

        if (!take_text)
                reply.status = 500;
        http_exchange_reply(x, &reply);
}

void api_reply_json(struct http_exchange *x, unsigned status, json_t *take_body)
{
        scoped(json_decref) json_t *body = take_body;
        struct str text = {0};
        size_t n;

        if (body)
                str_add_json(&text, body);
        else
                text.bad = true;
        n = text.len;
        reply_text(x, status, str_take(&text), n, NULL, NULL);
}

static void reply_error(struct http_exchange *x, enum plugin_error error, const char *type,
                        const char *words, const char *traceback, const char *header,
                        const char *value)
{
        size_t n = 0;
        char *text = plugin_error_envelope(error, type, words, traceback, &n);

        reply_text(x, plugin_error_status(error), text, n, header, value);
}

void api_reply_error(struct http_exchange *x, enum plugin_error error, const char *fmt, ...)
{
        char words[1024];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(words, sizeof words, fmt, ap);
        va_end(ap);
        reply_error(x, error, NULL, words, NULL,
                    error == PLUGIN_ERROR_UNAUTHORIZED ? "WWW-Authenticate" : NULL, "Bearer");
}

void api_reply_outcome(struct http_exchange *x, struct tool_outcome *o)
{
        bool busy = o->error == PLUGIN_ERROR_PLUGIN_BUSY;
        size_t n = 0;
        char *text = tool_outcome_take_envelope(o, &n);

        reply_text(x, o->error == PLUGIN_ERROR_NONE ? 200 : plugin_error_status(o->error), text, n,
                   busy ? "Retry-After" : NULL, "1");
}

/* --- health --- */

static int source_get(void *ctx, const char *name, struct plugin_health *ret)
{
        return plugin_registry_get_status(ctx, name, ret);
}

static int source_list(void *ctx, struct plugin_health **ret, size_t *ret_n)
{
        return plugin_registry_list_all(ctx, ret, ret_n);
}

void api_get_health(struct api *a, struct http_exchange *x, const struct api_path *p)
{
        struct supervisor *s = a->o.supervisor;
        struct health_source source = {supervisor_registry(s), source_get, source_list};
        struct health_host host = {.mono_now_ns = clock_mono_ns(),
                                   .uptime_ns = clock_mono_ns() - a->started_ns,
                                   .version = a->o.version,
                                   .draining = a->draining};
        scoped(free) char **pending = NULL;
        struct health_answer answer;

        if (p->n >= 2 && !strcmp(p->segments[1], "plugins"))
                supervisor_refresh(s, p->n > 2 ? p->segments[2] : NULL);
        else
                pending = supervisor_pending(s, &host.n_pending);
        host.pending = (const char *const *)pending;
        if (health_router_answer(http_exchange_path(x), http_exchange_query(x, "verbose") != NULL,
                                 &source, &host, &answer) != 0)
                api_reply_error(x, PLUGIN_ERROR_NOT_FOUND, "no such route");
        else
                api_reply_json(x, answer.status, answer.body);
}

/* --- the table of routes --- */

typedef void (*route_fn)(struct api *a, struct http_exchange *x, const struct api_path *p);

/* pattern: segments; "*" is any one. */
struct route {
        const char *method;
        const char *pattern;
        route_fn fn;
};

static const struct route routes[] = {
    {"GET", "livez", api_get_health},
    {"GET", "readyz", api_get_health},
    {"GET", "healthz", api_get_health},
    {"GET", "v1/health", api_get_health},
    {"GET", "v1/events", api_get_events},
    {"GET", "v1/plugins", api_get_health},
    {"POST", "v1/plugins/reload-all", api_post_reload_all},
    {"GET", "v1/plugins/*", api_get_health},
    {"GET", "v1/plugins/*/health", api_get_health},
    {"GET", "v1/plugins/*/manifest", api_get_manifest},
    {"GET", "v1/plugins/*/logs", api_get_logs},
    {"POST", "v1/plugins/*/reload", api_post_reload},
    {"POST", "v1/plugins/*/tools/*/run", api_post_run},
};

const char *const api_vital_paths[] = {"/livez", "/readyz", "/healthz", NULL};

static bool cut_path(const char *path, struct api_path *p)
{
        char *rest = p->text;

        p->n = 0;
        if (path[0] != '/' || strlen(path) >= sizeof p->text)
                return false;
        strcpy(p->text, path + 1);
        while (rest && p->n < API_SEGMENTS_MAX)
                p->segments[p->n++] = strsep(&rest, "/");
        return !rest;
}

static bool matches(const struct route *r, const struct api_path *p)
{
        const char *pattern = r->pattern;

        for (size_t i = 0; i < p->n; i++) {
                size_t n = strcspn(pattern, "/");
                bool any = n == 1 && *pattern == '*';

                if (n == 0 ||
                    (!any && (strlen(p->segments[i]) != n || memcmp(p->segments[i], pattern, n))))
                        return false;
                pattern += n;
                if ((*pattern == '/') != (i + 1 < p->n))
                        return false;
                pattern += *pattern == '/';
        }
        return true;
}

/* The route, or NULL and what to say: the methods that the path has, "" for none. */
static const struct route *find_route(const char *method, const struct api_path *p, char *allow,
                                      size_t size)
{
        bool head = !strcmp(method, "HEAD");

        allow[0] = '\0';
        for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
                size_t used = strlen(allow);

                if (!matches(&routes[i], p))
                        continue;
                if (!strcmp(routes[i].method, head ? "GET" : method))
                        return &routes[i];
                snprintf(allow + used, size - used, "%s%s%s", used ? ", " : "", routes[i].method,
                         !strcmp(routes[i].method, "GET") ? ", HEAD" : "");
                /* A path that is spelled out is no plugin's name. */
                if (!strchr(routes[i].pattern, '*'))
                        break;
        }
        return NULL;
}

/* Says why not, in the API's own form: nobody learns of a route that is not for them. */
static bool guard(struct api *a, struct http_exchange *x)
{
        const char *words = "";

        switch (http_guard_check(
            a->guard, http_exchange_header(x, "Host"), http_exchange_header_count(x, "Host"),
            http_exchange_header(x, "Origin"), http_exchange_header(x, "Authorization"), &words)) {
        case HTTP_GUARD_OK:
                return true;
        case HTTP_GUARD_BAD_REQUEST:
                api_reply_error(x, PLUGIN_ERROR_BAD_REQUEST, "%s", words);
                return false;
        case HTTP_GUARD_UNAUTHORIZED:
                api_reply_error(x, PLUGIN_ERROR_UNAUTHORIZED, "%s", words);
                return false;
        case HTTP_GUARD_FORBIDDEN:
                api_reply_error(x, PLUGIN_ERROR_FORBIDDEN, "%s", words);
                return false;
        }
        return false;
}

static void no_route(struct http_exchange *x, const char *allow)
{
        if (!allow[0])
                api_reply_error(x, PLUGIN_ERROR_NOT_FOUND,
                                "no route %s %.200s; GET /v1/plugins lists the plugins",
                                http_exchange_method(x), http_exchange_path(x));
        else
                reply_error(x, PLUGIN_ERROR_METHOD_NOT_ALLOWED, NULL,
                            "this path takes another method; see Allow", NULL, "Allow", allow);
}

static int on_head(void *ctx, struct http_exchange *x)
{
        const struct route *r;
        struct api_path path;
        char allow[64];

        if (!guard(ctx, x))
                return 1;
        if (!cut_path(http_exchange_path(x), &path))
                path.n = 0;
        r = path.n > 0 ? find_route(http_exchange_method(x), &path, allow, sizeof allow) : NULL;
        if (!r) {
                no_route(x, path.n > 0 ? allow : "");
                return 1;
        }
        http_exchange_set_data(x, (void *)(uintptr_t)r);
        return 0;
}

static void on_request(void *ctx, struct http_exchange *x)
{
        const struct route *r = http_exchange_data(x);
        struct api_path path;

        /* From here on it is the request that the route makes, if it makes one. */
        http_exchange_set_data(x, NULL);
        (void)cut_path(http_exchange_path(x), &path); /* it could be, when the route was found */
        r->fn(ctx, x, &path);
}

static void on_gone(unused_param void *ctx, struct http_exchange *x)
{
        struct api_request *r = http_exchange_data(x);

        if (!r)
                return;
        if (r->feed)
                api_stream_gone(r);
        else if (r->call)
                supervisor_cancel(r->api->o.supervisor, r->call);
        else
                supervisor_forget(r->api->o.supervisor, r);
        free(r);
}

/* What the server refuses by itself, under the API's names. */
static enum plugin_error error_of(unsigned status)
{
        static const enum plugin_error refusals[] = {
            PLUGIN_ERROR_REQUEST_TIMEOUT,      PLUGIN_ERROR_PAYLOAD_TOO_LARGE,
            PLUGIN_ERROR_URI_TOO_LONG,         PLUGIN_ERROR_UNSUPPORTED_MEDIA_TYPE,
            PLUGIN_ERROR_EXPECTATION_FAILED,   PLUGIN_ERROR_HEADERS_TOO_LARGE,
            PLUGIN_ERROR_NOT_IMPLEMENTED,      PLUGIN_ERROR_SERVER_BUSY,
            PLUGIN_ERROR_VERSION_NOT_SUPPORTED};

        for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
                if (plugin_error_status(refusals[i]) == status)
                        return refusals[i];
        return status >= 500 ? PLUGIN_ERROR_INTERNAL : PLUGIN_ERROR_BAD_REQUEST;
}

static char *on_refusal(unused_param void *ctx, unsigned status, const char *words,
                        size_t *ret_size)
{
        return plugin_error_envelope(error_of(status), NULL, words, NULL, ret_size);
}

static void on_calm(void *ctx)
{
        struct api *a = ctx;

        memory_trim_soon(&a->trim);
}

void api_handler(struct api *a, struct http_handler *ret)
{
        *ret = (struct http_handler){.ctx = a,
                                     .head = on_head,
                                     .request = on_request,
                                     .gone = on_gone,
                                     .refusal = on_refusal,
                                     .calm = on_calm};
}

int api_new(const struct api_options *o, struct api **ret, struct err *e)
{
        struct api *a = calloc(1, sizeof *a);

        if (!a)
                return err_set_errno(e, -ENOMEM, "make the API");
        a->o = *o;
        a->started_ns = clock_mono_ns();
        a->trim = (struct memory_trim){.loop = o->loop, .pool = o->pool};
        api_stream_init(a);
        *ret = a;
        return 0;
}

void api_free(struct api *a)
{
        if (!a)
                return;
        api_stream_done(a);
        memory_trim_done(&a->trim);
        http_guard_free(a->guard);
        free(a);
}

void api_set_guard(struct api *a, struct http_guard *take_guard)
{
        http_guard_free(a->guard);
        a->guard = take_guard;
}

void api_set_draining(struct api *a)
{
        a->draining = true;
}

struct api_request *api_request_new(struct api *a, struct http_exchange *x)
{
        struct api_request *r = calloc(1, sizeof *r);

        if (!r) {
                api_reply_error(x, PLUGIN_ERROR_INTERNAL, "the host is out of memory");
                return NULL;
        }
        r->api = a;
        r->x = x;
        http_exchange_set_data(x, r);
        return r;
}
