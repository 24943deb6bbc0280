/* terminal.h -- what a person sees: aligned tables, colour where it is wanted, nothing that a
 * stranger's text could do to the terminal.
 * Knows: terminals.        May not know: plugins but for the names of their states.
 * Threads: one.            Owns: a table's cells. */
#ifndef FORGESYTE_CLI_TERMINAL_H
#define FORGESYTE_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/str.h"

/* Is it a terminal that wants colour: none with NO_COLOR or TERM=dumb? */
bool terminal_has_color(FILE *to);
bool terminal_is(FILE *to);

/* Writes text[0..n), made printable. */
void terminal_put(FILE *to, const char *text, size_t n);

/* "\033[32m" for INITIALIZED and so on; "" for a text that is no state. */
const char *terminal_state_color(const char *state);
#define TERMINAL_COLOR_OFF "\033[0m"

#define TERMINAL_CELL_MAX 256
/* Cells row by row, `columns` to a row; the first row is the heading. Zero-initialise, set columns.
 */
struct terminal_table {
        size_t columns, n, room;
        char **cells;
        bool bad;
};
/* Adds the next cell: one line of printable text, cut at TERMINAL_CELL_MAX bytes. */
void terminal_table_add(struct terminal_table *t, const char *text);
/* Columns aligned, two spaces apart; a state in column state_column has its colour if `color`. */
void terminal_table_print(const struct terminal_table *t, FILE *to, size_t state_column,
                          bool color);
void terminal_table_done(struct terminal_table *t);

static inline void terminal_table_scoped(struct terminal_table *t)
{
        terminal_table_done(t);
}

#endif
