#include <dlfcn.h>
#include <limits.h>
#include <string.h>

#include "worker/probe.h"
#include "worker/probe_exec.h"
#include "worker/probe_python.h"

#define NVIDIA_SMI_SECONDS   5
#define CUDA_SUCCESS         0
#define CUDA_ERROR_NO_DEVICE 100

typedef int (*cu_init_fn)(unsigned flags);
typedef int (*cu_device_get_count_fn)(int *count);

static void count_devices(void *library, struct probe_verdict *v)
{
        cu_init_fn cu_init = (cu_init_fn)dlsym(library, "cuInit");
        cu_device_get_count_fn cu_count =
            (cu_device_get_count_fn)dlsym(library, "cuDeviceGetCount");
        int r, n = 0;

        if (!cu_init || !cu_count) {
                probe_say(v, WIRE_CHECK_BROKEN, "libcuda.so.1 lacks cuInit or cuDeviceGetCount");
                return;
        }
        r = cu_init(0);
        if (r != CUDA_SUCCESS) {
                probe_say(v, r == CUDA_ERROR_NO_DEVICE ? WIRE_CHECK_MISSING : WIRE_CHECK_BROKEN,
                          "cuInit: error %d%s", r, r == CUDA_ERROR_NO_DEVICE ? " (no device)" : "");
                return;
        }
        r = cu_count(&n);
        if (r != CUDA_SUCCESS)
                probe_say(v, WIRE_CHECK_BROKEN, "cuDeviceGetCount: error %d", r);
        else if (n <= 0)
                probe_say(v, WIRE_CHECK_MISSING, "the driver counts 0 devices");
        else
                probe_say(v, WIRE_CHECK_OK, "%d device%s", n, n == 1 ? "" : "s");
}

void probe_gpu_driver(const char *interpreter, struct probe_verdict *v)
{
        void *library;

        if (interpreter) {
                probe_python_gpu(interpreter, v);
                return;
        }
        /* Stays mapped: a driver does not like to be unloaded, and this process ends soon. */
        library = probe_library("libcuda.so.1", v);
        if (library)
                count_devices(library, v);
}

void probe_nvidia_smi(struct probe_verdict *v)
{
        scoped(probe_exec) struct probe_exec x = {0};
        const char *argv[] = {"nvidia-smi", NULL};
        char path[PATH_MAX], words[160];

        probe_command("nvidia-smi", path, v);
        if (v->status != WIRE_CHECK_OK)
                return;
        probe_exec_run(path, argv, NVIDIA_SMI_SECONDS, &x);
        if (x.end == PROBE_EXEC_EXITED && x.code == 0)
                return;
        probe_exec_words(&x, NVIDIA_SMI_SECONDS, words, sizeof words);
        probe_say(v, x.end == PROBE_EXEC_NOT_STARTED ? WIRE_CHECK_UNKNOWN : WIRE_CHECK_BROKEN,
                  "nvidia-smi %s", words);
}
