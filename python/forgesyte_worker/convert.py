"""convert.py -- what a tool returned, as JSON and bytes.

Knows: JSON, and the types that plugins return.   May not know: tools, the channel.   Threads: any.

Becomes JSON: dict, list, tuple, str, int, float, bool, None; enums (their value), dates and times
(ISO 8601), timedelta (seconds), Decimal, UUID and paths (text), dataclasses, pydantic models, numpy
scalars and arrays. NaN and infinities become null. Bytes that are members of the result itself
travel as they are, deeper ones become base64. Anything else is InvalidOutput and says where:
`result.boxes[3].mask: set is not JSON`.

No third-party package is imported for this: a numpy array can only come from a plugin that has
imported numpy.
"""
import base64
import dataclasses
import datetime
import decimal
import enum
import json
import math
import os
import sys
import uuid
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from . import wire
from .failures import Told

DEPTH_MAX = 64  # the host's, src/base/json.h
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1
_DUMP = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False,
                         separators=(",", ":")).encode
_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"),
          (b"GIF8", "image/gif"), (b"%PDF-", "application/pdf"))


def encode_result(result: Any, max_output: int) -> List[Any]:
    """The pieces of a RESULT. Told (InvalidOutput, OutputTooLarge) when there is none."""
    blobs: List[wire.Blob] = []
    work = _Conversion(max_output)
    try:
        if isinstance(result, dict):
            result = _take_blobs(result, blobs)
        text = _dump(work.convert(result))
    except _NotJson as e:
        raise Told("InvalidOutput", f"result{''.join(reversed(e.place))}: {e}") from None
    except RecursionError:
        raise Told("InvalidOutput", "result: it is nested too deeply to be converted") from None
    size = len(text) + sum(len(b.name) + len(b.content_type) + len(b.data) for b in blobs)
    if size > max_output:
        raise _too_large(max_output, size)
    return wire.encode_result(text, blobs)


def _too_large(max_output: int, size: Optional[int] = None) -> Told:
    has = f" ({size} bytes, at most {max_output})" if size else f" (at most {max_output} bytes)"
    return Told("OutputTooLarge", f"the result is larger than the host takes{has}")


class _NotJson(Exception):
    """place: the path to it, innermost first."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.place: List[str] = []


def _member(key: str) -> str:
    return f".{key}" if key.isidentifier() else f"[{json.dumps(key[:60])}]"


# --- bytes ----------------------------------------------------------------------------------------


def _take_blobs(result: Dict[Any, Any], blobs: List[wire.Blob]) -> Dict[Any, Any]:
    """Members that are bytes; what is left is returned."""
    rest = {}
    for key, value in result.items():
        if (isinstance(value, (bytes, bytearray, memoryview)) and isinstance(key, str) and key
                and _is_text(key) and len(blobs) < 0xFFFF):
            content_type = getattr(value, "content_type", None)
            if not isinstance(content_type, str) or not _is_text(content_type):
                content_type = _sniff(value)
            if isinstance(value, memoryview) and not value.c_contiguous:
                value = value.tobytes()
            data = value.cast("B") if isinstance(value, memoryview) else value
            blobs.append(wire.Blob(key, content_type, data))
        else:
            rest[key] = value
    return rest


def _sniff(data: Any) -> str:
    head = bytes(data[:16]) if not isinstance(data, memoryview) else data.tobytes()[:16]
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((name for magic, name in _MAGIC if head.startswith(magic)),
                "application/octet-stream")


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()


# --- text -----------------------------------------------------------------------------------------


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _dump(plain: Any) -> bytes:
    try:
        return _DUMP(plain).encode()
    except UnicodeEncodeError:
        _find_surrogate(plain)
        raise _NotJson("a text has lone surrogates, which are not Unicode") from None


def _find_surrogate(plain: Any) -> None:
    """Only to name the place."""
    words = "a text has lone surrogates, which are not Unicode"
    if isinstance(plain, str):
        try:
            plain.encode()
        except UnicodeEncodeError:
            raise _NotJson(words) from None
    items = plain.items() if isinstance(plain, dict) else ()
    for key, value in items:
        try:
            _find_surrogate(key)
            _find_surrogate(value)
        except _NotJson as e:
            e.place.append(_member(key))
            raise
    for i, value in enumerate(plain if isinstance(plain, (list, tuple)) else ()):
        try:
            _find_surrogate(value)
        except _NotJson as e:
            e.place.append(f"[{i}]")
            raise


# --- the walk -------------------------------------------------------------------------------------


class _Conversion:
    """Of one result. Returns new containers; never changes what the plugin may keep."""

    def __init__(self, max_output: int) -> None:
        self._max = max_output
        self._left = max_output  # of the least that the text so far will take
        self._parents: List[Any] = []

    def convert(self, value: Any) -> Any:
        how = _EXACT.get(type(value))
        if how is None:
            how = _other(value)
        return how(self, value)

    def _spend(self, n: int) -> None:
        self._left -= n
        if self._left < 0:
            raise _too_large(self._max)

    def _enter(self, value: Any) -> None:
        self._parents.append(value)
        if len(self._parents) <= DEPTH_MAX:
            return
        ids = [id(parent) for parent in self._parents]
        if len(set(ids)) < len(ids):
            raise _NotJson("it contains itself")
        raise _NotJson(f"it is nested more than {DEPTH_MAX} deep")

    # --- scalars ----------------------------------------------------------------------------------

    def same(self, value: Any) -> Any:
        return value

    def text(self, value: str) -> str:
        self._spend(len(value))
        return str(value)

    def integer(self, value: int) -> int:
        if not _INT_MIN <= value <= _INT_MAX:
            bits = value.bit_length() + 1
            raise _NotJson(f"an int of {bits} bits with its sign does not fit into 64")
        return int(value)

    def number(self, value: float) -> Optional[float]:
        return float(value) if math.isfinite(value) else None

    def base64(self, value: Any) -> str:
        size = value.nbytes if isinstance(value, memoryview) else len(value)
        self._spend(size * 4 // 3)
        return _base64(value)

    # --- containers -------------------------------------------------------------------------------

    def array(self, value: Any) -> Any:
        self._spend(2 * len(value))
        if _is_plain_numbers(value):
            return value
        self._enter(value)
        new = []
        for i, item in enumerate(value):
            try:
                new.append(self.convert(item))
            except _NotJson as e:
                e.place.append(f"[{i}]")
                raise
        self._parents.pop()
        return new

    def object(self, value: Mapping[Any, Any]) -> Dict[str, Any]:
        self._spend(4 * len(value))
        self._enter(value)
        new: Dict[str, Any] = {}
        for key, item in value.items():
            name = key if type(key) is str else _key(key)
            if name in new:
                raise _NotJson(f"two of its keys are {json.dumps(name[:60])}")
            self._left -= len(name)
            try:
                new[name] = self.convert(item)
            except _NotJson as e:
                e.place.append(_member(name))
                raise
        self._parents.pop()
        return new

    # --- other people's types ---------------------------------------------------------------------

    def again(self, get: Callable[[], Any]) -> Any:
        """Converts what `get` makes of it; counted as one deeper, so that it ends."""
        self._enter(get)
        new = self.convert(get())
        self._parents.pop()
        return new

    def fields(self, value: Any) -> Any:
        return self.object({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})

    def ndarray(self, value: Any) -> Any:
        if len(self._parents) + value.ndim > DEPTH_MAX:
            raise _NotJson(f"it is nested more than {DEPTH_MAX} deep")
        self._spend(2 * value.size)
        kind, size = value.dtype.kind, value.dtype.itemsize
        if kind in "bi" or kind == "u" and size < 8:
            return value.tolist()
        if kind == "f" and size <= 8 and sys.modules["numpy"].isfinite(value).all():
            return value.tolist()
        self._left += 2 * value.size  # they are counted once more
        if kind in "mM":  # tolist() makes numbers of the finer units
            return self.again(lambda: list(value) if value.ndim else value[()])
        return self.again(value.tolist)


def _is_plain_numbers(value: Any) -> bool:
    """Long lists of numbers are common, and cheap to see through."""
    kinds = set(map(type, value))
    if kinds == {float}:
        return math.isfinite(sum(value))
    if kinds == {int}:
        return _INT_MIN <= min(value) and max(value) <= _INT_MAX
    return False


def _key(key: Any) -> str:
    """As Python's own json module does it: {1: "a"} is {"1": "a"}."""
    if isinstance(key, enum.Enum):
        return _key(key.value)
    if isinstance(key, str):
        return str(key)
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    if isinstance(key, int):
        return int.__repr__(key)
    if isinstance(key, float) and math.isfinite(key):
        return float.__repr__(float(key))
    if isinstance(key, (os.PathLike, uuid.UUID, datetime.date)):
        return str(key)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(key, numpy.generic):
        return _key(key.item())
    raise _NotJson(f"its key {repr(key)[:60]} is a {type(key).__name__}, not a string")


_How = Callable[[_Conversion, Any], Any]

_EXACT: Dict[type, _How] = {
    str: _Conversion.text, int: _Conversion.integer, float: _Conversion.number,
    bool: _Conversion.same, type(None): _Conversion.same,
    dict: _Conversion.object, list: _Conversion.array, tuple: _Conversion.array,
    bytes: _Conversion.base64, bytearray: _Conversion.base64, memoryview: _Conversion.base64,
}

# Looked at in this order; the first that fits is taken.
_BY_CLASS: Tuple[Tuple[Any, _How], ...] = (
    (enum.Enum, lambda c, v: c.again(lambda: v.value)),
    ((datetime.date, datetime.time), lambda c, v: v.isoformat()),
    (datetime.timedelta, lambda c, v: v.total_seconds()),
    (decimal.Decimal, lambda c, v: str(v) if v.is_finite() else None),
    (uuid.UUID, lambda c, v: str(v)),
    (str, _Conversion.text), (int, _Conversion.integer), (float, _Conversion.number),
    ((bytes, bytearray), _Conversion.base64),
    (Mapping, _Conversion.object), ((list, tuple), _Conversion.array),
    (os.PathLike, lambda c, v: c.again(lambda: os.fsdecode(v))),
)


def _other(value: Any) -> _How:
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "ndarray"):
        if isinstance(value, numpy.ndarray):
            return _Conversion.ndarray
        if isinstance(value, numpy.generic):
            return _numpy_scalar
    for cls, how in _BY_CLASS:
        if isinstance(value, cls):
            return how
    kind = type(value)
    for name in ("model_dump", "dict" if hasattr(kind, "__fields__") else ""):
        if callable(getattr(kind, name, None)):
            return lambda c, v: c.again(getattr(v, name))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _Conversion.fields
    raise _NotJson(f"{kind.__name__} is not JSON{_hint(value, kind)}")


def _hint(value: Any, kind: type) -> str:
    if kind.__name__ == "coroutine":
        return " (is an await missing?)"
    if isinstance(value, (set, frozenset)) or hasattr(kind, "__next__"):
        return " (make it a list)"
    if kind.__module__ != "builtins" and not isinstance(value, type):
        return " (a dict or a dataclass is)"
    return ""


def _numpy_scalar(c: _Conversion, value: Any) -> Any:
    plain = value.item()
    if value.dtype.kind in "mM" and type(plain) is int:
        plain = _fine_time(value)
    if type(plain) is type(value):  # longdouble
        plain = float(plain)
    return c.again(lambda: plain)


def _fine_time(value: Any) -> Any:
    """A time in a unit that datetime does not have: nanoseconds, years."""
    numpy = sys.modules["numpy"]
    if value.dtype.kind == "M":
        return numpy.datetime_as_string(value).item()
    try:
        return (value / numpy.timedelta64(1, "s")).item()
    except TypeError:  # a year has no length in seconds
        return str(value)
