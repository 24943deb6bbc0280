#include "loader/plugin_manifest_read.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* --- where --- */

/* Adds to a bounded text; what does not fit is cut. */
static void append(char *buf, size_t size, const char *text)
{
        size_t n = strlen(buf);

        snprintf(buf + n, size - n, "%s", text);
}

static void append_pointer_key(char *buf, size_t size, const char *key)
{
        append(buf, size, "/");
        for (; *key && strlen(buf) + 1 < size; key++) {
                char c[2] = {*key, 0};

                append(buf, size, *key == '~' ? "~0" : *key == '/' ? "~1" : c);
        }
}

/* RFC 6901, as json_line_of wants it. One that was cut leads to the nearest ancestor's line. */
static void pointer_to(const struct manifest_at *at, char *buf, size_t size)
{
        char index[24];

        if (!at->up) {
                buf[0] = '\0';
                return;
        }
        pointer_to(at->up, buf, size);
        if (at->key) {
                append_pointer_key(buf, size, at->key);
                return;
        }
        snprintf(index, sizeof index, "/%zu", at->index);
        append(buf, size, index);
}

/* tools[0].name, as a person would say it. */
static void path_to(const struct manifest_at *at, char *buf, size_t size)
{
        char part[MANIFEST_SHOWN_SIZE];

        if (!at->up) {
                buf[0] = '\0';
                return;
        }
        path_to(at->up, buf, size);
        if (at->key) {
                append(buf, size, *buf ? "." : "");
                append(buf, size, manifest_shown(at->key, part));
                return;
        }
        snprintf(part, sizeof part, "[%zu]", at->index);
        append(buf, size, part);
}

/* Length of the character at s when a terminal would obey rather than show it, else 0. */
static size_t control_at(const char *s)
{
        unsigned char c = (unsigned char)s[0], next = (unsigned char)(c ? s[1] : 0);

        if (c < 0x20 || c == 0x7f)
                return 1;
        return c == 0xc2 && next < 0xa0 ? 2 : 0;
}

const char *manifest_shown(const char *text, char *buf)
{
        size_t room = MANIFEST_SHOWN_SIZE - 4, n = strnlen(text, room), at = 0;
        bool cut = text[n] != '\0';

        n = utf8_valid_prefix(text, n);
        for (size_t i = 0; i < n;) {
                size_t control = control_at(text + i);

                buf[at++] = control ? '?' : text[i];
                i += control ? control : 1;
        }
        memcpy(buf + at, cut ? "..." : "", cut ? 4 : 1);
        return buf;
}

/* `owner` is whom the words are about, and they stand at the line of what is `below` `at`. */
static int printf_like(4, 0) complain(const struct manifest_at *owner, const struct manifest_at *at,
                                      const char *below, const char *fmt, va_list ap)
{
        char pointer[1024], path[200], what[ERR_MSG_MAX];
        const struct manifest_source *source = at->source;

        vsnprintf(what, sizeof what, fmt, ap);
        pointer_to(at, pointer, sizeof pointer);
        append(pointer, sizeof pointer, below);
        path_to(owner, path, sizeof path);
        return err_set(source->e, -EINVAL, "line %d: %s%s%s",
                       json_line_of(source->text, source->n, pointer), path, *path ? ": " : "",
                       what);
}

int manifest_complain(const struct manifest_at *at, const char *fmt, ...)
{
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = complain(at, at, "", fmt, ap);
        va_end(ap);
        return r;
}

int manifest_complain_below(const struct manifest_at *at, const char *pointer, const char *fmt, ...)
{
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = complain(at, at, pointer, fmt, ap);
        va_end(ap);
        return r;
}

int manifest_no_memory(const struct manifest_at *at)
{
        return err_set_errno(at->source->e, -ENOMEM, "read the manifest");
}

struct manifest_at manifest_member(const struct manifest_at *at, const char *key,
                                   const json_t *value)
{
        return (struct manifest_at){at->source, at, key, 0, value};
}

struct manifest_at manifest_item(const struct manifest_at *at, size_t index)
{
        return (struct manifest_at){at->source, at, NULL, index, json_array_get(at->value, index)};
}

/* --- what --- */

#define KEYS_MAX 32

/* About the object that has the member `at`, at the member's line. */
static int printf_like(2, 3) complain_of_member(const struct manifest_at *at, const char *fmt, ...)
{
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = complain(at->up, at, "", fmt, ap);
        va_end(ap);
        return r;
}

/* The known key that was meant: the nearest one, or else one that begins so ("timeout"). */
static const char *meant(const char *key, const struct manifest_key *keys, size_t n_keys)
{
        const char *names[KEYS_MAX], *nearest;

        n_keys = MIN_OF(n_keys, (size_t)KEYS_MAX);
        for (size_t i = 0; i < n_keys; i++)
                names[i] = keys[i].name;
        nearest = str_nearest(key, names, n_keys);
        for (size_t i = 0; i < n_keys && !nearest; i++)
                if (strlen(key) > 2 && strncmp(names[i], key, strlen(key)) == 0)
                        nearest = names[i];
        return nearest;
}

static int complain_unknown(const struct manifest_at *at, const struct manifest_key *keys,
                            size_t n_keys)
{
        const char *known = meant(at->key, keys, n_keys);
        char shown[MANIFEST_SHOWN_SIZE];

        manifest_shown(at->key, shown);
        if (known)
                return complain_of_member(at, "unknown key \"%s\"; did you mean \"%s\"?", shown,
                                          known);
        return complain_of_member(at, "unknown key \"%s\"", shown);
}

static int read_member(const struct manifest_at *at, const struct manifest_key *keys, size_t n_keys,
                       bool open, void *into)
{
        for (size_t i = 0; i < n_keys; i++)
                if (strcmp(keys[i].name, at->key) == 0)
                        return keys[i].parse(at, into);
        return open ? 0 : complain_unknown(at, keys, n_keys);
}

static int read_members(const struct manifest_at *at, const struct manifest_key *keys,
                        size_t n_keys, bool open, void *into)
{
        json_t *value;
        const char *key;
        int r;

        if (!json_is_object(at->value))
                return manifest_complain(at, "must be an object");
        json_object_foreach ((json_t *)at->value, key, value) {
                struct manifest_at member = manifest_member(at, key, value);

                r = read_member(&member, keys, n_keys, open, into);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < n_keys; i++) {
                struct manifest_at member = manifest_member(at, keys[i].name, NULL);

                if (keys[i].required && !json_object_get(at->value, keys[i].name))
                        return manifest_complain(&member, "is missing");
        }
        return 0;
}

int manifest_read_object(const struct manifest_at *at, const struct manifest_key *keys,
                         size_t n_keys, void *into)
{
        return read_members(at, keys, n_keys, false, into);
}

int manifest_read_open_object(const struct manifest_at *at, const struct manifest_key *keys,
                              size_t n_keys, void *into)
{
        return read_members(at, keys, n_keys, true, into);
}

int manifest_read_bool(const struct manifest_at *at, bool *ret)
{
        if (!json_is_boolean(at->value))
                return manifest_complain(at, "must be true or false");
        *ret = json_is_true(at->value);
        return 0;
}

int manifest_read_number(const struct manifest_at *at, double max, double *ret)
{
        double value = json_number_value(at->value);

        if (!json_is_number(at->value) || !(value > 0))
                return manifest_complain(at, "must be a number above 0");
        if (value > max)
                return manifest_complain(at, "must be at most %.0f", max);
        *ret = value;
        return 0;
}

int manifest_read_integer(const struct manifest_at *at, json_int_t min, json_int_t max,
                          json_int_t *ret)
{
        json_int_t value = json_integer_value(at->value);

        if (!json_is_integer(at->value) || value < min || value > max)
                return manifest_complain(at, "must be a whole number from %lld to %lld",
                                         (long long)min, (long long)max);
        *ret = value;
        return 0;
}

int manifest_read_choice(const struct manifest_at *at, const char *const *names, size_t n,
                         unsigned *ret)
{
        const char *text = json_string_value(at->value);
        char shown[MANIFEST_SHOWN_SIZE], known[128] = "";

        for (unsigned i = 0; i < n; i++) {
                if (text && strcmp(names[i], text) == 0) {
                        *ret = i;
                        return 0;
                }
                append(known, sizeof known, i ? " or \"" : "\"");
                append(known, sizeof known, names[i]);
                append(known, sizeof known, "\"");
        }
        if (!text)
                return manifest_complain(at, "must be %s", known);
        return manifest_complain(at, "must be %s, not \"%s\"", known, manifest_shown(text, shown));
}

int manifest_read_text(const struct manifest_at *at, manifest_rule rule, char **ret)
{
        const char *text = json_string_value(at->value), *wrong;
        char *copy;

        if (!text)
                return manifest_complain(at, "must be a string");
        wrong = rule ? rule(text) : NULL;
        if (wrong)
                return manifest_complain(at, "must be %s", wrong);
        copy = mem_dup0(text, strlen(text));
        if (!copy)
                return manifest_no_memory(at);
        free(*ret);
        *ret = copy;
        return 0;
}

void manifest_list_free(char **list)
{
        for (char **p = list; p && *p; p++)
                free(*p);
        free(list);
}

DEFINE_SCOPED(char **, manifest_list_free)

int manifest_read_list(const struct manifest_at *at, size_t max, manifest_rule rule, char ***ret)
{
        scoped(manifest_list_free) char **list = NULL;
        size_t n = json_array_size(at->value);
        int r;

        if (!json_is_array(at->value))
                return manifest_complain(at, "must be a list");
        if (n > max)
                return manifest_complain(at, "must have at most %zu items", max);
        list = calloc(n + 1, sizeof *list);
        if (!list)
                return manifest_no_memory(at);
        for (size_t i = 0; i < n; i++) {
                struct manifest_at item = manifest_item(at, i);

                r = manifest_read_text(&item, rule, &list[i]);
                if (r < 0)
                        return r;
        }
        manifest_list_free(*ret);
        *ret = take_ptr(list);
        return 0;
}
