/* The official JSON Schema test suite, file by file: every test that is required of an
 * implementation without remote documents, and the optional ones we claim. One TAP line per file.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/macro.h"
#include "schema/json_schema.h"

/* What does not run, and why. group: its description, or NULL for the whole file. */
static const struct exclusion {
        const char *draft, *file, *group, *why;
} exclusions[] = {
#define REMOTE     "needs documents from http://localhost:1234"
#define METASCHEMA "needs the metaschema, which is a remote document"
    {NULL, "refRemote.json", NULL, REMOTE},
    {NULL, "vocabulary.json", NULL, "needs metaschemas of its own, and $vocabulary"},
    {NULL, "definitions.json", NULL, METASCHEMA},
    {NULL, "defs.json", NULL, METASCHEMA},
    {NULL, "ref.json", "remote ref, containing refs itself", METASCHEMA},
    {NULL, "dynamicRef.json", "tests for implementation dynamic anchor and reference link", REMOTE},
    {NULL, "dynamicRef.json", "$ref and $dynamicAnchor are independent of order - $defs first",
     REMOTE},
    {NULL, "dynamicRef.json", "$ref and $dynamicAnchor are independent of order - $ref first",
     REMOTE},
    {NULL, "dynamicRef.json", "strict-tree schema, guards against misspelled properties", REMOTE},
    {NULL, "dynamicRef.json", "$ref to $dynamicRef finds detached $dynamicAnchor", REMOTE},
    {NULL, "cross-draft.json", NULL, REMOTE},
    {NULL, "format-assertion.json", NULL, "needs metaschemas of its own, and $vocabulary"},
};

struct score {
        int passed, failed, excluded;
};

struct suite {
        const char *root;
        int line; /* of TAP */
        bool broken;
};

static const char *excluded(const char *draft, const char *file, const char *group)
{
        for (size_t i = 0; i < ARRAY_LEN(exclusions); i++) {
                const struct exclusion *x = &exclusions[i];

                if ((!x->draft || strcmp(x->draft, draft) == 0) && strcmp(x->file, file) == 0 &&
                    (!x->group || strcmp(x->group, group) == 0))
                        return x->why;
        }
        return NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "?";
}

/* NULL, and words, when jansson cannot read it (bignum.json is about numbers it does not have). */
static json_t *load(const char *path)
{
        json_error_t error;
        json_t *value = json_load_file(path, JSON_ALLOW_NUL, &error);

        if (!value)
                printf("# %s: %s\n", path, error.text);
        return value;
}

static void run_test(const struct json_schema *schema, const char *group, const json_t *test,
                     struct score *score)
{
        bool valid = json_is_true(json_object_get(test, "valid"));
        struct json_schema_violation v;
        int r = json_schema_validate(schema, json_object_get(test, "data"), &v);

        if (r == (valid ? 0 : 1)) {
                score->passed++;
                return;
        }
        score->failed++;
        printf("# %s: %s: expected %s, got %d (%s)\n", group, text_of(test, "description"),
               valid ? "valid" : "invalid", r, v.message);
}

static void run_group(const char *draft, const json_t *group, struct score *score)
{
        scoped(json_schema_free) struct json_schema *schema = NULL;
        const json_t *tests = json_object_get(group, "tests");
        const char *name = text_of(group, "description");
        struct err e;
        int r = json_schema_compile(
            json_object_get(group, "schema"),
            strcmp(draft, "draft7") == 0 ? JSON_SCHEMA_DRAFT_07 : JSON_SCHEMA_2020_12, &schema, &e);

        if (r < 0) {
                printf("# %s: does not compile: %s\n", name, e.msg);
                score->failed += (int)json_array_size(tests);
                return;
        }
        for (size_t i = 0; i < json_array_size(tests); i++)
                run_test(schema, name, json_array_get(tests, i), score);
}

static struct score run_file(const char *path, const char *draft, const char *file)
{
        scoped(json_decref) json_t *groups = load(path);
        struct score score = {.failed = !groups};

        for (size_t i = 0; i < json_array_size(groups); i++) {
                const json_t *group = json_array_get(groups, i);

                if (excluded(draft, file, text_of(group, "description")))
                        score.excluded += (int)json_array_size(json_object_get(group, "tests"));
                else
                        run_group(draft, group, &score);
        }
        return score;
}

static int is_json(const struct dirent *entry)
{
        size_t n = strlen(entry->d_name);

        return n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

/* optional: failures are told, not counted against us. */
static void run_folder(struct suite *s, const char *draft, const char *folder, bool optional)
{
        struct score sum = {0};
        struct dirent **names;
        char path[4096];
        int n;

        snprintf(path, sizeof path, "%s/%s%s", s->root, draft, folder);
        n = scandir(path, &names, is_json, alphasort);
        for (int i = 0; i < n; i++) {
                snprintf(path, sizeof path, "%s/%s%s/%s", s->root, draft, folder, names[i]->d_name);
                struct score score = run_file(path, draft, names[i]->d_name);
                bool skip = score.passed + score.failed == 0 && score.excluded > 0;

                printf("%s %d - %s%s/%s: %d of %d%s%s%s\n", score.failed ? "not ok" : "ok",
                       ++s->line, draft, folder, names[i]->d_name, score.passed,
                       score.passed + score.failed,
                       optional && score.failed ? " # TODO optional" : "", skip ? " # SKIP " : "",
                       skip ? excluded(draft, names[i]->d_name, "") : "");
                s->broken |= score.failed && !optional;
                sum.passed += score.passed;
                sum.failed += score.failed;
                sum.excluded += score.excluded;
                free(names[i]);
        }
        if (n >= 0)
                free(names);
        printf("# %s%s: %d passed, %d failed, %d excluded\n", draft, folder, sum.passed, sum.failed,
               sum.excluded);
}

int main(void)
{
        const char *given = getenv("JSON_SCHEMA_TEST_SUITE");
        struct suite s = {.root = given ? given : SUITE_DIR};
        DIR *there = opendir(s.root);

        if (!there) {
                printf("1..0 # SKIP the official suite is not here (JSON_SCHEMA_TEST_SUITE may "
                       "name its folder)\n");
                return 0;
        }
        closedir(there);
        run_folder(&s, "draft2020-12", "", false);
        run_folder(&s, "draft7", "", false);
        run_folder(&s, "draft2020-12", "/optional", true);
        run_folder(&s, "draft7", "/optional", true);
        printf("1..%d\n", s.line);
        return s.broken;
}
