/* fuzz_model.c -- a model file from the net, as the probe looks at it. First byte: its name's
 * ending; the rest is the file, which has to be one because large ones are not read whole. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"
#include "worker/probe_format.h"

static const char *const names[] = {"m.pt",   "m.safetensors", "m.gguf", "m.tflite",
                                    "m.onnx", "m.h5",          "m.npz",  "m"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(fd) int fd = -1;
        struct probe_file f = {0};
        char why[120] = "";
        int r;

        /* An emptier file is refused before its format is asked. */
        if (size < 1 + PROBE_FORMAT_HEAD)
                return 0;
        fd = memfd_create("model", MFD_CLOEXEC);
        must(fd >= 0 && fd_write_all(fd, data + 1, size - 1) == 0, "a file");
        f = (struct probe_file){fd, size - 1, names[data[0] % ARRAY_LEN(names)], {0}};
        memcpy(f.head, data + 1, sizeof f.head);
        r = probe_format_check(&f, why, sizeof why);
        must(r == 0 || r == 1, "whole or not");
        must((r == 1) == (why[0] != '\0'), "what is wrong is said");
        return 0;
}
