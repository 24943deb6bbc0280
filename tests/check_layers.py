"""check_layers.py -- the rules of the house that a script can see. Speaks TAP, one case a rule.

Which folder may include which is read from ARCHITECTURE.md's table and stands nowhere else.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from check_format import c_files  # noqa: E402

LONGEST_FILE = 800
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# These layers decide and never act: what their .c and .h may not include.
PURE = ("wire", "lifecycle", "health", "toolrunner")
ACTING = re.compile(r"(unistd|fcntl|time|pthread|signal|poll|threads|sys/(?!types|queue).*)\.h$")
# src/host/main.c hands over to the commands; nothing else in host/ knows them.
EXCEPTIONS = {("src/host/main.c", "cli")}
VAGUE = re.compile(r"(^|_)(utils?|common|misc|helpers?|stuff)(_|$)")
MACHINE = re.compile(r"(?<![\w.$}>-])/(?:work|root|home/[a-z][\w-]*|Users/\w+)/[\w.]")
# What becomes part of forgesyte-worker: one process, one plugin, and signal handlers.
IN_THE_BOX = ("src/worker/", "src/sandbox/libbox.")
# Writable file-scope objects that are meant: (object file, symbol), each with its reason.
GLOBALS = set()


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


def includes(name):
    """(line number, kind, path) of each #include."""
    for number, line in enumerate(read(name).splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def layer_table():
    """{folder: set of folders it may include}, from ARCHITECTURE.md."""
    table = {}
    inside = False
    for line in read("ARCHITECTURE.md").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| folder | may include"):
            inside = True
        elif inside and not line.startswith("|"):
            inside = False
        elif inside and not set(cells[0]) <= set("-: "):
            named = set() if cells[1] in ("–", "-", "") else set(cells[1].split(", "))
            table[cells[0].strip("`/")] = {folder.strip("`/ ") for folder in named}
    return table


def table_has_no_cycle():
    """The layer table covers every folder of src/, in an order without a cycle"""
    table = layer_table()
    seen = set()
    for folder, named in table.items():
        for other in sorted(named - seen):
            yield f"ARCHITECTURE.md: {folder} may include {other}, which is not above it"
        seen.add(folder)
    for folder in sorted(os.listdir(os.path.join(ROOT, "src"))):
        if os.path.isdir(os.path.join(ROOT, "src", folder)) and folder not in table:
            yield f"ARCHITECTURE.md: no row for src/{folder}"


def no_include_points_the_wrong_way():
    """Every include of src/ is path-qualified and points to a layer that its folder may know"""
    table = layer_table()
    for name in c_files():
        if not name.startswith("src/"):
            continue
        folder = name.split("/")[1]
        for number, kind, path in includes(name):
            other = path.split("/")[0]
            if kind == "<" or other == "forgesyte":
                continue
            if "/" not in path:
                yield f"{name}:{number}: \"{path}\" is not path-qualified"
            elif other != folder and other not in table.get(folder, set()) \
                    and (name, other) not in EXCEPTIONS:
                yield f"{name}:{number}: {folder}/ may not include {other}/ (ARCHITECTURE.md)"


def plugins_include_only_the_sdk():
    """A plugin knows include/forgesyte/ and nothing else of ours"""
    ours = set(layer_table())
    for name in c_files():
        if name.startswith(("plugins/", "tests/plugins/")) and "/support/" not in name:
            for number, kind, path in includes(name):
                if kind == '"' and path.split("/")[0] in ours:
                    yield f"{name}:{number}: a plugin includes {path}"


def pure_layers_do_not_act():
    """wire/, lifecycle/, health/ and toolrunner/ include nothing to act or tell the time with"""
    for name in c_files():
        if name.startswith(tuple(f"src/{folder}/" for folder in PURE)):
            for number, kind, path in includes(name):
                if kind == "<" and ACTING.match(path):
                    yield f"{name}:{number}: <{path}> in a pure layer"


def headers_say_what_they_are_for():
    """Each header begins with what it knows, its threads and what it owns"""
    for name in c_files():
        if not (name.startswith("src/") and name.endswith(".h")):
            continue
        head = read(name).split("*/")[0]
        if not head.startswith(f"/* {os.path.basename(name)} -- "):
            yield f"{name}:1: does not begin with \"/* {os.path.basename(name)} -- what for\""
        for word in ("Threads:", "Owns:"):
            if word not in head:
                yield f"{name}:1: its first comment has no \"{word}\""


def names_mean_something():
    """No file and no folder is called util, common, misc or the like"""
    for name in c_files():
        for part in name.split("/"):
            if VAGUE.search(part.split(".")[0]):
                yield f"{name}: \"{part}\" says nothing"


def files_are_short():
    """No C file is longer than 800 lines"""
    for name in c_files():
        lines = read(name).count("\n")
        if lines > LONGEST_FILE:
            yield f"{name}: {lines} lines"


def nobody_writes_globals():
    """No writable file-scope object outside main.c and what runs in the box (rule 11)"""
    build = os.path.join(ROOT, os.environ.get("FORGESYTE_BUILD", "build"))
    for folder, _, files in os.walk(os.path.join(build, "src")):
        for name in sorted(files):
            path = os.path.relpath(os.path.join(folder, name), build)
            if not name.endswith(".o") or name == "main.c.o" or path.startswith(IN_THE_BOX):
                continue
            out = subprocess.run(["nm", "--format=sysv", os.path.join(build, path)],
                                 stdout=subprocess.PIPE, check=True).stdout.decode()
            for line in out.splitlines():
                cells = [cell.strip() for cell in line.split("|")]
                if len(cells) == 7 and cells[3] in ("OBJECT", "TLS") and \
                        re.match(r"\.(data(?!\.rel\.ro)|bss|tbss|tdata)", cells[6]) and \
                        (path, cells[0]) not in GLOBALS:
                    yield f"{path}: {cells[0]} in {cells[6]}"


def no_path_of_a_build_machine():
    """Nothing in the tree names a folder of the machine it was written on"""
    out = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], stdout=subprocess.PIPE,
                         check=False).stdout
    for name in [name for name in out.decode().split("\0") if name] or c_files():
        try:
            text = read(name)
        except (UnicodeDecodeError, OSError):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE.search(line) and name != "tests/check_layers.py":
                yield f"{name}:{number}: {MACHINE.search(line).group(0)}…"


RULES = (table_has_no_cycle, no_include_points_the_wrong_way, plugins_include_only_the_sdk,
         pure_layers_do_not_act, headers_say_what_they_are_for, names_mean_something,
         files_are_short, nobody_writes_globals, no_path_of_a_build_machine)


def main():
    print(f"1..{len(RULES)}")
    failed = 0
    for number, rule in enumerate(RULES, 1):
        faults = list(rule())
        failed += bool(faults)
        print(f"{'not ok' if faults else 'ok'} {number} - {rule.__doc__}")
        for fault in faults:
            print(f"# {fault}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
