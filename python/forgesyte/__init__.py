"""forgesyte -- what a Python plugin may import from its host.

    import forgesyte

    class Plugin(forgesyte.BasePlugin):
        name = "shout"
        tools = {"shout": "shout"}

        def shout(self, text: str):
            return {"text": text.upper()}

Knows: what is promised to plugins.   May not know: the wire, how a plugin is loaded.
Threads: everything here may be called from any. Outside a host (in a plugin's own unit tests)
everything works too: progress goes nowhere, log to stderr, nothing is ever cancelled.
"""
import os
from typing import Any

from . import _host
from .base import BasePlugin
from .errors import Cancelled, ToolError

__all__ = ["BasePlugin", "Bytes", "Cancelled", "ToolError", "cancelled", "log", "model_path",
           "plugin_dir", "progress"]


class Bytes(bytes):
    """Bytes for a result that say what they are: {"crop": forgesyte.Bytes(png, "image/png")}."""

    content_type: str

    def __new__(cls, data: Any, content_type: str = "application/octet-stream") -> "Bytes":
        self = super().__new__(cls, data)
        self.content_type = content_type
        return self


def progress(done: float, total: float = 0) -> None:
    """Tells the client how far the call is; total 0: unknown. At most 20 a second are sent on.
    After the call's answer it does nothing."""
    _host.current.progress(float(done), float(total))


def log(*words: Any, level: str = "info") -> None:
    """A line for the plugin's log; level is error, warning, info or debug."""
    _host.current.log(_host.LEVELS[level], " ".join(str(word) for word in words))


def cancelled() -> bool:
    """Has the client left? Cancelled is raised by itself too, where Python code runs: this is for
    those who would rather ask, and for threads that the tool has started."""
    return _host.current.cancelled()


def plugin_dir() -> str:
    """The plugin's own folder, as seen from inside its box. It cannot be written to."""
    return _host.current.plugin_dir


def model_path(name: str) -> str:
    """Where a model of the manifest's "models" is. KeyError names those there are."""
    models = _host.current.models
    if name not in models:
        known = ", ".join(sorted(models)) or "none"
        raise KeyError(f"the manifest lists no model {name!r} (it lists: {known})")
    return os.fspath(models[name])
