#include "worker/probe_format.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/mem.h"

/* Where a check writes what is wrong. */
struct why {
        char *text;
        size_t size;
};

static int wrong(struct why *w, const char *fmt, ...) printf_like(2, 3);
static int wrong(struct why *w, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(w->text, w->size, fmt, ap);
        va_end(ap);
        return 1;
}

static bool read_at(const struct probe_file *f, void *buf, size_t n, uint64_t at)
{
        char *to = buf;

        while (n > 0) {
                ssize_t r = pread(f->fd, to, n, (off_t)at);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r <= 0)
                        return false;
                to += r;
                n -= (size_t)r;
                at += (uint64_t)r;
        }
        return true;
}

static uint64_t le(const uint8_t *p, unsigned size)
{
        uint64_t value = 0;

        for (unsigned i = 0; i < size; i++)
                value |= (uint64_t)p[i] << (8 * i);
        return value;
}

static bool has_extension(const struct probe_file *f, const char *extension)
{
        const char *dot = strrchr(f->name, '.');

        return dot && !strcasecmp(dot + 1, extension);
}

static bool begins(const struct probe_file *f, size_t at, const char *magic)
{
        return !memcmp(f->head + at, magic, strlen(magic));
}

/* --- not a model at all ----------------------------------------------------------------------- */

static int check_disguise(const struct probe_file *f, struct why *w)
{
        size_t i = begins(f, 0, "\xef\xbb\xbf") ? 3 : 0;
        char text[PROBE_FORMAT_HEAD + 1] = "";

        while (i < PROBE_FORMAT_HEAD && strchr(" \t\r\n", f->head[i]) && f->head[i])
                i++;
        memcpy(text, f->head + i, PROBE_FORMAT_HEAD - i);
        if (!strncasecmp(text, "<!doctype", 9) || !strncasecmp(text, "<html", 5))
                return wrong(w, "a web page, not a model: the download went wrong");
        if (!strncmp(text, "version https://", PROBE_FORMAT_HEAD))
                return wrong(w, "a Git LFS pointer, not the model: run git lfs pull");
        return 0;
}

/* --- zip: PyTorch, NumPy, Keras --------------------------------------------------------------- */

#define ZIP_END_SIZE    22
#define ZIP_COMMENT_MAX 65535

static bool is_zip(const struct probe_file *f)
{
        return begins(f, 0, "PK\x03\x04") || begins(f, 0, "PK\x05\x06");
}

/* Is this an end record that fits where it stands, `at` bytes into the file? */
static bool is_zip_end(const struct probe_file *f, const uint8_t *p, uint64_t at)
{
        uint64_t directory_size = le(p + 12, 4), directory = le(p + 16, 4);
        bool zip64 = directory == 0xffffffff || directory_size == 0xffffffff;

        return !memcmp(p, "PK\x05\x06", 4) && at + ZIP_END_SIZE + le(p + 20, 2) == f->size &&
               (zip64 || directory + directory_size <= at);
}

static int check_zip(const struct probe_file *f, struct why *w)
{
        size_t n = (size_t)MIN_OF(f->size, (uint64_t)ZIP_END_SIZE + ZIP_COMMENT_MAX);
        scoped(free) uint8_t *tail = malloc(n);

        if (!tail || !read_at(f, tail, n, f->size - n))
                return wrong(w, "its end cannot be read");
        for (size_t i = n < ZIP_END_SIZE ? 0 : n - ZIP_END_SIZE + 1; i-- > 0;)
                if (is_zip_end(f, tail + i, f->size - n + i))
                        return 0;
        return wrong(w, "truncated: a zip archive without its end record");
}

static bool is_torch(const struct probe_file *f)
{
        return has_extension(f, "pt") || has_extension(f, "pth");
}

/* What torch.save wrote before its version 1.6 is a pickle: protocol 2 to 5. */
static int check_torch(const struct probe_file *f, struct why *w)
{
        if (f->head[0] == 0x80 && f->head[1] >= 2 && f->head[1] <= 5)
                return 0;
        return wrong(w, "not a PyTorch file: neither a zip archive nor a pickle");
}

/* --- safetensors ------------------------------------------------------------------------------ */

#define SAFETENSORS_HEADER_MAX MIB(100)

static bool is_safetensors(const struct probe_file *f)
{
        return has_extension(f, "safetensors");
}

/* The largest second number of a "data_offsets":[a,b]. In the header's strings a quote would be
 * escaped, so what is found here is a key. */
static uint64_t last_offset(const char *header)
{
        static const char key[] = "\"data_offsets\"";
        unsigned long long from, to, last = 0;

        for (const char *p = header; (p = strstr(p, key));) {
                bool escaped = p > header && p[-1] == '\\';

                p += sizeof key - 1;
                if (!escaped && sscanf(p, " : [ %llu , %llu", &from, &to) == 2 && to > last)
                        last = to;
        }
        return last;
}

static int check_safetensors(const struct probe_file *f, struct why *w)
{
        uint64_t header = le(f->head, 8), data;
        scoped(free) char *text = NULL;

        if (f->head[8] != '{' || header < 2 || header > SAFETENSORS_HEADER_MAX)
                return wrong(w, "not a safetensors file");
        if (header > f->size - 8)
                return wrong(w, "truncated: a header of %llu bytes in a file of %llu",
                             (unsigned long long)header, (unsigned long long)f->size);
        text = malloc(header + 1);
        if (!text || !read_at(f, text, header, 8))
                return wrong(w, "its header cannot be read");
        text[header] = '\0';
        data = last_offset(text);
        if (data > f->size - 8 - header)
                return wrong(w, "truncated: %llu bytes of tensors in a file of %llu",
                             (unsigned long long)data, (unsigned long long)f->size);
        return 0;
}

/* --- GGUF, TFLite, HDF5 ----------------------------------------------------------------------- */

static bool is_gguf(const struct probe_file *f)
{
        return has_extension(f, "gguf") || begins(f, 0, "GGUF");
}

static int check_gguf(const struct probe_file *f, struct why *w)
{
        uint64_t version = le(f->head + 4, 4);

        if (!begins(f, 0, "GGUF"))
                return wrong(w, "not a GGUF file");
        if (version < 1 || version > 16)
                return wrong(w, "GGUF version %llu does not exist", (unsigned long long)version);
        return 0;
}

static bool is_tflite(const struct probe_file *f)
{
        return has_extension(f, "tflite");
}

static int check_tflite(const struct probe_file *f, struct why *w)
{
        if (!begins(f, 4, "TFL3"))
                return wrong(w, "not a TensorFlow Lite file");
        return 0;
}

static bool is_hdf5(const struct probe_file *f)
{
        return has_extension(f, "h5") || has_extension(f, "hdf5");
}

static int check_hdf5(const struct probe_file *f, struct why *w)
{
        if (!begins(f, 0, "\x89HDF\r\n\x1a\n"))
                return wrong(w, "not an HDF5 file");
        return 0;
}

/* --- ONNX: one protobuf message, whose top-level fields are few and large ----------------------
 */

#define ONNX_FIELDS_MAX   65536
#define ONNX_FIELD_NO_MAX 25 /* ModelProto: 1 to 8, 14, 20, 25 */

static bool is_onnx(const struct probe_file *f)
{
        return has_extension(f, "onnx");
}

static bool read_varint(const struct probe_file *f, uint64_t *at, uint64_t *ret)
{
        *ret = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
                uint8_t byte;

                if (*at >= f->size || !read_at(f, &byte, 1, *at))
                        return false;
                (*at)++;
                *ret |= (uint64_t)(byte & 0x7f) << shift;
                if (!(byte & 0x80))
                        return true;
        }
        return false;
}

/* Steps over one field: false when it is none of a ModelProto or does not fit the file. */
static bool skip_field(const struct probe_file *f, uint64_t *at)
{
        uint64_t tag, value;

        if (!read_varint(f, at, &tag) || tag >> 3 < 1 || tag >> 3 > ONNX_FIELD_NO_MAX)
                return false;
        if ((tag & 7) == 0)
                return read_varint(f, at, &value);
        if ((tag & 7) != 2 || !read_varint(f, at, &value) || value > f->size - *at)
                return false;
        *at += value;
        return true;
}

static int check_onnx(const struct probe_file *f, struct why *w)
{
        uint64_t at = 0;

        for (unsigned i = 0; i < ONNX_FIELDS_MAX && at < f->size; i++)
                if (!skip_field(f, &at) || at > f->size)
                        return i == 0
                                   ? wrong(w, "not an ONNX file")
                                   : wrong(w, "truncated or corrupted: a field of the model ends "
                                              "behind the file");
        return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

static bool is_anything(const struct probe_file *f unused_param)
{
        return true;
}

/* `more` formats are asked after this one. */
static const struct {
        bool (*is)(const struct probe_file *f);
        int (*check)(const struct probe_file *f, struct why *w);
        bool more;
} formats[] = {
    {is_anything, check_disguise, true}, {is_zip, check_zip, false},
    {is_torch, check_torch, false},      {is_safetensors, check_safetensors, false},
    {is_gguf, check_gguf, false},        {is_tflite, check_tflite, false},
    {is_hdf5, check_hdf5, false},        {is_onnx, check_onnx, false},
};

int probe_format_check(const struct probe_file *f, char *why, size_t size)
{
        struct why w = {why, size};

        for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
                if (!formats[i].is(f))
                        continue;
                if (formats[i].check(f, &w))
                        return 1;
                if (!formats[i].more)
                        return 0;
        }
        return 0;
}
