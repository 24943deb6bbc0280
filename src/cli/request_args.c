#include "cli/request_args.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"

void request_args_done(struct request_args *a)
{
        for (size_t i = 0; i < a->n; i++) {
                free(a->args[i].name);
                free(a->args[i].filename);
                free(a->args[i].data);
        }
        free(a->args);
        free(a->json);
        *a = (struct request_args){0};
}

static int no_memory(struct err *e)
{
        return err_set_errno(e, -ENOMEM, "keep the arguments");
}

/* ---- reading ---- */

/* All of fd, whatever is behind it: a file, a pipe, a terminal. */
static int read_all(int fd, const char *what, struct str *s, struct err *e)
{
        for (;;) {
                char *to = str_reserve(s, KIB(64));
                ssize_t n = to ? read(fd, to, KIB(64)) : 0;

                if (!to)
                        return no_memory(e);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_set_errno(e, -errno, "read %s", what);
                if (n == 0)
                        return 0;
                s->len += (size_t)n;
                if (s->len > REQUEST_ARGS_SIZE_MAX)
                        return err_set(e, -EFBIG, "%s is larger than %zu bytes", what,
                                       (size_t)REQUEST_ARGS_SIZE_MAX);
        }
}

/* path: "-" is standard input. A fifo is waited for: image=@<(convert ...) works. */
static int read_source(const char *path, char **ret, size_t *ret_size, struct err *e)
{
        scoped(str) struct str s = {0};
        scoped(fd) int fd = -1;
        struct stat st;
        int r;

        if (!strcmp(path, "-")) {
                r = read_all(STDIN_FILENO, "standard input", &s, e);
        } else {
                fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0 || fstat(fd, &st) < 0)
                        return err_set_errno(e, -errno, "open %s", path);
                if (S_ISREG(st.st_mode) && st.st_size <= (off_t)REQUEST_ARGS_SIZE_MAX)
                        str_reserve(&s, (size_t)st.st_size + KIB(64));
                r = read_all(fd, path, &s, e);
        }
        if (r < 0)
                return r;
        *ret_size = s.len;
        *ret = str_take(&s);
        return *ret ? 0 : no_memory(e);
}

/* ---- words ---- */

/* By the name's ending, as a hint; a tool that cares looks at the bytes. */
static const char *content_type_of(const char *filename)
{
        static const char *const known[][2] = {
            {".png", "image/png"},       {".jpg", "image/jpeg"},  {".jpeg", "image/jpeg"},
            {".gif", "image/gif"},       {".webp", "image/webp"}, {".bmp", "image/bmp"},
            {".tif", "image/tiff"},      {".tiff", "image/tiff"}, {".mp4", "video/mp4"},
            {".webm", "video/webm"},     {".wav", "audio/wav"},   {".mp3", "audio/mpeg"},
            {".pdf", "application/pdf"},
        };
        const char *dot = strrchr(filename, '.');

        for (size_t i = 0; dot && i < ARRAY_LEN(known); i++)
                if (!strcasecmp(dot, known[i][0]))
                        return known[i][1];
        return "application/octet-stream";
}

static int read_file_arg(struct request_arg *arg, const char *path, struct err *e)
{
        const char *slash = strrchr(path, '/');
        int r = read_source(path, &arg->data, &arg->size, e);

        if (r < 0)
                return r;
        arg->is_file = true;
        arg->filename = strdup(!strcmp(path, "-") ? "stdin" : slash ? slash + 1 : path);
        if (!arg->filename)
                return no_memory(e);
        arg->content_type = content_type_of(arg->filename);
        return 0;
}

static bool is_arg_name(const char *name, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '"')
                        return false;
        return n > 0 && n <= REQUEST_ARGS_NAME_MAX && utf8_valid_prefix(name, n) == n;
}

static bool has_arg(const struct request_args *a, const char *name, size_t n)
{
        for (size_t i = 0; i < a->n; i++)
                if (strlen(a->args[i].name) == n && !memcmp(a->args[i].name, name, n))
                        return true;
        return false;
}

static int read_value(struct request_arg *arg, const char *value, struct err *e)
{
        int r = 0;

        if (value[0] == '@' && value[1] != '@') {
                r = read_file_arg(arg, value + 1, e);
        } else {
                value += value[0] == '@';
                arg->size = strlen(value);
                if (utf8_valid_prefix(value, arg->size) < arg->size)
                        return err_set(e, -EINVAL, "%s: is not UTF-8; bytes go in as %s=@file",
                                       arg->name, arg->name);
                arg->data = strdup(value);
                if (!arg->data)
                        return no_memory(e);
        }
        return r < 0 ? err_wrap(e, r, "%s", arg->name) : 0;
}

static int add_word(struct request_args *a, const char *word, struct err *e)
{
        const char *equals = strchr(word, '=');
        size_t n = equals ? (size_t)(equals - word) : 0;

        if (!equals)
                return err_set(e, -EINVAL,
                               "%.60s: arguments are key=value, key=@file or --json '{...}'", word);
        if (!is_arg_name(word, n))
                return err_set(e, -EINVAL, "%.60s: no name that an argument can have", word);
        if (has_arg(a, word, n))
                return err_set(e, -EINVAL, "%.*s: given twice", (int)n, word);
        struct request_arg *arg = &a->args[a->n];

        arg->name = mem_dup0(word, n);
        if (!arg->name)
                return no_memory(e);
        a->n++;
        return read_value(arg, equals + 1, e);
}

/* ---- --json ---- */

static int read_json(struct request_args *a, const char *given, struct err *e)
{
        scoped(json_decref) json_t *value = NULL;
        int r = 0;

        if (given[0] == '@') {
                r = read_source(given + 1, &a->json, &a->json_size, e);
        } else {
                a->json_size = strlen(given);
                a->json = strdup(given);
                if (!a->json)
                        return no_memory(e);
        }
        if (r == 0)
                r = json_parse(a->json, a->json_size, &value, e);
        if (r == 0 && !json_is_object(value))
                r = err_set(e, -EINVAL, "must be a JSON object such as {\"key\": 1}");
        return r < 0 ? err_wrap(e, r, "--json") : 0;
}

int request_args_parse(const char *const *words, size_t n, const char *json,
                       struct request_args *ret, struct err *e)
{
        scoped(request_args) struct request_args a = {0};
        int r = 0;

        if (json && n)
                return err_set(e, -EINVAL, "%.60s: arguments are either words or --json, not both",
                               words[0]);
        if (n > REQUEST_ARGS_MAX)
                return err_set(e, -EINVAL, "%zu arguments are more than %d", n, REQUEST_ARGS_MAX);
        a.args = calloc(n + 1, sizeof *a.args);
        if (!a.args)
                return no_memory(e);
        if (json)
                r = read_json(&a, json, e);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = add_word(&a, words[i], e);
        if (r < 0)
                return r;
        *ret = a;
        a = (struct request_args){0};
        return 0;
}

/* ---- the body ---- */

static bool occurs(const struct request_args *a, const char *boundary)
{
        for (size_t i = 0; i < a->n; i++)
                if (memmem(a->args[i].data, a->args[i].size, boundary, strlen(boundary)))
                        return true;
        return false;
}

#define BOUNDARY_SIZE 64
static int make_boundary(const struct request_args *a, char *boundary, struct err *e)
{
        uint64_t random[2];

        do {
                if (getrandom(random, sizeof random, 0) != sizeof random)
                        return err_set_errno(e, -errno, "make a boundary");
                snprintf(boundary, BOUNDARY_SIZE, "forgesyte-%016" PRIx64 "%016" PRIx64, random[0],
                         random[1]);
        } while (occurs(a, boundary));
        return 0;
}

/* A name inside quotes: quotes and line ends are percent-encoded, as browsers do it; a backslash is
 * doubled, lest it escape the quote behind it. */
static void add_name(struct str *s, const char *name)
{
        size_t n = utf8_valid_prefix(name, strlen(name));

        for (size_t i = 0; i < n; i++) {
                if ((unsigned char)name[i] < 0x20 || name[i] == '"' || name[i] == 0x7f)
                        str_addf(s, "%%%02X", (unsigned)name[i]);
                else if (name[i] == '\\')
                        str_adds(s, "\\\\");
                else
                        str_addc(s, name[i]);
        }
}

static void add_part(struct str *s, const struct request_arg *arg, const char *boundary)
{
        str_addf(s, "--%s\r\nContent-Disposition: form-data; name=\"", boundary);
        add_name(s, arg->name);
        str_addc(s, '"');
        if (arg->is_file) {
                str_adds(s, "; filename=\"");
                add_name(s, arg->filename);
                str_addf(s, "\"\r\nContent-Type: %s", arg->content_type);
        }
        str_adds(s, "\r\n\r\n");
        str_add(s, arg->data, arg->size);
        str_adds(s, "\r\n");
}

int request_args_body(const struct request_args *a, struct str *body, char *content_type,
                      struct err *e)
{
        char boundary[BOUNDARY_SIZE];
        int r;

        if (a->n == 0) {
                str_add(body, a->json ? a->json : "{}", a->json ? a->json_size : 2);
                snprintf(content_type, REQUEST_ARGS_TYPE_SIZE, "application/json");
                return body->bad ? no_memory(e) : 0;
        }
        r = make_boundary(a, boundary, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < a->n; i++)
                add_part(body, &a->args[i], boundary);
        str_addf(body, "--%s--\r\n", boundary);
        snprintf(content_type, REQUEST_ARGS_TYPE_SIZE, "multipart/form-data; boundary=%s",
                 boundary);
        return body->bad ? no_memory(e) : 0;
}
