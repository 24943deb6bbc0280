/* http_fixture.h -- a server inside the test, its loop turned by whoever waits, and raw clients.
 * Paths decide what the handler does: /now answers, /later keeps the exchange in `held`, /echo
 * answers the body, /stream opens a stream into `held`, /refuse is a 404 at the head. */
#ifndef FORGESYTE_TESTS_HTTP_FIXTURE_H
#define FORGESYTE_TESTS_HTTP_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "http/http_server.h"

struct http_fixture {
        struct http_server *server;
        struct http_options options;
        struct http_exchange *held;
        struct str trace;  /* "head request gone " ... as it happened */
        struct str params; /* "a=1;" of the last request */
        char path[256], peer[64];
        size_t body_len, reply_size; /* reply_size: of /now, 2 unless set */
        unsigned calls, gone;
        size_t stream_max;
        int port;
};

/* Fills options with defaults; change them, then start. */
void http_fixture_init(struct http_fixture *f);
void http_fixture_start(struct http_fixture *f);
void http_fixture_stop(struct http_fixture *f);
/* The same for cmocka: a started one with the defaults into *state, and its end. */
int http_fixture_setup(void **state);
int http_fixture_teardown(void **state);

/* A connected, non-blocking client. */
int http_fixture_connect(struct http_fixture *f);
void http_fixture_send(struct http_fixture *f, int fd, const char *bytes, size_t n);
void http_fixture_sends(struct http_fixture *f, int fd, const char *text);
/* One turn of the loop, waiting at most ms for something to do. */
void http_fixture_turn(struct http_fixture *f, int ms);

/* Turns the loop until it holds or 10 s are over; false then. */
#define HTTP_FIXTURE_UNTIL(f, condition)                                                           \
        ({                                                                                         \
                int64_t give_up_ = clock_mono_ns() + 10 * NSEC_PER_SEC;                            \
                while (!(condition) && clock_mono_ns() < give_up_)                                 \
                        http_fixture_turn(f, 20);                                                  \
                (condition);                                                                       \
        })

/* Reads until the end, a reset (*ret_reset, may be NULL) or until `text` has come; what came. */
const char *http_fixture_read(struct http_fixture *f, int fd, struct str *in, const char *text);
/* Sends and reads until the connection ends or, when `until` is given, that text has come. */
const char *http_fixture_ask(struct http_fixture *f, struct str *in, const char *request,
                             const char *until);
/* A client whose request, for /later or /stream, is in the owner's hands. */
int http_fixture_held_client(struct http_fixture *f, const char *request);
/* The status of the first answer in `text`, 0 when there is none. */
unsigned http_fixture_status(const char *text);
unsigned http_fixture_count(const char *text, const char *what);

#endif
