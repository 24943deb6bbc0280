#include "worker/python_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 1024

static void add_le(struct str *s, uint64_t value, unsigned size)
{
        for (unsigned i = 0; i < size; i++)
                str_addc(s, (char)(value >> (8 * i)));
}

static void add_base64(struct str *to, const uint8_t *p, size_t n)
{
        static const char digits[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        for (size_t i = 0; i < n; i += 3) {
                size_t left = n - i;
                uint32_t three = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                                 (left > 2 ? p[i + 2] : 0);

                str_addc(to, digits[three >> 18]);
                str_addc(to, digits[three >> 12 & 63]);
                str_addc(to, left > 1 ? digits[three >> 6 & 63] : '=');
                str_addc(to, left > 2 ? digits[three & 63] : '=');
        }
}

char *python_runtime_state(const struct worker_channel *c, uint64_t max_output,
                           const uint8_t *payload, size_t n)
{
        scoped(str) struct str raw = {0};
        struct str text = {0};

        add_le(&raw, c->generation, 4);
        add_le(&raw, c->call_id, 8);
        add_le(&raw, c->send_seq, 4);
        add_le(&raw, c->receive_seq, 4);
        add_le(&raw, max_output, 8);
        str_add(&raw, payload, n);
        if (raw.bad)
                return NULL;
        add_base64(&text, (const uint8_t *)raw.data, raw.len);
        return str_take(&text);
}

/* NULL: it does not lie in the plugin's folder. */
static const char *in_folder(const char *interpreter, const struct wire_str *dir)
{
        bool inside = !strncmp(interpreter, dir->p, dir->len) && interpreter[dir->len] == '/';

        return inside ? interpreter + dir->len + 1 : NULL;
}

/* Where the links from `path` come to nothing. */
static bool find_lost(const char *path, char lost[PATH_MAX])
{
        char target[PATH_MAX], at[PATH_MAX];
        bool followed = false;

        snprintf(at, sizeof at, "%s", path);
        for (int links = 0; links < 16; links++) {
                ssize_t n = readlink(at, target, sizeof target - 1);
                const char *slash = strrchr(at, '/');
                int folder;

                if (n <= 0 || !slash)
                        break;
                target[n] = '\0';
                folder = target[0] == '/' ? 0 : (int)(slash - at + 1);
                if (snprintf(lost, PATH_MAX, "%.*s%s", folder, at, target) >= PATH_MAX)
                        return false;
                snprintf(at, sizeof at, "%s", lost);
                followed = true;
        }
        return followed && access(at, F_OK) < 0;
}

void python_runtime_why(const char *interpreter, const struct wire_str *dir, int error, char *buf,
                        size_t size)
{
        const char *own = in_folder(interpreter, dir), *bin = own ? strstr(own, "/bin/") : NULL;
        char lost[PATH_MAX];

        /* A venv whose Python was removed or has moved. */
        if (error == ENOENT && find_lost(interpreter, lost))
                snprintf(buf, size,
                         "the interpreter %s cannot be started: it is a link to %.300s, which is "
                         "not there",
                         interpreter, lost);
        else if (error == ENOENT && bin)
                snprintf(buf, size,
                         "there is no interpreter %s in the plugin's folder. Make it there with: "
                         "python3 -m venv %.*s",
                         own, (int)(bin - own), own);
        else
                snprintf(buf, size, "the interpreter %s cannot be started: %s", interpreter,
                         strerror(error));
}

int python_runtime_start(const struct worker_channel *c, uint64_t max_output,
                         const struct wire_load *m, const uint8_t *payload, size_t n,
                         struct worker_fault *f)
{
        scoped(free) char *interpreter = mem_dup0(m->interpreter.p, m->interpreter.len);
        scoped(free) char *state = python_runtime_state(c, max_output, payload, n);
        scoped(str) struct str program = {0};
        const char *lib = getenv(PYTHON_RUNTIME_LIB_ENV);
        char words[WORDS_MAX];

        if (!lib || !*lib) {
                worker_fault_set(f, WIRE_ERROR_IMPORT, "ImportError",
                                 "the host's Python files were not found");
                return 1;
        }
        str_addf(&program, "%s/forgesyte_worker", lib);
        if (!interpreter || !state || program.bad || fcntl(c->fd, F_SETFD, 0) < 0) {
                worker_fault_set(f, WIRE_ERROR_IMPORT, "ImportError",
                                 "no memory to start the interpreter");
                return 1;
        }
        /* -B: the plugin's folder is read-only; -u: what it prints is seen before it dies. */
        execvp(interpreter,
               (char *[]){interpreter, (char[]){"-B"}, (char[]){"-u"}, program.data, state, NULL});
        python_runtime_why(interpreter, &m->dir, errno, words, sizeof words);
        worker_fault_set(f, WIRE_ERROR_IMPORT, "ImportError", "%s", words);
        return 1;
}
