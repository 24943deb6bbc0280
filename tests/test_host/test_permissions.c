/* What a manifest may permit: paths whose links lead where they may, and nothing that lets a plugin
 * permit itself more. In a real folder, with real links. */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/failing_malloc.h"
#include "../support/test.h"
#include "base/str.h"
#include "host/path_way.h"
#include "host/permissions.h"

/* ROOT/plugins/p is the plugin's folder, ROOT/more is a folder of plugins too, ROOT/given is what
 * may be given, ROOT/secret what may not. */
static char root[] = "/tmp/forgesyte-test-XXXXXX";
static const char *const folders[] = {"plugins", "plugins/p",  "plugins/p/cache", "plugins/q",
                                      "more",    "given",      "given/sub",       "secret",
                                      "venv",    "venv/bin",   "venv/lib",        "other",
                                      "links",   "links/deep", "beside"};
/* links/x leads somewhere; given/own is in a folder that the plugin may be given to write. */
static const char *const links[][2] = {
    {"given/own", "../secret"},       {"links/to_own", "../given/own"},
    {"links/proc", "/proc"},          {"links/top", "/"},
    {"links/given", "../given"},      {"links/round", "round"},
    {"links/nowhere", "../missing"},  {"links/plugins", "../plugins"},
    {"links/deep/up", "../../given"}, {"links/venv", "../venv"},
    {"beside/venv", "../venv"}};

static const char *at(const char *name)
{
        static char paths[16][PATH_MAX];
        static unsigned n;
        char *path = paths[n++ % ARRAY_LEN(paths)];

        snprintf(path, sizeof paths[0], "%s/%s", root, name);
        return path;
}

static int make_tree(void **state)
{
        (void)state;
        assert_non_null(mkdtemp(root));
        for (size_t i = 0; i < ARRAY_LEN(folders); i++)
                assert_int_equal(mkdir(at(folders[i]), 0755), 0);
        for (size_t i = 0; i < ARRAY_LEN(links); i++)
                assert_int_equal(symlink(links[i][1], at(links[i][0])), 0);
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static int remove_tree(void **state)
{
        (void)state;
        return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Its read and write are lists of one or none. */
struct wish {
        const char *read, *write;
};

static struct plugin_manifest *manifest_of(const struct wish *w)
{
        scoped(str) struct str text = {0};
        struct plugin_manifest *m = NULL;
        struct err e = {0};

        str_adds(&text, "{\"name\":\"p\",\"version\":\"1\",\"runtime\":\"native\",\"entrypoint\":"
                        "\"p.so\",\"permissions\":{\"read\":[");
        if (w->read)
                str_addf(&text, "\"%s\"", at(w->read));
        str_adds(&text, "],\"write\":[");
        if (w->write)
                str_addf(&text, "\"%s\"", at(w->write));
        str_adds(&text, "]}}");
        if (plugin_manifest_parse(text.data, text.len, &m, &e) < 0)
                fail_msg("%s", e.msg);
        return m;
}

static int add(const struct plugin_manifest *m, struct sandbox_policy *p, struct err *e)
{
        char plugins[PATH_MAX], more[PATH_MAX], dir[PATH_MAX];
        char *const dirs[] = {plugins, more, NULL};

        strcpy(plugins, at("plugins"));
        strcpy(more, at("more"));
        strcpy(dir, at("plugins/p"));
        return permissions_add(p, m, dir, dirs, e);
}

static void test_a_permission_is_shown_from_where_its_links_lead(void **state)
{
        const struct {
                struct wish wish;
                const char *source, *target;
                bool writable;
        } rows[] = {
            {{.read = "given"}, "given", "given", false},
            {{.write = "given/sub"}, "given/sub", "given/sub", true},
            {{.read = "links/given"}, "given", "links/given", false},
            {{.read = "links/given/sub"}, "given/sub", "links/given/sub", false},
            {{.write = "links/deep/up/sub"}, "given/sub", "links/deep/up/sub", true},
            {{.read = "links/to_own"}, "secret", "links/to_own", false},
            {{.read = "links/nowhere"}, "links/nowhere", "links/nowhere", false},
            {{.read = "links/round"}, "links/round", "links/round", false},
            {{.write = "plugins/p/cache"}, "plugins/p/cache", "plugins/p/cache", true},
            {{.read = "plugins/q"}, "plugins/q", "plugins/q", false},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                scoped(plugin_manifest_free) struct plugin_manifest *m = manifest_of(&rows[i].wish);
                scoped(sandbox_policy) struct sandbox_policy p;
                struct err e = {0};

                sandbox_policy_init(&p);
                if (add(m, &p, &e) < 0)
                        fail_msg("row %zu: %s", i, e.msg);
                assert_int_equal(p.n_binds, 1);
                assert_string_equal(p.binds[0].source, at(rows[i].source));
                assert_string_equal(p.binds[0].target, at(rows[i].target));
                assert_int_equal(p.binds[0].writable, rows[i].writable);
        }
}

static void test_what_would_widen_itself_is_refused(void **state)
{
        const struct {
                struct wish wish;
                const char *words;
        } rows[] = {
            {{.read = "links/proc"}, "leads to /proc, which no plugin may be given"},
            {{.read = "links/proc/self"}, "which no plugin may be given"},
            {{.write = "links/top"}, "leads to /, which no plugin may be given"},
            {{"given/own", "given"}, "given/own, which the plugin may change (write: "},
            {{"given/own/below", "given"}, "which the plugin may change"},
            {{"links/to_own", "given"}, "given/own, which the plugin may change"},
            {{"links/to_own", "links/given"}, "(write: "},
            {{.write = "plugins"}, "permissions.write: who may write to "},
            {{.write = "links/plugins"}, "can change a plugin in "},
            {{.write = "plugins/p"}, "or one in the plugin's own folder"},
            {{.write = "plugins/q"}, "what its manifest permits"},
            {{.write = "more"}, "what its manifest permits"},
            {{.write = "links/plugins/q"}, "what its manifest permits"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                scoped(plugin_manifest_free) struct plugin_manifest *m = manifest_of(&rows[i].wish);
                scoped(sandbox_policy) struct sandbox_policy p;
                struct err e = {0};

                sandbox_policy_init(&p);
                assert_int_equal(add(m, &p, &e), -EBADMSG);
                if (!strstr(e.msg, rows[i].words))
                        fail_msg("row %zu: \"%s\" does not say \"%s\"", i, e.msg, rows[i].words);
        }
}

static void test_no_plugin_writes_into_its_interpreter(void **state)
{
        const struct {
                const char *write, *python;
                bool refused;
        } rows[] = {
            {"given", "venv/bin/python", false},     {"venv", "venv/bin/python", true},
            {"venv/lib", "venv/bin/python", true},   {"links/venv", "venv/bin/python", true},
            {"venv", "links/venv/bin/python", true}, {"beside", "beside/venv/bin/python", true},
            {"other", "given/bin/python", true},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct wish wish = {.write = rows[i].write};
                scoped(plugin_manifest_free) struct plugin_manifest *m = manifest_of(&wish);
                scoped(sandbox_policy) struct sandbox_policy p;
                struct err e = {0};
                int r;

                sandbox_policy_init(&p);
                assert_int_equal(add(m, &p, &e), 0);
                /* As python_env does: links that lead there, and folders that belong to it. */
                assert_int_equal(sandbox_policy_add_link(&p, at("beside/venv")), 0);
                assert_int_equal(
                    sandbox_policy_add_bind(&p, at("other/package"), NULL, false, true), 0);
                r = permissions_check_python(m, at(rows[i].python), &p, 1, &e);
                if (r != (rows[i].refused ? -EBADMSG : 0))
                        fail_msg("row %zu: %d", i, r);
                if (r < 0)
                        assert_non_null(strstr(e.msg, "what belongs to the interpreter ("));
                assert_int_equal(permissions_check_python(m, "python3", &p, p.n_binds, &e), 0);
        }
}

/* --- the way --- */

static int note(void *ctx, const char *link)
{
        struct str *seen = ctx;

        str_addf(seen, "%s ", link + strlen(root) + 1);
        return strstr(link, "to_own") ? 7 : 0;
}

static void expect_way(const char *path, int result, const char *seen)
{
        scoped(str) struct str got = {0};

        str_adds(&got, "");
        assert_int_equal(path_way_each_link(path, note, &got), result);
        assert_string_equal(got.data, seen);
}

static void test_a_way_tells_of_each_link_by_its_place(void **state)
{
        (void)state;
        expect_way(at("given/sub"), 0, "");
        expect_way(at("missing/sub"), 0, "");
        expect_way(at("links/deep/up/own"), 0, "links/deep/up given/own ");
        expect_way(at("links/given/../links/given/sub"), 0, "links/given links/given ");
        expect_way(at("links/to_own/x"), 7, "links/to_own ");
        expect_way(at("links/nowhere/x"), 0, "links/nowhere ");
}

static int count(void *ctx, const char *link)
{
        (void)link;
        ++*(unsigned *)ctx;
        return 0;
}

static void test_a_way_in_circles_ends(void **state)
{
        unsigned n = 0;

        (void)state;
        assert_int_equal(path_way_each_link(at("links/round"), count, &n), 0);
        assert_int_equal(n, 40);
}

static void test_below_is_by_whole_names(void **state)
{
        (void)state;
        assert_true(path_way_is_below("/a/b", "/a/b"));
        assert_true(path_way_is_below("/a/b/c", "/a/b"));
        assert_false(path_way_is_below("/a/bc", "/a/b"));
        assert_false(path_way_is_below("/a", "/a/b"));
}

/* --- without memory --- */

static void add_once(void *ctx)
{
        const struct plugin_manifest *m = ctx;
        scoped(sandbox_policy) struct sandbox_policy p;
        struct err e = {0};
        bool failed;
        int r;

        sandbox_policy_init(&p);
        r = add(m, &p, &e);
        failed = failing_malloc_disarm();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(p.n_binds, failed ? p.n_binds : 2);
}

static void test_without_memory_nothing_is_permitted(void **state)
{
        const struct wish wish = {"links/given", "given/sub"};
        scoped(plugin_manifest_free) struct plugin_manifest *m = manifest_of(&wish);

        (void)state;
        assert_true(failing_malloc_each(add_once, m) >= 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_a_permission_is_shown_from_where_its_links_lead),
            cmocka_unit_test(test_what_would_widen_itself_is_refused),
            cmocka_unit_test(test_no_plugin_writes_into_its_interpreter),
            cmocka_unit_test(test_a_way_tells_of_each_link_by_its_place),
            cmocka_unit_test(test_a_way_in_circles_ends),
            cmocka_unit_test(test_below_is_by_whole_names),
            cmocka_unit_test(test_without_memory_nothing_is_permitted),
        };

        return cmocka_run_group_tests_name("permissions", tests, make_tree, remove_tree);
}
