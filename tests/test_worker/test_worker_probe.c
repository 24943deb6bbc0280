/* The probe of the real worker, over the real wire, on files made here. A GPU is mocked where a
 * driver begins: a libcuda.so.1 on LD_LIBRARY_PATH, an nvidia-smi on PATH. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/test.h"
#include "base/clock.h"
#include "worker_host.h"

/* Of "sixteen bytes, y", and of an x and three MiB less one of zeros. */
#define SHA256_OF_MODEL "693687aae7c03e0c13d614924239804fb7527f3bb82e2370d2a9120989d0f7e6"
#define SHA256_OF_LARGE "abac11896b5e69f332c09e050094f9b960defb8c0c0f6540e9d2e74fbce85df5"

/* A folder of its own for each test: `home` is the plugin's, `outside` is not. */
struct place {
        char root[64], home[96], outside[96], bin[96];
};

static int set_up(void **state)
{
        struct place *p = calloc(1, sizeof *p);

        strcpy(p->root, "/tmp/forgesyte-probe-XXXXXX");
        assert_non_null(mkdtemp(p->root));
        snprintf(p->home, sizeof p->home, "%s/home", p->root);
        snprintf(p->outside, sizeof p->outside, "%s/outside", p->root);
        snprintf(p->bin, sizeof p->bin, "%s/bin", p->root);
        assert_int_equal(mkdir(p->home, 0755), 0);
        assert_int_equal(mkdir(p->outside, 0755), 0);
        assert_int_equal(mkdir(p->bin, 0755), 0);
        unsetenv("LD_LIBRARY_PATH");
        unsetenv("PYTHONPATH");
        setenv("PATH", "/usr/bin:/bin", 1);
        *state = p;
        return 0;
}

static int tear_down(void **state)
{
        struct place *p = *state;
        char command[128];

        snprintf(command, sizeof command, "/bin/rm -rf %s", p->root);
        assert_int_equal(system(command), 0);
        free(p);
        return 0;
}

/* "dir/name", in a buffer that is good until the test ends. */
static const char *path_of(const char *dir, const char *name)
{
        static char paths[64][PATH_MAX];
        static unsigned next;
        char *path = paths[next++ % 64];

        snprintf(path, PATH_MAX, "%s/%s", dir, name);
        return path;
}

static const char *put(const char *dir, const char *name, const void *bytes, size_t n)
{
        const char *path = path_of(dir, name);
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
        return path;
}

static void put_script(const char *dir, const char *name, const char *text)
{
        assert_int_equal(chmod(put(dir, name, text, strlen(text)), 0755), 0);
}

struct expected {
        enum wire_check_kind kind;
        const char *subject, *extra;
        enum wire_check_status status;
        const char *words; /* in the detail; "" fits any */
};

static void compare(const struct wire_verdict *v, const struct expected *x)
{
        scoped(free) char *detail = mem_dup0(v->detail.p, v->detail.len);

        if (v->status != x->status || !strstr(detail, x->words))
                fail_msg("check %d of \"%s\": %u \"%s\", not %d \"%s\"", x->kind, x->subject,
                         v->status, detail, x->status, x->words);
}

/* One worker, one CHECK of all that is listed. */
static void expect(const char *interpreter, const char *dir, const struct expected *x, size_t n)
{
        scoped(free) struct wire_check *checks = calloc(n, sizeof *checks);
        scoped(str) struct str payload = {0};
        scoped(wire_frame) struct wire_frame f = {0};
        scoped(wire_report) struct wire_report report = {0};
        struct worker_host h;
        struct err e = {0};

        for (size_t i = 0; i < n; i++)
                checks[i] = (struct wire_check){(uint8_t)x[i].kind, wire_str_of(x[i].subject),
                                                wire_str_of(x[i].extra)};
        wire_encode_check_list(&payload,
                               &(struct wire_check_list){.interpreter = wire_str_of(interpreter),
                                                         .dir = wire_str_of(dir),
                                                         .checks = checks,
                                                         .n_checks = (uint16_t)n});
        worker_host_start(&h);
        worker_host_send(&h, WIRE_CHECK, &payload);
        f = worker_host_answer(&h, NULL);
        assert_int_equal(f.header.type, WIRE_REPORT);
        assert_int_equal(wire_decode_report(f.payload, f.header.len, &report, &e), 0);
        assert_int_equal(report.n_verdicts, n);
        for (size_t i = 0; i < n; i++)
                compare(&report.verdicts[i], &x[i]);
        worker_host_stop(&h);
}

#define EXPECT(interpreter, dir, ...)                                                              \
        do {                                                                                       \
                const struct expected list_[] = {__VA_ARGS__};                                     \
                expect(interpreter, dir, list_, sizeof list_ / sizeof list_[0]);                   \
        } while (0)

#define MODEL(path, status, words)                                                                 \
        {                                                                                          \
                WIRE_CHECK_MODEL, path, "", status, words                                          \
        }

/* --- models ----------------------------------------------------------------------------------- */

/* An archive without members, as far as its directory goes: head, filler, end record. */
static size_t make_zip(uint8_t *buf)
{
        static const uint8_t end[22] = {'P', 'K', 5, 6, [16] = 64};

        memset(buf, 'z', 64);
        memcpy(buf, "PK\x03\x04", 4);
        memcpy(buf + 64, end, sizeof end);
        return 64 + sizeof end;
}

/* A safetensors file with 8 bytes of tensors, of which the last `cut` are missing. */
static const char *put_tensors(const char *dir, const char *name, size_t cut)
{
        static const char header[] =
            "{\"__metadata__\":{\"x\":\"\\\"data_offsets\\\":[0,99]\"},"
            "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\": [0, 8]}}";
        uint8_t buf[256] = {sizeof header - 1};

        memcpy(buf + 8, header, sizeof header - 1);
        return put(dir, name, buf, 8 + sizeof header - 1 + 8 - cut);
}

static void test_models_that_are_whole(void **state)
{
        struct place *p = *state;
        uint8_t zip[128];
        size_t n = make_zip(zip);
        static const char pickle[] = "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02";
        static const char onnx[] = "\x08\x07\x12\x04test\x3a\x08"
                                   "graph...\x42\x04\x0a\x00\x10\x0d";

        EXPECT(
            "", p->home, MODEL(put(p->home, "a.pt", zip, n), WIRE_CHECK_OK, ""),
            MODEL(put(p->home, "b.PTH", zip, n), WIRE_CHECK_OK, ""),
            MODEL(put(p->home, "c.npz", zip, n), WIRE_CHECK_OK, ""),
            MODEL(put(p->home, "d.pt", pickle, sizeof pickle), WIRE_CHECK_OK, ""),
            MODEL(put_tensors(p->home, "e.safetensors", 0), WIRE_CHECK_OK, ""),
            MODEL(put(p->home, "f.onnx", onnx, sizeof onnx - 1), WIRE_CHECK_OK, ""),
            MODEL(put(p->home, "g.gguf", "GGUF\3\0\0\0\1\0\0\0\0\0\0\0", 16), WIRE_CHECK_OK, ""),
            MODEL(put(p->home, "h.tflite", "\x1c\0\0\0TFL3\0\0\0\0\0\0\0\0", 16), WIRE_CHECK_OK,
                  ""),
            MODEL(put(p->home, "i.h5", "\x89HDF\r\n\x1a\n\0\0\0\0\0\0\0\0", 16), WIRE_CHECK_OK, ""),
            MODEL(put(p->home, "j.traineddata", "any sixteen bytes", 16), WIRE_CHECK_OK, ""));
}

static void test_models_that_are_cut(void **state)
{
        struct place *p = *state;
        uint8_t zip[128];
        size_t n = make_zip(zip);
        static const char onnx[] = "\x08\x07\x12\x04test\x3a\x80\x08"
                                   "graph...";

        EXPECT("", p->home, MODEL(put(p->home, "empty.pt", "", 0), WIRE_CHECK_BROKEN, "empty"),
               MODEL(put(p->home, "a.pt", zip, 15), WIRE_CHECK_BROKEN, "truncated: 15 bytes"),
               MODEL(put(p->home, "b.pt", zip, n - 1), WIRE_CHECK_BROKEN, "without its end record"),
               MODEL(put(p->home, "c.safetensors", "\x40\0\0\0\0\0\0\0{\"w\":{}}", 16),
                     WIRE_CHECK_BROKEN, "truncated: a header of 64 bytes in a file of 16"),
               MODEL(put_tensors(p->home, "d.safetensors", 1), WIRE_CHECK_BROKEN,
                     "truncated: 8 bytes of tensors"),
               MODEL(put(p->home, "e.onnx", onnx, sizeof onnx - 1), WIRE_CHECK_BROKEN,
                     "ends behind the file"));
}

static void test_files_that_are_no_models(void **state)
{
        struct place *p = *state;
        static const char html[] = "\n <!DOCTYPE html><html><body>404</body></html>";
        static const char lfs[] = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n";
        static const char text[] = "this is only some text, no model";

#define TEXT(name) put(p->home, name, text, sizeof text - 1)
        EXPECT("", p->home,
               MODEL(put(p->home, "a.pt", html, sizeof html), WIRE_CHECK_BROKEN, "a web page"),
               MODEL(put(p->home, "b.onnx", lfs, sizeof lfs), WIRE_CHECK_BROKEN, "git lfs pull"),
               MODEL(TEXT("c.pt"), WIRE_CHECK_BROKEN, "not a PyTorch file"),
               MODEL(TEXT("d.safetensors"), WIRE_CHECK_BROKEN, "not a safetensors file"),
               MODEL(TEXT("e.gguf"), WIRE_CHECK_BROKEN, "not a GGUF file"),
               MODEL(TEXT("f.tflite"), WIRE_CHECK_BROKEN, "not a TensorFlow Lite file"),
               MODEL(TEXT("g.onnx"), WIRE_CHECK_BROKEN, "not an ONNX file"),
               MODEL(TEXT("h.h5"), WIRE_CHECK_BROKEN, "not an HDF5 file"),
               MODEL(put(p->home, "i.bin", "GGUF\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 16),
                     WIRE_CHECK_BROKEN, "GGUF version 4294967295 does not exist"));
#undef TEXT
}

static void test_places_where_no_model_is(void **state)
{
        struct place *p = *state;
        const char *inner = put(p->home, "real.bin", "sixteen bytes, here.", 16);
        const char *outer = put(p->outside, "secret.bin", "sixteen bytes, there", 16);
        const char *fifo = path_of(p->home, "fifo");

        assert_int_equal(mkfifo(fifo, 0644), 0);
        assert_int_equal(symlink("real.bin", path_of(p->home, "in")), 0);
        assert_int_equal(symlink(outer, path_of(p->home, "out")), 0);
        assert_int_equal(symlink("nowhere", path_of(p->home, "dangling")), 0);
        assert_int_equal(symlink("loop", path_of(p->home, "loop")), 0);
        EXPECT(
            "", p->home, MODEL(inner, WIRE_CHECK_OK, ""),
            MODEL(path_of(p->home, "in"), WIRE_CHECK_OK, ""),
            MODEL(path_of(p->home, "absent.pt"), WIRE_CHECK_MISSING, "does not exist"),
            MODEL(path_of(p->home, "dangling"), WIRE_CHECK_MISSING, "does not exist"),
            MODEL(path_of(p->home, "real.bin/x"), WIRE_CHECK_MISSING, "does not exist"),
            MODEL(path_of(p->home, "loop"), WIRE_CHECK_BROKEN, "symbolic links"),
            MODEL(path_of(p->home, "out"), WIRE_CHECK_BROKEN, "leads out of the plugin's folder"),
            MODEL(path_of(p->home, "../outside/secret.bin"), WIRE_CHECK_BROKEN, "leads out"),
            MODEL(fifo, WIRE_CHECK_BROKEN, "not a regular file"),
            MODEL(p->home, WIRE_CHECK_BROKEN, ""),
            MODEL("/dev/null", WIRE_CHECK_BROKEN, "leads out"));
        /* Without a folder to stay in, links are links. */
        EXPECT("", "", MODEL(path_of(p->home, "out"), WIRE_CHECK_OK, ""),
               MODEL(p->home, WIRE_CHECK_BROKEN, "a directory, not a file"));
}

static void test_digest_of_a_model(void **state)
{
        struct place *p = *state;
        const char *path = put(p->home, "a.bin", "sixteen bytes, yes", 16);
        static const char right[] = SHA256_OF_MODEL;
        char upper[sizeof right];
        const char *large = path_of(p->home, "large.bin");

        for (size_t i = 0; i < sizeof right; i++)
                upper[i] = (char)(right[i] >= 'a' ? right[i] - 32 : right[i]);
        put(p->home, "large.bin", "x", 1);
        assert_int_equal(truncate(large, 3 << 20), 0);
        EXPECT("", p->home, {WIRE_CHECK_MODEL, path, right, WIRE_CHECK_OK, ""},
               {WIRE_CHECK_MODEL, path, upper, WIRE_CHECK_OK, ""},
               {WIRE_CHECK_MODEL, path, "00ff", WIRE_CHECK_BROKEN, "sha256 is " SHA256_OF_MODEL},
               {WIRE_CHECK_MODEL, large, SHA256_OF_LARGE, WIRE_CHECK_OK, ""});
}

/* --- libraries and commands ------------------------------------------------------------------- */

static void test_libraries(void **state)
{
        struct place *p = *state;

        char text[200];

        memset(text, 'x', sizeof text);
        put(p->bin, "libtext.so.1", text, sizeof text);
        setenv("LD_LIBRARY_PATH", p->bin, 1);
        EXPECT("", "", {WIRE_CHECK_LIBRARY, "libm.so.6", "", WIRE_CHECK_OK, ""},
               {WIRE_CHECK_LIBRARY, "libno-such.so.9", "", WIRE_CHECK_MISSING, "libno-such.so.9"},
               {WIRE_CHECK_LIBRARY, "libtext.so.1", "", WIRE_CHECK_BROKEN, "invalid ELF header"},
               {WIRE_CHECK_LIBRARY, "", "", WIRE_CHECK_BROKEN, "no library is named"});
}

static void test_commands(void **state)
{
        struct place *p = *state;
        char path[256];

        put_script(p->bin, "tool", "#!/bin/sh\n");
        put(p->bin, "notes", "text", 4);
        snprintf(path, sizeof path, "/nowhere::%s:/usr/bin:/bin", p->bin);
        setenv("PATH", path, 1);
        EXPECT("", "", {WIRE_CHECK_COMMAND, "tool", "", WIRE_CHECK_OK, "bin/tool"},
               {WIRE_CHECK_COMMAND, "sh", "", WIRE_CHECK_OK, "/sh"},
               {WIRE_CHECK_COMMAND, "no-such-command", "", WIRE_CHECK_MISSING, "not on PATH"},
               {WIRE_CHECK_COMMAND, "notes", "", WIRE_CHECK_BROKEN, "not an executable file"},
               {WIRE_CHECK_COMMAND, "/bin/sh", "", WIRE_CHECK_OK, ""},
               {WIRE_CHECK_COMMAND, "/no/sh", "", WIRE_CHECK_MISSING, "/no/sh does not exist"},
               {WIRE_CHECK_COMMAND, "", "", WIRE_CHECK_UNKNOWN, ""},
               {(enum wire_check_kind)99, "x", "", WIRE_CHECK_UNKNOWN, "kind 99"});
}

/* --- the GPU ---------------------------------------------------------------------------------- */

static void use_cuda(struct place *p, const char *fake)
{
        const char *target = path_of(getenv("FORGESYTE_TEST_PLUGINS"), fake);
        const char *link = path_of(p->bin, "libcuda.so.1");

        unlink(link);
        assert_int_equal(symlink(target, link), 0);
        setenv("LD_LIBRARY_PATH", p->bin, 1);
}

static void test_gpu_driver_tells_its_troubles_apart(void **state)
{
        struct place *p = *state;

        use_cuda(p, "cuda_two.so");
        EXPECT("", "", {WIRE_CHECK_GPU_DRIVER, "", "native", WIRE_CHECK_OK, "2 devices"});
        use_cuda(p, "cuda_none.so");
        EXPECT("", "", {WIRE_CHECK_GPU_DRIVER, "", "native", WIRE_CHECK_MISSING, "0 devices"});
        use_cuda(p, "cuda_error.so");
        EXPECT("", "",
               {WIRE_CHECK_GPU_DRIVER, "", "native", WIRE_CHECK_BROKEN, "cuInit: error 803"});
        use_cuda(p, "cuda_no_device.so");
        EXPECT("", "",
               {WIRE_CHECK_GPU_DRIVER, "", "native", WIRE_CHECK_MISSING, "cuInit: error 100"});
        use_cuda(p, "tools.so");
        EXPECT("", "", {WIRE_CHECK_GPU_DRIVER, "", "native", WIRE_CHECK_BROKEN, ""});
}

static void test_nvidia_smi(void **state)
{
        struct place *p = *state;
        char path[256];

        snprintf(path, sizeof path, "%s:/usr/bin:/bin", p->bin);
        setenv("PATH", path, 1);
        put_script(p->bin, "nvidia-smi", "#!/bin/sh\necho GPU 0; exit 0\n");
        EXPECT("", "", {WIRE_CHECK_NVIDIA_SMI, "", "", WIRE_CHECK_OK, ""});
        put_script(p->bin, "nvidia-smi", "#!/bin/sh\nexit 9\n");
        EXPECT("", "", {WIRE_CHECK_NVIDIA_SMI, "", "", WIRE_CHECK_BROKEN, "exited with code 9"});
        put_script(p->bin, "nvidia-smi", "#!/bin/sh\nkill -6 $$\n");
        EXPECT("", "", {WIRE_CHECK_NVIDIA_SMI, "", "", WIRE_CHECK_BROKEN, "died by signal 6"});
        put_script(p->bin, "nvidia-smi", "not a program");
        EXPECT("", "", {WIRE_CHECK_NVIDIA_SMI, "", "", WIRE_CHECK_UNKNOWN, "could not be started"});
        /* A grandchild that keeps the pipe open does not keep the probe waiting. */
        put_script(p->bin, "nvidia-smi", "#!/bin/sh\nsleep 60 &\nexit 0\n");
        EXPECT("", "", {WIRE_CHECK_NVIDIA_SMI, "", "", WIRE_CHECK_OK, ""});
}

static void test_nvidia_smi_that_is_missing(void **state)
{
        struct place *p = *state;

        setenv("PATH", p->bin, 1);
        EXPECT("", "",
               {WIRE_CHECK_NVIDIA_SMI, "", "", WIRE_CHECK_MISSING, "nvidia-smi is not on PATH"});
}

static void test_nvidia_smi_that_hangs_is_killed(void **state)
{
        struct place *p = *state;
        int64_t began = clock_mono_ns();
        char path[256];

        snprintf(path, sizeof path, "%s:/usr/bin:/bin", p->bin);
        setenv("PATH", path, 1);
        put_script(p->bin, "nvidia-smi", "#!/bin/sh\ntrap '' TERM\nsleep 60\n");
        EXPECT("", "",
               {WIRE_CHECK_NVIDIA_SMI, "", "", WIRE_CHECK_BROKEN, "did not end within 5 s"});
        assert_in_range((clock_mono_ns() - began) / NSEC_PER_MSEC, 4900, 8000);
}

static void use_torch(struct place *p, const char *text)
{
        put(p->bin, "torch.py", text, strlen(text));
        setenv("PYTHONPATH", p->bin, 1);
        setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
}

static void test_gpu_through_torch(void **state)
{
        struct place *p = *state;

        use_torch(p,
                  "class cuda:\n    is_available = lambda: True\n    device_count = lambda: 3\n");
        EXPECT("python3", "", {WIRE_CHECK_GPU_DRIVER, "", "python", WIRE_CHECK_OK, "3 devices"});
        use_torch(p, "print('noise')\nclass cuda:\n    is_available = lambda: False\n");
        EXPECT(
            "python3", "",
            {WIRE_CHECK_GPU_DRIVER, "", "python", WIRE_CHECK_MISSING, "is_available() is False"});
        use_torch(p, "raise OSError('libtorch.so: cannot open')\n");
        EXPECT("python3", "",
               {WIRE_CHECK_GPU_DRIVER, "", "python", WIRE_CHECK_BROKEN, "OSError: libtorch.so"});
        use_torch(p, "import os\nos.abort()\n");
        EXPECT("python3", "",
               {WIRE_CHECK_GPU_DRIVER, "", "python", WIRE_CHECK_UNKNOWN, "died by signal 6"});
        EXPECT("", "", {WIRE_CHECK_GPU_DRIVER, "", "python", WIRE_CHECK_UNKNOWN, "no Python"});
}

/* --- packages --------------------------------------------------------------------------------- */

static void put_text(const char *dir, const char *name, const char *text)
{
        put(dir, name, text, strlen(text));
}

static char *new_folder(const char *dir, const char *name)
{
        char *path = NULL;

        assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
        assert_int_equal(mkdir(path, 0755), 0);
        return path;
}

static void test_packages(void **state)
{
        struct place *p = *state;

        use_torch(p, "raise SystemExit('never imported')\n");
        put(p->bin, "noisy.py", "print('0 lies')\n", 16);
        EXPECT("python3", "", {WIRE_CHECK_PACKAGE, "json", "", WIRE_CHECK_OK, ""},
               {WIRE_CHECK_COMMAND, "sh", "", WIRE_CHECK_OK, ""},
               {WIRE_CHECK_PACKAGE, "no_such_module", "", WIRE_CHECK_MISSING, ""},
               {WIRE_CHECK_PACKAGE, "xml.etree", "", WIRE_CHECK_OK, ""},
               {WIRE_CHECK_PACKAGE, "noisy.sub", "", WIRE_CHECK_MISSING, "/noisy.py"},
               {WIRE_CHECK_PACKAGE, "json.nothing", "", WIRE_CHECK_MISSING, "/json"},
               {WIRE_CHECK_PACKAGE, "json.nothing.more", "", WIRE_CHECK_MISSING, "/json"},
               {WIRE_CHECK_PACKAGE, "sys.nothing", "", WIRE_CHECK_MISSING, "built-in"},
               {WIRE_CHECK_PACKAGE, "no_such.sub", "", WIRE_CHECK_MISSING, ""},
               {WIRE_CHECK_PACKAGE, "torch", "", WIRE_CHECK_OK, ""},
               {WIRE_CHECK_PACKAGE, "", "", WIRE_CHECK_MISSING, ""},
               {WIRE_CHECK_PACKAGE, "__main__", "", WIRE_CHECK_OK, ""});
}

/* A package that is there and cannot be imported for want of another is not the one to install. */
static void test_a_package_that_lacks_another_is_broken(void **state)
{
        struct place *p = *state;
        scoped(free) char *package = new_folder(p->bin, "lacking");

        setenv("PYTHONPATH", p->bin, 1);
        put_text(package, "__init__.py", "import no_such_module_7\n");
        put_text(package, "sub.py", "");
        EXPECT("python3", "",
               {WIRE_CHECK_PACKAGE, "lacking.sub", "", WIRE_CHECK_BROKEN,
                "No module named 'no_such_module_7'"});
}

/* What lies in the plugin's folder is found there, and not run. */
static void test_packages_of_the_plugins_own(void **state)
{
        struct place *p = *state;
        scoped(free) char *own = new_folder(p->bin, "own");
        scoped(free) char *src = new_folder(own, "src");
        scoped(free) char *evil = new_folder(own, "evil");
        scoped(free) char *data = new_folder(own, "weights_7");

        put_text(evil, "__init__.py", "raise SystemExit('never imported')\n");
        put_text(evil, "sub.py", "");
        put_text(src, "near_7.py", "");
        put_text(data, "large.bin", "");
        EXPECT("python3", own, {WIRE_CHECK_PACKAGE, "evil", "", WIRE_CHECK_OK, ""},
               {WIRE_CHECK_PACKAGE, "evil.sub", "", WIRE_CHECK_OK, ""},
               {WIRE_CHECK_PACKAGE, "near_7", "", WIRE_CHECK_OK, ""},
               {WIRE_CHECK_PACKAGE, "evil.other", "", WIRE_CHECK_MISSING, "the plugin's folder"},
               {WIRE_CHECK_PACKAGE, "near_7.sub", "", WIRE_CHECK_MISSING, "the plugin's folder"},
               {WIRE_CHECK_PACKAGE, "weights_7", "", WIRE_CHECK_MISSING, ""},
               {WIRE_CHECK_PACKAGE, "gone_7.sub", "", WIRE_CHECK_MISSING, ""});
}

static void test_packages_without_interpreter(void **state)
{
        struct place *p = *state;

        EXPECT("", "", {WIRE_CHECK_PACKAGE, "json", "", WIRE_CHECK_UNKNOWN, "no Python"});
        EXPECT("/no/python", "",
               {WIRE_CHECK_PACKAGE, "json", "", WIRE_CHECK_UNKNOWN, "/no/python does not exist"},
               {WIRE_CHECK_PACKAGE, "os", "", WIRE_CHECK_UNKNOWN, "/no/python does not exist"});
        put_script(p->bin, "python3", "#!/bin/sh\nexit 3\n");
        EXPECT(path_of(p->bin, "python3"), "",
               {WIRE_CHECK_PACKAGE, "json", "", WIRE_CHECK_UNKNOWN, "exited with code 3"});
}

/* What installed packages declare is told without running any of them. */
static void test_entry_points(void **state)
{
        struct place *p = *state;
        scoped(free) char *info = new_folder(p->bin, "demo-2.1.dist-info");
        scoped(free) char *package = new_folder(p->bin, "demo_pkg");
        scoped(free) char *inner = new_folder(package, "in");
        scoped(str) struct str expected = {0};

        put_text(info, "METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 2.1\n");
        put_text(info, "entry_points.txt",
                 "[forgesyte.plugins]\nyolo = demo_pkg.plugin:Plugin\n"
                 "deep = demo_pkg.in.plugin : Plugin [gpu]\nlone = demo_module:Plugin\n"
                 "lost = not_there.plugin:Plugin\nsystem = sys:Plugin\n"
                 "[console_scripts]\nx = demo_pkg:main\n");
        put_text(package, "__init__.py", "raise SystemExit('never imported')\n");
        put_text(inner, "manifest.json", "{}");
        put_text(p->bin, "demo_module.py", "raise SystemExit('never imported')\n");
        setenv("PYTHONPATH", p->bin, 1);
        str_addf(&expected,
                 "yolo\tdemo_pkg.plugin:Plugin\t2.1\t%s\n"
                 "deep\tdemo_pkg.in.plugin:Plugin\t2.1\t%s\n"
                 "lone\tdemo_module:Plugin\t2.1\t%s\n"
                 "lost\tnot_there.plugin:Plugin\t2.1\t\n"
                 "system\tsys:Plugin\t2.1\t\n",
                 package, inner, p->bin);
        EXPECT("python3", "",
               {WIRE_CHECK_ENTRY_POINTS, "forgesyte.plugins", "", WIRE_CHECK_OK, expected.data},
               {WIRE_CHECK_ENTRY_POINTS, "no.such.group", "", WIRE_CHECK_OK, ""});
        EXPECT("", "",
               {WIRE_CHECK_ENTRY_POINTS, "forgesyte.plugins", "", WIRE_CHECK_UNKNOWN, "no Python"});
        put_script(p->bin, "python3", "#!/bin/sh\nexit 3\n");
        EXPECT(path_of(p->bin, "python3"), "",
               {WIRE_CHECK_ENTRY_POINTS, "forgesyte.plugins", "", WIRE_CHECK_UNKNOWN,
                "exited with code 3"});
}

/* More than a report holds is cut between lines. */
static void test_many_entry_points_are_cut(void **state)
{
        struct place *p = *state;
        scoped(free) char *info = new_folder(p->bin, "demo-2.1.dist-info");
        scoped(str) struct str text = {0};

        put_text(info, "METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 2.1\n");
        str_adds(&text, "[forgesyte.plugins]\n");
        for (unsigned i = 0; i < 5000; i++)
                str_addf(&text, "plugin_of_some_length_%05u = sys:Plugin\n", i);
        put(info, "entry_points.txt", text.data, text.len);
        setenv("PYTHONPATH", p->bin, 1);
        EXPECT("python3", "",
               {WIRE_CHECK_ENTRY_POINTS, "forgesyte.plugins", "", WIRE_CHECK_OK,
                "plugin_of_some_length_01000\tsys:Plugin\t2.1\t\n"});
}

/* As many checks as a CHECK can hold: the report fits its frame, and the order is kept. */
static void test_report_of_many_checks_fits(void **state)
{
        enum { N = 3000 };
        static struct expected list[N];

        (void)state;
        for (size_t i = 0; i < N; i++)
                list[i] = (struct expected){WIRE_CHECK_COMMAND, i % 2 ? "sh" : "no-such", "",
                                            i % 2 ? WIRE_CHECK_OK : WIRE_CHECK_MISSING, ""};
        expect("", "", list, N);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
            TEST(test_models_that_are_whole),
            TEST(test_models_that_are_cut),
            TEST(test_files_that_are_no_models),
            TEST(test_places_where_no_model_is),
            TEST(test_digest_of_a_model),
            TEST(test_libraries),
            TEST(test_commands),
            TEST(test_gpu_driver_tells_its_troubles_apart),
            TEST(test_nvidia_smi),
            TEST(test_nvidia_smi_that_is_missing),
            TEST(test_nvidia_smi_that_hangs_is_killed),
            TEST(test_gpu_through_torch),
            TEST(test_packages),
            TEST(test_a_package_that_lacks_another_is_broken),
            TEST(test_packages_of_the_plugins_own),
            TEST(test_packages_without_interpreter),
            TEST(test_entry_points),
            TEST(test_many_entry_points_are_cut),
            TEST(test_report_of_many_checks_fits),
        };

        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
