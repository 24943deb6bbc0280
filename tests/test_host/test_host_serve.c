/* The whole host in a process of its own: how it ends while somebody waits for it.
 * Its workers are fake_worker, told by the plugin's environment what to do. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/test.h"
#include "base/fd.h"
#include "base/str.h"
#include "host/host.h"

#define BOOT    "hello;load;ready;ready;"
#define ALARM_S 60 /* what hangs ends the test */

static char worker_path[PATH_MAX];

struct server {
        char dir[64];
        pid_t pid;
        int port;
};

static int reread(void *ctx, struct host_config **ret, struct err *e)
{
        (void)ctx, (void)ret;
        return err_set(e, -22, "there is no configuration");
}

/* In the child. */
static void serve(const struct server *s)
{
        struct host_service service = {.reread = reread, .version = "test"};
        struct host_config *c = host_config_new();
        struct err e = {0};

        free(c->listen);
        free(c->plugin_dirs[0]);
        c->listen = strdup("127.0.0.1:0");
        c->plugin_dirs[0] = strdup(s->dir);
        c->worker = strdup(worker_path);
        c->min_isolation = ISOLATION_NONE;
        service.take_config = c;
        exit(host_serve(&service, &e) == 0 ? 0 : 1);
}

static void write_plugin(const struct server *s, const char *script)
{
        scoped(str) struct str text = {0};
        char path[128];
        int fd;

        str_addf(&text,
                 "{\"name\":\"p\",\"version\":\"1\",\"runtime\":\"native\",\"entrypoint\":\"p.so\","
                 "\"env\":{\"FAKE_SCRIPT\":\"%s\"}}",
                 script);
        snprintf(path, sizeof path, "%s/p", s->dir);
        assert_int_equal(mkdir(path, 0755), 0);
        snprintf(path, sizeof path, "%s/p/manifest.json", s->dir);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        assert_int_equal(fd_write_all(fd, text.data, text.len), 0);
        close(fd);
}

static void start(struct server *s, const char *script)
{
        char line[4096] = "", *port;
        int out[2];
        size_t n = 0;

        alarm(ALARM_S);
        snprintf(s->dir, sizeof s->dir, "/tmp/forgesyte-test-XXXXXX");
        assert_non_null(mkdtemp(s->dir));
        assert_int_equal(chmod(s->dir, 0755), 0);
        write_plugin(s, script);
        assert_int_equal(pipe(out), 0);
        s->pid = fork();
        if (s->pid == 0) {
                dup2(out[1], STDERR_FILENO);
                serve(s);
        }
        close(out[1]);
        while (!(port = strstr(line, "listening on http://127.0.0.1:")) || !strchr(port, '\n')) {
                ssize_t r = read(out[0], line + n, sizeof line - 1 - n);

                if (r <= 0)
                        fail_msg("it did not start: %s", line);
                n += (size_t)r;
                line[n] = '\0';
        }
        s->port = atoi(port + strlen("listening on http://127.0.0.1:"));
        /* The rest of its words is for whoever runs the test. */
        if (fork() == 0) {
                ssize_t r;

                while ((r = read(out[0], line, sizeof line)) > 0)
                        (void)!write(STDERR_FILENO, line, (size_t)r);
                _exit(0);
        }
        close(out[0]);
}

static int ask(const struct server *s, const char *method, const char *path)
{
        struct sockaddr_in addr = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)s->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char text[512];
        int n = snprintf(text, sizeof text,
                         "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n"
                         "Content-Length: 0\r\n\r\n",
                         method, path, s->port);

        assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
        assert_int_equal(fd_write_all(fd, text, (size_t)n), 0);
        return fd;
}

static void expect_answer(int fd, unsigned status, const char *words)
{
        char text[65536], head[32];
        size_t n = 0;
        ssize_t r;

        while ((r = read(fd, text + n, sizeof text - 1 - n)) > 0)
                n += (size_t)r;
        text[n] = '\0';
        close(fd);
        snprintf(head, sizeof head, "HTTP/1.1 %u ", status);
        if (strncmp(text, head, strlen(head)) || !strstr(text, words))
                fail_msg("\"%s\" is not %u with \"%s\"", text, status, words);
}

/* What was sent before this was seen when its answer is here. */
static void settle(const struct server *s)
{
        expect_answer(ask(s, "GET", "/livez"), 200, "");
}

/* Asks again and again until the answer says this. */
static void await_words(const struct server *s, const char *path, const char *words)
{
        char text[65536];

        do {
                int fd = ask(s, "GET", path);
                size_t n = 0;
                ssize_t r;

                while ((r = read(fd, text + n, sizeof text - 1 - n)) > 0)
                        n += (size_t)r;
                text[n] = '\0';
                close(fd);
        } while (!strstr(text, words));
}

static void await_state(const struct server *s, const char *state)
{
        await_words(s, "/v1/plugins/p/health", state);
}

static void stop(const struct server *s)
{
        assert_int_equal(kill(s->pid, SIGTERM), 0);
}

static void expect_end(struct server *s)
{
        scoped(str) struct str command = {0};
        int status;

        assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        while (wait(NULL) > 0)
                ;
        str_addf(&command, "rm -rf '%s'", s->dir);
        assert_int_equal(system(command.data), 0);
        alarm(0);
}

static void test_reloads_under_way_are_answered_before_it_ends(void **state)
{
        struct server s;
        int one, all;

        (void)state;
        start(&s, "hello;hang");
        one = ask(&s, "POST", "/v1/plugins/p/reload");
        all = ask(&s, "POST", "/v1/plugins/reload-all");
        settle(&s);
        stop(&s);
        expect_answer(one, 200, "the server is shutting down");
        expect_answer(all, 200, "the server is shutting down");
        expect_end(&s);
}

static void test_a_call_under_way_ends_when_it_must_end_now(void **state)
{
        struct server s;
        int call;

        (void)state;
        start(&s, BOOT "read;hang");
        await_state(&s, "INITIALIZED");
        call = ask(&s, "POST", "/v1/plugins/p/tools/t/run");
        await_state(&s, "RUNNING");
        stop(&s);
        await_words(&s, "/readyz", "HTTP/1.1 503");
        expect_answer(ask(&s, "POST", "/v1/plugins/p/tools/t/run"), 503, "shutting down");
        stop(&s);
        expect_answer(call, 503, "PluginUnavailable");
        expect_end(&s);
}

static void test_a_call_under_way_may_end_by_itself(void **state)
{
        struct server s;
        int call;

        (void)state;
        start(&s, BOOT "read;sleep 700;result {}");
        await_state(&s, "INITIALIZED");
        call = ask(&s, "POST", "/v1/plugins/p/tools/t/run");
        await_state(&s, "RUNNING");
        stop(&s);
        expect_answer(call, 200, "\"ok\":true");
        expect_end(&s);
}

static void test_streams_end_with_it(void **state)
{
        struct server s;
        int events, logs;

        (void)state;
        start(&s, BOOT "hang");
        events = ask(&s, "GET", "/v1/events");
        logs = ask(&s, "GET", "/v1/plugins/p/logs?follow=1");
        await_state(&s, "INITIALIZED");
        settle(&s);
        stop(&s);
        expect_answer(events, 200, "text/event-stream");
        expect_answer(logs, 200, "text/event-stream");
        expect_end(&s);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_reloads_under_way_are_answered_before_it_ends),
            cmocka_unit_test(test_a_call_under_way_ends_when_it_must_end_now),
            cmocka_unit_test(test_a_call_under_way_may_end_by_itself),
            cmocka_unit_test(test_streams_end_with_it),
        };

        if (argc < 2 || !realpath(argv[1], worker_path))
                return 2;
        return cmocka_run_group_tests_name("host_serve", tests, NULL, NULL);
}
