#include "worker/probe.h"

#include <dlfcn.h>
#include <string.h>

/* Of dlopen's words only this tells that nothing is there; it begins with what was looked for,
 * which may as well be a library that the one in question needs. */
static bool says_missing(const char *words, const char *soname)
{
        size_t n = strlen(soname);

        return !strncmp(words, soname, n) && words[n] == ':' &&
               strstr(words + n, "No such file or directory");
}

void *probe_library(const char *soname, struct probe_verdict *v)
{
        /* An empty name would be this program itself. */
        void *library = *soname ? dlopen(soname, RTLD_NOW | RTLD_LOCAL) : NULL;
        const char *words;

        if (library) {
                probe_say(v, WIRE_CHECK_OK, "%s", "");
                return library;
        }
        words = *soname ? dlerror() : "no library is named";
        probe_say(v, says_missing(words, soname) ? WIRE_CHECK_MISSING : WIRE_CHECK_BROKEN, "%s",
                  words);
        return NULL;
}
