#include "cli/option.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/http_client.h"

bool option_is_list(const struct option *o)
{
        return o->type == OPTION_PATHS || o->type == OPTION_COMMANDS || o->type == OPTION_WORDS;
}

static void *member_of(const struct option *o, void *target)
{
        return (char *)target + o->offset;
}

static int no_memory(struct err *e)
{
        return err_set_errno(e, -ENOMEM, "keep a setting");
}

static size_t list_length(char *const *list)
{
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

static int list_add(char ***list, const char *item, size_t len, struct err *e)
{
        size_t n = list_length(*list);
        char **grown;

        if (len == 0)
                return err_set(e, -EINVAL, "must not be empty");
        grown = realloc(*list, (n + 2) * sizeof *grown);
        if (!grown)
                return no_memory(e);
        *list = grown;
        grown[n + 1] = NULL;
        grown[n] = mem_dup0(item, len);
        return grown[n] ? 0 : no_memory(e);
}

void option_clear(const struct option *o, void *target)
{
        char **text = member_of(o, target);
        char ***list = member_of(o, target);

        switch (o->type) {
        case OPTION_PATHS:
        case OPTION_COMMANDS:
        case OPTION_WORDS:
                for (size_t i = 0; *list && (*list)[i]; i++)
                        free((*list)[i]);
                free(*list);
                *list = NULL;
                return;
        case OPTION_TEXT:
        case OPTION_PATH:
        case OPTION_COMMAND:
        case OPTION_LISTEN:
        case OPTION_URL:
                free(*text);
                *text = NULL;
                return;
        case OPTION_SWITCH:
        case OPTION_BYTES:
        case OPTION_MEBIBYTES:
        case OPTION_SECONDS:
        case OPTION_COUNT:
        case OPTION_NAME:
                return;
        }
}

int option_restart(const struct option *o, void *target, struct err *e)
{
        char ***list = member_of(o, target);

        if (!option_is_list(o))
                return 0;
        option_clear(o, target);
        *list = calloc(1, sizeof **list);
        return *list ? 0 : no_memory(e);
}

/* ---- numbers ---- */

struct unit {
        const char *suffix;
        double factor;
};
static const struct unit byte_units[] = {
    {"", 1},       {"B", 1},        {"K", 0x1p10},   {"M", 0x1p20},
    {"G", 0x1p30}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
};
static const struct unit second_units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};
static const struct unit plain_units[] = {{"", 1}};

static const struct unit *units_of(enum option_type type, size_t *ret_n)
{
        bool bytes = type == OPTION_BYTES, seconds = type == OPTION_SECONDS;

        *ret_n = bytes ? ARRAY_LEN(byte_units) : seconds ? ARRAY_LEN(second_units) : 1;
        return bytes ? byte_units : seconds ? second_units : plain_units;
}

/* "1.5G" -> 1610612736. Digits and one point only: no signs, exponents, hex or locale. */
static bool number_from_text(enum option_type type, const char *text, double *ret)
{
        size_t n, whole = strspn(text, "0123456789"), at = whole;
        const struct unit *units = units_of(type, &n);
        double value = 0, place = 1;

        if (text[at] == '.')
                at += 1 + strspn(text + at + 1, "0123456789");
        if (whole == 0 || at > 24 || text[at - 1] == '.')
                return false;
        for (size_t i = 0; i < at; i++) {
                if (i < whole)
                        value = value * 10 + (text[i] - '0');
                else if (i > whole)
                        value += (text[i] - '0') * (place /= 10);
        }
        for (size_t i = 0; i < n; i++) {
                if (strcmp(text + at, units[i].suffix) != 0)
                        continue;
                *ret = value * units[i].factor;
                return true;
        }
        return false;
}

/* "64M" for help and errors: the largest unit that divides. */
static void add_bytes(struct str *s, double bytes)
{
        static const struct unit shown[] = {{"G", 0x1p30}, {"M", 0x1p20}, {"K", 0x1p10}};

        for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
                if (bytes >= shown[i].factor && (uint64_t)bytes % (uint64_t)shown[i].factor == 0) {
                        str_addf(s, "%.0f%s", bytes / shown[i].factor, shown[i].suffix);
                        return;
                }
        }
        str_addf(s, "%.0f", bytes);
}

static int wants(const struct option *o, const char *got, struct err *e)
{
        scoped(str) struct str s = {0};
        bool bytes = o->type == OPTION_BYTES, seconds = o->type == OPTION_SECONDS;

        str_adds(&s, bytes     ? "must be bytes such as 64M"
                     : seconds ? "must be seconds such as 90, 1.5 or 2m"
                               : "must be a whole number");
        str_adds(&s, " from ");
        if (bytes)
                add_bytes(&s, o->min);
        else
                str_addf(&s, "%g", o->min);
        str_adds(&s, " to ");
        if (bytes)
                add_bytes(&s, o->max);
        else
                str_addf(&s, "%.10g", o->max);
        str_adds(&s, ", not ");
        str_add_printable(&s, got, strlen(got), 60);
        return err_set(e, -EINVAL, "%s", s.bad ? "must be a number in range" : s.data);
}

static int set_number(const struct option *o, void *target, double value, const char *shown,
                      struct err *e)
{
        void *member = member_of(o, target);

        /* Written so that a NaN fails it. */
        if (!(value >= o->min && value <= o->max))
                return wants(o, shown, e);
        if (o->type == OPTION_SECONDS) {
                *(double *)member = value;
                return 0;
        }
        if (value != (double)(uint64_t)value)
                return wants(o, shown, e);
        if (o->type == OPTION_COUNT)
                *(unsigned *)member = (unsigned)value;
        else
                *(uint64_t *)member =
                    (uint64_t)(o->type == OPTION_MEBIBYTES ? value * 0x1p20 : value);
        return 0;
}

/* ---- words ---- */

static int set_name(const struct option *o, void *target, const char *text, struct err *e)
{
        scoped(str) struct str s = {0};

        for (unsigned i = 0; o->names[i]; i++) {
                if (!strcmp(o->names[i], text)) {
                        *(unsigned *)member_of(o, target) = i;
                        return 0;
                }
                str_addf(&s, "%s%s", i == 0 ? "" : o->names[i + 1] ? ", " : " or ", o->names[i]);
        }
        str_adds(&s, ", not ");
        str_add_printable(&s, text, strlen(text), 60);
        return err_set(e, -EINVAL, "must be %s", s.bad ? "another word" : s.data);
}

static bool is_address(const char *address, size_t len)
{
        char copy[64];
        unsigned char binary[16];
        bool v6 = len >= 2 && address[0] == '[' && address[len - 1] == ']';

        if (len >= sizeof copy)
                return false;
        memcpy(copy, address + v6, len - 2 * v6);
        copy[len - 2 * v6] = '\0';
        if (v6)
                return inet_pton(AF_INET6, copy, binary) == 1;
        return len == 0 || !strcmp(copy, "localhost") || inet_pton(AF_INET, copy, binary) == 1;
}

/* Only the form: whether it can be bound is the server's to find out. */
/* So many bytes of a bad value are shown: whole characters. */
static int shown(const char *text)
{
        return (int)utf8_valid_prefix(text, MIN_OF(strlen(text), (size_t)60));
}

static int check_listen(const char *text, struct err *e)
{
        const char *colon = strrchr(text, ':');
        const char *port = colon ? colon + 1 : "";
        size_t digits = strspn(port, "0123456789");
        bool ok = digits > 0 && digits < 6 && !port[digits] && atoi(port) < 65536 &&
                  is_address(text, (size_t)(colon - text));

        return ok ? 0
                  : err_set(e, -EINVAL,
                            "must be ADDR:PORT such as 127.0.0.1:8000 or [::1]:8000, not %.*s",
                            shown(text), text);
}

static int set_text(const struct option *o, void *target, const char *text, struct err *e)
{
        char **member = member_of(o, target);
        char *copy;

        if (!*text && o->type != OPTION_TEXT)
                return err_set(e, -EINVAL, "must not be empty");
        if (o->type == OPTION_LISTEN && check_listen(text, e) < 0)
                return -EINVAL;
        if (o->type == OPTION_URL &&
            http_client_url_parse(text, &(struct http_client_url){0}, e) < 0)
                return -EINVAL;
        copy = strdup(text);
        if (!copy)
                return no_memory(e);
        free(*member);
        *member = copy;
        return 0;
}

static int add_items(const struct option *o, void *target, const char *text, bool split,
                     struct err *e)
{
        const char *separator = !split ? "" : o->type == OPTION_WORDS ? "," : ":";

        for (;;) {
                size_t len = strcspn(text, separator);
                int r = list_add(member_of(o, target), text, len, e);

                if (r < 0 || !text[len])
                        return r;
                text += len + 1;
        }
}

static int set_switch(const struct option *o, void *target, const char *text, struct err *e)
{
        bool yes = !strcmp(text, "1") || !strcmp(text, "true") || !strcmp(text, "yes");

        if (!yes && strcmp(text, "0") && strcmp(text, "false") && strcmp(text, "no"))
                return err_set(e, -EINVAL, "must be true or false, not %.*s", shown(text), text);
        *(bool *)member_of(o, target) = yes;
        return 0;
}

int option_set_text(const struct option *o, void *target, const char *text, bool split,
                    struct err *e)
{
        double value;

        switch (o->type) {
        case OPTION_SWITCH:
                return set_switch(o, target, text, e);
        case OPTION_TEXT:
        case OPTION_PATH:
        case OPTION_COMMAND:
        case OPTION_LISTEN:
        case OPTION_URL:
                return set_text(o, target, text, e);
        case OPTION_PATHS:
        case OPTION_COMMANDS:
        case OPTION_WORDS:
                return add_items(o, target, text, split, e);
        case OPTION_BYTES:
        case OPTION_MEBIBYTES:
        case OPTION_SECONDS:
        case OPTION_COUNT:
                if (!number_from_text(o->type, text, &value))
                        return wants(o, *text ? text : "an empty text", e);
                return set_number(o, target, value, text, e);
        case OPTION_NAME:
                return set_name(o, target, text, e);
        }
        return err_set(e, -EINVAL, "has no type");
}

/* ---- values of the config file ---- */

/* A path of the file is read from the file's folder, so that it means the same wherever the host
 * is started. */
static int set_json_text(const struct option *o, void *target, const char *text, const char *base,
                         struct err *e)
{
        scoped(str) struct str s = {0};
        bool command = o->type == OPTION_COMMAND || o->type == OPTION_COMMANDS;
        bool path =
            o->type == OPTION_PATH || o->type == OPTION_PATHS || (command && strchr(text, '/'));

        if (path && *text && *text != '/' && *base)
                str_addf(&s, "%s/", base);
        str_adds(&s, text);
        return s.bad ? no_memory(e) : option_set_text(o, target, s.data, false, e);
}

static int set_json_list(const struct option *o, void *target, const json_t *value,
                         const char *base, struct err *e)
{
        for (size_t i = 0; i < json_array_size(value); i++) {
                const json_t *item = json_array_get(value, i);
                int r = json_is_string(item)
                            ? set_json_text(o, target, json_string_value(item), base, e)
                            : err_set(e, -EINVAL, "must hold texts only");

                if (r < 0)
                        return r;
        }
        return 0;
}

int option_set_json(const struct option *o, void *target, const json_t *value, const char *base,
                    struct err *e)
{
        bool number = o->type == OPTION_BYTES || o->type == OPTION_MEBIBYTES ||
                      o->type == OPTION_SECONDS || o->type == OPTION_COUNT;
        char shown[32];

        if (o->type == OPTION_SWITCH) {
                if (!json_is_boolean(value))
                        return err_set(e, -EINVAL, "must be true or false");
                *(bool *)member_of(o, target) = json_is_true(value);
                return 0;
        }
        if (option_is_list(o) && json_is_array(value))
                return set_json_list(o, target, value, base, e);
        if (number && json_is_number(value)) {
                snprintf(shown, sizeof shown, "%.10g", json_number_value(value));
                return set_number(o, target, json_number_value(value), shown, e);
        }
        if (json_is_string(value))
                return set_json_text(o, target, json_string_value(value), base, e);
        return number              ? wants(o, "another type", e)
               : option_is_list(o) ? err_set(e, -EINVAL, "must be a list of texts")
                                   : err_set(e, -EINVAL, "must be a text");
}
