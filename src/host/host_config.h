/* host_config.h -- everything an operator can set, as a value.
 * Filled by cli/options from flags, FORGESYTE_* variables and the config file, in that order of
 * precedence; read by the host.
 * Knows: names of settings.    May not know: where they came from.
 * Threads: immutable once the host has it.     Owns: its strings. */
#ifndef FORGESYTE_HOST_HOST_CONFIG_H
#define FORGESYTE_HOST_HOST_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/mem.h"
#include "loader/plugin_manifest.h"
#include "sandbox/isolation.h"

/* The operator's word on one plugin ("plugins": {"ocr": {...}} in the config file): it may lower
 * limits and name an interpreter, and widens nothing. 0 / NULL: not set. */
struct host_plugin_config {
        char *name;
        char *python;
        struct plugin_limits max;
        bool disabled;
};

struct host_config {
        char **plugin_dirs;        /* each holds plugin folders; NULL-terminated */
        char **python_plugins;     /* interpreters whose packages are plugins; NULL-terminated */
        char *listen;              /* "127.0.0.1:8000" */
        char *token_file;          /* or NULL */
        char **allowed_hosts;      /* further Host names; NULL-terminated */
        uint64_t max_body_bytes;   /* 64 MiB */
        uint64_t max_output_bytes; /* 32 MiB, at most that */
        unsigned max_connections;
        unsigned max_connections_per_address; /* 0: the server's own rule */
        uint64_t max_buffered_bytes;          /* bodies and unread answers together */
        struct plugin_limits max;             /* the operator's maxima for every plugin */
        enum isolation_level min_isolation;
        char *worker; /* path of forgesyte-worker; NULL: beside or ../libexec of this program */
        char *cgroup; /* delegated cgroup, or NULL */
        char *python; /* interpreter for Python plugins, or NULL (python3) */
        char *fake_missing; /* FORGESYTE_FAKE_MISSING, for tests */
        enum log_level log_level;
        struct host_plugin_config *plugins;
        size_t n_plugins;
};

/* The defaults; then freed by host_config_free. -ENOMEM as NULL. */
struct host_config *host_config_new(void) must_check;
void host_config_free(struct host_config *c);
DEFINE_SCOPED(struct host_config *, host_config_free)

#endif
