#include "worker/native_runtime.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "worker/json_text.h"

/* What version 1 of the ABI had: the least that a plugin may bring, and far more than any will. */
#define PLUGIN_SIZE_MIN 48
#define TOOL_SIZE_MIN   24
#define STRUCT_SIZE_MAX 4096

/* dlerror() can be very long where C++ symbols are concerned. */
#define DLERROR_MAX 1024

static int fault_import(struct worker_fault *f, const char *fmt, ...) printf_like(2, 3);
static int fault_abi(struct worker_fault *f, const char *fmt, ...) printf_like(2, 3);

static int fault_import(struct worker_fault *f, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        worker_fault_vset(f, WIRE_ERROR_IMPORT, "ImportError", fmt, ap);
        va_end(ap);
        return 1;
}

static int fault_abi(struct worker_fault *f, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        worker_fault_vset(f, WIRE_ERROR_ABI, "AbiMismatch", fmt, ap);
        va_end(ap);
        return 1;
}

/* --- where things are ------------------------------------------------------------------------- */

static int keep_paths(struct native_runtime *rt, const struct wire_load *m)
{
        rt->dir = mem_dup0(m->dir.p, m->dir.len);
        rt->models = calloc(m->n_models ? m->n_models : 1, sizeof *rt->models);
        if (!rt->dir || !rt->models)
                return -ENOMEM;
        for (; rt->n_models < m->n_models; rt->n_models++) {
                const struct wire_model *from = &m->models[rt->n_models];
                struct native_model *to = &rt->models[rt->n_models];

                to->name = mem_dup0(from->name.p, from->name.len);
                to->path = mem_dup0(from->path.p, from->path.len);
                if (!to->name || !to->path)
                        return -ENOMEM;
        }
        return 0;
}

/* dlopen's words about a file that is no shared object ("file too short", "invalid ELF header") do
 * not tell an author what is wrong. */
static int check_is_elf(const char *path, const char *name, struct worker_fault *f)
{
        scoped(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        unsigned char magic[SELFMAG];
        struct stat st;

        if (fd < 0)
                return fault_import(f, "cannot open %s: %s", name, strerror(errno));
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return fault_import(f, "%s is not a regular file", name);
        if (pread(fd, magic, sizeof magic, 0) != (ssize_t)sizeof magic ||
            memcmp(magic, ELFMAG, SELFMAG) != 0)
                return fault_import(f, "%s is not a shared object", name);
        return 0;
}

/* --- the exported struct ---------------------------------------------------------------------- */

/* Bytes the symbol at `addr` has by its own library's account, 0 when unknown. */
static size_t symbol_size(const void *addr)
{
        const ElfW(Sym) *sym = NULL;
        Dl_info info;

        if (!dladdr1(addr, &info, (void **)&sym, RTLD_DL_SYMENT) || !sym)
                return 0;
        return ELF64_ST_TYPE(sym->st_info) == STT_OBJECT ? sym->st_size : 0;
}

static int check_tools(const struct native_runtime *rt, struct worker_fault *f)
{
        const struct forge_plugin *p = &rt->plugin;

        if (p->n_tools == 0)
                return 0;
        if (!p->tools)
                return fault_abi(f, "n_tools is %u and tools is NULL", p->n_tools);
        if (p->n_tools > NATIVE_TOOLS_MAX)
                return fault_abi(f, "n_tools is %u, at most %u", p->n_tools, NATIVE_TOOLS_MAX);
        if (p->tool_size < TOOL_SIZE_MIN || p->tool_size > STRUCT_SIZE_MAX || p->tool_size % 8)
                return fault_abi(f, "tool_size is %u, host has %zu", p->tool_size,
                                 sizeof(struct forge_tool));
        for (uint32_t i = 0; i < p->n_tools; i++) {
                struct forge_tool tool = native_runtime_tool(rt, i);

                if (tool.struct_size < TOOL_SIZE_MIN || tool.struct_size > p->tool_size)
                        return fault_abi(f, "tools[%u].struct_size is %u, host has %zu", i,
                                         tool.struct_size, sizeof tool);
                if (!tool.name || !tool.run)
                        return fault_abi(f, "tools[%u].%s is NULL", i, tool.name ? "run" : "name");
        }
        return 0;
}

static int take_struct(struct native_runtime *rt, const struct forge_plugin *theirs,
                       struct worker_fault *f)
{
        size_t known = symbol_size(theirs);

        if (known && known < PLUGIN_SIZE_MIN)
                return fault_abi(f, FORGE_PLUGIN_SYMBOL " has %zu bytes, host has %zu", known,
                                 sizeof *theirs);
        if (theirs->abi_version != FORGE_ABI_VERSION)
                return fault_abi(f, "wants ABI %u, host has %u", theirs->abi_version,
                                 FORGE_ABI_VERSION);
        if (theirs->struct_size < PLUGIN_SIZE_MIN || theirs->struct_size > STRUCT_SIZE_MAX)
                return fault_abi(f, "struct_size is %u, host has %zu", theirs->struct_size,
                                 sizeof *theirs);
        memcpy(&rt->plugin, theirs, MIN_OF(theirs->struct_size, sizeof rt->plugin));
        return check_tools(rt, f);
}

int native_runtime_load(struct native_runtime *rt, const struct wire_load *m,
                        struct worker_channel *channel, struct worker_fault *f)
{
        scoped(free) char *name = mem_dup0(m->entrypoint.p, m->entrypoint.len);
        scoped(str) struct str path = {0};
        const void *symbol;
        void *library;

        rt->channel = channel;
        native_api_attach(rt);
        if (name && keep_paths(rt, m) == 0)
                str_addf(&path, "%s/%s", rt->dir, name);
        if (!path.data)
                return fault_import(f, "no memory");
        if (check_is_elf(path.data, name, f))
                return 1;
        library = dlopen(path.data, RTLD_NOW | RTLD_LOCAL);
        if (!library)
                return fault_import(f, "%.*s", DLERROR_MAX, dlerror());
        symbol = dlsym(library, FORGE_PLUGIN_SYMBOL);
        if (!symbol)
                return fault_abi(f, "%s does not export " FORGE_PLUGIN_SYMBOL, name);
        return take_struct(rt, symbol, f);
}

/* --- its life --------------------------------------------------------------------------------- */

int native_runtime_init(struct native_runtime *rt, struct worker_fault *f)
{
        int r;

        rt->words[0] = '\0';
        r = rt->plugin.init ? rt->plugin.init(&rt->state) : 0;
        if (r && rt->words[0])
                worker_fault_set(f, WIRE_ERROR_EXCEPTION, "InitError", "%s", rt->words);
        else if (r)
                worker_fault_set(f, WIRE_ERROR_EXCEPTION, "InitError", "init returned %d", r);
        return r != 0;
}

int native_runtime_validate(struct native_runtime *rt, struct worker_fault *f)
{
        int r;

        rt->words[0] = '\0';
        r = rt->plugin.validate ? rt->plugin.validate(rt->state) : 0;
        if (r && rt->words[0])
                worker_fault_set(f, WIRE_ERROR_EXCEPTION, "ValidationError", "%s", rt->words);
        else if (r)
                worker_fault_set(f, WIRE_ERROR_EXCEPTION, "ValidationError", "validate returned %d",
                                 r);
        return r != 0;
}

void native_runtime_fini(struct native_runtime *rt)
{
        if (rt->plugin.fini)
                rt->plugin.fini(rt->state);
}

/* --- its tools -------------------------------------------------------------------------------- */

struct forge_tool native_runtime_tool(const struct native_runtime *rt, uint32_t i)
{
        const char *table = (const char *)rt->plugin.tools;
        struct forge_tool tool = {0};

        memcpy(&tool, table + (size_t)i * rt->plugin.tool_size,
               MIN_OF(rt->plugin.tool_size, sizeof tool));
        return tool;
}

void native_runtime_add_meta(const struct native_runtime *rt, struct str *to)
{
        str_adds(to, "{\"tools\":[");
        for (uint32_t i = 0; i < rt->plugin.n_tools; i++) {
                scoped(str) struct str name = {0};
                struct forge_tool tool = native_runtime_tool(rt, i);

                /* Whatever it is, it must fit META and be text; a bad name stays a bad one. */
                str_add_printable(&name, tool.name, strnlen(tool.name, 256), 128);
                str_adds(to, i ? ",{\"name\":" : "{\"name\":");
                json_text_add_string(to, name.data ? name.data : "", name.len);
                str_addc(to, '}');
        }
        str_adds(to, "]}");
}
