#include "loader/plugin_manifest_rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/macro.h"
#include "base/str.h"

#define VERSION_MAX     63
#define DESCRIPTION_MAX 4096
#define NAME_MAX_BYTES  128

/* Control characters have no business in names and paths: they end up on terminals. */
static bool has_control(const char *text)
{
        for (const unsigned char *p = (const unsigned char *)text; *p; p++)
                if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
                        return true;
        return false;
}

static bool is_identifier_part(char c, bool first)
{
        return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (!first && c >= '0' && c <= '9');
}

/* Bytes of the identifier at the start of text. */
static size_t identifier_length(const char *text)
{
        size_t n = 0;

        while (is_identifier_part(text[n], n == 0))
                n++;
        return n;
}

const char *manifest_rule_plugin_name(const char *text)
{
        return str_is_plugin_name(text) ? NULL : "1 to 64 characters of a-z, 0-9, _ and -";
}

const char *manifest_rule_tool_name(const char *text)
{
        return str_is_tool_name(text) ? NULL : "1 to 64 characters of A-Z, a-z, 0-9, _, . and -";
}

const char *manifest_rule_version(const char *text)
{
        size_t n = strlen(text);

        return n > 0 && n <= VERSION_MAX && !has_control(text) ? NULL
                                                               : "1 to 63 bytes, such as \"1.0.0\"";
}

const char *manifest_rule_description(const char *text)
{
        return strlen(text) <= DESCRIPTION_MAX ? NULL : "at most 4096 bytes";
}

/* Every part between slashes has a name, and neither "." nor ".." is one. */
static bool has_only_named_parts(const char *text)
{
        for (;;) {
                size_t n = strcspn(text, "/");

                if (n == 0 || (n == 1 && text[0] == '.') || (n == 2 && memcmp(text, "..", 2) == 0))
                        return false;
                if (text[n] == '\0')
                        return true;
                text += n + 1;
        }
}

const char *manifest_rule_path(const char *text)
{
        if (text[0] == '/')
                return "relative to the plugin's folder, not absolute";
        if (!has_only_named_parts(text))
                return "a path inside the plugin's folder, without empty, \".\" or \"..\" parts";
        if (strlen(text) > MANIFEST_PATH_MAX)
                return "at most 4096 bytes";
        return has_control(text) ? "without control characters" : NULL;
}

/* Is `text` dir itself or below it? */
static bool is_within(const char *text, const char *dir)
{
        size_t n = strlen(dir);

        return strncmp(text, dir, n) == 0 && (text[n] == '\0' || text[n] == '/');
}

const char *manifest_rule_host_path(const char *text)
{
        if (text[0] != '/')
                return "an absolute path";
        if (text[1] == '\0')
                return "less than the whole file system";
        if (!has_only_named_parts(text + 1))
                return "a path without empty, \".\" or \"..\" parts";
        if (strlen(text) > MANIFEST_PATH_MAX)
                return "at most 4096 bytes";
        if (is_within(text, "/proc") || is_within(text, "/sys") || is_within(text, "/dev"))
                return "outside /proc, /sys and /dev, of which the box has its own";
        return has_control(text) ? "without control characters" : NULL;
}

const char *manifest_rule_file_name(const char *text)
{
        size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789._+-");

        return n > 0 && n <= NAME_MAX_BYTES && text[n] == '\0' && text[0] != '.' && text[0] != '-'
                   ? NULL
                   : "a name without slashes, of A-Z, a-z, 0-9, ., _, + and -";
}

const char *manifest_rule_python(const char *text)
{
        if (text[0] == '/')
                return manifest_rule_host_path(text);
        return strchr(text, '/') ? manifest_rule_path(text) : manifest_rule_file_name(text);
}

/* What follows the identifiers with dots between at the start of text; NULL: there are none. */
static const char *behind_module(const char *text)
{
        size_t n;

        while ((n = identifier_length(text)) > 0 && text[n] == '.')
                text += n + 1;
        return n > 0 ? text + n : NULL;
}

const char *manifest_rule_module(const char *text)
{
        const char *rest = behind_module(text);

        return rest && *rest == '\0' && strlen(text) <= NAME_MAX_BYTES
                   ? NULL
                   : "the name a package is imported by, as in \"import cv2\", without a version";
}

const char *manifest_rule_entry_module(const char *text)
{
        const char *rest = behind_module(text);

        /* x.py:Plugin would look for a package x with a module py. */
        if (rest && *rest == ':' && (rest - text < 3 || memcmp(rest - 3, ".py", 3) != 0))
                rest = behind_module(rest + 1);
        return rest && *rest == '\0' && strlen(text) <= 2 * NAME_MAX_BYTES
                   ? NULL
                   : "a file that ends in .py, or a module's name as in \"import "
                     "package.module\", and behind a colon perhaps its class";
}

const char *manifest_rule_sha256(const char *text)
{
        size_t n = strspn(text, "0123456789abcdefABCDEF");

        return n == 64 && text[n] == '\0' ? NULL : "64 hexadecimal digits";
}

const char *manifest_rule_model_name(const char *text)
{
        size_t n = strlen(text);

        return n > 0 && n <= NAME_MAX_BYTES && !has_control(text)
                   ? NULL
                   : "1 to 128 bytes without control characters";
}

/* A name that ends in '*' stands for all that begin so. */
static const struct {
        const char *name, *why;
} kept_env[] = {
    {"LD_*", "may not be set: it decides what the dynamic loader loads"},
    {"GCONV_PATH", "may not be set: it decides which modules the C library loads"},
    {"GLIBC_TUNABLES", "may not be set: it changes the C library's own safety"},
    {"MALLOC_*", "may not be set: it changes the C library's own safety"},
    {"LOCPATH", "may not be set: it decides which files the C library loads"},
    {"NLSPATH", "may not be set: it decides which files the C library loads"},
    {"OPENSSL_CONF", "may not be set: it decides which modules OpenSSL loads"},
    {"OPENSSL_MODULES", "may not be set: it decides which modules OpenSSL loads"},
    {"PATH", "may not be set: it decides which programs are found; the box has its own"},
    {"PYTHONPATH", "may not be set: it decides which code the interpreter loads"},
    {"PYTHONHOME", "may not be set: it decides which code the interpreter loads"},
    {"PYTHONSTARTUP", "may not be set: it decides which code the interpreter loads"},
    {"PYTHONUSERBASE", "may not be set: it decides which code the interpreter loads"},
    {"PYTHONPLATLIBDIR", "may not be set: it decides which code the interpreter loads"},
    {"PYTHONINSPECT", "may not be set: the interpreter would not end"},
    {"BASH_ENV", "may not be set: it decides which code the shell runs"},
    {"ENV", "may not be set: it decides which code the shell runs"},
    {"IFS", "may not be set: it decides how the shell reads"},
    {"FORGESYTE_*", "may not be set: these names are the host's"},
};

const char *manifest_rule_env(const char *name)
{
        size_t n = identifier_length(name);

        if (n == 0 || n > NAME_MAX_BYTES || name[n] != '\0')
                return "must have a name of A-Z, a-z, 0-9 and _ that begins with no digit";
        for (size_t i = 0; i < ARRAY_LEN(kept_env); i++) {
                size_t known = strcspn(kept_env[i].name, "*");
                bool prefix = kept_env[i].name[known] == '*';

                if (strncmp(name, kept_env[i].name, known) == 0 && (prefix || n == known))
                        return kept_env[i].why;
        }
        return NULL;
}
