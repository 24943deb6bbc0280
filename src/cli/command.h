/* command.h -- what every command begins and ends with: its flags read, its words said.
 * Knows: the terminal, the tables.     May not know: what a command does.
 * Threads: one.            Owns: nothing. */
#ifndef FORGESYTE_CLI_COMMAND_H
#define FORGESYTE_CLI_COMMAND_H

#include <stdio.h>

#include "cli/options.h"

const char *command_name(enum cli_command command);
const char *command_usage(enum cli_command command); /* what stands behind the name */
const char *command_summary(enum cli_command command);
/* The command called `name`, or -1. */
int command_from_name(const char *name);
/* The nearest command's name, or NULL: for "did you mean". */
const char *command_nearest(const char *name);

/* Goes on behind command_begin with this, else exits with what it returned. */
#define COMMAND_GO (-1)

/* Reads argv into *ret. Prints help for --help, and words on stderr for what is wrong; then, and
 * when there are fewer than min_words or more than max_words words that are no flags, it returns an
 * exit code and *ret holds nothing. COMMAND_GO: the caller owns *ret (options_done). */
int command_begin(enum cli_command command, int argc, char **argv, size_t min_words,
                  size_t max_words, struct options *ret) must_check;
#define COMMAND_WORDS_MAX ((size_t)-1)

/* "forgesyte list: words" on stderr, made fit for a terminal; returns `code`. */
int command_fail(enum cli_command command, int code, const char *fmt, ...) printf_like(3, 4);

/* What an answer of this HTTP status (plugin_error_status has each error's) means for the caller's
 * exit code: 2xx 0; 504 4; 502 and 503 3; 422 5; else 1. */
enum cli_exit command_exit_of_status(unsigned status);

/* Help on one command / on the program, from the tables. */
void command_help(enum cli_command command, FILE *to);
void command_help_all(FILE *to);

#endif
