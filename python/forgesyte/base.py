"""base.py -- BasePlugin, what a plugin may derive from (it need not).

Knows: the shape of a plugin.   May not know: hosts, the wire, JSON Schema.
"""
from typing import Any, Dict

from . import _near


class BasePlugin:
    """A plugin has a `name` and `tools`, or the older metadata() and analyze().

    `tools` maps a tool's name to a callable, to the name of a method, or to a dict with `handler`
    (either of these) and, as far as known, `description`, `input_schema` and `output_schema`.

    Optional methods: validate() is a self-test after loading; on_load() runs after __init__ and
    on_unload() before the end. Tools may be `async def`."""

    name: str
    tools: Dict[str, Any]

    def __init__(self) -> None:
        self._check_contract()

    def run_tool(self, tool_name: str, args: Dict[str, Any]) -> Any:
        """Runs one tool. A plugin that overrides this gets every call through it."""
        if tool_name not in self.tools:
            raise ValueError(f"{self.name} has no tool {tool_name!r}")
        return self._handler(tool_name)(**args)

    def validate(self) -> None:
        """A self-test. Raise to say what is wrong."""

    def on_load(self) -> None:
        """After __init__."""

    def on_unload(self) -> None:
        """Before the process ends in order; not after a crash."""

    # --- the contract, checked when the plugin is made --------------------------------------------

    def _said_handler(self, tool_name: str) -> Any:
        tool = self.tools[tool_name]
        return tool.get("handler", tool_name) if isinstance(tool, dict) else tool

    def _handler(self, tool_name: str) -> Any:
        handler = self._said_handler(tool_name)
        # In the class's body a method is still a plain function: {"detect": detect}.
        name = handler if isinstance(handler, str) else getattr(handler, "__name__", "")
        if isinstance(handler, str) or getattr(type(self), name, None) is handler:
            return getattr(self, name, None)
        return handler

    def _check_contract(self) -> None:
        me = type(self).__name__
        if not isinstance(getattr(self, "name", None), str):
            raise ValueError(f"{me}.name is not a string: a plugin needs a name, such as"
                             f' name = "{me.lower()}" in class {me}')
        if not hasattr(self, "tools") and callable(getattr(self, "analyze", None)):
            return
        if not isinstance(getattr(self, "tools", None), dict):
            raise ValueError(f"{me}.tools is not a dict: it maps names of tools to their handlers")
        for tool_name in self.tools:
            self._check_tool(tool_name)

    def _check_tool(self, tool_name: str) -> None:
        where = f"{type(self).__name__}.tools[{tool_name!r}]"
        tool = self.tools[tool_name]
        if not callable(self._handler(tool_name)):
            raise ValueError(_near.no_handler(where, self, self._said_handler(tool_name),
                                              BasePlugin))
        if not isinstance(tool, dict):
            return
        for key, kind in (("description", str), ("input_schema", dict), ("output_schema", dict)):
            if tool.get(key) is not None and not isinstance(tool[key], kind):
                raise ValueError(f"{where}[{key!r}] is not a {kind.__name__}")
