/* http_listen.h -- from "127.0.0.1:8000" to a listening socket, and back to text.
 * Knows: addresses, sockets.       May not know: HTTP.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_HTTP_HTTP_LISTEN_H
#define FORGESYTE_HTTP_HTTP_LISTEN_H

#include <sys/socket.h>

#include "base/err.h"

#define HTTP_ADDRESS_SIZE 64

/* "ADDR:PORT", "[V6]:PORT", "localhost:PORT", ":PORT" (loopback). Non-blocking, CLOEXEC, with
 * SO_REUSEADDR, TCP_NODELAY and keep-alive, which accepted sockets inherit. -EADDRINUSE and its
 * kin name the address in e. */
int http_listen_open(const char *listen, int *ret_fd, struct err *e) must_check;
/* "127.0.0.1:43211" or "[::1]:80"; buf holds HTTP_ADDRESS_SIZE bytes. */
void http_listen_format(const struct sockaddr *addr, char *buf);

#endif
