#include "worker/probe_python.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "worker/probe_exec.h"
#include "worker/python_runtime.h"

/* torch alone takes seconds to import from a cold disk. */
#define PYTHON_SECONDS 30

/* One line per answer: a status of docs/PROTOCOL.md, a space, words. Imports may print, so stdout
 * is moved out of their way first. */
#define SCRIPT_HEAD                                                                                \
        "import os, sys\n"                                                                         \
        "out = os.fdopen(os.dup(1), 'w', encoding='utf-8', errors='replace')\n"                    \
        "os.dup2(2, 1)\n"                                                                          \
        "def say(status, words=''):\n"                                                             \
        "    out.write('%d %s\\n' % (status, ' '.join(str(words).split())[:400]))\n"               \
        "    out.flush()\n"

/* What the interpreter does not find may lie in the plugin's own folder, or in its src/, where the
 * plugin's imports look first. There it is looked for by files: the probe runs none of them. A
 * folder without __init__.py is no package here, for it may hold anything. */
static const char packages_script[] =
    SCRIPT_HEAD "import importlib.machinery, importlib.util\n"
                "own = [p for p in (sys.argv[1], sys.argv[1] + '/src') if sys.argv[1]]\n"
                "ends = ['.py', '/__init__.py', *importlib.machinery.EXTENSION_SUFFIXES]\n"
                "def is_own(name):\n"
                "    path = '/' + name.replace('.', '/')\n"
                "    return any(os.path.isfile(p + path + end) for p in own for end in ends)\n"
                "def place_of(top):\n"
                "    try:\n"
                "        spec = importlib.util.find_spec(top)\n"
                "        if spec:\n"
                "            places = list(spec.submodule_search_locations or ())\n"
                "            return places[0] if places else spec.origin or 'the interpreter'\n"
                "    except Exception:\n"
                "        pass\n"
                "    return \"the plugin's folder\" if is_own(top) else ''\n"
                "def say_missing(name):\n"
                "    top, dot, _ = name.partition('.')\n"
                "    if name and is_own(name):\n"
                "        say(0)\n"
                "    else:\n"
                "        say(1, place_of(top) if top and dot else '')\n"
                "for name in sys.argv[2:]:\n"
                "    try:\n"
                "        if importlib.util.find_spec(name):\n"
                "            say(0)\n"
                "        else:\n"
                "            say_missing(name)\n"
                "    except ModuleNotFoundError as e:\n"
                "        if not e.name or (name + '.').startswith(e.name + '.'):\n"
                "            say_missing(name)\n"
                "        else:\n"
                "            say(2, '%s: %s' % (type(e).__name__, e))\n"
                "    except ValueError as e:\n"
                "        say(0 if name in sys.modules else 2, '' if name in sys.modules else e)\n"
                "    except BaseException as e:\n"
                "        say(2, '%s: %s' % (type(e).__name__, e))\n";

static const char gpu_script[] = SCRIPT_HEAD
    "try:\n"
    "    import torch\n"
    "    ok = torch.cuda.is_available()\n"
    "    say(0 if ok else 1, 'torch sees %d devices' % torch.cuda.device_count() if ok else\n"
    "        'torch.cuda.is_available() is False')\n"
    "except ModuleNotFoundError as e:\n"
    "    say(1, e)\n"
    "except BaseException as e:\n"
    "    say(2, '%s: %s' % (type(e).__name__, e))\n";

/* The first line is the verdict, the others are the entry points. What is on sys.path first counts,
 * as it would for an import. A package's folder is the innermost one around the module with a
 * manifest in it; only its outermost package is looked up, since looking further would run it. */
static const char entry_points_script[] = SCRIPT_HEAD
    "import importlib.metadata, importlib.util\n"
    "def folder_of(module):\n"
    "    first, *inner = module.split('.')\n"
    "    spec = importlib.util.find_spec(first)\n"
    "    places = list(spec and spec.submodule_search_locations or ())\n"
    "    if not places:\n"
    "        return os.path.dirname(spec.origin) if spec and spec.has_location else ''\n"
    "    folders = [places[0]]\n"
    "    for name in inner[:-1]:\n"
    "        folders.append(os.path.join(folders[-1], name))\n"
    "    folders = [f for f in folders if os.path.isdir(f)]\n"
    "    for f in reversed(folders):\n"
    "        if os.path.isfile(os.path.join(f, 'manifest.json')):\n"
    "            return f\n"
    "    return folders[-1] if folders else ''\n"
    "def line_of(dist, ep):\n"
    "    value = ep.value.partition('[')[0].replace(' ', '')\n"
    "    try:\n"
    "        folder = os.path.abspath(folder_of(value.partition(':')[0]) or '/')\n"
    "    except Exception as e:\n"
    "        print('%s: %s: %s' % (ep.name, type(e).__name__, e), file=sys.stderr)\n"
    "        folder = '/'\n"
    "    if folder == '/' or set(folder) & set('\\t\\n\\r'):\n"
    "        folder = ''\n"
    "    words = (ep.name, value, dist.version or '0')\n"
    "    return '\\t'.join([' '.join(str(w).split()) for w in words] + [folder]) + '\\n'\n"
    "try:\n"
    "    lines, seen, room = [], set(), 48 << 10\n"
    "    for dist in importlib.metadata.distributions():\n"
    "        try:\n"
    "            found = [ep for ep in dist.entry_points if ep.group == sys.argv[1]]\n"
    "        except Exception as e:\n"
    "            print('%s: %s' % (type(e).__name__, e), file=sys.stderr)\n"
    "            continue\n"
    "        for ep in found:\n"
    "            line = '' if ep.name in seen else line_of(dist, ep)\n"
    "            room -= len(line.encode(errors='replace'))\n"
    "            seen.add(ep.name)\n"
    "            if room >= 0:\n"
    "                lines.append(line)\n"
    "    say(0)\n"
    "    out.write(''.join(lines))\n"
    "    out.flush()\n"
    "except BaseException as e:\n"
    "    say(2, '%s: %s' % (type(e).__name__, e))\n";

static void say_all(struct probe_verdict *const *v, size_t n, const char *words)
{
        for (size_t i = 0; i < n; i++)
                probe_say(v[i], WIRE_CHECK_UNKNOWN, "%s", words);
}

/* Verdicts from the script's lines; what it did not get to stays as it is. */
static void take_lines(const char *text, struct probe_verdict *const *v, size_t n)
{
        for (size_t i = 0; i < n && text; i++) {
                size_t len = strcspn(text, "\n");

                if (text[0] < '0' || text[0] > '2' || text[1] != ' ' || text[len] != '\n')
                        return;
                probe_say(v[i], (enum wire_check_status)(text[0] - '0'), "%.*s", (int)len - 2,
                          text + 2);
                text += len + 1;
        }
}

/* argv[0] is set here. x: for what it prints behind the verdicts. */
static void ask(const char *interpreter, const char **argv, struct probe_exec *x,
                struct probe_verdict *const *v, size_t n)
{
        struct probe_verdict found = {0};
        char path[PATH_MAX], words[160];

        probe_command(interpreter, path, &found);
        if (found.status != WIRE_CHECK_OK) {
                say_all(v, n, found.detail);
                return;
        }
        argv[0] = path;
        probe_exec_run(path, argv, PYTHON_SECONDS, x);
        probe_exec_words(x, PYTHON_SECONDS, words, sizeof words);
        for (size_t i = 0; i < n; i++)
                probe_say(v[i], WIRE_CHECK_UNKNOWN, "%.200s %s", interpreter, words);
        take_lines(x->output.data, v, n);
}

void probe_python_packages(const char *interpreter, const char *dir, const char *const *names,
                           size_t n, struct probe_verdict *const *v)
{
        scoped(free) const char **argv = calloc(n + 5, sizeof *argv);
        scoped(probe_exec) struct probe_exec x = {0};

        if (!argv) {
                say_all(v, n, "no memory");
                return;
        }
        argv[1] = "-c";
        argv[2] = packages_script;
        argv[3] = dir;
        memcpy(argv + 4, names, n * sizeof *names);
        ask(interpreter, argv, &x, v, n);
}

/* The lines behind the verdict's become its text. */
static void take_text(const struct probe_exec *x, struct probe_verdict *v)
{
        const char *lines = x->output.data ? strchr(x->output.data, '\n') : NULL;

        if (v->status == WIRE_CHECK_UNKNOWN || !lines)
                return;
        v->text = mem_dup0(lines + 1, strlen(lines + 1));
        if (!v->text)
                probe_say(v, WIRE_CHECK_UNKNOWN, "no memory");
}

void probe_python_entry_points(const char *interpreter, const char *group, struct probe_verdict *v)
{
        const char *argv[] = {NULL, "-c", entry_points_script, group, NULL};
        scoped(probe_exec) struct probe_exec x = {0};

        ask(interpreter, argv, &x, &v, 1);
        if (v->status == WIRE_CHECK_OK)
                take_text(&x, v);
}

/* Cuts the lines apart in place; the array is the caller's. NULL: no memory. */
static const char **survey_arguments(char *declared, const char *program, const char *dir,
                                     const char *entrypoint)
{
        size_t n = 5;
        const char **argv;
        char *line;

        for (const char *at = declared; (at = strchr(at, '\n')); at++)
                n++;
        argv = calloc(n + 1, sizeof *argv);
        if (!argv)
                return NULL;
        argv[1] = "-B";
        argv[2] = program;
        argv[3] = dir;
        argv[4] = entrypoint;
        for (n = 5; (line = strsep(&declared, "\n")) && declared;)
                argv[n++] = line;
        return argv;
}

void probe_python_source(const char *interpreter, const char *dir, const char *entrypoint,
                         const char *declared, struct probe_verdict *v)
{
        scoped(free) char *lines = mem_dup0(declared, strlen(declared));
        const char *lib = getenv(PYTHON_RUNTIME_LIB_ENV);
        scoped(free) const char **argv = NULL;
        scoped(probe_exec) struct probe_exec x = {0};
        scoped(str) struct str program = {0};
        struct wire_str folder = wire_str_of(dir);

        str_addf(&program, "%s/forgesyte_worker/survey.py", lib ? lib : "");
        argv =
            lines && !program.bad ? survey_arguments(lines, program.data, dir, entrypoint) : NULL;
        if (!argv) {
                probe_say(v, WIRE_CHECK_UNKNOWN, "no memory");
                return;
        }
        if (strchr(interpreter, '/') && access(interpreter, X_OK) < 0) {
                v->status = WIRE_CHECK_UNKNOWN;
                python_runtime_why(interpreter, &folder, errno, v->detail, sizeof v->detail);
                return;
        }
        ask(interpreter, argv, &x, &v, 1);
        take_text(&x, v);
}

void probe_python_gpu(const char *interpreter, struct probe_verdict *v)
{
        const char *argv[] = {NULL, "-c", gpu_script, NULL};
        scoped(probe_exec) struct probe_exec x = {0};

        ask(interpreter, argv, &x, &v, 1);
}
