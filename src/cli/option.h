/* option.h -- one row of a table of settings, and the putting of a value where the row says.
 * Knows: types, ranges, JSON values.   May not know: which settings there are, where a value
 * came from (callers put the flag, variable or line before the words).
 * Threads: any.            Owns: nothing; values go into the target, which owns its strings. */
#ifndef FORGESYTE_CLI_OPTION_H
#define FORGESYTE_CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

/* X(id, C type of the member) */
#define OPTION_TYPES(X)                                                                            \
        X(SWITCH, bool) /* a flag without a value; true or false in JSON */                        \
        X(TEXT, char *)                                                                            \
        X(PATH, char *)        /* in a file: relative to the file's folder */                      \
        X(COMMAND, char *)     /* a path when it has a slash, else looked up on PATH */            \
        X(LISTEN, char *)      /* ADDR:PORT */                                                     \
        X(URL, char *)         /* http://HOST:PORT */                                              \
        X(PATHS, char **)      /* in a variable: separated by ':' */                               \
        X(COMMANDS, char **)   /* as COMMAND; in a variable: separated by ':' */                   \
        X(WORDS, char **)      /* in a variable: separated by ',' */                               \
        X(BYTES, uint64_t)     /* 64M, 1.5G */                                                     \
        X(MEBIBYTES, uint64_t) /* a plain number of MiB, kept as bytes */                          \
        X(SECONDS, double)     /* 90, 1.5, 500ms, 2m, 1h */                                        \
        X(COUNT, unsigned)                                                                         \
        X(NAME, unsigned) /* one of `names`; an enum */

enum option_type {
#define X(id, type) OPTION_##id,
        OPTION_TYPES(X)
#undef X
};

/* flag, letter, env, key: NULL or 0 where it can't be set that way. min, max: in the value's own
 * unit. arg: what help calls the value; names: the words of a NAME, NULL-terminated, in the order
 * of its enum. commands: a bit for each command that takes it. */
struct option {
        const char *flag;
        char letter;
        const char *env, *key;
        enum option_type type;
        double min, max;
        const char *const *names;
        const char *arg, *shown_default, *help;
        size_t offset;
        unsigned commands;
};

/* A member's offset, which only compiles when the member has the C type that is named. */
#define OPTION_AT(holder, member, ctype)                                                           \
        (offsetof(struct holder, member) * _Generic(((struct holder *)0)->member, ctype : 1))

/* The text of a flag or variable -> the member. A list's flag adds one item; a list's variable
 * (`split`) adds all of its items. -EINVAL with words that say what is wanted; -ENOMEM. */
int option_set_text(const struct option *o, void *target, const char *text, bool split,
                    struct err *e) must_check;
/* A value of the config file -> the member; base: the file's folder ("" is the current one). */
int option_set_json(const struct option *o, void *target, const json_t *value, const char *base,
                    struct err *e) must_check;
/* Empties a list (other types: nothing), so that a stronger source replaces a weaker one. */
int option_restart(const struct option *o, void *target, struct err *e) must_check;
/* Frees what the row's member holds and zeroes it. */
void option_clear(const struct option *o, void *target);

bool option_is_list(const struct option *o);

#endif
