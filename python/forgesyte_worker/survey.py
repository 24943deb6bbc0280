"""survey.py -- what a plugin's source tells without being run, for `forgesyte check`.

    PYTHON -B LIBDIR/forgesyte_worker/survey.py FOLDER ENTRYPOINT [DECLARED...]

Knows: the layout of plugins' folders (as loading.py), Python's grammar, where modules are found.
May not know: the wire.   Threads: one.   Owns: nothing; the plugin is read and never imported.

Says on stdout a line with a status (0 well, 2 there are problems) and a space, then a line for each
finding: `problem` or `note`, place, words and the package that would help, with tabs between them.
A problem keeps the plugin from being loaded; a note is about an import that may never happen: in a
function, in a branch, in a `try` that is ready for its failure. DECLARED are modules that the
manifest names itself, which are looked for elsewhere.
"""
import ast
import collections
import importlib.machinery
import importlib.util
import os
import sys
import warnings

FILES_MAX = 300
FILE_MAX = 4 << 20
FINDINGS_MAX = 100
WORDS_MAX = 300
OLDEST = (3, 9)

# Of the standard library, but not of every Python's: what (from, to, instead) had it.
PASSING = {
    "asynchat": (None, (3, 12), ""), "asyncore": (None, (3, 12), ""), "imp": (None, (3, 12), ""),
    "distutils": (None, (3, 12), "setuptools"), "smtpd": (None, (3, 12), "aiosmtpd"),
    "aifc": (None, (3, 13), ""), "audioop": (None, (3, 13), "audioop-lts"),
    "cgi": (None, (3, 13), "legacy-cgi"), "cgitb": (None, (3, 13), "legacy-cgi"),
    "chunk": (None, (3, 13), ""), "crypt": (None, (3, 13), ""), "imghdr": (None, (3, 13), ""),
    "mailcap": (None, (3, 13), ""), "nntplib": (None, (3, 13), ""), "pipes": (None, (3, 13), ""),
    "sndhdr": (None, (3, 13), ""), "telnetlib": (None, (3, 13), ""), "uu": (None, (3, 13), ""),
    "xdrlib": (None, (3, 13), ""), "tomllib": ((3, 11), None, "tomli"),
    "annotationlib": ((3, 14), None, ""), "compression": ((3, 14), None, ""),
}

File = collections.namedtuple("File", "path in_package certain")


class Survey:
    def __init__(self, folder, declared):
        self.folder = os.path.realpath(folder)
        self.declared = {name.partition(".")[0] for name in declared}
        self.packages = {}  # a name that stands for a folder of another name
        self.findings = []
        self.seen = set()  # what was said already
        self.files = collections.deque()  # to be read: those that are certainly imported first
        self.perhaps = collections.deque()
        self.done = set()

    def say(self, kind, place, words, package="", key=None):
        if key is not None and key in self.seen:
            return
        self.seen.add(key)
        self.findings.append((kind, place, words[:WORDS_MAX], package))

    def problem(self, place, words, package="", key=None):
        self.say("problem", place, words, package, key)

    def shown(self, path):
        if path.startswith(self.folder + os.sep):
            return path[len(self.folder) + 1:]
        return path

    def visit(self, path, in_package, certain):
        (self.files if certain else self.perhaps).append(File(path, in_package, certain))

    # --- the entry point --------------------------------------------------------------------------

    def run(self, entrypoint):
        src = os.path.join(self.folder, "src")
        own = [self.folder] + ([src] if os.path.isdir(src) else [])
        sys.path[1:] = own + [p for p in sys.path[1:] if p not in own]
        path, _, wanted = entrypoint.partition(":")
        found = self.entry_file(path) if path.endswith(".py") else self.entry_module(path, wanted)
        if found is None:
            return
        entry, in_package, wanted = found
        self.visit(entry, in_package, True)
        self.follow(entry, wanted, entrypoint)

    def entry_file(self, path):
        full = os.path.join(self.folder, path)
        if not os.path.isfile(full):
            self.problem(path, "there is no such file in the plugin's folder")
            return None
        inside = os.path.dirname(full)
        in_package = os.path.exists(os.path.join(inside, "__init__.py"))
        if in_package:
            self.visit(os.path.join(inside, "__init__.py"), True, True)
        elif inside != self.folder:
            sys.path.insert(1, inside)
        return full, in_package, ""

    def entry_module(self, name, wanted):
        top, _, rest = name.partition(".")
        if rest and not self.lies_in_folder(top) and lies_in(self.folder, rest):
            self.packages[top] = [self.folder]
        found = self.find(name)
        parent, _, last = name.rpartition(".")
        if found.missing and parent and not wanted:
            found, wanted = self.find(parent), last
        if found.missing or not found.path:
            top_there = "." in found.missing or not found.missing
            self.problem(name, f"the entry point's module {found.missing or name} was not found",
                         "" if top_there else package_of(top))
            return None
        for path in found.parents:
            self.visit(path, True, True)
        return found.path, "." in name or found.is_package, wanted

    def lies_in_folder(self, name):
        return lies_in(self.folder, name) or lies_in(os.path.join(self.folder, "src"), name)

    # --- the files --------------------------------------------------------------------------------

    def follow(self, entry, wanted, entrypoint):
        while (self.files or self.perhaps) and len(self.done) < FILES_MAX:
            file = (self.files or self.perhaps).popleft()
            if file.path in self.done:
                continue
            self.done.add(file.path)
            tree = self.parse(file)
            if tree is None:
                continue
            if file.path == entry:
                self.look_for_class(tree, wanted, entrypoint)
            for node, certain in imports(tree.body, True):
                self.look_at_import(file, node, certain and file.certain)

    def parse(self, file):
        place = self.shown(file.path)
        kind = "problem" if file.certain else "note"
        try:
            with open(file.path, "rb") as f:
                data = f.read(FILE_MAX + 1)
        except OSError as e:
            self.say(kind, place, f"it cannot be read: {e.strerror}")
            return None
        if len(data) > FILE_MAX:
            self.say("note", place, "it is too large to be looked into")
            return None
        if b"\0" in data:
            self.say(kind, place, "it is not Python source but binary"
                                  f" (byte {data.index(0) + 1} is NUL)")
            return None
        try:
            compile(data, place, "exec", dont_inherit=True)
            return ast.parse(data, place)
        except SyntaxError as e:
            line = f":{e.lineno}" if e.lineno else ""
            text = f": {e.text.strip()}" if e.text and e.text.strip() else ""
            self.say(kind, place + line, f"{type(e).__name__}: {e.msg}{text}")
        except (ValueError, RecursionError, MemoryError) as e:
            self.say(kind, place, f"it cannot be compiled: {type(e).__name__}: {e}")
        return None

    def look_for_class(self, tree, wanted, entrypoint):
        names, bases, open_ended = top_names(tree.body)
        if open_ended or (wanted or "Plugin") in names:
            return
        if wanted:
            self.problem(entrypoint, f"the module has no class {wanted}")
        elif not any(bases.values()):
            self.problem(entrypoint, "it has no class Plugin")
        else:
            plugins = [name for name in bases if "BasePlugin" in bases[name]]
            if len(plugins) > 1:
                self.problem(entrypoint,
                             "it has no class Plugin and several plugins: " + ", ".join(plugins))

    # --- imports ----------------------------------------------------------------------------------

    def look_at_import(self, file, node, certain):
        place = f"{self.shown(file.path)}:{node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.level:
            self.look_at_relative(file, node, certain, place)
            return
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            for name in names:  # perhaps a module, perhaps a name in one
                self.look_at(f"{node.module}.{name}", certain, None)
            names = [node.module]
        for name in names:
            self.look_at(name, certain, place)

    def look_at_relative(self, file, node, certain, place):
        dots = "." * node.level
        kind = "problem" if certain else "note"
        if not file.in_package:
            self.say(kind, place, f"`from {dots}{node.module or ''} import` needs a package, and this"
                                  " file is in none: there is no __init__.py beside it")
            return
        folder = os.path.dirname(file.path)
        for _ in range(node.level - 1):
            folder = os.path.dirname(folder)
        found = self.walk([folder], (node.module or "").split(".") if node.module else [])
        if found.missing:
            self.say(kind, place, f"No module named '{dots}{node.module}'")
            return
        for path in [*found.parents, found.path]:
            if path:
                self.visit(path, True, certain)
        for alias in node.names:
            inner = self.walk(found.folders, [alias.name])
            if not inner.missing and inner.path:
                self.visit(inner.path, True, certain)

    def look_at(self, name, certain, place):
        """place None: only to follow it, if it is a module of the plugin's own."""
        found = self.find(name)
        if not found.missing:
            for path in [*found.parents, found.path]:
                if path and self.is_own(path):
                    self.visit(path, "." in name or found.is_package, certain)
            return
        top = found.missing.partition(".")[0]
        if place is None or top in self.declared:
            return
        words, package = why_missing(found.missing)
        key = ("missing", found.missing, certain)
        if certain:
            self.problem(place, f"No module named '{found.missing}'{words}", package, key)
            self.seen.add(("missing", found.missing, False))
        else:
            self.say("note", place, f"'{found.missing}' is imported only where it is needed, and is"
                                    f" not installed{words}", package, key)

    def is_own(self, path):
        if not path.startswith(self.folder + os.sep) or not path.endswith(".py"):
            return False
        folder = os.path.dirname(path)
        while len(folder) > len(self.folder):
            if os.path.basename(folder) in ("site-packages", "dist-packages"):
                return False
            folder = os.path.dirname(folder)
        return True

    def find(self, name):
        """Of a module's absolute name, without importing anything."""
        top, *rest = name.split(".")
        if top in self.packages:
            return self.walk(self.packages[top], rest, top)
        if top == "app":  # ours, and what the plugin brings: its parts are found side by side
            return self.walk([os.path.join(p, top) for p in sys.path if p], rest, top)
        try:
            spec = importlib.util.find_spec(top)
        except ValueError:  # a module without a spec is there
            return Found("", "", [], [], False)
        except Exception as e:
            self.say("note", top, f"it could not be looked for: {type(e).__name__}: {e}", key=top)
            return Found("", "", [], [], False)
        if spec is None:
            return Found(top, "", [], [], False)
        path = os.path.realpath(spec.origin) if spec.has_location and spec.origin else ""
        folders = list(spec.submodule_search_locations or ())
        is_namespace = spec.loader is None or not spec.has_location and bool(folders)
        if not rest or not (self.is_own(path) or is_namespace):
            return Found("", path, [], folders, bool(folders))
        inner = self.walk(folders, rest, top)
        if inner.missing and not is_namespace and may_make_names(path):
            return Found("", "", [path], [], True)
        return inner._replace(parents=[p for p in [path] if p] + inner.parents)

    def walk(self, folders, names, prefix=""):
        """From packages' folders along names, by files alone."""
        parents, name = [], prefix
        path = init_of(folders)
        for i, each in enumerate(names):
            if path:
                parents.append(path)
            name = f"{name}.{each}" if name else each
            path, inner = module_in(folders, each)
            if not path and not inner:
                return Found(name, "", parents, [], False)
            if path and not inner and i + 1 < len(names):
                return Found(f"{name}.{names[i + 1]}", "", parents, [], False)
            folders = inner
        if path and not path.endswith(".py"):
            path = ""
        return Found("", path, parents, folders, bool(folders))


# missing: the name that was not found; path: of its file, "" when it has none of interest
Found = collections.namedtuple("Found", "missing path parents folders is_package")


# --- files and folders ----------------------------------------------------------------------------


def lies_in(folder, dotted):
    path = os.path.join(folder, *dotted.split("."))
    return os.path.isfile(path + ".py") or os.path.isdir(path)


def init_of(folders):
    inits = (os.path.join(folder, "__init__.py") for folder in folders)
    return next((os.path.realpath(path) for path in inits if os.path.isfile(path)), "")


def module_in(folders, name):
    """The file of a module in packages' folders, and its own folders if it is a package."""
    inner = [path for path in (os.path.join(folder, name) for folder in folders)
             if os.path.isdir(path)]
    init = init_of(inner)
    if init:
        return init, inner
    for folder in folders:
        for suffix in (".py", *importlib.machinery.EXTENSION_SUFFIXES, ".pyc"):
            path = os.path.join(folder, name + suffix)
            if os.path.isfile(path):
                return os.path.realpath(path), []
    return "", inner


def may_make_names(path):
    """Does a package's __init__.py fill sys.modules or its own path itself?"""
    try:
        with open(path, "rb") as f:
            data = f.read(FILE_MAX)
    except OSError:
        return False
    return b"sys.modules" in data or b"__path__" in data


# --- the syntax tree ------------------------------------------------------------------------------


def imports(body, certain):
    """(node, is it certainly run when the module is imported) of each import."""
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, certain
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from imports(node.body, False)
        elif isinstance(node, ast.If):
            if not is_never_run(node.test):
                yield from imports(node.body, False)
            yield from imports(node.orelse, False)
        elif isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
            ready = any(catches_import_error(handler.type) for handler in node.handlers)
            yield from imports(node.body, certain and not ready)
            for handler in node.handlers:
                yield from imports(handler.body, False)
            yield from imports(node.orelse, certain and not ready)
            yield from imports(node.finalbody, certain)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            suppressed = any(suppresses(item.context_expr) for item in node.items)
            yield from imports(node.body, certain and not suppressed)
        elif isinstance(node, ast.ClassDef):
            yield from imports(node.body, certain)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            yield from imports(node.body + node.orelse, False)
        elif type(node).__name__ == "Match":
            for case in node.cases:
                yield from imports(case.body, False)


def last_name(node):
    """Plugin of base.Plugin, of Plugin, of Plugin[int], of Plugin(...)."""
    while isinstance(node, (ast.Subscript, ast.Call)):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_never_run(test):
    if isinstance(test, ast.Constant):
        return not test.value
    if isinstance(test, ast.Compare):
        return last_name(test.left) == "__name__"
    return last_name(test) == "TYPE_CHECKING"


def catches_import_error(caught):
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(last_name(name) in ("ImportError", "ModuleNotFoundError", "Exception",
                                   "BaseException") for name in names)


def suppresses(expression):
    return (isinstance(expression, ast.Call) and last_name(expression.func) == "suppress"
            and any(catches_import_error(arg) for arg in expression.args))


def top_names(body):
    """Names that a module binds; the bases of its classes, by name; and whether that may not be all."""
    names, bases, open_ended = set(), {}, False
    todo = list(body)
    while todo:
        node = todo.pop(0)
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
            bases[node.name] = [last_name(base) for base in node.bases]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
            open_ended = open_ended or node.name == "__getattr__"
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                open_ended = open_ended or alias.name == "*"
                names.add(alias.asname or alias.name.partition(".")[0])
        else:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    names.add(inner.id)
                elif isinstance(inner, ast.Call) and last_name(inner.func) in (
                        "globals", "vars", "exec", "setattr"):
                    open_ended = True
                elif isinstance(inner, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef,
                                        ast.Import, ast.ImportFrom)):
                    todo.append(inner)
    return names, bases, open_ended


# --- words ----------------------------------------------------------------------------------------


def package_of(module):
    from forgesyte_worker.failures import PIP_NAMES

    return PIP_NAMES.get(module, module)


def why_missing(name):
    """More words about a module that is missing, and the package that has it."""
    top, _, rest = name.partition(".")
    if top == "app":
        return (". Of the ForgeSyte server, plugins have app.plugins.base and app.models; what else"
                " they import from app they must bring along"), ""
    if top in PASSING:
        first, last, package = PASSING[top]
        if last and sys.version_info >= last:
            return f": it left the standard library in Python {last[0]}.{last[1]}", package
        if first and sys.version_info < first:
            return f": it is in the standard library from Python {first[0]}.{first[1]} on", package
    if top in getattr(sys, "stdlib_module_names", ()):
        return (". It belongs to Python's standard library, of which this interpreter has only a"
                " part"), ""
    return "", "" if rest else package_of(top)


def main(folder, entrypoint, declared):
    survey = Survey(folder, declared)
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:2]))
        survey.problem("python", f"it is Python {version}, and plugins need 3.9 or later")
    else:
        survey.run(entrypoint)
    bad = any(kind == "problem" for kind, *_ in survey.findings)
    lines = ["2 " if bad else "0 "]
    survey.findings.sort(key=lambda finding: finding[0] != "problem")
    for finding in survey.findings[:FINDINGS_MAX]:
        lines.append("\t".join(" ".join(str(part).split()) for part in finding))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    # As __main__.py: our three packages first; this folder's modules are nobody's.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.path.dirname(here)] + [p for p in sys.path if os.path.abspath(p) != here]
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)
    out.write(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
    out.flush()
