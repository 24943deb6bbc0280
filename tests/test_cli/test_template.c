/* A new plugin's folder: its own name everywhere, nothing overwritten. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/template.h"
#include "support/test.h"

static const struct template_file files[] = {
    {"manifest.json.in", "{\"name\": \"@NAME@\"}\n@NAM", 23},
    {"plugin.c", "int @IDENT@;@@NAME@@IDENT", 25},
    {"test.sh", "", 0},
    {0},
};

static char *text_of(const char *path)
{
        char *text = NULL;
        size_t n;
        struct err e;

        assert_int_equal(fd_read_file(AT_FDCWD, path, 1000, &text, &n, &e), 0);
        return text;
}

static int remove_folder(void **state)
{
        (void)state;
        unlink("test_template.d/manifest.json");
        unlink("test_template.d/plugin.c");
        unlink("test_template.d/test.sh");
        return rmdir("test_template.d");
}

static void test_a_new_plugin_bears_its_name(void **state)
{
        scoped(free) char *manifest = NULL;
        scoped(free) char *code = NULL;
        struct stat st;
        struct err e;

        (void)state;
        assert_int_equal(template_write(files, "test_template.d", "2-fast_one", &e), 0);
        manifest = text_of("test_template.d/manifest.json");
        code = text_of("test_template.d/plugin.c");
        assert_string_equal(manifest, "{\"name\": \"2-fast_one\"}\n@NAM");
        assert_string_equal(code, "int _2_fast_one;@2-fast_one@IDENT");
        assert_int_equal(stat("test_template.d/test.sh", &st), 0);
        assert_true(st.st_mode & S_IXUSR);
}

static void test_an_existing_folder_is_left_alone(void **state)
{
        struct err e;

        (void)state;
        assert_true(template_write(files, "test_template.d", "x", &e) < 0);
        assert_string_equal(e.msg, "make the folder test_template.d: File exists");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_new_plugin_bears_its_name),
            cmocka_unit_test(test_an_existing_folder_is_left_alone),
        };

        return cmocka_run_group_tests(tests, NULL, remove_folder);
}
