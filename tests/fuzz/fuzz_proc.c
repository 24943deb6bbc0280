/* fuzz_proc.c -- the small files of the kernel, and one of a venv. First byte: how much room the
 * answer has. What is found must stand in the text. */
#include <errno.h>

#include "fuzz.h"
#include "host/python_env.h"
#include "sandbox/cgroup_files.h"
#include "sandbox/process_tree.h"

static const char *const controllers[] = {"", "memory", "pids", "name=systemd"};

static void check_cgroup(const char *text, size_t room)
{
        scoped(free) char *path = malloc(room), *point = malloc(room), *root = malloc(room);

        must(path && point && root, "memory");
        for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
                if (cgroup_parse_own(text, controllers[i], path, room))
                        must(path[0] == '/' && strlen(path) < room && strstr(text, path),
                             "a cgroup's path stands in the text");
                if (cgroup_parse_mount(text, controllers[i], point, root, room))
                        must(strlen(point) < room && strlen(root) < room, "a mount's paths fit");
        }
}

static void check_name(const char *text)
{
        uint64_t start = 0;
        int pid = 0;

        if (cgroup_parse_name(text, &pid, &start)) {
                scoped(str) struct str again = {0};

                must(pid > 0, "a pid is above 0");
                str_addf(&again, "forgesyte-");
                must(!strncmp(text, again.data, again.len), "a name of ours");
        }
        cgroup_parse_start(text);
        cgroup_parse_key(text, "oom_kill");
}

static void check_tree(const char *text, size_t room)
{
        scoped(free) pid_t *pids = malloc((room + 1) * sizeof *pids);
        size_t n;

        must(pids, "memory");
        n = process_tree_parse_children(text, pids, room);
        must(n <= room, "no more pids than there is room for");
        for (size_t i = 0; i < n; i++)
                must(pids[i] > 0, "a pid is above 0");
        process_tree_parse_status(text);
}

static void check_venv(const char *text, size_t n, size_t room)
{
        scoped(free) char *copy = exact_text(text, n), *home = malloc(room);

        must(home, "memory");
        if (python_env_home(copy, home, room))
                must(home[0] == '/' && strlen(home) < room && strstr(text, home),
                     "a venv's home stands in the text");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        scoped(free) char *text = NULL;
        size_t room;

        if (size == 0)
                return 0;
        room = 1 + data[0];
        text = exact_text(data + 1, size - 1);
        /* As it is read from a file: up to the first NUL. */
        text[strlen(text)] = '\0';
        check_cgroup(text, room);
        check_name(text);
        check_tree(text, room);
        check_venv(text, strlen(text), room);
        return 0;
}
