/* plugin_manifest_read.h -- one value of a manifest at a time, and complaints that say where it is.
 * Inside the loader only: plugin_manifest*.c.
 * Knows: JSON, lines.      May not know: what a key means.
 * Threads: any.            Owns: nothing; a manifest_at lives on the stack of who descends. */
#ifndef FORGESYTE_LOADER_PLUGIN_MANIFEST_READ_H
#define FORGESYTE_LOADER_PLUGIN_MANIFEST_READ_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"

/* The text that is being read, for line numbers, and where complaints go. */
struct manifest_source {
        const char *text;
        size_t n;
        struct err *e;
};

/* A value and the way to it: key is NULL for an item of a list, up is NULL for the root. */
struct manifest_at {
        const struct manifest_source *source;
        const struct manifest_at *up;
        const char *key;
        size_t index;
        const json_t *value;
};

/* A key of an object: parse reads its value into what the object is read into. */
struct manifest_key {
        const char *name;
        bool required;
        int (*parse)(const struct manifest_at *at, void *into);
};

/* What is wrong with a text, to be read behind "must be ", or NULL. */
typedef const char *(*manifest_rule)(const char *text);

/* -EINVAL, and "line 7: limits.queue: " before the words. */
int manifest_complain(const struct manifest_at *at, const char *fmt, ...) printf_like(2, 3);
/* The same, with the line of what is at `pointer` (RFC 6901) below `at`. */
int manifest_complain_below(const struct manifest_at *at, const char *pointer, const char *fmt, ...)
    printf_like(3, 4);
int manifest_no_memory(const struct manifest_at *at);

#define MANIFEST_SHOWN_SIZE 64
/* A stranger's text, cut and without control characters, fit to stand in a complaint; returns buf.
 */
const char *manifest_shown(const char *text, char *buf);

struct manifest_at manifest_member(const struct manifest_at *at, const char *key,
                                   const json_t *value);
struct manifest_at manifest_item(const struct manifest_at *at, size_t index);

/* Every member by the table, in the order of the file; an unknown one and a missing required one
 * are complaints. Each read_* returns 0, -EINVAL after a complaint, or -ENOMEM. */
int manifest_read_object(const struct manifest_at *at, const struct manifest_key *keys,
                         size_t n_keys, void *into) must_check;
/* The same for an object whose further members are somebody else's: they are passed over. */
int manifest_read_open_object(const struct manifest_at *at, const struct manifest_key *keys,
                              size_t n_keys, void *into) must_check;
int manifest_read_bool(const struct manifest_at *at, bool *ret) must_check;
/* Above 0 and at most max. */
int manifest_read_number(const struct manifest_at *at, double max, double *ret) must_check;
int manifest_read_integer(const struct manifest_at *at, json_int_t min, json_int_t max,
                          json_int_t *ret) must_check;
/* The place of the value among `names`. */
int manifest_read_choice(const struct manifest_at *at, const char *const *names, size_t n,
                         unsigned *ret) must_check;
/* A copy of a text that the rule (NULL: none) has nothing against; replaces and frees *ret. */
int manifest_read_text(const struct manifest_at *at, manifest_rule rule, char **ret) must_check;
/* A list of at most max such texts, NULL-terminated. */
int manifest_read_list(const struct manifest_at *at, size_t max, manifest_rule rule,
                       char ***ret) must_check;

/* Frees a NULL-terminated list and its texts; NULL is fine. */
void manifest_list_free(char **list);

#endif
