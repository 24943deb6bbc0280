/* health_table.h -- health objects as a table or a page, for people.
 * Knows: the API's health object.  May not know: sockets.
 * Threads: one.            Owns: nothing. */
#ifndef FORGESYTE_CLI_HEALTH_TABLE_H
#define FORGESYTE_CLI_HEALTH_TABLE_H

#include <stdio.h>

#include <jansson.h>

#include "base/err.h"

/* plugins: an array of health objects; anything else in it is passed over. */
int health_table_print(const json_t *plugins, FILE *to, struct err *e) must_check;
/* One health object, a line for each thing known. */
void health_table_page(const json_t *health, FILE *to);

#endif
