"""_near.py -- the names that somebody may have meant.

Knows: names.   May not know: whose they are.   Threads: any.
"""
from typing import Any, Iterable, List

_SHOWN = 6


def nearest(wanted: str, names: Iterable[str]) -> str:
    """The one most like it, or ""."""
    import difflib  # costs as much as the rest of this package; only failures need it

    lower = {name.lower(): name for name in sorted(names, reverse=True)}
    found = difflib.get_close_matches(wanted.lower(), list(lower), 1, 0.6)
    return lower[found[0]] if found else ""


def some(names: Iterable[str]) -> str:
    """The first few, for words."""
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def did_you_mean(wanted: str, names: Iterable[str]) -> str:
    """What goes behind "there is no WANTED"."""
    listed = list(names)
    close = nearest(wanted, listed)
    if close:
        return f"; did you mean {close}?"
    return f" (there are: {some(listed)})" if listed else ""


def methods(of: Any, but: type) -> List[str]:
    """The public methods of an object, but for those of a base class."""
    return sorted(name for name in dir(type(of)) if not name.startswith("_")
                  and callable(getattr(type(of), name, None)) and not hasattr(but, name))


def no_handler(where: str, plugin: Any, handler: Any, but: type) -> str:
    """Why nothing can be called: where says whose handler it is."""
    me = type(plugin).__name__
    if not isinstance(handler, str):
        return (f"{where}: its handler is a {type(handler).__name__}, not a function or the name of"
                f" a method of {me}")
    if hasattr(plugin, handler):
        kind = type(getattr(plugin, handler)).__name__
        return f"{where} has no callable handler: {me}.{handler} is a {kind}, not a method"
    return (f"{where} has no callable handler: {me} has no method {handler}"
            f"{did_you_mean(handler, methods(plugin, but))}")
