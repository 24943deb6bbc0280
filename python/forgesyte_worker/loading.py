"""loading.py -- from a manifest's entry point to something that makes a plugin.

Knows: importlib, the layout of plugins' folders.   May not know: requests, the wire.

Entry points:
    plugin.py, sub/plugin.py        a file in the folder
    package.plugin                  a module: of the folder, of its src/, or installed
    package.plugin:Plugin           the same, and the class's name
    package.plugin.Plugin           the same, when there is no module of this name

The class is `Plugin`; without one, the only subclass of BasePlugin that the module defines.

A dotted entry point whose first name is not found beside the manifest may mean the folder itself:
the manifest of forgesyte_ocr.plugin lies in the folder forgesyte_ocr, which has another name here.
"""
import importlib
import importlib.util
import inspect
import os
import sys
import types
from typing import Any, Callable, Optional

from forgesyte import _near
from forgesyte.base import BasePlugin

from .failures import Told

SOURCE_LOOKED_AT = 64 << 10
_MAGICS = ((b"\x7fELF", "a compiled program or shared object"), (b"PK\x03\x04", "a zip archive"),
           (b"\xff\xfe", "UTF-16 text"), (b"\xfe\xff", "UTF-16 text"))


def load(folder: str, entrypoint: str) -> Callable[[], Any]:
    """Imports the plugin's module and returns its class. Raises what the import raises."""
    libdir_first = sys.path[:1]
    src = os.path.join(folder, "src")
    own = [folder] + ([src] if os.path.isdir(src) else [])
    sys.path[:] = libdir_first + own + [p for p in sys.path[1:] if p not in own]
    path, colon, wanted = entrypoint.partition(":")
    if path.endswith(".py"):
        module = _import_file(folder, path)
    else:
        try:
            module = _import_dotted(folder, path)
        except ModuleNotFoundError as e:
            parent, dot, last = path.rpartition(".")
            if colon or not dot or e.name != path:
                raise
            module, wanted = _import_dotted(folder, parent), last
    return _find_class(module, wanted, entrypoint)


# --- importing ------------------------------------------------------------------------------------


def _import_file(folder: str, path: str) -> types.ModuleType:
    full = os.path.join(folder, path)
    if os.path.exists(full) and not os.path.isfile(full):
        raise _told(f"{path} in the plugin's folder is no file")
    if not os.path.isfile(full):
        raise _told(f"there is no file {path} in the plugin's folder{_python_files(folder)}")
    _refuse_binary(full, path)
    inside = os.path.dirname(full)
    name = os.path.splitext(os.path.basename(full))[0]
    if os.path.exists(os.path.join(inside, "__init__.py")):
        # A package: its modules say `from .engine import ...`.
        package = os.path.basename(os.path.abspath(inside)).replace("-", "_")
        package = package if package.isidentifier() and not _is_taken(package) else "plugin_package"
        _adopt(package, inside)
        return importlib.import_module(f"{package}.{name}")
    if inside != folder:
        sys.path.insert(1, inside)
    if not name.isidentifier() or _is_taken(name):
        name = "forgesyte_plugin"
    return _execute(importlib.util.spec_from_file_location(name, full))


def _python_files(folder: str) -> str:
    names = sorted(name for name in os.listdir(folder) if name.endswith(".py"))
    return f" (there are: {_near.some(names)})" if names else ""


def _refuse_binary(full: str, path: str) -> None:
    """Python would say "source code string cannot contain null bytes", and not of which file."""
    with open(full, "rb") as f:
        head = f.read(SOURCE_LOOKED_AT)
    if b"\0" not in head:
        return
    what = next((what for magic, what in _MAGICS if head.startswith(magic)), "a binary file")
    raise _told(f"{path} is {what}, not Python source text")


def _import_dotted(folder: str, name: str) -> types.ModuleType:
    top, _, rest = name.partition(".")
    if rest and top not in sys.modules and not _lies_in(folder, top) and _lies_in(folder, rest,
                                                                                 src=False):
        _adopt(top, folder)
    return importlib.import_module(name)


def _lies_in(folder: str, dotted: str, src: bool = True) -> bool:
    """Is there a module or package of that name in the folder, or in its src/?"""
    path = os.path.join(folder, *dotted.split("."))
    if os.path.isfile(path + ".py") or os.path.isdir(path):
        return True
    return src and _lies_in(os.path.join(folder, "src"), dotted, src=False)


def _adopt(package: str, folder: str) -> None:
    """Makes the folder importable as a package of that name, with an __init__.py or without."""
    init = os.path.join(folder, "__init__.py")
    if os.path.exists(init):
        _execute(importlib.util.spec_from_file_location(package, init,
                                                        submodule_search_locations=[folder]))
        return
    module = types.ModuleType(package)
    module.__path__ = [folder]  # type: ignore[attr-defined]
    sys.modules[package] = module


def _execute(spec: Any) -> types.ModuleType:
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(spec.name, None)
        raise
    return module


def _is_taken(name: str) -> bool:
    return name in sys.modules or name in getattr(sys, "stdlib_module_names", ())


# --- finding the class ----------------------------------------------------------------------------


def _find_class(module: types.ModuleType, wanted: str, entrypoint: str) -> Callable[[], Any]:
    if wanted:
        found = getattr(module, wanted, None)
        if not callable(found):
            raise _told(f"{entrypoint}: the module has no class {wanted}"
                        f"{_near.did_you_mean(wanted, _classes(module))}")
        return found
    found = getattr(module, "Plugin", None)
    if callable(found):
        return found
    own = _subclasses(module)
    if len(own) == 1:
        return own[0]
    if own:
        names = ", ".join(cls.__name__ for cls in own)
        raise _told(f"{entrypoint} has no class Plugin and several plugins: {names}."
                        f" Say which in the manifest: {entrypoint}:{own[0].__name__}"
                        if not entrypoint.endswith(".py") else
                        f"{entrypoint} has no class Plugin and several plugins: {names}")
    there = _classes(module)
    about = (f" (it has: {_near.some(there)}; name one Plugin, or derive it from"
             " forgesyte.BasePlugin)" if there else "")
    raise _told(f"{entrypoint} has no class Plugin{about}")


def _classes(module: types.ModuleType) -> list:
    return [name for name, cls in vars(module).items()
            if inspect.isclass(cls) and cls.__module__ == module.__name__]


def _subclasses(module: types.ModuleType) -> list:
    return [cls for cls in vars(module).values()
            if inspect.isclass(cls) and issubclass(cls, BasePlugin)
            and cls.__module__ == module.__name__]


def _told(words: str) -> Told:
    return Told("ImportError", f"ImportError: {words}")


# --- the self-test --------------------------------------------------------------------------------


def check_verdict(verdict: Optional[bool]) -> None:
    """validate() raises, or says nothing, or says whether it is well."""
    if verdict is None:
        return
    well = type(verdict).__name__ in ("bool", "bool_") and bool(verdict)
    if well:
        return
    if type(verdict).__name__ in ("bool", "bool_"):
        raise Told("ValidationError", "validate() returned False")
    raise Told("ValidationError", f"validate() returned a {type(verdict).__name__}:"
                                  " it says nothing, or True or False, or raises")
