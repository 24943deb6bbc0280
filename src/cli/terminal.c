#include "cli/terminal.h"

#include <string.h>
#include <unistd.h>

bool terminal_is(FILE *to)
{
        return isatty(fileno(to)) == 1;
}

bool terminal_has_color(FILE *to)
{
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        return terminal_is(to) && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
}

void terminal_put(FILE *to, const char *text, size_t n)
{
        scoped(str) struct str s = {0};

        str_add_printable(&s, text, n, (size_t)-1 / 8);
        if (!s.bad && s.len)
                fwrite(s.data, 1, s.len, to);
}

const char *terminal_state_color(const char *state)
{
        static const char *const colors[][2] = {
            {"LOADED", "\033[36m"}, {"INITIALIZED", "\033[32m"}, {"RUNNING", "\033[1;32m"},
            {"FAILED", "\033[31m"}, {"UNAVAILABLE", "\033[33m"},
        };

        for (size_t i = 0; i < ARRAY_LEN(colors); i++)
                if (!strcmp(colors[i][0], state))
                        return colors[i][1];
        return "";
}

/* Columns on the screen: one for each character, which is right for what plugins are called. */
static size_t width_of(const char *text)
{
        size_t width = 0;

        for (; *text; text++)
                width += ((unsigned char)*text & 0xc0) != 0x80;
        return width;
}

void terminal_table_add(struct terminal_table *t, const char *text)
{
        scoped(str) struct str s = {0};
        size_t room = t->room ? t->room * 2 : 64;

        if (t->n == t->room) {
                char **grown = realloc(t->cells, room * sizeof *grown);

                t->bad = t->bad || !grown;
                if (!grown)
                        return;
                t->cells = grown;
                t->room = room;
        }
        str_add_printable(&s, text, strlen(text), TERMINAL_CELL_MAX);
        for (size_t i = 0; i < s.len; i++)
                if (s.data[i] == '\n' || s.data[i] == '\t')
                        s.data[i] = ' ';
        t->cells[t->n] = str_take(&s);
        if (!t->cells[t->n])
                t->bad = true;
        else
                t->n++;
}

static size_t column_width(const struct terminal_table *t, size_t column)
{
        size_t widest = 0;

        for (size_t i = column; i < t->n; i += t->columns)
                widest = MAX_OF(widest, width_of(t->cells[i]));
        return widest;
}

/* Spaces wait for a cell that needs them, so that no line ends in them. */
void terminal_table_print(const struct terminal_table *t, FILE *to, size_t state_column, bool color)
{
        size_t gap = 0;

        for (size_t i = 0; i < t->n; i++) {
                size_t column = i % t->columns;
                const char *cell = t->cells[i];
                const char *on = color && column == state_column && i >= t->columns
                                     ? terminal_state_color(cell)
                                     : "";

                if (*cell) {
                        fprintf(to, "%*s%s%s%s", (int)gap, "", on, cell,
                                *on ? TERMINAL_COLOR_OFF : "");
                        gap = 0;
                }
                gap += column_width(t, column) - width_of(cell) + 2;
                if (column + 1 == t->columns || i + 1 == t->n) {
                        fputc('\n', to);
                        gap = 0;
                }
        }
}

void terminal_table_done(struct terminal_table *t)
{
        for (size_t i = 0; i < t->n; i++)
                free(t->cells[i]);
        free(t->cells);
        *t = (struct terminal_table){0};
}
