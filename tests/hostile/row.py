"""row.py -- the corpus as a list: each row is a misbehaviour, what is expected of the host, and the
plugin that misbehaves. rows/*.py have them; what every row must leave as it was is in trial.py.

    @row("C01", "NULL dereference", "PluginCrashed signal 11, stage=call", native("crash"))
    def c01(t):
        t.dies("null", "PluginCrashed", "signal 11", signal=11)

The plugin of a row has the row's name in small letters.
"""
import importlib
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))
FAMILIES = ("load", "init", "validate", "crash", "hang", "memory", "files", "protocol", "escape",
            "output", "teardown", "extra")
DEFAULTS = {"version": "1.0.0",
            "limits": {"timeout_seconds": 10, "memory_mb": 128, "load_timeout_seconds": 20}}
ROWS = {}


class Plugin:
    """What goes into a plugin's folder. so: a shared object's name; files: path -> bytes."""

    def __init__(self, so=None, files=None, entrypoint="plugin.so", **manifest):
        self.so, self.files, self.manifest = so, files or {}, {"entrypoint": entrypoint, **manifest}


def native(so, **manifest):
    """The family's shared object tests/hostile/plugins/<so>.c, or another by its path in the build."""
    return Plugin(so, **manifest)


def python(source, files=None, **manifest):
    return Plugin(None, {"plugin.py": source.encode(), **(files or {})}, "plugin.py", **manifest)


class Row:
    """own: a host for this row alone. levels: what else is right at a level, in words. crowded: its
    box may go on with more processes than it had. memory: False where the host rightly holds more.
    livez: ms that /livez may take more than the machine explains, at a level, where not 250."""

    def __init__(self, name, what, expected, plugin=None, beside=None, own=False, levels=None,
                 crowded=False, memory=True, args=(), host_memory=None,
                 livez=None):
        self.name, self.what, self.expected = name, what, expected
        self.plugin, self.beside = plugin, beside or {}
        self.own, self.levels, self.crowded, self.memory = own, levels or {}, crowded, memory
        self.args, self.host_memory, self.livez = args, host_memory, livez or {}
        self.run = None

    def plugins(self):
        mine = {self.name.lower(): self.plugin} if self.plugin else {}
        return {**mine, **self.beside}


def row(name, what, expected, plugin=None, **options):
    def register(function):
        if name in ROWS:
            raise ValueError(f"two rows {name}")
        ROWS[name] = Row(name, what, expected, plugin, **options)
        ROWS[name].run = function
        return function
    return register


def load_rows():
    """All rows, in the corpus's order, by family."""
    found = {}
    for family in FAMILIES:
        if os.path.exists(os.path.join(FOLDER, "rows", f"{family}.py")):
            module = importlib.import_module(f"rows.{family}").__name__
            found[family] = [each for each in ROWS.values() if each.run.__module__ == module]
    return found


def table(families):
    """docs/HOSTILE.md's table."""
    lines = ["| id | misbehaviour | what must come of it |", "|---|---|---|"]
    for rows in families.values():
        for each in rows:
            words = each.expected
            for level, other in each.levels.items():
                words += f"; `{level}`: {other}"
            lines.append(f"| {each.name} | {each.what} | {words} |")
    return "\n".join(lines) + "\n"


def merged_plugin(plugin, manifest):
    """The plugin with another manifest's keys."""
    if not manifest:
        return plugin
    other = Plugin(plugin.so, plugin.files)
    other.manifest = {**plugin.manifest, **manifest}
    return other
