/* What a plugin needs and may use: "dependencies", "models", "permissions", "env". */
#include "loader/plugin_manifest_parts.h"

#include <string.h>

#include "base/str.h"
#include "loader/plugin_manifest_rules.h"

/* Bounds of lists: all of it has to fit one message to the probe. */
#define LIST_MAX      128
#define MODELS_MAX    64
#define ENV_MAX       64
#define ENV_VALUE_MAX 4096

/* --- dependencies --- */

static int parse_packages(const struct manifest_at *at, void *into)
{
        return manifest_read_list(at, LIST_MAX, manifest_rule_module,
                                  &((struct plugin_manifest *)into)->packages);
}

static int parse_libraries(const struct manifest_at *at, void *into)
{
        return manifest_read_list(at, LIST_MAX, manifest_rule_file_name,
                                  &((struct plugin_manifest *)into)->libraries);
}

static int parse_commands(const struct manifest_at *at, void *into)
{
        return manifest_read_list(at, LIST_MAX, manifest_rule_file_name,
                                  &((struct plugin_manifest *)into)->commands);
}

static const struct manifest_key dependency_keys[] = {
    {"packages", false, parse_packages},
    {"libraries", false, parse_libraries},
    {"commands", false, parse_commands},
};

/* A list is short for {"packages": [...]}. */
int manifest_parse_dependencies(const struct manifest_at *at, void *into)
{
        if (json_is_array(at->value))
                return parse_packages(at, into);
        if (!json_is_object(at->value))
                return manifest_complain(at, "must be a list of packages, or an object");
        return manifest_read_object(at, dependency_keys, ARRAY_LEN(dependency_keys), into);
}

/* --- models --- */

static int parse_model_path(const struct manifest_at *at, void *into)
{
        return manifest_read_text(at, manifest_rule_path, &((struct manifest_model *)into)->path);
}

static int parse_model_sha256(const struct manifest_at *at, void *into)
{
        struct manifest_model *model = into;
        int r = manifest_read_text(at, manifest_rule_sha256, &model->sha256);

        for (char *p = model->sha256; p && *p; p++)
                if (*p >= 'A' && *p <= 'F')
                        *p = (char)(*p - 'A' + 'a');
        return r;
}

static const struct manifest_key model_keys[] = {
    {"path", true, parse_model_path},
    {"sha256", false, parse_model_sha256},
};

static int parse_model(const struct manifest_at *at, struct manifest_model *model)
{
        const char *wrong = manifest_rule_model_name(at->key);

        if (wrong)
                return manifest_complain(at, "the model's name must be %s", wrong);
        model->name = mem_dup0(at->key, strlen(at->key));
        if (!model->name)
                return manifest_no_memory(at);
        if (json_is_string(at->value))
                return parse_model_path(at, model);
        if (!json_is_object(at->value))
                return manifest_complain(at, "must be a path, or an object with path and sha256");
        return manifest_read_object(at, model_keys, ARRAY_LEN(model_keys), model);
}

int manifest_parse_models(const struct manifest_at *at, void *into)
{
        struct plugin_manifest *m = into;
        json_t *value;
        const char *key;
        int r;

        if (!json_is_object(at->value))
                return manifest_complain(at, "must be an object of names and paths");
        if (json_object_size(at->value) > MODELS_MAX)
                return manifest_complain(at, "must have at most %d members", MODELS_MAX);
        m->models = calloc(json_object_size(at->value) + 1, sizeof *m->models);
        if (!m->models)
                return manifest_no_memory(at);
        json_object_foreach ((json_t *)at->value, key, value) {
                struct manifest_at member = manifest_member(at, key, value);

                r = parse_model(&member, &m->models[m->n_models++]);
                if (r < 0)
                        return r;
        }
        return 0;
}

void manifest_models_free(struct manifest_model *models, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free(models[i].name);
                free(models[i].path);
                free(models[i].sha256);
        }
        free(models);
}

/* --- permissions --- */

static int parse_network(const struct manifest_at *at, void *into)
{
        return manifest_read_bool(at, &((struct plugin_manifest *)into)->network);
}

static int parse_read(const struct manifest_at *at, void *into)
{
        return manifest_read_list(at, LIST_MAX, manifest_rule_host_path,
                                  &((struct plugin_manifest *)into)->read);
}

static int parse_write(const struct manifest_at *at, void *into)
{
        return manifest_read_list(at, LIST_MAX, manifest_rule_host_path,
                                  &((struct plugin_manifest *)into)->write);
}

static const struct manifest_key permission_keys[] = {
    {"network", false, parse_network},
    {"read", false, parse_read},
    {"write", false, parse_write},
};

int manifest_parse_permissions(const struct manifest_at *at, void *into)
{
        return manifest_read_object(at, permission_keys, ARRAY_LEN(permission_keys), into);
}

/* --- env --- */

static int parse_variable(const struct manifest_at *at, char **ret)
{
        const char *wrong = manifest_rule_env(at->key), *value = json_string_value(at->value);
        scoped(str) struct str variable = {0};

        if (wrong)
                return manifest_complain(at, "%s", wrong);
        if (!value)
                return manifest_complain(at, "must be a string");
        if (strlen(value) > ENV_VALUE_MAX)
                return manifest_complain(at, "must be at most %d bytes", ENV_VALUE_MAX);
        str_addf(&variable, "%s=%s", at->key, value);
        *ret = str_take(&variable);
        return *ret ? 0 : manifest_no_memory(at);
}

int manifest_parse_env(const struct manifest_at *at, void *into)
{
        struct plugin_manifest *m = into;
        json_t *value;
        const char *key;
        size_t n = 0;
        int r;

        if (!json_is_object(at->value))
                return manifest_complain(at, "must be an object of names and strings");
        if (json_object_size(at->value) > ENV_MAX)
                return manifest_complain(at, "must have at most %d members", ENV_MAX);
        m->env = calloc(json_object_size(at->value) + 1, sizeof *m->env);
        if (!m->env)
                return manifest_no_memory(at);
        json_object_foreach ((json_t *)at->value, key, value) {
                struct manifest_at member = manifest_member(at, key, value);

                r = parse_variable(&member, &m->env[n++]);
                if (r < 0)
                        return r;
        }
        return 0;
}
