"""_host.py -- whoever runs the plugin, seen from the public functions.

Knows: the five things a plugin asks of its host.   May not know: who that is.
Threads: `current` is set once, before the plugin is imported.
"""
import sys
from typing import Dict

LEVELS = {"error": 0, "warning": 1, "info": 2, "debug": 3}


class NoHost:
    """Nobody: a plugin imported by its own tests, or by hand. Also what hosts derive from."""

    plugin_dir = "."
    models: Dict[str, str] = {}

    def progress(self, done: float, total: float) -> None:
        pass

    def log(self, level: int, text: str) -> None:
        print(text, file=sys.stderr)

    def cancelled(self) -> bool:
        return False


current = NoHost()
