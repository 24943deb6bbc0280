/* write_docs.c -- the parts of the manual that the tables know: `write-docs PART` prints one.
 * tests/test_cli/check_docs.py compares them with what docs/ has, and puts them there.
 * Knows: the tables.       May not know: files.
 * Threads: one.            Owns: nothing. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

/* ---- roff ---- */

/* Text for roff: a backslash and a leading dot or quote would be commands, a dash a hyphen. */
static void put_roff(const char *text)
{
        if (*text == '.' || *text == '\'')
                fputs("\\&", stdout);
        for (; *text; text++) {
                if (*text == '-')
                        fputs("\\-", stdout);
                else if (*text == '\\')
                        fputs("\\e", stdout);
                else
                        fputc(*text, stdout);
        }
}

static void put_man_commands(void)
{
        for (int c = 0; c < CLI_COMMAND_COUNT; c++) {
                printf(".TP\n.B forgesyte %s ", command_name((enum cli_command)c));
                put_roff(command_usage((enum cli_command)c));
                fputc('\n', stdout);
                put_roff(command_summary((enum cli_command)c));
                fputc('\n', stdout);
        }
}

/* ", " between the commands that take it. */
static void put_commands_of(const struct option *o)
{
        const char *before = "";

        for (int c = 0; c < CLI_COMMAND_COUNT; c++) {
                if (!(o->commands & (1u << c)))
                        continue;
                printf("%s%s", before, command_name((enum cli_command)c));
                before = ", ";
        }
}

static void put_man_rows(const struct option *rows, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                if (!rows[i].flag)
                        continue;
                fputs(".TP\n.B ", stdout);
                if (rows[i].letter)
                        printf("\\-%c, ", rows[i].letter);
                fputs("\\-\\-", stdout);
                put_roff(rows[i].flag);
                printf(" %s\n", rows[i].arg ? rows[i].arg : "");
                put_roff(rows[i].help);
                if (rows[i].shown_default)
                        printf(" [%s]", rows[i].shown_default);
                fputs(".\nFor ", stdout);
                put_commands_of(&rows[i]);
                fputs(".\n", stdout);
        }
}

/* ---- Markdown ---- */

static void put_code(const char *text)
{
        if (text)
                printf(" `%s` |", text);
        else
                fputs(" |", stdout);
}

static void put_config_settings(void)
{
        size_t n;
        const struct option *rows = options_settings(&n);

        puts("| flag | variable | key | default | meaning |\n|---|---|---|---|---|");
        for (size_t i = 0; i < n; i++) {
                char flag[64];

                snprintf(flag, sizeof flag, "--%s %s", rows[i].flag ? rows[i].flag : "",
                         rows[i].arg);
                fputc('|', stdout);
                put_code(rows[i].flag ? flag : NULL);
                put_code(rows[i].env);
                put_code(rows[i].key);
                put_code(rows[i].shown_default);
                printf(" %s |\n", rows[i].help);
        }
}

static void put_config_plugins(void)
{
        size_t n, n_limits;
        const struct option *rows = options_plugin_rows(&n);
        const struct option *limits = options_limit_rows(&n_limits);

        puts("| key | meaning |\n|---|---|");
        for (size_t i = 0; i < n; i++)
                printf("| `%s` | %s |\n", rows[i].key, rows[i].help);
        for (size_t i = 0; i < n_limits; i++)
                printf("| `limits.%s` | %s |\n", limits[i].key, limits[i].help);
}

int main(int argc, char **argv)
{
        const char *part = argc > 1 ? argv[1] : "";
        size_t n;
        const struct option *rows;

        if (!strcmp(part, "commands")) {
                put_man_commands();
        } else if (!strcmp(part, "flags")) {
                rows = options_flags(&n);
                put_man_rows(rows, n);
        } else if (!strcmp(part, "settings")) {
                rows = options_settings(&n);
                put_man_rows(rows, n);
        } else if (!strcmp(part, "config-settings")) {
                put_config_settings();
        } else if (!strcmp(part, "config-plugins")) {
                put_config_plugins();
        } else {
                return CLI_USAGE;
        }
        return fflush(stdout) == 0 ? CLI_OK : CLI_FAILURE;
}
