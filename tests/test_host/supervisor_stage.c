#include "supervisor_stage.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define WAIT_SECONDS 30

static char worker_path[PATH_MAX], plugin_path[PATH_MAX];

void supervisor_stage_set(const char *worker, const char *plugin)
{
        assert_non_null(realpath(worker, worker_path));
        assert_non_null(realpath(plugin, plugin_path));
}

/* --- folders --- */

static void path_in(const struct supervisor_stage *s, const char *folder, const char *file,
                    char *buf, size_t size)
{
        snprintf(buf, size, "%s/%s%s%s", s->dir, folder, *file ? "/" : "", file);
}

void supervisor_stage_write(struct supervisor_stage *s, const char *folder, const char *manifest)
{
        char path[256];
        int fd;

        path_in(s, folder, "", path, sizeof path);
        (void)mkdir(path, 0755);
        path_in(s, folder, "manifest.json", path, sizeof path);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, manifest, strlen(manifest)), 0);
        close(fd);
}

static void copy_plugin(struct supervisor_stage *s, const char *folder)
{
        char path[256];
        int from, to;
        struct stat st;

        path_in(s, folder, "p.so", path, sizeof path);
        /* A worker may have it mapped. */
        if (access(path, F_OK) == 0)
                return;
        from = open(plugin_path, O_RDONLY | O_CLOEXEC);
        to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
        assert_true(from >= 0 && to >= 0 && fstat(from, &st) == 0);
        assert_int_equal(sendfile(to, from, NULL, (size_t)st.st_size), st.st_size);
        close(from);
        close(to);
}

void supervisor_stage_add(struct supervisor_stage *s, const char *folder, const char *name,
                          const char *members)
{
        scoped(str) struct str text = {0};

        str_addf(&text,
                 "{\"name\":\"%s\",\"version\":\"1\",\"runtime\":\"native\",\"entrypoint\":\"p.so\""
                 "%s}",
                 name, members);
        supervisor_stage_write(s, folder, text.data);
        copy_plugin(s, folder);
}

void supervisor_stage_remove(struct supervisor_stage *s, const char *folder)
{
        char path[256];

        path_in(s, folder, "manifest.json", path, sizeof path);
        unlink(path);
        path_in(s, folder, "p.so", path, sizeof path);
        unlink(path);
        path_in(s, folder, "", path, sizeof path);
        rmdir(path);
}

/* --- the supervisor --- */

static void on_event(void *ctx, const struct supervisor_event *event)
{
        struct supervisor_stage *s = ctx;

        if (event->kind == SUPERVISOR_STATE && !s->quiet)
                str_addf(&s->trace, "%s %s; ", event->plugin, lifecycle_state_name(event->to));
}

void supervisor_stage_init(struct supervisor_stage *s)
{
        memset(s, 0, sizeof *s);
        snprintf(s->dir, sizeof s->dir, "/tmp/forgesyte-test-XXXXXX");
        assert_non_null(mkdtemp(s->dir));
        assert_int_equal(chmod(s->dir, 0755), 0);
        s->config = host_config_new();
        assert_non_null(s->config);
        s->config->min_isolation = ISOLATION_NONE;
        free(s->config->plugin_dirs[0]);
        s->config->plugin_dirs[0] = strdup(s->dir);
}

void supervisor_stage_start(struct supervisor_stage *s)
{
        struct supervisor_options o = {.config = s->config,
                                       .worker_path = worker_path,
                                       .only = s->only,
                                       .check_only = s->check_only,
                                       .on_event = on_event,
                                       .ctx = s};
        struct err e = {0};

        if (loop_new(&s->loop, &e) < 0 || pool_new(s->loop, 2, &s->pool, &e) < 0)
                fail_msg("%s", e.msg);
        o.loop = s->loop;
        o.pool = s->pool;
        if (supervisor_new(&o, &s->supervisor, &e) < 0 ||
            supervisor_scan(s->supervisor, s->dir, &e) < 0)
                fail_msg("%s", e.msg);
}

void supervisor_stage_open(struct supervisor_stage *s, const char *members)
{
        supervisor_stage_init(s);
        supervisor_stage_add(s, "p", "p", members);
        supervisor_stage_start(s);
        supervisor_stage_await(s, "p INITIALIZED; ");
        supervisor_stage_expect(s, "p LOADED; p INITIALIZED; ");
}

void supervisor_stage_stop(struct supervisor_stage *s)
{
        pool_free(take_ptr(s->pool));
        supervisor_free(take_ptr(s->supervisor));
        loop_free(take_ptr(s->loop));
}

void supervisor_stage_done(struct supervisor_stage *s)
{
        scoped(str) struct str command = {0};

        supervisor_stage_stop(s);
        host_config_free(s->config);
        str_done(&s->trace);
        for (unsigned i = 0; i < s->n_calls; i++)
                assert_true(s->calls[i].ends <= 1);
        str_addf(&command, "rm -rf '%s'", s->dir);
        assert_int_equal(system(command.data), 0);
}

/* --- calls --- */

static void on_end(void *ctx, struct tool_outcome *o)
{
        struct stage_call *c = ctx;

        c->ends++;
        c->handle = NULL;
        c->error = o->error;
        c->ms = o->ms;
        snprintf(c->words, sizeof c->words, "%s", o->words ? o->words : "");
        snprintf(c->result, sizeof c->result, "%s", o->result ? o->result : "");
        str_addf(&c->stage->trace, "%s=%s; ", c->name,
                 o->error ? plugin_error_name(o->error) : "ok");
        if (c->then)
                c->then(c->stage);
}

struct stage_call *supervisor_stage_call_of(struct supervisor_stage *s, const char *plugin,
                                            const char *name, const char *tool, const char *json)
{
        struct argument_source source = {.content_type = strdup("application/json"),
                                         .body = strdup(json),
                                         .body_size = strlen(json)};
        struct stage_call *c = &s->calls[s->n_calls++];
        struct host_call *handle;

        assert_true(s->n_calls <= STAGE_CALLS_MAX);
        c->stage = s;
        snprintf(c->name, sizeof c->name, "%s", name);
        handle = supervisor_run(s->supervisor, plugin, tool, &source, on_end, c);
        assert_null(source.body);
        assert_true((handle == NULL) == (c->ends == 1));
        c->handle = handle;
        return c;
}

struct stage_call *supervisor_stage_call(struct supervisor_stage *s, const char *name,
                                         const char *tool, const char *json)
{
        return supervisor_stage_call_of(s, "p", name, tool, json);
}

void supervisor_stage_cancel(struct stage_call *c)
{
        assert_non_null(c->handle);
        supervisor_cancel(c->stage->supervisor, take_ptr(c->handle));
}

/* --- waiting --- */

void supervisor_stage_turn(struct supervisor_stage *s)
{
        struct err e;

        assert_int_equal(loop_turn(s->loop, &e), 0);
}

static void on_too_long(void *ctx)
{
        struct supervisor_stage *s = ctx;

        fail_msg("nothing more came after: %s", s->trace.data ? s->trace.data : "nothing");
}

void supervisor_stage_await(struct supervisor_stage *s, const char *event)
{
        struct loop_timer limit = {0};

        assert_int_equal(loop_timer_set(s->loop, &limit,
                                        clock_mono_ns() + WAIT_SECONDS * NSEC_PER_SEC, on_too_long,
                                        s),
                         0);
        while (!s->trace.data || !strstr(s->trace.data, event))
                supervisor_stage_turn(s);
        loop_timer_unset(s->loop, &limit);
}

void supervisor_stage_await_call(struct stage_call *c, enum plugin_error error)
{
        char end[32];

        snprintf(end, sizeof end, "%s=", c->name);
        if (!c->ends)
                supervisor_stage_await(c->stage, end);
        if (c->error != error)
                fail_msg("%s: %s, not %s: %s", c->name,
                         c->error ? plugin_error_name(c->error) : "ok",
                         error ? plugin_error_name(error) : "ok", c->words);
}

void supervisor_stage_expect(struct supervisor_stage *s, const char *trace)
{
        assert_string_equal(s->trace.data ? s->trace.data : "", trace);
        str_done(&s->trace);
}

struct plugin_health supervisor_stage_health(struct supervisor_stage *s, const char *plugin)
{
        struct plugin_health h = {0};

        supervisor_refresh(s->supervisor, plugin);
        assert_int_equal(plugin_registry_get_status(supervisor_registry(s->supervisor), plugin, &h),
                         0);
        return h;
}

void supervisor_stage_on_done(void *ctx)
{
        struct supervisor_stage *s = ctx;

        str_adds(&s->trace, "done; ");
}
