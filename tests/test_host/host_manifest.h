/* host_manifest.h -- manifests for tests, of which only the tools matter. */
#ifndef FORGESYTE_TESTS_HOST_MANIFEST_H
#define FORGESYTE_TESTS_HOST_MANIFEST_H

#include <string.h>

#include "../support/test.h"
#include "base/str.h"
#include "loader/plugin_manifest.h"

/* tools: the text of the list, or NULL: none is given. */
static inline struct plugin_manifest *host_manifest(const char *tools)
{
        scoped(str) struct str text = {0};
        struct plugin_manifest *m = NULL;
        struct err e = {0};

        str_addf(&text,
                 "{\"name\":\"p\",\"version\":\"1\",\"runtime\":\"native\",\"entrypoint\":\"p.so\""
                 "%s%s}",
                 tools ? ",\"tools\":" : "", tools ? tools : "");
        if (plugin_manifest_parse(text.data, text.len, &m, &e) < 0)
                fail_msg("%s", e.msg);
        return m;
}

#endif
