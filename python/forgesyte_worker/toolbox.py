"""toolbox.py -- the tools of a plugin, whatever its shape, and calling them.

Knows: the shapes of plugins, signatures.   May not know: the wire, how arguments arrived.
Threads: the main one.   Owns: nothing of the plugin.

Shapes: `tools` with handlers; a run_tool() of the plugin's own, through which all calls go; the
older metadata() and analyze(image, options), which is one tool; and tools that only the manifest
lists, which are methods of their name.
"""
import inspect
import json
import re
import sys
from typing import Any, Callable, Dict, List, Mapping, Optional

from forgesyte import _near
from forgesyte.base import BasePlugin
from forgesyte.errors import ToolError

from . import schemas, wire
from .failures import Told

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Progress = Callable[[float, float], None]


# From 3.14 on annotations are made when they are asked for, and some of their names are known to type
# checkers alone.
_LAZILY: Dict[str, Any] = {}
if sys.version_info >= (3, 14):
    import annotationlib

    _LAZILY["annotation_format"] = annotationlib.Format.FORWARDREF


def signature_of(handler: Any) -> Optional[inspect.Signature]:
    try:
        return inspect.signature(handler, **_LAZILY)
    except (TypeError, ValueError):
        return None


def takes_no_self(handler: Any) -> bool:
    function = getattr(handler, "__func__", None)
    return (inspect.ismethod(handler) and inspect.isfunction(function)
            and not inspect.signature(function, **_LAZILY).parameters)


def _first_line(handler: Any) -> Optional[str]:
    doc = getattr(handler, "__doc__", None)
    return doc.strip().splitlines()[0] if isinstance(doc, str) and doc.strip() else None


class Tool:
    """`run` gets the arguments by name and may return an awaitable."""

    def __init__(self, name: str, declared: Mapping[str, Any], handler: Any) -> None:
        self.name = name
        self.handler = handler
        self.signature = signature_of(handler) if handler is not None else None
        if self.signature is None and takes_no_self(handler):
            raise ValueError(f"{handler.__qualname__}() has no parameter self")
        given = declared.get("input_schema", declared.get("inputs"))
        self.input_schema = schemas.of_input(given, self.signature)
        self.output_schema = schemas.of_output(declared.get("output_schema",
                                                            declared.get("outputs")))
        self.description = declared.get("description") or _first_line(handler)
        if not isinstance(self.description, (str, type(None))):
            raise ValueError(f"its description is a {type(self.description).__name__}")
        self.bytes_names = schemas.bytes_names(self.input_schema)
        self.path_names = schemas.path_names(given)
        self.view_names = schemas.view_names(given, self.signature)
        schemas.mark_views(self.input_schema, self.view_names)

    def meta(self) -> Dict[str, Any]:
        meta = {"name": self.name, "description": self.description,
                "input_schema": self.input_schema, "output_schema": self.output_schema}
        return {key: value for key, value in meta.items() if value is not None}

    def run(self, values: Dict[str, Any], progress: Progress) -> Any:
        if self._wants("progress_callback"):
            values = {**values, "progress_callback": progress_callback(progress)}
        return self.call(values)

    def unreachable(self) -> str:
        """Says which declared argument the handler does not take: a misspelt one would be dropped
        at every call. "" when all is well."""
        if self.signature is None or schemas.takes_any(self.signature) or self._wants_whole({}):
            return ""
        declared = list(self.input_schema.get("properties") or {})
        taken = schemas.parameters(self.signature)
        for name in declared:
            if name not in taken:
                free = [p for p in taken if p not in declared]
                handler = getattr(self.handler, "__qualname__", "its handler")
                return (f"its input schema declares the argument {name}, which {handler}() does not"
                        f" take{_near.did_you_mean(name, free or taken)}")
        return ""

    def call(self, values: Dict[str, Any]) -> Any:
        if self.signature is None:
            return self.handler(**values)
        if self._wants_whole(values):
            return self._call_whole(dict(values))
        return self._call_by_name(values)

    def _wants(self, name: str) -> bool:
        return self.signature is not None and name in self.signature.parameters

    def _wants_whole(self, values: Dict[str, Any]) -> bool:
        name = schemas.wants_whole(self.signature)
        return (name is not None and name not in values
                and name not in (self.input_schema.get("properties") or {}))

    def _call_whole(self, values: Dict[str, Any]) -> Any:
        named = {"progress_callback": values.pop("progress_callback")} if self._wants(
            "progress_callback") else {}
        return self.handler(values, **named)

    def _call_by_name(self, values: Dict[str, Any]) -> Any:
        """With the arguments that the handler takes, and no others."""
        positional: List[Any] = []
        named = dict(values) if schemas.takes_any(self.signature) else {}
        for name, p in self.signature.parameters.items():
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                continue
            if name not in values:
                if p.default is p.empty:
                    raise ToolError("InvalidArguments", f"/{name}: this argument is missing")
            elif p.kind is p.POSITIONAL_ONLY:
                positional.append(values[name])
                named.pop(name, None)
            else:
                named[name] = values[name]
        return self.handler(*positional, **named)


class DispatchedTool(Tool):
    """Of a plugin with a run_tool() of its own, which gets everything. `handler`, where it can be
    told, is only looked at."""

    def __init__(self, name: str, declared: Mapping[str, Any], handler: Any, run_tool: Any) -> None:
        super().__init__(name, declared, handler)
        self._run_tool = run_tool
        if declared.get("input_schema", declared.get("inputs")) is None:
            self.input_schema.pop("additionalProperties", None)  # the handler's, not run_tool's

    def unreachable(self) -> str:
        return ""

    def call(self, values: Dict[str, Any]) -> Any:
        return self._run_tool(self.name, values)


class AnalyzeTool(Tool):
    """The older shape: analyze(image_bytes, options). Other arguments are options too."""

    def __init__(self, analyze: Any, metadata: Mapping[str, Any]) -> None:
        options: Dict[str, Any] = {"type": "object"}
        declared = metadata.get("config_schema")
        if isinstance(declared, Mapping) and declared:
            options = schemas.of_input(declared, None)
            options.pop("required", None)
        inputs = {"type": "object", "required": ["image_bytes"],
                  "properties": {"image_bytes": {"type": "string"}, "options": options}}
        super().__init__("analyze", {"description": metadata.get("description"),
                                     "input_schema": inputs}, analyze)

    def unreachable(self) -> str:
        return ""

    def call(self, values: Dict[str, Any]) -> Any:
        values = dict(values)
        if "image_bytes" not in values:
            raise ToolError("InvalidArguments", "/image_bytes: this argument is missing")
        image = values.pop("image_bytes")
        named = {}
        if "progress_callback" in values:
            named["progress_callback"] = values.pop("progress_callback")
        options = values.pop("options", None)
        options = {**values, **(options if isinstance(options, dict) else {})}
        try:
            self.signature.bind(image, options, **named)
        except TypeError:
            return self.handler(image, **named)
        return self.handler(image, options, **named)


def progress_callback(progress: Progress) -> Callable[..., None]:
    """What a tool's progress_callback parameter gets: (done, total), (done), more is ignored."""

    def callback(done: float = 0, total: float = 0, *_more: Any, **_named: Any) -> None:
        try:
            progress(float(done), float(total or 0))
        except (TypeError, ValueError):
            pass

    return callback


class Toolbox:
    def __init__(self, plugin: Any, plugin_name: str) -> None:
        self._plugin = plugin
        self._where = type(plugin).__name__
        self._tools: Dict[str, Tool] = {}
        self._run_tool = self._own_run_tool()
        declared = getattr(plugin, "tools", None)
        if declared is not None and not isinstance(declared, Mapping):
            raise Told("InitError", f"{self._where}.tools is a {type(declared).__name__},"
                                    " not a dict of names and handlers")
        for name in declared or ():
            self._tools[name] = self._make(name, declared[name])
        if not self._tools and callable(getattr(plugin, "analyze", None)):
            self._tools["analyze"] = AnalyzeTool(plugin.analyze, self._metadata())

    def meta(self) -> str:
        try:
            text = json.dumps({"tools": [tool.meta() for tool in self._tools.values()]},
                              allow_nan=False)
        except (TypeError, ValueError) as e:
            raise Told("InitError", f"{self._where}.tools: {e}") from None
        if len(text) + 4 > wire.META_MAX:
            raise Told("InitError", f"{self._where}.tools: the schemas have {len(text)} bytes,"
                                    f" at most {wire.META_MAX}")
        return text

    def find(self, name: str) -> Tool:
        tool = self._tools.get(name) or self._method(name)
        if tool is None:
            raise Told("PluginError", f"no tool is named {name}"
                                      f"{_near.did_you_mean(name, self._names())}")
        return tool

    def _names(self) -> List[str]:
        return list(dict.fromkeys([*self._tools, *_near.methods(self._plugin, BasePlugin)]))

    def check(self) -> None:
        """That each argument that a schema declares can reach its handler."""
        for tool in self._tools.values():
            words = tool.unreachable()
            if words:
                raise Told("ValidationError", f"{self._where}.tools[{tool.name!r}]: {words}")

    # --- making them ------------------------------------------------------------------------------

    def _own_run_tool(self) -> Any:
        run_tool = getattr(self._plugin, "run_tool", None)
        if not callable(run_tool) or getattr(run_tool, "__func__", None) is BasePlugin.run_tool:
            return None
        return run_tool

    def _make(self, name: Any, declared: Any) -> Tool:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Told("InitError", f"{self._where}.tools: {name!r} is no name for a tool:"
                                    " letters, digits, _ . - and at most 64 of them")
        given = declared if isinstance(declared, Mapping) else {"handler": declared}
        handler = self._handler(name, given.get("handler", name))
        if not callable(handler) and self._run_tool is None:
            raise Told("InitError", _near.no_handler(f"{self._where}.tools[{name!r}]", self._plugin,
                                                     given.get("handler", name), BasePlugin))
        try:
            return self._tool(name, given, handler if callable(handler) else None)
        except ValueError as e:
            raise Told("InitError", f"{self._where}.tools[{name!r}]: {e}") from None

    def _tool(self, name: str, declared: Mapping[str, Any], handler: Any) -> Tool:
        if self._run_tool is not None:
            return DispatchedTool(name, declared, handler, self._run_tool)
        return Tool(name, declared, handler)

    def _handler(self, name: str, handler: Any) -> Any:
        # In the class's body a method is still a plain function: tools = {"detect": detect}.
        method = handler if isinstance(handler, str) else getattr(handler, "__name__", "")
        if isinstance(handler, str) or getattr(type(self._plugin), method, None) is handler:
            return getattr(self._plugin, method, None)
        return handler

    def _method(self, name: str) -> Optional[Tool]:
        """A tool that only the manifest lists."""
        if name.startswith("_") or hasattr(BasePlugin, name):
            return None
        handler = getattr(self._plugin, name, None)
        if not callable(handler) and self._run_tool is None:
            return None
        self._tools[name] = self._tool(name, {}, handler if callable(handler) else None)
        return self._tools[name]

    def _metadata(self) -> Mapping[str, Any]:
        """Only for what it adds: plugins whose metadata() does not work have worked so far."""
        try:
            told = self._plugin.metadata() if hasattr(self._plugin, "metadata") else {}
            for name in ("model_dump", "dict"):
                if not isinstance(told, Mapping) and hasattr(told, name):
                    told = getattr(told, name)()
        except Exception as e:
            print(f"metadata(): {type(e).__name__}: {e}", file=sys.stderr)
            return {}
        return told if isinstance(told, Mapping) else {}
