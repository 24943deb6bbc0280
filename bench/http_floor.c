/* http_floor.c -- what the HTTP server alone costs: 100 bytes, answered at once.
 *
 *   http_floor [ADDR:PORT] [later]      then: wrk -c32 -t1 -d5 http://ADDR:PORT/
 *
 * "later" answers from outside request(), as the host does for a call that a worker runs. On
 * SIGINT or SIGTERM it prints the requests and the CPU time of each. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "http/http_server.h"

#define WAITING_MAX 1024

struct floor {
        uint64_t requests;
        bool later;
        struct http_exchange *waiting[WAITING_MAX];
        size_t n;
};

static void answer(struct http_exchange *x)
{
        char *body = malloc(100);

        if (body)
                memset(body, 'x', 100);
        http_exchange_reply(x, &(struct http_reply){.status = 200, .take_body = body, .size = 100});
}

static int on_head(void *ctx unused_param, struct http_exchange *x unused_param)
{
        return 0;
}

static void on_request(void *ctx, struct http_exchange *x)
{
        struct floor *f = ctx;

        f->requests++;
        if (f->later && f->n < WAITING_MAX)
                f->waiting[f->n++] = x;
        else
                answer(x);
}

static void on_gone(void *ctx, struct http_exchange *x)
{
        struct floor *f = ctx;

        for (size_t i = 0; i < f->n; i++)
                if (f->waiting[i] == x)
                        f->waiting[i] = f->waiting[--f->n];
}

static char *on_refusal(void *ctx unused_param, unsigned status unused_param, const char *words,
                        size_t *ret_size)
{
        *ret_size = strlen(words);
        return strdup(words);
}

static void on_calm(void *ctx unused_param)
{
}

static double cpu_us(void)
{
        struct rusage u;

        getrusage(RUSAGE_SELF, &u);
        return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void serve(struct floor *f, struct http_server *s, int stop_fd)
{
        struct pollfd fds[2] = {{http_server_fd(s), POLLIN, 0}, {stop_fd, POLLIN, 0}};
        int64_t began = clock_mono_ns();
        double cpu = cpu_us();

        while (!(fds[1].revents & POLLIN)) {
                int64_t ns = http_server_timeout_ns(s);

                poll(fds, 2, ns < 0 ? -1 : (int)((ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC));
                http_server_run(s);
                while (f->n)
                        answer(f->waiting[--f->n]);
        }
        cpu = cpu_us() - cpu;
        printf("%" PRIu64 " requests in %.1f s, %.2f us of CPU each\n", f->requests,
               (double)(clock_mono_ns() - began) / 1e9,
               f->requests ? cpu / (double)f->requests : 0);
}

int main(int argc, char **argv)
{
        struct floor f = {.later = argc > 2 && strcmp(argv[2], "later") == 0};
        struct http_handler handler = {&f, on_head, on_request, on_gone, on_refusal, on_calm};
        struct http_options options = {.listen = argc > 1 ? argv[1] : "127.0.0.1:0",
                                       .body_max = MIB(64),
                                       .connections_max = 512,
                                       .idle_seconds = 60,
                                       .request_seconds = 10};
        struct http_server *s = NULL;
        struct err e = {0};
        char address[64];
        sigset_t stop;

        sigemptyset(&stop);
        sigaddset(&stop, SIGINT);
        sigaddset(&stop, SIGTERM);
        sigprocmask(SIG_BLOCK, &stop, NULL);
        scoped(fd) int stop_fd = signalfd(-1, &stop, SFD_CLOEXEC);
        if (stop_fd < 0 || http_server_new(&options, &handler, &s, &e) < 0) {
                fprintf(stderr, "http_floor: %s\n", e.msg);
                return 1;
        }
        http_server_address(s, address);
        printf("http://%s/\n", address);
        fflush(stdout);
        serve(&f, s, stop_fd);
        http_server_free(s);
        return 0;
}
