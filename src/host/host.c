#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "host/api.h"
#include "host/memory_trim.h"
#include "http/http_guard.h"
#include "http/http_server.h"

struct host {
        const struct host_service *service;
        struct host_config *config;
        struct host_core core;
        struct api *api;
        struct http_server *server;
        struct loop_watch http_watch, signal_watch;
        struct loop_timer drain_timer, drain_poll;
        int signal_fd;
        bool draining;
};

/* --- configuration --- */

/* The address that is bound does not change with the configuration, so a token that it needs may
 * not go. */
static int make_guard(struct host *h, const struct host_config *c, struct http_guard **ret,
                      struct err *e)
{
        scoped(free) char *token = NULL;
        bool loopback = false;
        char address[64];
        int r;

        http_server_address(h->server, address);
        r = http_guard_is_loopback(address, &loopback, e);
        if (r < 0)
                return r;
        if (!loopback && !c->token_file)
                return err_set(e, -EINVAL,
                               "token_file: is needed as long as the host listens on %s", address);
        if (c->token_file)
                r = http_guard_read_token(c->token_file, &token, e);
        if (r < 0)
                return r;
        return http_guard_new(address, (const char *const *)c->allowed_hosts, token, ret, e);
}

/* Open to the network only with a token. */
static int check_listen(const struct host_config *c, struct err *e)
{
        bool loopback = false;
        int r = http_guard_is_loopback(c->listen, &loopback, e);

        if (r < 0)
                return err_wrap(e, r, "listen");
        if (!loopback && !c->token_file)
                return err_set(
                    e, -EINVAL,
                    "listen: %s is not a loopback address, and anybody who reaches it could "
                    "run plugins; set --token-file as well",
                    c->listen);
        return 0;
}

/* What the next scan needs, asked before anything of the old configuration is given up. */
static int check_folders(const struct host_config *c, struct err *e)
{
        for (char **dir = c->plugin_dirs; *dir; dir++) {
                scoped(fd) int fd = open(*dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (fd < 0)
                        return err_set_errno(e, -errno, "plugins folder %s", *dir);
        }
        return 0;
}

/* An interpreter that cannot be asked keeps no other plugin from being served. */
static void discover(struct host *h)
{
        struct err e;

        for (char **python = h->config->python_plugins; *python; python++)
                if (supervisor_discover(h->core.supervisor, *python, &e) < 0)
                        log_write(&h->core.log, LOG_LEVEL_ERROR, "%s", e.msg);
}

static void reread(struct host *h)
{
        struct host_config *fresh = NULL;
        struct http_guard *guard = NULL;
        struct err e;
        int r = h->service->reread(h->service->ctx, &fresh, &e);

        if (r == 0)
                r = check_listen(fresh, &e);
        if (r == 0)
                r = check_folders(fresh, &e);
        if (r == 0)
                r = make_guard(h, fresh, &guard, &e);
        if (r < 0) {
                log_write(&h->core.log, LOG_LEVEL_ERROR,
                          "the new configuration is refused, the old one stays: %s", e.msg);
                host_config_free(fresh);
                return;
        }
        if (strcmp(fresh->listen, h->config->listen))
                log_write(&h->core.log, LOG_LEVEL_WARNING,
                          "listen changes with the next start only");
        supervisor_configure(h->core.supervisor, fresh);
        h->core.log.level = fresh->log_level;
        host_config_free(h->config);
        h->config = fresh;
        api_set_guard(h->api, guard);
        for (char **dir = h->config->plugin_dirs; *dir; dir++)
                if (supervisor_scan(h->core.supervisor, *dir, &e) < 0)
                        log_write(&h->core.log, LOG_LEVEL_ERROR, "%s", e.msg);
        discover(h);
        log_write(&h->core.log, LOG_LEVEL_INFO, "the configuration was read anew");
}

/* --- the end --- */

static void on_drain_over(void *ctx)
{
        struct host *h = ctx;

        loop_stop(h->core.loop);
}

static void on_drain_poll(void *ctx)
{
        struct host *h = ctx;

        /* A call has ended when its client has the answer. */
        if ((supervisor_is_drained(h->core.supervisor) && !http_server_is_answering(h->server)) ||
            loop_timer_set(h->core.loop, &h->drain_poll, clock_mono_ns() + 20 * NSEC_PER_MSEC,
                           on_drain_poll, h) < 0)
                loop_stop(h->core.loop);
}

static void drain(struct host *h, const char *why)
{
        if (h->draining) {
                loop_stop(h->core.loop);
                return;
        }
        h->draining = true;
        log_write(&h->core.log, LOG_LEVEL_INFO,
                  "%s: draining; calls under way have %d s, new ones get 503", why,
                  HOST_DRAIN_SECONDS);
        supervisor_drain(h->core.supervisor);
        api_set_draining(h->api);
        if (loop_timer_set(h->core.loop, &h->drain_timer,
                           clock_mono_ns() + HOST_DRAIN_SECONDS * NSEC_PER_SEC, on_drain_over,
                           h) < 0)
                loop_stop(h->core.loop);
        on_drain_poll(h);
}

static void on_signal(void *ctx, unused_param uint32_t events)
{
        struct host *h = ctx;
        struct signalfd_siginfo info;

        while (read(h->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
                if (info.ssi_signo == SIGHUP)
                        reread(h);
                else
                        drain(h, info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
        }
}

/* --- HTTP in the loop --- */

static void on_http(void *ctx, unused_param uint32_t events)
{
        struct host *h = ctx;

        http_server_run(h->server);
}

static int64_t before_wait(void *ctx)
{
        struct host *h = ctx;
        int64_t ns = http_server_timeout_ns(h->server);

        if (ns != 0)
                return ns;
        http_server_run(h->server);
        return http_server_timeout_ns(h->server);
}

static void on_event(void *ctx, const struct supervisor_event *event)
{
        struct host *h = ctx;

        if (h->api)
                api_on_event(h->api, event);
}

/* --- the beginning --- */

static int watch_signals(struct host *h, struct err *e)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGPIPE, SIG_IGN);
        h->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (h->signal_fd < 0)
                return err_set_errno(e, -errno, "signalfd");
        return 0;
}

static int start_http(struct host *h, struct err *e)
{
        struct api_options api = {.supervisor = h->core.supervisor,
                                  .loop = h->core.loop,
                                  .pool = h->core.pool,
                                  .log = &h->core.log,
                                  .version = h->service->version};
        struct http_options http = {.listen = h->config->listen,
                                    .body_max = h->config->max_body_bytes,
                                    .connections_max = h->config->max_connections,
                                    .per_address_max = h->config->max_connections_per_address,
                                    .held_max = h->config->max_buffered_bytes,
                                    .idle_seconds = 60,
                                    .request_seconds = 60,
                                    .reserved_for = api_vital_paths};
        struct http_handler handler;
        struct http_guard *guard = NULL;
        int r = api_new(&api, &h->api, e);

        if (r < 0)
                return r;
        api_handler(h->api, &handler);
        r = http_server_new(&http, &handler, &h->server, e);
        if (r == 0)
                r = make_guard(h, h->config, &guard, e);
        if (r < 0)
                return r;
        api_set_guard(h->api, guard);
        r = loop_watch(h->core.loop, &h->http_watch, http_server_fd(h->server), EPOLLIN, on_http,
                       h);
        if (r < 0)
                return err_set_errno(e, r, "watch the HTTP server");
        loop_set_prepare(h->core.loop, before_wait, h);
        return 0;
}

static int start_plugins(struct host *h, struct err *e)
{
        bool packages = *h->config->python_plugins != NULL;
        int total = 0;

        for (char **dir = h->config->plugin_dirs; *dir; dir++) {
                total = supervisor_scan(h->core.supervisor, *dir, e);
                /* Who has plugins in packages need have no folder of them. */
                if (total == -ENOENT && packages)
                        log_write(&h->core.log, LOG_LEVEL_WARNING, "%s", e->msg);
                else if (total < 0)
                        return total;
        }
        discover(h);
        if (total == 0 && !packages)
                log_write(&h->core.log, LOG_LEVEL_WARNING,
                          "no plugin found: a plugin is a folder with a manifest.json");
        return 0;
}

static int start(struct host *h, struct err *e)
{
        const struct supervisor_options like = {.on_event = on_event, .ctx = h};
        struct rlimit files;
        int r = check_listen(h->config, e);

        if (r < 0)
                return r;
        memory_trim_prepare();
        /* Each worker costs half a dozen descriptors, each client one. */
        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
                files.rlim_cur = MIN_OF(files.rlim_max, (rlim_t)65536);
                (void)setrlimit(RLIMIT_NOFILE, &files);
        }
        r = watch_signals(h, e);
        if (r == 0)
                r = host_core_init(&h->core, h->config, &like, e);
        if (r == 0 &&
            loop_watch(h->core.loop, &h->signal_watch, h->signal_fd, EPOLLIN, on_signal, h) < 0)
                r = err_set_errno(e, -ENOMEM, "watch signals");
        if (r == 0)
                r = start_http(h, e);
        return r == 0 ? start_plugins(h, e) : r;
}

static void stop(struct host *h)
{
        if (h->core.loop) {
                loop_set_prepare(h->core.loop, NULL, NULL);
                loop_timer_unset(h->core.loop, &h->drain_timer);
                loop_timer_unset(h->core.loop, &h->drain_poll);
        }
        /* Whoever waits is answered first, then the server goes, which may still be asked and still
         * speaks to the supervisor of clients that leave; that one goes last. */
        pool_free(take_ptr(h->core.pool));
        if (h->api)
                api_set_draining(h->api);
        if (h->core.supervisor)
                supervisor_close(h->core.supervisor);
        if (h->server)
                http_server_run(h->server);
        http_server_free(h->server);
        api_free(h->api);
        if (h->core.loop)
                loop_unwatch(h->core.loop, &h->signal_watch);
        fd_close(h->signal_fd);
        host_core_done(&h->core);
        host_config_free(h->config);
}

int host_serve(const struct host_service *service, struct err *e)
{
        struct host h = {.service = service, .config = service->take_config, .signal_fd = -1};
        char address[64];
        int r = start(&h, e);

        if (r == 0) {
                http_server_address(h.server, address);
                log_write(&h.core.log, LOG_LEVEL_INFO, "sandbox: %s, memory by %s",
                          isolation_level_name(supervisor_isolation(h.core.supervisor)->level),
                          supervisor_isolation(h.core.supervisor)->memory == ISOLATION_MEMORY_RLIMIT
                              ? "rlimit and watch"
                              : "cgroup");
                fprintf(stderr, "forgesyte: listening on http://%s\n", address);
                r = loop_run(h.core.loop, e);
        }
        stop(&h);
        return r;
}
