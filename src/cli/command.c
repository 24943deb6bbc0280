#include "cli/command.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

static const struct {
        const char *name, *usage, *summary;
} commands[] = {
#define X(name, function, usage, help) {#name, usage, help},
    CLI_COMMANDS(X)
#undef X
};

const char *command_name(enum cli_command command)
{
        return commands[command].name;
}

const char *command_usage(enum cli_command command)
{
        return commands[command].usage;
}

const char *command_summary(enum cli_command command)
{
        return commands[command].summary;
}

int command_from_name(const char *name)
{
        for (size_t i = 0; i < ARRAY_LEN(commands); i++)
                if (!strcmp(commands[i].name, name))
                        return (int)i;
        return -1;
}

const char *command_nearest(const char *name)
{
        const char *names[ARRAY_LEN(commands)];

        for (size_t i = 0; i < ARRAY_LEN(commands); i++)
                names[i] = commands[i].name;
        return str_nearest(name, names, ARRAY_LEN(names));
}

int command_fail(enum cli_command command, int code, const char *fmt, ...)
{
        scoped(str) struct str s = {0};
        char words[1024];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(words, sizeof words, fmt, ap);
        va_end(ap);
        str_add_printable(&s, words, strlen(words), 4 * sizeof words);
        fprintf(stderr, "forgesyte %s: %s\n", command_name(command), s.bad ? "no memory" : s.data);
        return code;
}

enum cli_exit command_exit_of_status(unsigned status)
{
        if (status / 100 == 2)
                return CLI_OK;
        if (status == 502 || status == 503)
                return CLI_PLUGIN;
        return status == 504 ? CLI_TIMEOUT : status == 422 ? CLI_TOOL : CLI_FAILURE;
}

/* ---- help ---- */

static void print_flag(const struct option *o, FILE *to)
{
        char left[64], letter[8] = "    ";

        if (o->letter)
                snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(left, sizeof left, "  %s--%s %s", letter, o->flag, o->arg ? o->arg : "");
        fprintf(to, "%-32s %s", left, o->help);
        if (o->shown_default)
                fprintf(to, " [%s]", o->shown_default);
        if (o->env)
                fprintf(to, " ($%s)", o->env);
        fputc('\n', to);
}

static void print_flags(enum cli_command command, const struct option *rows, size_t n, FILE *to)
{
        for (size_t i = 0; i < n; i++)
                if (rows[i].flag && (rows[i].commands & (1u << command)))
                        print_flag(&rows[i], to);
}

void command_help(enum cli_command command, FILE *to)
{
        size_t n_flags, n_settings;
        const struct option *flags = options_flags(&n_flags);
        const struct option *settings = options_settings(&n_settings);

        fprintf(to, "usage: forgesyte %s%s%s\n\n", command_name(command),
                *command_usage(command) ? " " : "", command_usage(command));
        fprintf(to, "%s\n\n", command_summary(command));
        print_flags(command, settings, n_settings, to);
        print_flags(command, flags, n_flags, to);
}

void command_help_all(FILE *to)
{
        fputs("usage: forgesyte COMMAND [...]\n\n", to);
        for (size_t i = 0; i < ARRAY_LEN(commands); i++)
                fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
        fputs("\nforgesyte help COMMAND says what a command takes.\n"
              "Exit: 0 ok, 1 failure, 2 usage, 3 plugin failed or unavailable, 4 timeout,\n"
              "5 the tool reported an error, 78 bad configuration.\n",
              to);
}

/* ---- the beginning ---- */

static int check_words(enum cli_command command, const struct options *o, size_t min_words,
                       size_t max_words)
{
        if (o->n_rest < min_words)
                return command_fail(command, CLI_USAGE, "wants %s", command_usage(command));
        if (o->n_rest > max_words)
                return command_fail(command, CLI_USAGE, "takes no %.60s; usage: forgesyte %s %s",
                                    o->rest[max_words], command_name(command),
                                    command_usage(command));
        return COMMAND_GO;
}

int command_begin(enum cli_command command, int argc, char **argv, size_t min_words,
                  size_t max_words, struct options *ret)
{
        const struct options_source source = {command, argc, argv, environ};
        scoped(options) struct options o = {0};
        struct err e = {0};
        int r = options_load(&source, &o, &e);

        if (r != 0)
                return command_fail(command, options_exit(r), "%s", e.msg);
        if (o.flags.help) {
                command_help(command, stdout);
                return CLI_OK;
        }
        r = check_words(command, &o, min_words, max_words);
        if (r != COMMAND_GO)
                return r;
        *ret = o;
        o = (struct options){0};
        return COMMAND_GO;
}
