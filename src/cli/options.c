#include "cli/options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/options_file.h"

/* One flag as it stood on the command line. */
struct use {
        const struct option *row;
        void *target;
        const char *value;
};

/* A load under way. `table` has the rows that this command takes, each with the struct they write
 * to: the host's settings and the command's own flags. */
struct load {
        const struct options_source *source;
        struct options *to;
        struct use *table;
        size_t n_table;
        struct use *uses;
        size_t n_uses;
};

/* A flag as written, with its value if it came as --flag=value. */
struct spelling {
        const char *text;
        size_t len;
        const char *value;
};

/* ---- finding rows ---- */

static int gather_rows(struct load *l, struct err *e)
{
        size_t n_settings, n_flags;
        const struct option *settings = options_settings(&n_settings);
        const struct option *flags = options_flags(&n_flags);

        l->table = calloc(n_settings + n_flags, sizeof *l->table);
        l->uses = calloc((size_t)l->source->argc + 1, sizeof *l->uses);
        l->to->rest = calloc((size_t)l->source->argc + 1, sizeof *l->to->rest);
        if (!l->table || !l->uses || !l->to->rest)
                return err_set_errno(e, -ENOMEM, "read the command line");
        for (size_t i = 0; i < n_settings + n_flags; i++) {
                const struct option *row = i < n_settings ? &settings[i] : &flags[i - n_settings];

                if (row->commands & (1u << l->source->command))
                        l->table[l->n_table++] = (struct use){
                            row, i < n_settings ? (void *)l->to->host : &l->to->flags, NULL};
        }
        return 0;
}

static int unknown_flag(const struct load *l, const struct spelling *s, struct err *e)
{
        const char *known[64], *nearest;
        char word[72];
        size_t n = 0;

        snprintf(word, sizeof word, "%.*s", (int)MIN_OF(s->len, sizeof word - 1), s->text);
        for (size_t i = 0; i < l->n_table && n < ARRAY_LEN(known); i++)
                if (l->table[i].row->flag)
                        known[n++] = l->table[i].row->flag;
        nearest = str_nearest(word + 2 * !strncmp(word, "--", 2), known, n);
        err_set(e, -EINVAL, nearest ? "%s: unknown flag; did you mean --%s?" : "%s: unknown flag",
                word, nearest);
        return OPTIONS_USAGE;
}

static const struct use *find_flag(const struct load *l, const struct spelling *s)
{
        bool is_long = s->len > 2 && s->text[1] == '-';

        for (size_t i = 0; i < l->n_table; i++) {
                const struct option *row = l->table[i].row;

                if (is_long && row->flag && strlen(row->flag) == s->len - 2 &&
                    !strncmp(row->flag, s->text + 2, s->len - 2))
                        return &l->table[i];
                if (!is_long && s->len == 2 && row->letter && row->letter == s->text[1])
                        return &l->table[i];
        }
        return NULL;
}

/* ---- the command line ---- */

/* Takes the flag at argv[*at] and, if it wants one, its value, from behind '=' or the next word. */
static int take_flag(struct load *l, int *at, struct err *e)
{
        const char *text = l->source->argv[*at];
        const char *equals = !strncmp(text, "--", 2) ? strchr(text, '=') : NULL;
        struct spelling s = {text, equals ? (size_t)(equals - text) : strlen(text),
                             equals ? equals + 1 : NULL};
        const struct use *found = find_flag(l, &s);

        if (!found)
                return unknown_flag(l, &s, e);
        if (found->row->type == OPTION_SWITCH && equals) {
                err_set(e, -EINVAL, "--%s takes no value", found->row->flag);
                return OPTIONS_USAGE;
        }
        if (found->row->type == OPTION_SWITCH)
                s.value = "true";
        else if (!s.value && *at + 1 < l->source->argc)
                s.value = l->source->argv[++*at];
        if (!s.value) {
                err_set(e, -EINVAL, "--%s: wants %s behind it", found->row->flag, found->row->arg);
                return OPTIONS_USAGE;
        }
        l->uses[l->n_uses++] = (struct use){found->row, found->target, s.value};
        return 0;
}

/* Flags may stand anywhere; behind "--" and for a lone "-" there are none. */
static int read_argv(struct load *l, struct err *e)
{
        bool only_words = false;

        for (int i = 1; i < l->source->argc; i++) {
                const char *text = l->source->argv[i];
                int r = 0;

                if (!only_words && !strcmp(text, "--"))
                        only_words = true;
                else if (!only_words && text[0] == '-' && text[1])
                        r = take_flag(l, &i, e);
                else
                        l->to->rest[l->to->n_rest++] = text;
                if (r != 0)
                        return r;
        }
        return 0;
}

/* ---- the layers, weakest first ---- */

static const char *env_value(const struct load *l, const char *name)
{
        size_t n = strlen(name);

        for (char *const *v = l->source->env; name && v && *v; v++)
                if (!strncmp(*v, name, n) && (*v)[n] == '=' && (*v)[n + 1])
                        return *v + n + 1;
        return NULL;
}

/* An empty variable is one that is not set. */
static int apply_env(struct load *l, struct err *e)
{
        for (size_t i = 0; i < l->n_table; i++) {
                const struct use *u = &l->table[i];
                const char *value = u->row->env ? env_value(l, u->row->env) : NULL;
                int r;

                if (!value)
                        continue;
                r = option_restart(u->row, u->target, e);
                if (r == 0)
                        r = option_set_text(u->row, u->target, value, true, e);
                if (r == -ENOMEM)
                        return r;
                if (r < 0) {
                        err_wrap(e, r, "%s", u->row->env);
                        return OPTIONS_CONFIG;
                }
        }
        return 0;
}

static bool used_before(const struct load *l, size_t at)
{
        for (size_t i = 0; i < at; i++)
                if (l->uses[i].row == l->uses[at].row)
                        return true;
        return false;
}

static int apply_flags(struct load *l, struct err *e)
{
        for (size_t i = 0; i < l->n_uses; i++) {
                const struct use *u = &l->uses[i];
                int r = used_before(l, i) ? 0 : option_restart(u->row, u->target, e);

                if (r == 0)
                        r = option_set_text(u->row, u->target, u->value, false, e);
                if (r == -ENOMEM)
                        return r;
                if (r < 0) {
                        err_wrap(e, r, "--%s", u->row->flag);
                        return OPTIONS_USAGE;
                }
        }
        return 0;
}

/* The file is a weaker source than the two that may name it. */
static int apply_file(struct load *l, struct err *e)
{
        const char *path = NULL;
        int r;

        for (size_t i = 0; i < l->n_table; i++)
                if (l->table[i].target == &l->to->flags && l->table[i].row->env &&
                    !strcmp(l->table[i].row->flag, "config"))
                        path = env_value(l, l->table[i].row->env);
        for (size_t i = 0; i < l->n_uses; i++)
                if (!strcmp(l->uses[i].row->flag, "config"))
                        path = l->uses[i].value;
        if (!path)
                return 0;
        r = options_file_load(path, l->to->host, e);
        return r < 0 && r != -ENOMEM ? OPTIONS_CONFIG : r;
}

static bool wants_help(const struct load *l)
{
        for (size_t i = 0; i < l->n_uses; i++)
                if (!strcmp(l->uses[i].row->flag, "help"))
                        return true;
        return false;
}

static int run_layers(struct load *l, struct err *e)
{
        int r = gather_rows(l, e);

        if (r == 0)
                r = read_argv(l, e);
        if (r == 0 && !wants_help(l) && l->to->host)
                r = apply_file(l, e);
        if (r == 0 && !wants_help(l))
                r = apply_env(l, e);
        return r == 0 ? apply_flags(l, e) : r;
}

static int set_defaults(struct options *o, enum cli_command command, struct err *e)
{
        size_t n;
        const struct option *rows = options_settings(&n);
        bool hosts = false;

        for (size_t i = 0; i < n; i++)
                hosts = hosts || (rows[i].commands & (1u << command));
        o->flags.tail = 200;
        o->flags.url = strdup("http://127.0.0.1:8000");
        o->host = hosts ? host_config_new() : NULL;
        if (!o->flags.url || (hosts && !o->host))
                return err_set_errno(e, -ENOMEM, "read the command line");
        return 0;
}

int options_load(const struct options_source *source, struct options *ret, struct err *e)
{
        scoped(options) struct options loaded = {0};
        struct load l = {.source = source, .to = &loaded};
        int r = set_defaults(&loaded, source->command, e);

        if (r == 0)
                r = run_layers(&l, e);
        free(l.table);
        free(l.uses);
        if (r != 0)
                return r;
        *ret = loaded;
        loaded = (struct options){0};
        return 0;
}

void options_done(struct options *o)
{
        size_t n;
        const struct option *rows = options_flags(&n);

        for (size_t i = 0; i < n; i++)
                option_clear(&rows[i], &o->flags);
        host_config_free(o->host);
        free(o->rest);
        *o = (struct options){0};
}

int options_parse_serve(int argc, char **argv, struct host_config **ret, struct err *e)
{
        const struct options_source source = {CLI_COMMAND_serve, argc, argv, environ};
        scoped(options) struct options o = {0};
        int r = options_load(&source, &o, e);

        if (r != 0)
                return r;
        if (o.n_rest) {
                err_set(e, -EINVAL, "takes no %s (a folder of plugins: --plugins DIR)", o.rest[0]);
                return OPTIONS_USAGE;
        }
        *ret = take_ptr(o.host);
        return 0;
}

enum cli_exit options_exit(int outcome)
{
        return outcome == 0                ? CLI_OK
               : outcome == OPTIONS_USAGE  ? CLI_USAGE
               : outcome == OPTIONS_CONFIG ? CLI_CONFIG
                                           : CLI_FAILURE;
}
