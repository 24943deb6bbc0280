"""schemas.py -- what plugins say about their arguments, as JSON Schema.

Knows: JSON Schema's words, ForgeSyte's short form, Python's signatures.
May not know: plugins, the wire.   Threads: any.

The short form maps names to types, {"image_bytes": "string", "device": "string?"}, or to schemas,
{"size": {"type": "integer", "default": 5}}. An argument is required there unless its type ends in
`?`, it has a default, or the handler can do without it.
"""
import ast
import inspect
import json
import math
import types
import typing
from typing import Any, Dict, List, Mapping, Optional, Tuple

BYTES_NAMES = ("image_bytes", "frame_bytes")
PATH_NAMES = ("video_path",)
_BYTES_FORMATS = ("base64", "binary", "byte", "memoryview")
_PATH_FORMATS = ("path", "file-path")

_TYPES = {
    "string": "string", "str": "string", "text": "string",
    "integer": "integer", "int": "integer",
    "number": "number", "float": "number", "double": "number",
    "boolean": "boolean", "bool": "boolean",
    "array": "array", "list": "array", "tuple": "array",
    "object": "object", "dict": "object", "json": "object",
}
_BYTES_TYPES = ("bytes", "binary", "base64", "image", "file", "memoryview")
_WHOLE_NAMES = ("args", "arguments", "params", "payload")
# One of these makes a mapping a JSON Schema; otherwise its keys are names of arguments.
_SCHEMA_WORDS = ("properties", "$schema", "$ref", "$defs", "definitions", "anyOf", "oneOf", "allOf",
                 "additionalProperties", "patternProperties")

Schema = Dict[str, Any]


def is_json_schema(given: Mapping[str, Any]) -> bool:
    return given.get("type") == "object" or any(word in given for word in _SCHEMA_WORDS)


# --- arguments ------------------------------------------------------------------------------------


def of_input(given: Any, signature: Optional[inspect.Signature]) -> Schema:
    """The schema of a tool's arguments: from what it declares, or from the handler's signature."""
    if given is None:
        return _of_signature(signature) if signature else {"type": "object"}
    if isinstance(given, (list, tuple)):
        given = {name: "any" for name in given if isinstance(name, str)}
    if not isinstance(given, Mapping):
        raise ValueError(f"an input schema is a dict, not a {type(given).__name__}")
    if is_json_schema(given) or not given:
        schema = plain(given)
        schema.setdefault("type", "object")
    else:
        schema = _of_short_form(given, signature)
    mark_bytes(schema)
    return schema


def of_output(given: Any) -> Optional[Schema]:
    """A JSON Schema, or None: the short form of results is documentation and binds nobody."""
    if isinstance(given, Mapping) and given and is_json_schema(given):
        return plain(given)
    return None


def plain(given: Any) -> Any:
    """A copy of plain JSON. ValueError when there is none."""
    try:
        return json.loads(json.dumps(given, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as e:
        raise ValueError(f"a schema is not JSON: {e}") from None


def _of_short_form(given: Mapping[str, Any], signature: Optional[inspect.Signature]) -> Schema:
    properties, required = {}, []
    for name, declared in given.items():
        properties[name], optional = _property(declared)
        if not optional and _must_be_given(name, signature):
            required.append(name)
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return schema


def _property(declared: Any) -> Tuple[Schema, bool]:
    if isinstance(declared, str):
        name = declared.strip()
        optional = name.endswith("?")
        return _of_type_name(name.rstrip("?").strip().lower()), optional
    if isinstance(declared, Mapping):
        schema = plain(declared)
        optional = "default" in schema or schema.pop("optional", False) is True
        if schema.pop("required", None) is False:
            optional = True
        name = schema.get("type")
        if isinstance(name, str) and name not in _TYPES.values():
            optional = optional or name.endswith("?")
            del schema["type"]
            schema = {**_of_type_name(name.rstrip("?").lower()), **schema}
        for short, word in (("min", "minimum"), ("max", "maximum")):
            if isinstance(schema.get(short), (int, float)):
                schema[word] = schema.pop(short)
        return schema, optional
    return {}, False


def _of_type_name(name: str) -> Schema:
    if name in _BYTES_TYPES:
        return {"type": "string", "contentEncoding": "base64"}
    return {"type": _TYPES[name]} if name in _TYPES else {}


def _must_be_given(name: str, signature: Optional[inspect.Signature]) -> bool:
    if signature is None:
        return True
    parameter = signature.parameters.get(name)
    if parameter is not None:
        return parameter.default is inspect.Parameter.empty
    return takes_any(signature)


def wants_whole(signature: inspect.Signature) -> Optional[str]:
    """The one parameter of a handler that wants its arguments as one dict, if it is one."""
    parameters = [p for p in signature.parameters.values() if p.name != "progress_callback"]
    if len(parameters) != 1 or parameters[0].kind in (inspect.Parameter.VAR_POSITIONAL,
                                                      inspect.Parameter.VAR_KEYWORD):
        return None
    name, annotation = parameters[0].name, parameters[0].annotation
    text = annotation if isinstance(annotation, str) else str(typing.get_origin(annotation))
    says_dict = annotation in (inspect.Parameter.empty, dict) or "dict" in text.lower()
    return name if name in _WHOLE_NAMES and says_dict else None


def parameters(signature: inspect.Signature) -> List[str]:
    """The names by which a handler takes arguments."""
    return [name for name, p in signature.parameters.items()
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and name != "progress_callback"]


def takes_any(signature: inspect.Signature) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())


# --- bytes ----------------------------------------------------------------------------------------


def mark_bytes(schema: Schema) -> None:
    """Arguments that arrive as bytes get the one spelling that the host knows."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return
    for name, declared in properties.items():
        if isinstance(declared, dict) and _is_bytes(name, declared):
            kept = {k: declared[k] for k in ("title", "description", "contentMediaType")
                    if k in declared}
            properties[name] = {"type": "string", "contentEncoding": "base64", **kept}


def _is_bytes(name: str, declared: Schema) -> bool:
    if name.lower().endswith(("base64", "b64")):
        return False  # such a plugin decodes the text itself
    options = declared.get("anyOf") or [declared]
    for option in options if isinstance(options, list) else ():
        if not isinstance(option, dict) or option.get("type", "string") != "string":
            continue
        if (option.get("contentEncoding") == "base64" or option.get("format") in _BYTES_FORMATS
                or option.get("format") in _PATH_FORMATS
                or name in BYTES_NAMES or name in PATH_NAMES):
            return True
    return False


def mark_views(schema: Schema, names: List[str]) -> None:
    """What the host should put into shared memory."""
    for name in bytes_names(schema):
        if name in names:
            schema["properties"][name]["format"] = "memoryview"


def bytes_names(schema: Schema) -> List[str]:
    return [name for name, declared in (schema.get("properties") or {}).items()
            if isinstance(declared, dict) and declared.get("contentEncoding") == "base64"]


def _declared(given: Any) -> Mapping[str, Any]:
    """The arguments of a declaration as the plugin gave it."""
    if not isinstance(given, Mapping):
        return {}
    properties = given.get("properties") if is_json_schema(given) else given
    return properties if isinstance(properties, Mapping) else {}


def path_names(given: Any) -> List[str]:
    """Of a declaration as the plugin gave it: the arguments that want a file's path."""
    return [*PATH_NAMES, *(name for name, declared in _declared(given).items()
                           if isinstance(declared, Mapping)
                           and declared.get("format") in _PATH_FORMATS)]


def view_names(given: Any, signature: Optional[inspect.Signature]) -> List[str]:
    """The arguments that want a memoryview: declared so, or annotated."""
    names = [name for name, p in (signature.parameters if signature else {}).items()
             if _is_view(p.annotation)]
    for name, declared in _declared(given).items():
        if isinstance(declared, Mapping):
            declared = declared["format"] if "format" in declared else declared.get("type")
        if isinstance(declared, str) and declared.strip().rstrip("?").strip() == "memoryview":
            names.append(name)
    return names


def _is_view(annotation: Any) -> bool:
    return memoryview in _alternatives(annotation)


# --- signatures -----------------------------------------------------------------------------------

_ANNOTATIONS = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array",
                dict: "object", tuple: "array"}
_BYTES_CLASSES = (bytes, bytearray, memoryview)
_UNIONS = (typing.Union, getattr(types, "UnionType", typing.Union))  # `int | None`: from 3.10 on


class _Unknown:
    """Of what an annotation says and nobody here can tell."""


_NAMED = {**{c.__name__: c for c in (*_ANNOTATIONS, *_BYTES_CLASSES)}, "List": list, "Dict": dict,
          "Tuple": tuple}


def _of_signature(signature: inspect.Signature) -> Schema:
    if wants_whole(signature):
        return {"type": "object"}
    properties, required = {}, []
    for name, p in signature.parameters.items():
        if p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) or name == "progress_callback":
            continue
        properties[name] = _of_annotation(p.annotation)
        if p.default is p.empty:
            required.append(name)
        elif isinstance(p.default, (str, int, bool)) or _is_finite(p.default):
            properties[name]["default"] = p.default
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    if set(properties) == set(parameters(signature)) and not takes_any(signature):
        schema["additionalProperties"] = False  # a misspelt one is refused, not dropped
    mark_bytes(schema)
    return schema


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _of_annotation(annotation: Any) -> Schema:
    given = _alternatives(annotation)
    options = [a for a in given if a is not type(None)]
    if options and all(a in _BYTES_CLASSES for a in options):
        return {"type": "string", "contentEncoding": "base64"}
    if len(options) != 1 or options[0] not in _ANNOTATIONS:
        return {}
    name = _ANNOTATIONS[options[0]]
    return {"type": name if len(given) == 1 else [name, "null"]}


def _alternatives(annotation: Any) -> List[Any]:
    """The classes of which a value may be. Each that is unknown here is _Unknown."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):  # from __future__ import annotations
        try:
            return _alternatives_of_source(ast.parse(annotation.strip(), mode="eval").body)
        except SyntaxError:
            return [_Unknown]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _UNIONS:
        return [found for arg in args for found in _alternatives(arg)]
    if origin is typing.Annotated:
        return _alternatives(args[0])
    found = origin or annotation
    return [type(None) if found is None else found if inspect.isclass(found) else _Unknown]


def _alternatives_of_source(node: ast.expr) -> List[Any]:
    """The same of an annotation as it was written: by its names, wherever they were imported."""
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, str)):
        return _alternatives(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _alternatives_of_source(node.left) + _alternatives_of_source(node.right)
    if not isinstance(node, ast.Subscript):
        return [_NAMED.get(_last_name(node), _Unknown)]
    outer, inner = _last_name(node.value), node.slice
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if outer == "Annotated":
        return _alternatives_of_source(parts[0]) if parts else [_Unknown]
    if outer not in ("Optional", "Union"):
        return [_NAMED.get(outer, _Unknown)]
    found = [a for part in parts for a in _alternatives_of_source(part)]
    return found + [type(None)] if outer == "Optional" else found


def _last_name(node: ast.expr) -> str:
    """"List" of List and of typing.List."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
