#include "cli/call_result.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/json_text.h"
#include "http/http_body.h"

/* ---- bytes: {"content_type","base64"} ---- */

static const char *base64_of(const json_t *value)
{
        return json_string_value(json_object_get(value, "base64"));
}

/* path: "-" is standard output. */
static int write_file(const char *path, const char *data, size_t n, struct err *e)
{
        scoped(fd) int fd = -1;
        int r;

        if (!strcmp(path, "-")) {
                fwrite(data, 1, n, stdout);
                return 0;
        }
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd < 0)
                return err_set_errno(e, -errno, "open %s", path);
        r = fd_write_all(fd, data, n);
        return r < 0 ? err_set_errno(e, r, "write %s", path) : 0;
}

static int save_bytes(const json_t *value, const char *path, struct err *e)
{
        scoped(free) char *bytes = strdup(base64_of(value));
        size_t size;
        int r;

        if (!bytes)
                return err_set_errno(e, -ENOMEM, "decode the result");
        r = http_base64_decode(bytes, strlen(bytes), &size, NULL, 0, e);
        if (r < 0)
                return err_wrap(e, r, "decode the result");
        return write_file(path, bytes, size, e);
}

/* "; --save MEMBER=FILE can write: image, mask", for somebody who asked for another. */
static void add_members(struct str *s, const json_t *result)
{
        const char *key, *before = "; --save MEMBER=FILE can write: ";
        json_t *value;

        json_object_foreach ((json_t *)result, key, value) {
                if (!base64_of(value))
                        continue;
                str_addf(s, "%s%s", before, key);
                before = ", ";
        }
}

static int no_bytes(const json_t *result, const char *what, struct err *e)
{
        scoped(str) struct str s = {0};

        add_members(&s, result);
        return err_set(e, -EINVAL, "%s is not bytes%s", what, s.bad || !s.data ? "" : s.data);
}

/* In *text, the value that was saved becomes {"content_type":...,"file":...}. */
static void mark_saved(struct str *text, const char *member, const json_t *value, const char *path)
{
        struct str marked = {0};
        const char *at;
        size_t n;

        if (!json_text_member(text->data, text->len, member, &at, &n))
                return;
        str_add(&marked, text->data, (size_t)(at - text->data));
        str_adds(&marked, "{\"content_type\":");
        str_add_json_string(&marked, client_text(value, "content_type"),
                            strlen(client_text(value, "content_type")));
        str_adds(&marked, ",\"file\":");
        str_add_json_string(&marked, path, utf8_valid_prefix(path, strlen(path)));
        str_addc(&marked, '}');
        str_add(&marked, at + n, (size_t)(text->data + text->len - at) - n);
        str_done(text);
        *text = marked;
}

/* wanted: "MEMBER=FILE". */
static int save_member(const json_t *result, const char *wanted, struct str *text, struct err *e)
{
        const char *equals = strchr(wanted, '=');
        scoped(free) char *member = equals ? mem_dup0(wanted, (size_t)(equals - wanted)) : NULL;
        const json_t *value = member ? json_object_get(result, member) : NULL;
        int r;

        if (!equals)
                return err_set(e, -EINVAL, "--save wants MEMBER=FILE, not %.60s", wanted);
        if (!base64_of(value))
                return no_bytes(result, wanted, e);
        r = save_bytes(value, equals + 1, e);
        if (r == 0)
                mark_saved(text, member, value, equals + 1);
        return r;
}

/* ---- the result ---- */

/* text: the result as it came; loses what was saved, so that it is worth printing. */
static int save_all(const struct cli_flags *flags, const json_t *result, struct str *text,
                    struct err *e)
{
        int r = 0;

        if (flags->output && !base64_of(result))
                return no_bytes(result, "the result", e);
        if (flags->output) {
                r = save_bytes(result, flags->output, e);
                text->len = 0;
        }
        for (size_t i = 0; r == 0 && flags->save && flags->save[i]; i++)
                r = save_member(result, flags->save[i], text, e);
        return r;
}

static int show_result(enum cli_command command, const struct cli_flags *flags,
                       const json_t *answer, const struct str *envelope)
{
        const json_t *result = json_object_get(answer, "result");
        scoped(str) struct str text = {0};
        const char *at;
        size_t size;
        struct err e = {0};

        if (!result || !json_text_member(envelope->data, envelope->len, "result", &at, &size))
                return command_fail(command, CLI_FAILURE, "the answer has no result");
        str_add(&text, at, size);
        if (text.bad)
                return command_fail(command, CLI_FAILURE, "no memory for the result");
        if (save_all(flags, result, &text, &e) < 0)
                return command_fail(command, CLI_FAILURE, "%s", e.msg);
        if (flags->format == CLI_FORMAT_JSON)
                client_print_json(envelope->data, envelope->len);
        else if (text.len && !text.bad)
                client_print_json(text.data, text.len);
        return CLI_OK;
}

int call_result_show(enum cli_command command, const struct cli_flags *flags, unsigned status,
                     const char *text, size_t n)
{
        scoped(json_decref) json_t *answer = NULL;
        scoped(str) struct str envelope = {0};
        struct err e = {0};

        str_add(&envelope, text, n);
        if (envelope.bad)
                return command_fail(command, CLI_FAILURE, "no memory for the answer");
        if (json_parse(text, n, &answer, &e) < 0)
                return command_fail(command, CLI_FAILURE, "the answer is no JSON: %s", e.msg);
        if (!json_is_true(json_object_get(answer, "ok")) || status / 100 != 2)
                return client_refused(command, flags, status, answer, &envelope);
        return show_result(command, flags, answer, &envelope);
}
