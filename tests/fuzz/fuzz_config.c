/* fuzz_config.c -- an operator's config file: refused with file and line, or taken with every value
 * in its range. */
#include <errno.h>

#include "cli/options_file.h"
#include "fuzz.h"
#include "host/host_config.h"

static void check(const struct host_config *c)
{
        must(c->listen && c->plugin_dirs && c->python_plugins && c->allowed_hosts,
             "what has a default is there");
        must(c->max_output_bytes <= MIB(32), "an answer is within the wire's limit");
        for (size_t i = 0; i < c->n_plugins; i++)
                must(str_is_plugin_name(c->plugins[i].name), "a plugin has a name");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(host_config_free) struct host_config *c = host_config_new();
        scoped(free) char *text = exact_copy(data, size);
        struct err e = {0};
        int r;

        must(c, "memory");
        r = options_file_read(text, size, "dir/forgesyte.json", c, &e);
        must(r <= 0 && r != -ENOMEM, "taken or refused");
        if (r < 0) {
                must_have_words(e.msg);
                must(utf8_valid_prefix(e.msg, strlen(e.msg)) == strlen(e.msg), "words are UTF-8");
                must(!strncmp(e.msg, "dir/forgesyte.json: ", 20), "words name the file");
        } else {
                check(c);
        }
        return 0;
}
