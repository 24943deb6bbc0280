#include "loader/plugin_errors.h"

#include <string.h>

#include "base/json.h"
#include "base/macro.h"

/* A stranger's words are cut to these; what reaches a client stays readable. */
#define TYPE_MAX      64
#define WORDS_MAX     KIB(16)
#define TRACEBACK_MAX KIB(64)

struct row {
        const char *name;
        unsigned status;
        bool fails;
};

static const struct row rows[] = {[PLUGIN_ERROR_NONE] = {"", 200, false},
#define X(id, name, status, fails, meaning) [PLUGIN_ERROR_##id] = {name, status, fails},
                                  PLUGIN_ERRORS(X)
#undef X
};

static const struct row *row_of(enum plugin_error e)
{
        return &rows[(unsigned)e < ARRAY_LEN(rows) ? e : PLUGIN_ERROR_INTERNAL];
}

const char *plugin_error_name(enum plugin_error e)
{
        return row_of(e)->name;
}

bool plugin_error_is_reserved(const char *name)
{
        static const struct {
                const char *name;
                unsigned status;
        } names[] = {
#define X(id, text, status, fails, meaning) {text, status},
                PLUGIN_ERRORS(X)
#undef X
        };

        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (names[i].status != 422 && !strcmp(names[i].name, name))
                        return true;
        return false;
}

bool plugin_error_is_finding(const char *name)
{
        static const enum plugin_error findings[] = {
            PLUGIN_ERROR_MEMORY_LIMIT,   PLUGIN_ERROR_CRASHED,           PLUGIN_ERROR_PROTOCOL,
            PLUGIN_ERROR_RESOURCE_LIMIT, PLUGIN_ERROR_SANDBOX_VIOLATION, PLUGIN_ERROR_CANCELLED};

        for (size_t i = 0; i < ARRAY_LEN(findings); i++)
                if (!strcmp(rows[findings[i]].name, name))
                        return true;
        return false;
}

unsigned plugin_error_status(enum plugin_error e)
{
        return row_of(e)->status;
}

bool plugin_error_fails_plugin(enum plugin_error e)
{
        return row_of(e)->fails;
}

/* Adds a stranger's text as a JSON string: valid UTF-8, no control bytes, cut to max bytes. */
static void add_words(struct str *s, const char *words, size_t max)
{
        scoped(str) struct str printable = {0};

        str_add_printable(&printable, words, strlen(words), max);
        if (printable.bad)
                s->bad = true;
        else
                str_add_json_string(s, printable.data ? printable.data : "", printable.len);
}

char *plugin_error_envelope(enum plugin_error e, const char *type, const char *words,
                            const char *traceback, size_t *ret_size)
{
        scoped(str) struct str s = {0};
        char *text;
        size_t size;

        str_adds(&s, "{\"ok\":false,\"error\":");
        add_words(&s, words ? words : "", WORDS_MAX);
        str_adds(&s, ",\"error_type\":");
        add_words(&s, type && *type ? type : plugin_error_name(e), TYPE_MAX);
        if (traceback) {
                str_adds(&s, ",\"traceback\":");
                add_words(&s, traceback, TRACEBACK_MAX);
        }
        str_addc(&s, '}');
        size = s.len;
        text = str_take(&s);
        if (text && ret_size)
                *ret_size = size;
        return text;
}

/* Where the package's name on PyPI is not the name it is imported by. As
 * python/forgesyte_worker/failures.py has it: a test compares the two. */
static const struct {
        const char *module, *package;
} pip_names[] = {
    {"Crypto", "pycryptodome"},
    {"OpenSSL", "pyopenssl"},
    {"PIL", "pillow"},
    {"attr", "attrs"},
    {"bs4", "beautifulsoup4"},
    {"cv2", "opencv-python-headless"},
    {"dateutil", "python-dateutil"},
    {"docx", "python-docx"},
    {"dotenv", "python-dotenv"},
    {"fitz", "pymupdf"},
    {"git", "gitpython"},
    {"jwt", "pyjwt"},
    {"magic", "python-magic"},
    {"serial", "pyserial"},
    {"skimage", "scikit-image"},
    {"sklearn", "scikit-learn"},
    {"usb", "pyusb"},
    {"yaml", "pyyaml"},
};

void plugin_text_pip_name(struct str *s, const char *module)
{
        size_t n = strcspn(module, ".");

        for (size_t i = 0; i < ARRAY_LEN(pip_names); i++)
                if (strlen(pip_names[i].module) == n &&
                    memcmp(pip_names[i].module, module, n) == 0) {
                        str_adds(s, pip_names[i].package);
                        return;
                }
        str_add(s, module, n);
}

void plugin_text_gpu_missing(struct str *s)
{
        str_adds(s, "CUDA GPU not available. Check torch.cuda.is_available() or nvidia-smi.");
}

void plugin_text_package_missing(struct str *s, const char *package)
{
        str_addf(s, "ImportError: No module named '%s'. Install with: pip install ", package);
        plugin_text_pip_name(s, package);
}

void plugin_text_module_missing(struct str *s, const char *module)
{
        str_addf(s,
                 "ImportError: No module named '%s'. The package '%.*s' is there, but has no such "
                 "module.",
                 module, (int)strcspn(module, "."), module);
}

void plugin_text_model_missing(struct str *s, const char *path)
{
        str_addf(s, "Model file not found: %s. Download from ForgeSyte releases.", path);
}

void plugin_text_model_corrupt(struct str *s, const char *path)
{
        str_addf(s, "Model file truncated or corrupted: %s. Re-download.", path);
}
