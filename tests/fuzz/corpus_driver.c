/* corpus_driver.c -- libFuzzer's main for compilers without libFuzzer: runs a fuzz target over each
 * file of a folder, and over a fixed number of mutations of it, the same ones every time. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

#define MUTATIONS 300
#define INPUT_MAX KIB(64)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* xorshift64: small, and the same everywhere. */
static uint64_t next_random(uint64_t *seed)
{
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        return *seed;
}

/* One small change to buf[0..n), which has room for one byte more; returns the new length. */
static size_t mutate(uint8_t *buf, size_t n, uint64_t *seed)
{
        uint64_t r = next_random(seed);
        size_t at = n ? (size_t)(r >> 16) % n : 0;

        switch (n ? r & 7 : 0) {
        case 0:
                memmove(buf + at + 1, buf + at, n - at);
                buf[at] = (uint8_t)(r >> 8);
                return n + 1;
        case 1:
                memmove(buf + at, buf + at + 1, n - at - 1);
                return n - 1;
        case 2:
                return at;
        case 3:
                buf[at] = 0xff;
                return n;
        case 4:
                buf[at] = 0;
                return n;
        case 5:
                buf[at]++;
                return n;
        case 6:
                buf[at] = (uint8_t)(r >> 8);
                return n;
        default:
                buf[at] ^= (uint8_t)(1 << (r >> 8 & 7));
                return n;
        }
}

static void run_file(const uint8_t *data, size_t n, uint64_t seed)
{
        LLVMFuzzerTestOneInput(data, n);
        for (int i = 0; i < MUTATIONS; i++) {
                scoped(free) uint8_t *copy = malloc(n + 9);
                size_t len = n;

                if (!copy)
                        abort();
                if (n)
                        memcpy(copy, data, n);
                for (uint64_t k = next_random(&seed) % 8; k < 8; k++)
                        len = mutate(copy, len, &seed);
                LLVMFuzzerTestOneInput(copy, len);
        }
}

static int run_folder(const char *folder)
{
        DIR *dir = opendir(folder);
        struct dirent *entry;
        int n = 0;

        while (dir && (entry = readdir(dir))) {
                scoped(free) char *text = NULL;
                struct err e = {0};
                size_t size;

                if (entry->d_name[0] == '.')
                        continue;
                if (fd_read_file(dirfd(dir), entry->d_name, INPUT_MAX, &text, &size, &e) < 0) {
                        fprintf(stderr, "%s\n", e.msg);
                        n = -1;
                        break;
                }
                run_file((const uint8_t *)text, size, 88172645463325252ull + size);
                n++;
        }
        if (dir)
                closedir(dir);
        return n;
}

int main(int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                int n = run_folder(argv[i]);

                if (n <= 0) {
                        fprintf(stderr, "%s: no corpus\n", argv[i]);
                        return 1;
                }
                printf("%s: %d inputs, %d mutations each\n", argv[i], n, MUTATIONS);
        }
        return argc > 1 ? 0 : 2;
}
